package data

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf8"
)

// pieceSize is how much of a long text is held and tokenised at once, in bytes.
const pieceSize = 1 << 20

// textReader gives a whole file as one document, in pieces of at most pieceSize and a line fragment. CRLF becomes LF.
type textReader struct {
	streamReader
	file *inputFile
	buf  []byte
	used int   // of buf, given out by the last call
	line int64 // buf begins in, from 1
	col  int64 // bytes of that line before buf
	end  bool  // the document is complete or refused
}

func (t *textReader) next(doc *document) error {
	if t.end {
		return io.EOF
	}
	t.advance()
	more, err := t.fill()
	if _, binary := err.(*binaryError); binary && t.file.inFolder {
		t.end = true
		return &BadRow{t.stream.path, 0, BinaryFile, "holds a NUL byte: not a text file, move it out of the folder"}
	}
	if err != nil {
		return err
	}
	t.used = len(t.buf)
	if more {
		t.used = pieceEnd(t.buf)
	}
	t.end = !more
	doc.text, doc.more, doc.line = t.buf[:t.used], more, 0
	if i := firstInvalid(doc.text); i >= 0 {
		t.end = true
		p := t.position(i)
		return invalidUTF8(t.stream.path, p.line, p)
	}
	doc.labels = doc.labels[:0]
	if t.file.label != "" {
		doc.labels = append(doc.labels, []byte(t.file.label))
	}
	return nil
}

// advance forgets the piece given out last.
func (t *textReader) advance() {
	p := t.position(t.used)
	t.line, t.col = p.line, p.byte-1
	t.buf = append(t.buf[:0], t.buf[t.used:]...)
	t.used = 0
}

// position is that of byte i of buf in the file.
func (t *textReader) position(i int) position {
	if t.line == 0 {
		t.line = 1
	}
	if last := bytes.LastIndexByte(t.buf[:i], '\n'); last >= 0 {
		return position{t.line + int64(bytes.Count(t.buf[:i], []byte{'\n'})), int64(i - last)}
	}
	return position{t.line, t.col + int64(i) + 1}
}

// fill reads until buf holds a piece; more says that the file goes on.
func (t *textReader) fill() (more bool, err error) {
	for len(t.buf) < pieceSize {
		s, err := t.fragment()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		t.buf = append(t.buf, s...)
		if n := len(t.buf); bytes.HasSuffix(t.buf, []byte("\r\n")) {
			t.buf = append(t.buf[:n-2], '\n')
		}
	}
	return true, nil
}

// pieceEnd says where to cut b, the beginning of a longer text, so that the pieces encode as the whole would: behind a
// line feed or before a space that stands alone between two characters that are not white space, where GPT-2's pattern
// always begins a new word. In a text without such a place it cuts between two characters.
func pieceEnd(b []byte) int {
	space := 0
	for i := len(b) - 2; i > len(b)/2; i-- {
		if b[i] != '\n' && b[i] != ' ' || spaceBefore(b[:i]) || spaceAfter(b[i+1:]) {
			continue
		}
		if b[i] == '\n' {
			return i + 1
		}
		if space == 0 {
			space = i
		}
	}
	if space > 0 {
		return space
	}
	end := len(b) - 1
	for end > len(b)-utf8.UTFMax && end > 1 && !utf8.RuneStart(b[end]) {
		end--
	}
	return end
}

func spaceBefore(b []byte) bool {
	r, _ := utf8.DecodeLastRune(b)
	return unicode.IsSpace(r)
}

func spaceAfter(b []byte) bool {
	if !utf8.FullRune(b) {
		return true // not known: no place to cut
	}
	r, _ := utf8.DecodeRune(b)
	return unicode.IsSpace(r)
}
