package data

import (
	"bytes"
	"fmt"
	"strings"
)

// rowReader gives the fields of one row after the other; they are valid until the next call. line is where the row
// begins. Errors are as documentReader's.
type rowReader interface {
	row() (fields [][]byte, line int64, err error)
	blankRows() int64
}

// tableReader picks the text and label columns out of the rows of a CSV or TSV file.
type tableReader struct {
	streamReader
	rows   rowReader
	cols   *columns
	joined []byte
}

func (t *tableReader) blankLines() int64 { return t.rows.blankRows() }

func (t *tableReader) next(doc *document) error {
	if t.cols.count == 0 && !t.cols.byNumber {
		if err := t.readHeader(); err != nil {
			return err
		}
	}
	t.clearInvalid()
	fields, line, err := t.rows.row()
	if err != nil {
		return err
	}
	if t.invalid.line != 0 {
		return invalidUTF8(t.path(), line, t.invalid)
	}
	if t.cols.count == 0 {
		if err := t.cols.useNumbers(len(fields), t.path(), line); err != nil {
			return err
		}
	}
	if len(fields) != t.cols.count {
		return t.ragged(fields, line)
	}
	doc.line, doc.more, doc.labels = line, false, doc.labels[:0]
	doc.text = t.join(fields)
	if t.cols.label != "" {
		if bad := t.cols.splitLabels(doc, fields[t.cols.labelAt], t.path()); bad != nil {
			return bad
		}
	}
	return nil
}

func (t *tableReader) path() string { return t.stream.path }

func (t *tableReader) join(fields [][]byte) []byte {
	if len(t.cols.textAt) == 1 {
		return fields[t.cols.textAt[0]]
	}
	t.joined = t.joined[:0]
	for i, at := range t.cols.textAt {
		if i > 0 {
			t.joined = append(t.joined, '\n')
		}
		t.joined = append(t.joined, fields[at]...)
	}
	return t.joined
}

func (t *tableReader) ragged(fields [][]byte, line int64) *BadRow {
	advice := "quote fields that hold a comma or a line end"
	if _, tabs := t.rows.(*tsvRows); tabs {
		advice = "remove tabs and line ends from inside the fields, or use CSV"
	}
	return &BadRow{t.path(), line, RaggedRow, fmt.Sprintf("%d columns, want %d as in the first row: %s",
		len(fields), t.cols.count, advice)}
}

// readHeader finds the columns by the names in the first row.
func (t *tableReader) readHeader() error {
	fields, line, err := t.rows.row()
	if bad, ok := asBadRow(err); ok {
		return fmt.Errorf("header cannot be read: %s", bad.Error())
	}
	if err != nil {
		return err // io.EOF too: a file without rows
	}
	if t.invalid.line != 0 {
		return fmt.Errorf("header cannot be read: %s", invalidUTF8(t.path(), line, t.invalid).Error())
	}
	return t.cols.useHeader(fields, t.path(), line)
}

func (c *columns) useHeader(fields [][]byte, path string, line int64) error {
	find := func(name string) (int, error) {
		at := -1
		for i, field := range fields {
			if string(bytes.TrimSpace(field)) != name {
				continue
			}
			if at >= 0 {
				return 0, fmt.Errorf("%s:%d: two columns are named %q: rename one", path, line, name)
			}
			at = i
		}
		if at < 0 {
			return 0, fmt.Errorf("%s:%d: no column %q; the header has %s: name another column with --text and --label, "+
				"or use numbers from 0 if the file has no header", path, line, name, fieldNames(fields))
		}
		return at, nil
	}
	return c.locate(len(fields), find)
}

func (c *columns) useNumbers(count int, path string, line int64) error {
	return c.locate(count, func(name string) (int, error) {
		n, _ := columnNumber(name)
		if n >= count {
			return 0, fmt.Errorf("%s:%d: no column %d; the first row has %d, numbered from 0", path, line, n, count)
		}
		return n, nil
	})
}

func (c *columns) locate(count int, find func(string) (int, error)) (err error) {
	c.textAt = make([]int, len(c.text))
	for i, name := range c.text {
		if c.textAt[i], err = find(name); err != nil {
			return err
		}
	}
	if c.label != "" {
		if c.labelAt, err = find(c.label); err != nil {
			return err
		}
	}
	c.count = count
	return nil
}

// fieldNames lists a header, shortened, for an error.
func fieldNames(fields [][]byte) string {
	var names []string
	for i, field := range fields {
		if i == 12 {
			names = append(names, fmt.Sprintf("and %d more", len(fields)-i))
			break
		}
		names = append(names, fmt.Sprintf("%.40q", field))
	}
	return strings.Join(names, ", ")
}

// tsvRows splits lines at tabs.
type tsvRows struct {
	lines  *lines
	buf    []byte
	fields [][]byte
	blank  int64
}

func (t *tsvRows) blankRows() int64 { return t.blank }

func (t *tsvRows) row() ([][]byte, int64, error) {
	var err error
	for {
		t.buf, err = t.lines.line(t.buf[:0])
		if err == errTooLong {
			return nil, 0, tooLong(t.lines.path, t.lines.number)
		}
		if err != nil {
			return nil, 0, err
		}
		if len(t.buf) > 0 {
			break
		}
		t.blank++
	}
	t.fields = t.fields[:0]
	for rest, more := t.buf, true; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte{'\t'})
		t.fields = append(t.fields, field)
	}
	return t.fields, t.lines.number, nil
}
