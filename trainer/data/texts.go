package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// TextOptions say how OpenTexts and NewTexts read.
type TextOptions struct {
	// Format "" goes by the file name; where that says nothing, by the first byte: JSON lines begin with {. Any other file
	// is tab-separated where Columns are given, else one text a line (Text).
	Format  Format
	Columns []string // joined by a newline to make the text: names, or numbers from 0; none is "text"
	// AnyBytes lets lines of plain text hold NUL bytes and bytes that are not UTF-8, which are bad rows otherwise.
	AnyBytes bool
}

// Texts reads texts without labels one after the other, such as those to be classified: lines, CSV, TSV or JSON lines,
// gzip and zstd too. Memory is bounded by the longest row. It is for one goroutine.
type Texts struct {
	reader   documentReader
	base     streamReader
	read     int64
	anyBytes bool
}

// OpenTexts opens a file. Close it after use.
func OpenTexts(path string, o TextOptions) (*Texts, error) {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: no such file: check the path, or give - for standard input", path)
		}
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: got a folder, want a file: give the files in it one by one", path)
	}
	if info.Mode().IsRegular() && info.Size() == 0 {
		return nil, fmt.Errorf("%s is empty (0 bytes): give a file with text", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if o.Format == "" {
		o.Format = formatOf(path)
	}
	return NewTexts(path, file, o)
}

// NewTexts reads from r, which Close closes; name is what errors call it. It returns when the first byte is there.
func NewTexts(name string, r io.ReadCloser, o TextOptions) (*Texts, error) {
	cols, err := newColumns(Options{Task: LanguageModel, Text: o.Columns})
	if err == nil {
		err = o.Format.validate()
	}
	if err == nil && o.Format == Parquet {
		err = fmt.Errorf("%s: Parquet is read by prepare only: convert the file to CSV or JSON lines", name)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	t := &Texts{}
	s, err := newStream(name, r, &t.read)
	if err != nil {
		return nil, err
	}
	format := s.sniff(o)
	t.base = streamReader{stream: s, lines: newLines(s)}
	t.base.keepNUL = true
	t.anyBytes = o.AnyBytes && format == Text
	if t.reader = rowsOf(format, t.base, cols); t.reader == nil {
		t.reader = &lineReader{streamReader: t.base, anyBytes: t.anyBytes}
	}
	return t, nil
}

// sniff chooses the format where the name did not.
func (s *stream) sniff(o TextOptions) Format {
	head, _ := s.text.Peek(1)
	switch {
	case o.Format != "":
		return o.Format
	case bytes.Equal(head, []byte("{")):
		return JSONL
	case len(o.Columns) > 0:
		return TSV
	}
	return Text
}

// Next gives the next text and the line its row begins in, from 1. At the end comes io.EOF. After a *BadRow, whose Line is
// that of the row, the next call goes on behind it; any other error ends the reading.
func (t *Texts) Next() (text string, line int64, err error) {
	doc := document{}
	if err := t.reader.next(&doc); err != nil {
		return "", 0, err
	}
	if at := t.base.nul; at.line != 0 && !t.anyBytes {
		return "", 0, &BadRow{t.base.stream.path, doc.line, BinaryFile, fmt.Sprintf("line %d, byte %d is NUL: this is a binary file, "+
			"or UTF-16 without a byte order mark; remove the byte, or convert the file with iconv -t UTF-8", at.line, at.byte)}
	}
	return string(doc.text), doc.line, nil
}

// Ready tells whether a whole line is in memory already, so that Next need not wait for whoever writes the other end of a
// pipe.
func (t *Texts) Ready() bool {
	held, _ := t.base.text.Peek(t.base.text.Buffered())
	return bytes.IndexByte(held, '\n') >= 0
}

// BytesRead is how much of the stored file has been read.
func (t *Texts) BytesRead() int64 { return t.read }

// Close closes the file.
func (t *Texts) Close() error { return t.reader.close() }

// lineReader gives every line as a document, an empty one too.
type lineReader struct {
	streamReader
	buf      []byte
	anyBytes bool
}

func (r *lineReader) next(doc *document) error {
	r.clearInvalid()
	var err error
	r.buf, err = r.line(r.buf[:0])
	if err == errTooLong {
		return tooLong(r.stream.path, r.number)
	}
	if err != nil {
		return err
	}
	if r.invalid.line != 0 && !r.anyBytes {
		return invalidUTF8(r.stream.path, r.number, r.invalid)
	}
	doc.text, doc.line, doc.more, doc.labels = r.buf, r.number, false, doc.labels[:0]
	return nil
}
