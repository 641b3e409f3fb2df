package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxRow bounds the memory one row of a table may take, in bytes.
const maxRow = 64 << 20

// lines reads a stream line by line or in fragments, counting lines. A NUL byte ends the reading, unless keepNUL is set:
// then the first one is noted.
type lines struct {
	path   string
	r      *bufio.Reader
	wrap   func(error) error
	number int64 // of the line last begun, from 1
	column int64 // bytes of that line already read
	open   bool  // the line last begun has not ended

	invalid position // first invalid UTF-8 since clearInvalid; its line is 0 when there is none
	keepNUL bool
	nul     position // first NUL byte since clearInvalid, likewise
}

// position is a line and a byte in it, both from 1.
type position struct{ line, byte int64 }

// binaryError says that a file is not text.
type binaryError struct {
	path string
	at   position
}

func (e *binaryError) Error() string {
	return fmt.Sprintf("%s:%d:%d: NUL byte: this is a binary file, or UTF-16 without a byte order mark; "+
		"give a text, CSV, TSV, JSONL or Parquet file, or convert it with iconv -t UTF-8", e.path, e.at.line, e.at.byte)
}

func newLines(s *stream) *lines { return &lines{path: s.path, r: s.text, wrap: s.wrap} }

// fragment gives the next piece of the file: a line with its line feed, or a part of a longer one. It is valid until the
// next call; io.EOF comes with no bytes.
func (l *lines) fragment() ([]byte, error) {
	s, err := l.r.ReadSlice('\n')
	if err == io.EOF && len(s) == 0 {
		return nil, io.EOF
	}
	if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
		return nil, l.wrap(err)
	}
	if !l.open {
		l.number++
		l.column = 0
	}
	if i := bytes.IndexByte(s, 0); i >= 0 && l.nul.line == 0 {
		at := position{l.number, l.column + int64(i) + 1}
		if !l.keepNUL {
			return nil, &binaryError{l.path, at}
		}
		l.nul = at
	}
	l.column += int64(len(s))
	l.open = s[len(s)-1] != '\n'
	return s, nil
}

// errTooLong marks a line over maxRow; the line has been read to its end.
var errTooLong = fmt.Errorf("line longer than %d MiB", maxRow>>20)

// line appends the next line without its end (LF or CRLF) to dst. It notes the first invalid UTF-8.
func (l *lines) line(dst []byte) ([]byte, error) {
	start, tooLong, any := len(dst), false, false
	for !any || l.open {
		s, err := l.fragment()
		if err == io.EOF && any {
			l.open = false
			break
		}
		if err != nil {
			return dst, err
		}
		any = true
		if len(dst)+len(s) > maxRow {
			tooLong = true
		}
		if !tooLong {
			dst = append(dst, s...)
		}
	}
	if tooLong {
		return dst[:start], errTooLong
	}
	dst = trimLineEnd(dst, start)
	if l.invalid.line == 0 {
		if i := firstInvalid(dst[start:]); i >= 0 {
			l.invalid = position{l.number, int64(i) + 1}
		}
	}
	return dst, nil
}

func (l *lines) clearInvalid() { l.invalid, l.nul = position{}, position{} }

func trimLineEnd(b []byte, start int) []byte {
	if len(b) > start && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
		if len(b) > start && b[len(b)-1] == '\r' {
			b = b[:len(b)-1]
		}
	}
	return b
}

// firstInvalid is the index of the first byte of b that is not UTF-8, or -1.
func firstInvalid(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// invalidUTF8 is the bad row for the byte at p of a row that begins in line.
func invalidUTF8(path string, line int64, p position) *BadRow {
	return &BadRow{path, line, InvalidUTF8, fmt.Sprintf(
		"line %d, byte %d is not UTF-8: save the file as UTF-8, for instance with iconv -f LATIN1 -t UTF-8", p.line, p.byte)}
}

func tooLong(path string, line int64) *BadRow {
	return &BadRow{path, line, RowTooLong, fmt.Sprintf(
		"row is longer than %d MiB: cut the text into several rows, or give it as a plain text file", maxRow>>20)}
}
