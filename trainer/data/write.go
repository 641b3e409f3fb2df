package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Prepare imports the files of opts into the data directory opts.Out: Scan, then Write.
func Prepare(ctx context.Context, opts Options, tokenizer Tokenizer) (*Manifest, error) {
	im, err := Scan(ctx, opts)
	if err != nil {
		return nil, err
	}
	return im.Write(ctx, tokenizer)
}

// Write reads the input again, tokenises it and writes the data directory, whole or not at all. What it gives back is
// dataset.json as written. Memory is bounded by buffers and the table of documents, not by the texts.
func (im *Import) Write(ctx context.Context, tokenizer Tokenizer) (*Manifest, error) {
	if im.opts.Out == "" {
		return nil, fmt.Errorf("no output folder: set Out")
	}
	if n, eot := tokenizer.VocabSize(), tokenizer.EndOfText(); n < 1 || eot < 0 || int(eot) >= n {
		return nil, fmt.Errorf("tokenizer has %d tokens and end-of-text token %d, want it to be one of them", n, eot)
	}
	t, err := newTarget(im.opts.Out, im.opts.Overwrite)
	if err != nil {
		return nil, err
	}
	defer t.abandon() // nothing is left to remove after commit
	w := newWriter(im, t.dir, tokenizer)
	if err := w.writeSplits(ctx); err != nil {
		w.closeAll()
		return nil, err
	}
	m, err := w.finish()
	if err != nil {
		return nil, err
	}
	return m, t.commit()
}

// writer writes the files of a data directory.
type writer struct {
	im     *Import
	dir    string
	tok    Tokenizer
	vocab  int32
	splits [3]*splitWriter
	eot    [1]int32
	inside int64 // end-of-text tokens that the tokenizer found inside texts
}

// splitWriter collects one split.
type splitWriter struct {
	shards     shardWriter
	documents  []documentEntry
	labels     []int32
	sets       []byte
	counts     []int64 // documents per class
	unlabelled int64
	bytes      int64
}

func newWriter(im *Import, dir string, tok Tokenizer) *writer {
	w := &writer{im: im, dir: dir, tok: tok, vocab: int32(tok.VocabSize()), eot: [1]int32{tok.EndOfText()}}
	for i := range w.splits {
		w.splits[i] = &splitWriter{
			shards: shardWriter{dir: dir, split: splitID(i), kind: tokenTypeFor(tok.VocabSize()), limit: im.opts.shardTokens},
			counts: make([]int64, len(im.labels.names)),
		}
	}
	return w
}

