package data

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// Format is the form of an input file. "" goes by the file name, less .gz, .zst or .zstd: .csv, .tsv and .tab, .jsonl,
// .ndjson and .json, .parquet; any other name is one document, but tab-separated where columns are asked for (a labelled
// task outside a label's folder, or Options.Text given).
type Format string

// The formats.
const (
	CSV     Format = "csv"     // RFC 4180: fields in quotes may hold commas, line ends and doubled quotes
	TSV     Format = "tsv"     // tab-separated, no quoting: a quote is a character like others
	JSONL   Format = "jsonl"   // one object a line
	Parquet Format = "parquet" // text columns of strings; labels strings, integers, booleans or lists of them
	Text    Format = "text"    // the whole file is one document
)

func (f Format) validate() error {
	switch f {
	case "", CSV, TSV, JSONL, Parquet, Text:
		return nil
	}
	return fmt.Errorf("format %q is unknown; want csv, tsv, jsonl, parquet or text", f)
}

// formatOf is the format a file's name promises; "" where it promises none.
func formatOf(path string) Format {
	name := strings.ToLower(filepath.Base(path))
	for _, suffix := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch filepath.Ext(name) {
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".jsonl", ".ndjson", ".json":
		return JSONL
	case ".parquet":
		return Parquet
	}
	return ""
}

// document is one text as a reader gives it, valid until the reader's next call. A long plain text comes in pieces; all
// but the last have more set, and together they are the text.
type document struct {
	text   []byte
	more   bool
	labels [][]byte // as written, spaces around them removed
	line   int64    // where the row begins, from 1
}

// documentReader reads one file. next gives io.EOF at the end, *BadRow for a row or file that cannot be used, and any
// other error where reading cannot go on. After a *BadRow the next call goes on behind it.
type documentReader interface {
	next(doc *document) error
	blankLines() int64 // lines without any character, which are not rows
	close() error
	checksum() ([32]byte, error) // SHA-256 of the stored file; reads what is left of it
}

// openReader opens one input file in its format.
func openReader(file *inputFile, cols *columns, read *int64) (documentReader, error) {
	if file.format == Parquet {
		return openParquet(file.path, cols, read)
	}
	s, err := openStream(file.path, read)
	if err != nil {
		return nil, err
	}
	base := streamReader{stream: s, lines: newLines(s)}
	if r := rowsOf(file.format, base, cols); r != nil {
		return r, nil
	}
	return &textReader{streamReader: base, file: file}, nil
}

// rowsOf is the reader of a format that has one document a row; nil for the others.
func rowsOf(format Format, base streamReader, cols *columns) documentReader {
	switch format {
	case CSV:
		return &tableReader{streamReader: base, rows: &csvRows{lines: base.lines}, cols: cols.clone()}
	case TSV:
		return &tableReader{streamReader: base, rows: &tsvRows{lines: base.lines}, cols: cols.clone()}
	case JSONL:
		return &jsonlReader{streamReader: base, cols: cols}
	}
	return nil
}

// streamReader is what the readers of text files have in common.
type streamReader struct {
	*stream
	*lines
	blank int64
}

func (s *streamReader) blankLines() int64 { return s.blank }

func (s *streamReader) close() error {
	s.stream.close()
	return nil
}

// columns says which fields make a document.
type columns struct {
	text      []string
	label     string // "" for none
	byNumber  bool   // columns are numbers from 0
	separator []byte // between labels; nil where a field is one label

	textAt  []int // positions in a table, found from its header or the numbers
	labelAt int
	count   int // columns of the table; 0 before it is known
}

func (c *columns) clone() *columns {
	d := *c
	d.textAt = nil
	d.count = 0
	return &d
}

// newColumns reads the column settings; either all are numbers or all are names.
func newColumns(o Options) (*columns, error) {
	c := &columns{text: o.Text}
	if len(c.text) == 0 {
		c.text = []string{"text"}
	}
	if o.Task != LanguageModel {
		if c.label = o.Label; c.label == "" {
			c.label = "label"
		}
	}
	if o.Task == MultiLabel {
		c.separator = []byte(o.LabelSeparator)
	}
	names := append([]string{}, c.text...)
	if c.label != "" {
		names = append(names, c.label)
	}
	numbers := 0
	for _, name := range names {
		if _, ok := columnNumber(name); ok {
			numbers++
		}
	}
	c.byNumber = numbers == len(names)
	if numbers > 0 && !c.byNumber {
		return nil, fmt.Errorf("columns %s: some are numbers and some names; a file read by numbers has no header, "+
			"so give all as numbers from 0 or all as names", strings.Join(names, ","))
	}
	return c, nil
}

func columnNumber(s string) (int, bool) {
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' || n > 1<<20 {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, s != ""
}

// splitLabels puts the labels in field into doc.
func (c *columns) splitLabels(doc *document, field []byte, path string) *BadRow {
	doc.labels = doc.labels[:0]
	field = bytes.TrimSpace(field)
	if c.separator == nil {
		doc.labels = append(doc.labels, field)
	} else if len(field) > 0 {
		for rest, more := field, true; more; {
			var part []byte
			part, rest, more = bytes.Cut(rest, c.separator)
			doc.labels = append(doc.labels, bytes.TrimSpace(part))
		}
	}
	return checkLabels(doc, path)
}

func checkLabels(doc *document, path string) *BadRow {
	for _, label := range doc.labels {
		if len(label) == 0 {
			return &BadRow{path, doc.line, EmptyLabel, "label is empty: fill it in or remove the row"}
		}
	}
	return nil
}
