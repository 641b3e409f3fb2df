package data

import (
	"bytes"
	"fmt"
	"io"
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

// csvRows parses RFC 4180. A quote inside a field that does not begin with one is kept as it is.
type csvRows struct {
	lines  *lines
	buf    []byte // the physical line being parsed
	out    []byte // the row's fields one after the other, unquoted
	ends   []int  // of the fields in out
	fields [][]byte
	start  int64 // line the row begins in
	blank  int64
}

func (c *csvRows) blankRows() int64 { return c.blank }

func (c *csvRows) row() ([][]byte, int64, error) {
	for {
		var err error
		c.buf, err = c.lines.line(c.buf[:0])
		c.start = c.lines.number
		if err == errTooLong {
			return nil, 0, tooLong(c.lines.path, c.start)
		}
		if err != nil {
			return nil, 0, err
		}
		if len(c.buf) > 0 {
			break
		}
		c.blank++
	}
	c.out, c.ends = c.out[:0], c.ends[:0]
	for at := 0; at >= 0; {
		var err error
		if at < len(c.buf) && c.buf[at] == '"' {
			at, err = c.quoted(at + 1)
		} else {
			at = c.bare(at)
		}
		if err != nil {
			return nil, 0, err
		}
		c.ends = append(c.ends, len(c.out))
	}
	c.fields = c.fields[:0]
	begin := 0
	for _, end := range c.ends {
		c.fields = append(c.fields, c.out[begin:end])
		begin = end
	}
	return c.fields, c.start, nil
}

// bare copies a field without quotes from at; it gives where the next field begins, or -1 at the row's end.
func (c *csvRows) bare(at int) int {
	end := bytes.IndexByte(c.buf[at:], ',')
	if end < 0 {
		c.out = append(c.out, c.buf[at:]...)
		return -1
	}
	c.out = append(c.out, c.buf[at:at+end]...)
	return at + end + 1
}

// quoted copies a field from behind its opening quote, over line ends where need be; results as bare's.
func (c *csvRows) quoted(at int) (int, error) {
	for {
		end := bytes.IndexByte(c.buf[at:], '"')
		if end < 0 {
			c.out = append(append(c.out, c.buf[at:]...), '\n')
			if err := c.continueLine(); err != nil {
				return 0, err
			}
			at = 0
			continue
		}
		c.out = append(c.out, c.buf[at:at+end]...)
		at += end + 1
		switch {
		case at == len(c.buf):
			return -1, nil
		case c.buf[at] == '"':
			c.out = append(c.out, '"')
			at++
		case c.buf[at] == ',':
			return at + 1, nil
		default:
			return 0, &BadRow{c.lines.path, c.start, BadQuoting, fmt.Sprintf(
				"line %d, byte %d: text after a closing quote: write a quote inside a quoted field as two quotes",
				c.lines.number, at+1)}
		}
	}
}

// continueLine reads the next line of a field in quotes. That the quotes never close ends the import under either policy,
// since every row behind them would be lost.
func (c *csvRows) continueLine() error {
	var err error
	c.buf, err = c.lines.line(c.buf[:0])
	if err == errTooLong || err == nil && len(c.out)+len(c.buf) > maxRow {
		return fmt.Errorf("%s:%d: a field's quotes opened in this row do not close within %d MiB: close them, or use TSV "+
			"if quotes are ordinary characters", c.lines.path, c.start, maxRow>>20)
	}
	if err == io.EOF {
		return fmt.Errorf("%s:%d: a field's quotes opened in this row do not close before the file ends in line %d: "+
			"close them, or use TSV if quotes are ordinary characters", c.lines.path, c.start, c.lines.number)
	}
	return err
}
