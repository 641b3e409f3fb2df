package data

import (
	"bytes"
	"fmt"
	"io"
)

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
