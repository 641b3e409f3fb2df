package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Dataset is an open data directory. Its methods are safe for concurrent use until Close.
type Dataset struct {
	Manifest *Manifest
	dir      string
	splits   [3]*Split
	identity string
}

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

// shard is an open token shard.
type shard struct {
	name  string
	file  *os.File
	kind  tokenType
	begin int64 // position of its first token in the split
	count int64
}

// Open opens a data directory and checks everything but the checksums: dataset.json, the sizes of all files, the headers
// and tables. Token ids are checked when they are read; Verify checks every byte.
func Open(dir string) (*Dataset, error) {
	path := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("data directory %s cannot be opened: %w: make one with atoll prepare", dir, err)
	}
	m, err := parseManifest(path, b)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Manifest: m, dir: dir, identity: m.identity()}
	if err := d.open(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dataset) open() error {
	for _, name := range d.fileNames() {
		info, err := os.Stat(filepath.Join(d.dir, name))
		if err != nil {
			return fmt.Errorf("data directory lacks a file that %s lists: %w: run atoll prepare again", manifestName, err)
		}
		if want := d.Manifest.Files[name].Bytes; info.Size() != want {
			return fmt.Errorf("%s: %d bytes, want %d: the file is cut off or damaged, run atoll prepare again",
				filepath.Join(d.dir, name), info.Size(), want)
		}
	}
	for i := range d.splits {
		s := &Split{set: d, id: splitID(i), info: d.Manifest.Splits[splitID(i).String()]}
		d.splits[i] = s
		if err := s.open(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dataset) fileNames() []string {
	names := make([]string, 0, len(d.Manifest.Files))
	for name := range d.Manifest.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Verify reads every file and compares its SHA-256 with that in dataset.json.
func (d *Dataset) Verify() error {
	for _, name := range d.fileNames() {
		path := filepath.Join(d.dir, name)
		found, err := describeFile(path)
		if err != nil {
			return err
		}
		if want := d.Manifest.Files[name]; found != want {
			return fmt.Errorf("%s: %d bytes with SHA-256 %s, want %d with %s: the file is damaged, run atoll prepare again",
				path, found.Bytes, found.SHA256, want.Bytes, want.SHA256)
		}
	}
	return nil
}

// Close closes the files. Loaders of the data set must have been closed before.
func (d *Dataset) Close() error {
	var errs []error
	for _, s := range d.splits {
		if s == nil {
			continue
		}
		for i := range s.shards {
			errs = append(errs, s.shards[i].file.Close())
		}
		s.shards = nil
	}
	return errors.Join(errs...)
}

// Dir is the data directory, where the tokenizer lies too.
func (d *Dataset) Dir() string { return d.dir }

// Identity is a checksum of tokens, documents and labels; two directories with the same batches have the same.
func (d *Dataset) Identity() string { return d.identity }

// Split gives "train", "valid" or "test".
func (d *Dataset) Split(name string) (*Split, error) {
	for _, s := range d.splits {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("split %q is unknown, want train, valid or test", name)
}

func (s *Split) open() error {
	total := int64(0)
	for _, name := range s.info.Shards {
		sh, err := openShard(filepath.Join(s.set.dir, name), total)
		if err != nil {
			return err
		}
		s.shards = append(s.shards, sh)
		if sh.kind.String() != s.set.Manifest.TokenType {
			return fmt.Errorf("%s: %s tokens, but %s promises %s: the files do not belong together",
				sh.name, sh.kind, manifestName, s.set.Manifest.TokenType)
		}
		total += sh.count
	}
	if total != s.info.Tokens {
		return fmt.Errorf("%s: shards of split %s hold %d tokens, but %s promises %d: the files do not belong together",
			s.set.dir, s.Name(), total, manifestName, s.info.Tokens)
	}
	path := filepath.Join(s.set.dir, s.info.DocumentTable)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if s.documents, err = parseDocuments(path, b, s.info.Documents, s.info.Tokens); err != nil {
		return err
	}
	return s.openLabels()
}

func (s *Split) openLabels() error {
	if s.set.Manifest.Task == LanguageModel {
		return nil
	}
	path := filepath.Join(s.set.dir, s.info.LabelTable)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	classes := len(s.set.Manifest.Labels)
	if s.set.Manifest.Task == Classify {
		s.labels, err = parseLabels(path, b, s.info.Documents, classes)
	} else {
		s.sets, err = parseSets(path, b, s.info.Documents, classes)
	}
	return err
}

func openShard(path string, begin int64) (shard, error) {
	file, err := os.Open(path)
	if err != nil {
		return shard{}, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return shard{}, err
	}
	head := make([]byte, min(info.Size(), shardHeader))
	var kind tokenType
	var count int64
	if _, err = file.ReadAt(head, 0); err == nil {
		kind, count, err = parseShardHead(path, head, info.Size())
	}
	if err != nil {
		file.Close()
		return shard{}, err
	}
	return shard{path, file, kind, begin, count}, nil
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
	end = s.info.Tokens
	if i+1 < len(s.documents) {
		end = int64(s.documents[i+1].start)
	}
	return int64(s.documents[i].start) + 1, end
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
	case source.Files > 1:
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
