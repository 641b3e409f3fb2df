package data

import (
	"context"
	"fmt"
	"io"
	"unicode/utf8"
)

// record is what is kept of a row between the passes over the input.
type record struct {
	hash  uint64 // of the normalised text
	size  int64  // bytes of the text
	line  int64  // of a table's row; 0 for a whole file
	file  int32  // index in Import.files
	set   int32  // of labels, in labelTable.sets
	split splitID
}

// Import is a checked input: every row has been read once and has its split. TrainingTexts and Write read it again.
type Import struct {
	opts    Options
	cols    *columns
	inputs  []input
	files   []*inputFile
	records []record
	labels  *labelTable

	byPosition bool // each document is cut in itself, as there are too few to share out
	bad        BadRows
	blank      int64
	duplicates *Duplicates
	read       int64 // stored bytes read in this pass
	total      int64
}

// Scan reads every row of the input once: it checks, splits and counts. It fails with *BadRowsError under the policy Fail
// if any row is bad, and at once where a file cannot be read on.
func Scan(ctx context.Context, opts Options) (*Import, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts.Out != "" {
		if err := checkTarget(opts.Out, opts.Overwrite); err != nil {
			return nil, err
		}
	}
	im := &Import{opts: opts, labels: newLabelTable(opts.Labels), bad: BadRows{Policy: opts.OnBadRow}}
	if im.cols, err = newColumns(opts); err != nil {
		return nil, err
	}
	if im.inputs, err = findInputs(opts); err != nil {
		return nil, err
	}
	for i := range im.inputs {
		im.total += im.inputs[i].bytes
		for j := range im.inputs[i].files {
			im.files = append(im.files, &im.inputs[i].files[j])
		}
	}
	if err := im.firstPass(ctx); err != nil {
		return nil, err
	}
	return im, im.conclude()
}

// conclude settles the splits once all rows are known.
func (im *Import) conclude() error {
	if im.count() == 0 {
		if im.bad.Rows > 0 {
			return fmt.Errorf("no row can be used; first: %w", &BadRowsError{im.bad})
		}
		return fmt.Errorf("%s: no rows: give a file with text", im.inputs[0].path)
	}
	im.labels.order()
	im.assignSplits()
	im.refuseUntrained()
	if im.bad.Rows > 0 && im.opts.OnBadRow == Fail {
		return &BadRowsError{im.bad}
	}
	if err := im.checkSplits(); err != nil {
		return err
	}
	im.duplicates = im.findDuplicates()
	return nil
}

// count is the number of rows that can be used.
func (im *Import) count() int64 { return int64(len(im.records)) - im.bad.Rows }

// visitor takes each piece of each row in order, or the reason why the row is bad.
type visitor func(file int, doc *document, bad *BadRow) error

// each reads all files in order. Checksums are taken of each file, or compared with those of the first pass.
func (im *Import) each(ctx context.Context, phase string, visit visitor) error {
	im.read = 0
	documents, step := int64(0), int64(0)
	for f := range im.files {
		err := im.eachOf(ctx, f, func(doc *document, bad *BadRow) error {
			documents++
			if im.opts.Progress != nil && (im.read>>20 != step || documents%1024 == 0) {
				step = im.read >> 20
				im.opts.Progress(Progress{phase, im.read, im.total, documents})
			}
			return visit(f, doc, bad)
		})
		if err != nil {
			return err
		}
	}
	if im.opts.Progress != nil {
		im.opts.Progress(Progress{phase, im.total, im.total, documents})
	}
	return ctx.Err()
}

func (im *Import) eachOf(ctx context.Context, f int, visit func(*document, *BadRow) error) error {
	file := im.files[f]
	if file.stray {
		return visit(nil, &BadRow{file.path, 0, NoLabelFolder, fmt.Sprintf(
			"lies in %s itself, not in a sub-folder named after a label: move it, or give the folder that holds only the labels' folders",
			im.inputs[file.source].path)})
	}
	r, err := openReader(file, im.cols, &im.read)
	if err != nil {
		return err
	}
	defer r.close()
	var doc document
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.next(&doc)
		if err == io.EOF {
			break
		}
		bad, isBad := asBadRow(err)
		if err != nil && !isBad {
			return err
		}
		if err := visit(&doc, bad); err != nil {
			return err
		}
	}
	sum, err := r.checksum()
	if err != nil {
		return err
	}
	if file.sum != [32]byte{} && file.sum != sum {
		return fmt.Errorf("%s changed while it was being read: run again when nothing writes to it", file.path)
	}
	if file.sum == [32]byte{} {
		im.blank += r.blankLines()
	}
	file.sum = sum
	return nil
}

// firstPass fills records, one for every row, bad ones included.
func (im *Import) firstPass(ctx context.Context) error {
	var text normalHash
	return im.each(ctx, "check", func(f int, doc *document, bad *BadRow) error {
		if bad == nil {
			text.write(doc.text)
			if doc.more {
				return nil
			}
		}
		r := record{file: int32(f), split: excluded}
		if bad == nil {
			r.hash, r.size = text.sum(), text.size
			bad = im.checkText(f, doc, text.solid)
		}
		text = normalHash{}
		var err error
		if bad == nil {
			r.set, err = im.labels.setOf(doc, im.files[f].path)
			var isBad bool
			if bad, isBad = asBadRow(err); err != nil && !isBad {
				return err
			}
		}
		if bad != nil {
			im.bad.add(bad)
			r.line = bad.Line
		} else {
			r.line, r.split = doc.line, train
		}
		im.records = append(im.records, r)
		return nil
	})
}

// checkText refuses a text without a character to read, and labels that are not text.
func (im *Import) checkText(f int, doc *document, solid bool) *BadRow {
	path := im.files[f].path
	if !solid {
		return &BadRow{path, doc.line, EmptyText, "text is empty or white space only: fill it in or remove the row"}
	}
	for _, label := range doc.labels {
		if !utf8.Valid(label) {
			return &BadRow{path, doc.line, InvalidUTF8, fmt.Sprintf("label %q is not UTF-8: save the file as UTF-8", label)}
		}
	}
	return nil
}
