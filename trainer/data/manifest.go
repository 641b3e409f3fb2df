package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	manifestFormat  = "atoll dataset"
	manifestVersion = 1
)

// Manifest is dataset.json. The same input, settings and tokenizer give the same bytes.
type Manifest struct {
	Format  string `json:"format"` // "atoll dataset"
	Version int    `json:"version"`
	Task    Task   `json:"task"`

	Labels    []string      `json:"labels,omitempty"` // class names by id
	Columns   Columns       `json:"columns"`
	Tokenizer TokenizerInfo `json:"tokenizer"`
	TokenType string        `json:"token_type"` // "uint16" or "uint32"

	Split      string `json:"split"`    // as ParseSplit reads it, of the rows of the sources for "input"
	SplitBy    string `json:"split_by"` // "document", or "position" where every document is cut in itself
	Seed       uint64 `json:"seed"`
	BlankLines int64  `json:"blank_lines"` // of tables, not counted as rows

	Splits     map[string]*SplitInfo `json:"splits"` // "train", "valid", "test"
	Sources    []Source              `json:"sources"`
	BadRows    BadRows               `json:"bad_rows"`
	Duplicates *Duplicates           `json:"duplicates,omitempty"`
	Notes      []string              `json:"notes,omitempty"` // what a person should know, a sentence each
	Files      map[string]FileInfo   `json:"files"`           // every other file of the directory
}

// Columns are the fields the documents were made of.
type Columns struct {
	Text           []string `json:"text"`
	Label          string   `json:"label,omitempty"`
	LabelSeparator string   `json:"label_separator,omitempty"`
}

// TokenizerInfo describes the tokenizer saved in the directory.
type TokenizerInfo struct {
	Name           string `json:"name,omitempty"`
	VocabularySize int    `json:"vocabulary_size"`
	EndOfText      int32  `json:"end_of_text"`
}

// SplitInfo counts one split.
type SplitInfo struct {
	Documents     int              `json:"documents"`
	Tokens        int64            `json:"tokens"` // the end-of-text token of each document included
	Bytes         int64            `json:"bytes"`  // of UTF-8 text
	Length        LengthInfo       `json:"length"`
	Shards        []string         `json:"shards"`
	DocumentTable string           `json:"document_table"`
	LabelTable    string           `json:"label_table,omitempty"`
	LabelCounts   map[string]int64 `json:"label_counts,omitempty"` // documents per class
	Unlabelled    int64            `json:"unlabelled,omitempty"`   // multilabel: documents with no label
}

// LengthInfo is the distribution of document lengths in tokens, the end-of-text token not included.
type LengthInfo struct {
	Median  int64 `json:"median"`
	P90     int64 `json:"p90"`
	P99     int64 `json:"p99"`
	Longest int64 `json:"longest"`
}

// Source is one input as it was given.
type Source struct {
	Path   string `json:"path"`
	For    string `json:"for"` // "input", "valid" or "test"
	Folder bool   `json:"folder,omitempty"`
	Files  int    `json:"files"`
	Hidden int64  `json:"hidden,omitempty"` // files and folders left out since their names begin with a dot
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of the file; of a folder: of its files' checksums one after the other
}

// FileInfo is what a file of the directory must be.
type FileInfo struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// parseManifest reads dataset.json and checks what can be checked without the other files.
func parseManifest(name string, b []byte) (*Manifest, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%s: not JSON (%w): run atoll prepare again", name, err)
	}
	if head.Format != manifestFormat {
		return nil, fmt.Errorf("%s: format %q, want %q: not a data directory", name, head.Format, manifestFormat)
	}
	if head.Version != manifestVersion {
		return nil, fmt.Errorf("%s: version %d is unknown, want %d: prepare the data with this atoll, or use the atoll that wrote it",
			name, head.Version, manifestVersion)
	}
	m := new(Manifest)
	decoder := json.NewDecoder(bytes.NewReader(b))
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w: run atoll prepare again", name, err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w: run atoll prepare again", name, err)
	}
	return m, nil
}

func (m *Manifest) validate() error {
	vocabulary := m.Tokenizer.VocabularySize
	switch {
	case m.Task != LanguageModel && m.Task != Classify && m.Task != MultiLabel:
		return fmt.Errorf("task %q is unknown, want lm, classify or multilabel", m.Task)
	case m.Task != LanguageModel && (len(m.Labels) == 0 || len(m.Labels) > maxLabels):
		return fmt.Errorf("%d labels, want 1 to %d", len(m.Labels), maxLabels)
	case vocabulary < 1 || vocabulary > 1<<30:
		return fmt.Errorf("vocabulary of %d, want 1 to %d", vocabulary, 1<<30)
	case m.Tokenizer.EndOfText < 0 || int(m.Tokenizer.EndOfText) >= vocabulary:
		return fmt.Errorf("end-of-text token %d, want 0 to %d", m.Tokenizer.EndOfText, vocabulary-1)
	case m.TokenType != tokenTypeFor(vocabulary).String():
		return fmt.Errorf("token type %q, want %q for a vocabulary of %d", m.TokenType, tokenTypeFor(vocabulary), vocabulary)
	}
	for name, info := range m.Files {
		if name == "." || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) || info.Bytes < 0 {
			return fmt.Errorf("file %q of %d bytes, want a plain name and no negative size", name, info.Bytes)
		}
	}
	for _, split := range []splitID{train, valid, test} {
		if err := m.validateSplit(split.String()); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) validateSplit(name string) error {
	s := m.Splits[name]
	if s == nil {
		return fmt.Errorf("split %q is missing", name)
	}
	if s.Documents < 0 || s.Tokens < int64(s.Documents) || s.Documents == 0 && s.Tokens > 0 {
		return fmt.Errorf("split %q has %d documents and %d tokens, want at least one token a document", name, s.Documents, s.Tokens)
	}
	files := append([]string{s.DocumentTable}, s.Shards...)
	if m.Task != LanguageModel {
		files = append(files, s.LabelTable)
	}
	for _, file := range files {
		if _, ok := m.Files[file]; !ok {
			return fmt.Errorf("split %q names the file %q, which is not in the list of files", name, file)
		}
	}
	return nil
}

func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(m)
	return b.Bytes(), err
}

// identity is a checksum of what the loaders read: tokens, documents and labels.
func (m *Manifest) identity() string {
	h := sha256.New()
	for _, split := range []splitID{train, valid, test} {
		s := m.Splits[split.String()]
		for _, file := range append(append([]string{}, s.Shards...), s.DocumentTable, s.LabelTable) {
			fmt.Fprintf(h, "%s %s\n", file, m.Files[file].SHA256)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// describeFile takes the size and checksum of a file.
func describeFile(path string) (FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileInfo{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return FileInfo{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return FileInfo{n, hex.EncodeToString(h.Sum(nil))}, nil
}
