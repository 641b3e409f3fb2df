package data

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Split is one split of an open data directory: a stream of Tokens tokens made of documents, each beginning with the
// end-of-text token, with their labels.
type Split struct {
	set       *Dataset
	id        splitID
	info      *SplitInfo
	shards    []shard
	documents []documentEntry
	labels    []int32 // classify
	sets      []byte  // multilabel: setWidth bytes a document
}

// Name is "train", "valid" or "test".
func (s *Split) Name() string { return s.id.String() }

// Documents is the number of documents.
func (s *Split) Documents() int { return s.info.Documents }

// Tokens is the length of the token stream, end-of-text tokens included.
func (s *Split) Tokens() int64 { return s.info.Tokens }

// Info is what dataset.json counts.
func (s *Split) Info() *SplitInfo { return s.info }

// span gives the tokens of document i in the stream, the end-of-text token before them left out.
func (s *Split) span(i int) (begin, end int64) {
	begin = int64(s.documents[i].start) + 1
	return begin, begin + lengthOf(s.documents, i, s.info.Tokens)
}

// Document appends the tokens of document i to dst, without the end-of-text token that begins it.
func (s *Split) Document(dst []int32, i int) ([]int32, error) {
	if i < 0 || i >= len(s.documents) {
		return dst, fmt.Errorf("document %d of split %s, want 0 to %d", i, s.Name(), len(s.documents)-1)
	}
	begin, end := s.span(i)
	n := int(end - begin)
	dst = slices.Grow(dst, n)[:len(dst)+n]
	return dst, s.read(dst[len(dst)-n:], begin, make([]byte, 0, 64<<10))
}

// Label is the class of document i of a classify data set.
func (s *Split) Label(i int) int32 { return s.labels[i] }

// HasLabel tells whether document i of a multilabel data set has class k.
func (s *Split) HasLabel(i, k int) bool {
	width := setWidth(len(s.set.Manifest.Labels))
	return s.sets[i*width+k/8]>>(k%8)&1 == 1
}

// Origin says where document i came from, such as "data.csv:17".
func (s *Split) Origin(i int) string {
	e := s.documents[i]
	if int(e.source) >= len(s.set.Manifest.Sources) {
		return fmt.Sprintf("document %d", i)
	}
	source := s.set.Manifest.Sources[e.source]
	switch {
	case source.Folder:
		return fmt.Sprintf("%s, file %d", source.Path, e.row)
	case e.row == 0:
		return source.Path
	}
	return fmt.Sprintf("%s:%d", source.Path, e.row)
}

// documentAt is the document that token position at belongs to.
func (s *Split) documentAt(at int64) int {
	i, found := slices.BinarySearchFunc(s.documents, at, func(e documentEntry, at int64) int {
		switch {
		case int64(e.start) < at:
			return -1
		case int64(e.start) > at:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return i
}

// read fills dst with the tokens from position at on. buf is scratch memory; its capacity bounds one read.
func (s *Split) read(dst []int32, at int64, buf []byte) error {
	for i := range s.shards {
		sh := &s.shards[i]
		for len(dst) > 0 && at >= sh.begin && at < sh.begin+sh.count {
			width := sh.kind.bytes()
			n := min(int64(len(dst)), sh.begin+sh.count-at, int64(cap(buf))/width)
			raw := buf[:n*width]
			if _, err := sh.file.ReadAt(raw, shardHeader+(at-sh.begin)*width); err != nil {
				return fmt.Errorf("%s: token %d cannot be read: %w", sh.name, at-sh.begin, err)
			}
			if err := sh.decode(dst[:n], raw, at, s.set.Manifest.Tokenizer.VocabularySize); err != nil {
				return err
			}
			dst, at = dst[n:], at+n
		}
	}
	if len(dst) > 0 {
		return fmt.Errorf("split %s ends at token %d, %d more wanted", s.Name(), at, len(dst))
	}
	return nil
}

// decode turns stored tokens into ids and refuses those outside the vocabulary.
func (sh *shard) decode(dst []int32, raw []byte, at int64, vocabulary int) error {
	top := int32(0)
	if sh.kind == uint16Tokens {
		for i := range dst {
			dst[i] = int32(binary.LittleEndian.Uint16(raw[2*i:]))
			top = max(top, dst[i])
		}
	} else {
		for i := range dst {
			dst[i] = int32(min(binary.LittleEndian.Uint32(raw[4*i:]), 1<<31-1))
			top = max(top, dst[i])
		}
	}
	if int(top) < vocabulary {
		return nil
	}
	i := slices.Index(dst, top)
	return fmt.Errorf("%s: token %d is %d, want 0 to %d: the file is damaged, run atoll prepare again",
		sh.name, at-sh.begin+int64(i), top, vocabulary-1)
}
