package data

import (
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
