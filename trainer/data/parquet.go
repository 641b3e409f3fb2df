package data

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// parquetReader reads the chosen columns of a Parquet file. Rows are counted from 1.
type parquetReader struct {
	path   string
	file   *os.File
	cols   *columns
	read   *int64
	size   int64
	groups []parquet.RowGroup
	total  int // row groups
	rows   parquet.Rows
	batch  []parquet.Row
	queue  []parquet.Row
	number int64

	text   []int // column indexes
	label  int
	lists  bool // the label column holds lists
	joined []byte
	labels []byte // bytes of one row's labels
}

func openParquet(path string, cols *columns, read *int64) (r *parquetReader, err error) {
	if cols.byNumber {
		return nil, fmt.Errorf("%s: columns are given as numbers, but those of Parquet have names: name them with --text and --label", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if caught := recover(); caught != nil { // the library panics on some damaged files
			err = fmt.Errorf("%s: Parquet file is damaged (%v): write it anew", path, caught)
		}
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	r = &parquetReader{path: path, file: file, cols: cols, read: read, size: info.Size(), batch: make([]parquet.Row, 64)}
	if r.size == 0 {
		return r, nil
	}
	p, err := parquet.OpenFile(file, r.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%s: not a Parquet file, or a damaged one (%w)", path, err)
	}
	r.groups = p.RowGroups()
	r.total = len(r.groups)
	return r, r.findColumns(p.Schema())
}

func (r *parquetReader) findColumns(schema *parquet.Schema) error {
	find := func(name string, isLabel bool) (int, error) {
		var names []string
		for i, path := range schema.Columns() {
			names = append(names, strings.Join(path, "."))
			if path[0] != name {
				continue
			}
			leaf, _ := schema.Lookup(path...)
			if !isLabel && (leaf.Node.Type().Kind() != parquet.ByteArray || leaf.MaxRepetitionLevel > 0) {
				return 0, fmt.Errorf("%s: column %q is %v, want strings", r.path, name, leaf.Node.Type())
			}
			if isLabel && leaf.MaxRepetitionLevel > 0 && r.cols.separator == nil {
				return 0, fmt.Errorf("%s: column %q holds lists, want one label a row: use task multilabel", r.path, name)
			}
			r.lists = isLabel && leaf.MaxRepetitionLevel > 0
			return i, nil
		}
		return 0, fmt.Errorf("%s: no column %q; there are %s: name another with --text and --label",
			r.path, name, strings.Join(names, ", "))
	}
	for _, name := range r.cols.text {
		at, err := find(name, false)
		if err != nil {
			return err
		}
		r.text = append(r.text, at)
	}
	if r.cols.label == "" {
		return nil
	}
	var err error
	r.label, err = find(r.cols.label, true)
	return err
}

func (r *parquetReader) next(doc *document) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("%s: row %d: Parquet file is damaged (%v): write it anew", r.path, r.number+1, caught)
		}
	}()
	if len(r.queue) == 0 {
		if err := r.fill(); err != nil {
			return err
		}
	}
	row := r.queue[0]
	r.queue = r.queue[1:]
	r.number++
	doc.line, doc.more, doc.labels = r.number, false, doc.labels[:0]
	if bad := r.readText(doc, row); bad != nil {
		return bad
	}
	if r.cols.label != "" {
		if bad := r.readLabel(doc, row); bad != nil {
			return bad
		}
	}
	return nil
}

// fill reads the next rows, going from one row group to the next.
func (r *parquetReader) fill() error {
	for {
		if r.rows == nil {
			if len(r.groups) == 0 {
				return io.EOF
			}
			r.rows = r.groups[0].Rows()
			r.groups = r.groups[1:]
		}
		n, err := r.rows.ReadRows(r.batch)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: row %d: Parquet file is damaged (%w): write it anew", r.path, r.number+1, err)
		}
		if n > 0 {
			r.queue = r.batch[:n]
			return nil
		}
		r.rows.Close()
		r.rows = nil
		*r.read += r.size / int64(r.total)
	}
}

func (r *parquetReader) readText(doc *document, row parquet.Row) *BadRow {
	r.joined = r.joined[:0]
	for i, at := range r.text {
		if i > 0 {
			r.joined = append(r.joined, '\n')
		}
		row.Range(func(column int, values []parquet.Value) bool {
			if column == at && len(values) == 1 && !values[0].IsNull() {
				r.joined = append(r.joined, values[0].ByteArray()...)
			}
			return column < at
		})
	}
	doc.text = r.joined
	if len(r.joined) > maxRow {
		return tooLong(r.path, doc.line)
	}
	if i := firstInvalid(r.joined); i >= 0 {
		return &BadRow{r.path, doc.line, InvalidUTF8, fmt.Sprintf("byte %d of the text is not UTF-8: write the column as UTF-8", i+1)}
	}
	return nil
}

func (r *parquetReader) readLabel(doc *document, row parquet.Row) *BadRow {
	r.labels = r.labels[:0]
	var ends []int
	row.Range(func(column int, values []parquet.Value) bool {
		if column == r.label {
			for _, v := range values {
				if !v.IsNull() {
					r.labels = append(r.labels, v.String()...)
					ends = append(ends, len(r.labels))
				}
			}
		}
		return column < r.label
	})
	if len(ends) == 0 && r.cols.separator == nil {
		return &BadRow{r.path, doc.line, EmptyLabel, "label is null: fill it in or remove the row"}
	}
	if len(ends) == 1 && !r.lists {
		return r.cols.splitLabels(doc, r.labels, r.path)
	}
	begin := 0
	for _, end := range ends {
		doc.labels = append(doc.labels, bytes.TrimSpace(r.labels[begin:end]))
		begin = end
	}
	return checkLabels(doc, r.path)
}

func (r *parquetReader) blankLines() int64 { return 0 }

func (r *parquetReader) checksum() (sum [32]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r.file, 0, r.size)); err != nil {
		return sum, fmt.Errorf("%s: %w", r.path, err)
	}
	h.Sum(sum[:0])
	return sum, nil
}

func (r *parquetReader) close() error {
	if r.rows != nil {
		r.rows.Close()
	}
	return r.file.Close()
}