func (w *writer) writeSplits(ctx context.Context) error {
	if err := w.encode(ctx); err != nil {
		return err
	}
	for _, s := range w.splits {
		if len(s.shards.names) == 0 { // an empty split has one empty shard
			if err := s.shards.next(); err != nil {
				return err
			}
		}
		if err := s.shards.close(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) closeAll() {
	for _, s := range w.splits {
		s.shards.close() // the directory is abandoned, an error means nothing more
	}
}

// waitingPiece is a piece whose ids are not there yet.
type waitingPiece struct {
	record int
	split  splitID
	first  bool
	bytes  int64
}

// encode reads all pieces and adds each once its ids are there.
func (w *writer) encode(ctx context.Context) error {
	var read error
	var waiting []waitingPiece
	texts := func(yield func(string) bool) {
		read = w.im.pieces(ctx, "tokenize", func(p piece) error {
			text := string(p.text)
			waiting = append(waiting, waitingPiece{p.record, p.split, p.first, int64(len(text))})
			if !yield(text) {
				return errStop
			}
			return nil
		})
	}
	err := Encode(w.tok, 0, texts, func(ids []int32) error {
		p := waiting[0]
		waiting = waiting[1:]
		return w.add(p, ids)
	})
	if err != nil {
		return err
	}
	return read
}

// add appends the ids of a piece to its split.
func (w *writer) add(p waitingPiece, ids []int32) error {
	s := w.splits[p.split]
	if p.first {
		if err := w.begin(s, p.record); err != nil {
			return err
		}
	}
	s.bytes += p.bytes
	for _, token := range ids {
		if token < 0 || token >= w.vocab {
			return fmt.Errorf("%s: the tokenizer gave token %d, want 0 to %d: its vocabulary and merges do not fit together",
				w.im.place(&w.im.records[p.record]), token, w.vocab-1)
		}
		if token == w.eot[0] {
			w.inside++
		}
	}
	return s.shards.write(ids)
}

// begin starts a document: its end-of-text token, its entry in the tables.
func (w *writer) begin(s *splitWriter, at int) error {
	r := &w.im.records[at]
	file := w.im.files[r.file]
	row := r.line
	if w.im.inputs[file.source].folder {
		row = file.ordinal
	}
	s.documents = append(s.documents, documentEntry{uint64(s.shards.total), uint32(file.source), uint32(min(row, 1<<32-1))})
	set := w.im.labels.sets[r.set]
	for _, label := range set {
		s.counts[label]++
	}
	switch w.im.opts.Task {
	case Classify:
		s.labels = append(s.labels, set[0])
	case MultiLabel:
		width := setWidth(len(s.counts))
		s.sets = append(s.sets, make([]byte, width)...)
		row := s.sets[len(s.sets)-width:]
		for _, label := range set {
			row[label/8] |= 1 << (label % 8)
		}
		if len(set) == 0 {
			s.unlabelled++
		}
	}
	return s.shards.write(w.eot[:])
}

// finish writes the tables, the tokenizer and, last, dataset.json.
func (w *writer) finish() (*Manifest, error) {
	m := w.im.manifest(w.tok)
	for i, s := range w.splits {
		info, err := w.writeTables(splitID(i), s)
		if err != nil {
			return nil, err
		}
		m.Splits[splitID(i).String()] = info
	}
	m.Notes = w.notes(m)
	if err := w.tok.Save(w.dir); err != nil {
		return nil, fmt.Errorf("tokenizer cannot be saved in %s: %w", w.dir, err)
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if m.Files[entry.Name()], err = describeFile(filepath.Join(w.dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	b, err := m.encode()
	if err != nil {
		return nil, err
	}
	return m, os.WriteFile(filepath.Join(w.dir, manifestName), b, 0o644)
}

func (w *writer) writeTables(split splitID, s *splitWriter) (*SplitInfo, error) {
	info := &SplitInfo{Documents: len(s.documents), Tokens: s.shards.total, Bytes: s.bytes, Shards: s.shards.names,
		Length: lengths(s.documents, s.shards.total), DocumentTable: split.String() + "-documents.bin", Unlabelled: s.unlabelled}
	if i := withoutTokens(s.documents, s.shards.total); i >= 0 {
		return nil, fmt.Errorf("the tokenizer gave no token for document %d of split %s (row %d of %s): it does not cover the text's bytes",
			i, split, s.documents[i].row, w.im.inputs[s.documents[i].source].path)
	}
	err := os.WriteFile(filepath.Join(w.dir, info.DocumentTable), encodeDocuments(s.documents, s.shards.total), 0o644)
	if err != nil || w.im.opts.Task == LanguageModel {
		return info, err
	}
	info.LabelTable = split.String() + "-labels.bin"
	info.LabelCounts = make(map[string]int64)
	for label, n := range s.counts {
		info.LabelCounts[w.im.labels.names[label]] = n
	}
	table := encodeLabels(s.labels, len(s.counts))
	if w.im.opts.Task == MultiLabel {
		table = encodeSets(s.sets, len(s.counts))
	}
	return info, os.WriteFile(filepath.Join(w.dir, info.LabelTable), table, 0o644)
}

// withoutTokens finds a document that is nothing but its end-of-text token, or gives -1.
func withoutTokens(documents []documentEntry, tokens int64) int {
	for i := range documents {
		if lengthOf(documents, i, tokens) == 0 {
			return i
		}
	}
	return -1
}

// lengthOf is the number of tokens of document i, its end-of-text token not counted.
func lengthOf(documents []documentEntry, i int, tokens int64) int64 {
	end := uint64(tokens)
	if i+1 < len(documents) {
		end = documents[i+1].start
	}
	return int64(end-documents[i].start) - 1
}

// lengths sorts the documents' lengths and reads off the percentiles.
func lengths(documents []documentEntry, tokens int64) LengthInfo {
	if len(documents) == 0 {
		return LengthInfo{}
	}
	sorted := make([]int64, len(documents))
	for i := range documents {
		sorted[i] = lengthOf(documents, i, tokens)
	}
	slices.Sort(sorted)
	last := len(sorted) - 1
	return LengthInfo{sorted[last/2], sorted[last*9/10], sorted[last*99/100], sorted[last]}
}
