package data

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	rawBuffer = 256 << 10
	// zstdMemory bounds the window a zstd frame may ask for.
	zstdMemory = 256 << 20
)

// stream is one input file as UTF-8 text: decompressed, its byte order mark removed, UTF-16 decoded.
type stream struct {
	path string
	text *bufio.Reader
	file io.Closer
	raw  *bufio.Reader // what is left of the stored bytes, through the checksum
	sum  hash.Hash
	zstd *zstd.Decoder
}

// openStream opens path and adds the bytes read from it to *read as they are read.
func openStream(path string, read *int64) (*stream, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return newStream(path, file, read)
}

// newStream is openStream for a file that is open already. path is what errors call it.
func newStream(path string, file io.ReadCloser, read *int64) (*stream, error) {
	s := &stream{path: path, file: file, sum: sha256.New()}
	s.raw = bufio.NewReaderSize(io.TeeReader(&countingReader{file, read}, s.sum), rawBuffer)
	plain, err := s.decompress()
	if err == nil {
		err = s.decodeText(plain)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// decompress chooses by the file's first bytes; a suffix that promises compression the bytes do not have is an error.
func (s *stream) decompress() (io.Reader, error) {
	head, _ := peekMagic(s.raw, "\x1f\x28", 4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(s.raw)
		if err != nil {
			return nil, fmt.Errorf("%s: gzip header is damaged (%v): compress the file anew", s.path, err)
		}
		return r, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(s.raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMemory))
		if err != nil {
			return nil, fmt.Errorf("%s: zstd: %w", s.path, err)
		}
		s.zstd = d
		return d, nil
	case len(head) == 0:
		return s.raw, nil
	}
	for _, suffix := range []string{".gz", ".zst", ".zstd"} {
		if strings.HasSuffix(strings.ToLower(s.path), suffix) {
			head, _ = s.raw.Peek(4)
			return nil, fmt.Errorf("%s: begins with bytes % x, not with those of a %s file: rename it or compress it anew",
				s.path, head, suffix)
		}
	}
	return s.raw, nil
}

// peekMagic gives the first n bytes where the first of them is in starts, else that one alone: waiting for a second byte
// would keep back the answer to someone who types.
func peekMagic(r *bufio.Reader, starts string, n int) ([]byte, error) {
	head, err := r.Peek(1)
	if err == nil && strings.IndexByte(starts, head[0]) >= 0 {
		return r.Peek(n)
	}
	return head, err
}

// decodeText removes the byte order mark and puts a UTF-16 decoder in front where the mark says so.
func (s *stream) decodeText(r io.Reader) error {
	s.text = bufio.NewReaderSize(r, rawBuffer)
	head, err := peekMagic(s.text, "\xef\xff\xfe", 3)
	if err != nil && err != io.EOF {
		return s.wrap(err)
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		_, err = s.text.Discard(3)
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		_, err = s.text.Discard(2)
		s.text = bufio.NewReaderSize(&utf16Reader{r: s.text}, rawBuffer)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		_, err = s.text.Discard(2)
		s.text = bufio.NewReaderSize(&utf16Reader{r: s.text, bigEndian: true}, rawBuffer)
	default:
		err = nil
	}
	return err
}

// wrap names the file in an error of the decompressor.
func (s *stream) wrap(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: the compressed data ends too early: the file is cut off, fetch or compress it anew", s.path)
	}
	return fmt.Errorf("%s: %w", s.path, err)
}

// checksum reads what is left of the file and gives the SHA-256 of its stored bytes.
func (s *stream) checksum() ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	if _, err := io.Copy(io.Discard, s.raw); err != nil {
		return sum, s.wrap(err)
	}
	s.sum.Sum(sum[:0])
	return sum, nil
}

func (s *stream) close() {
	if s.zstd != nil {
		s.zstd.Close()
	}
	s.file.Close()
}

type countingReader struct {
	r io.Reader
	n *int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}
