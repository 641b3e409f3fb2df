package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// manifest is dataset.json less what the writer counts.
func (im *Import) manifest(tok Tokenizer) *Manifest {
	m := &Manifest{
		Format: manifestFormat, Version: manifestVersion, Task: im.opts.Task, Labels: im.labels.names,
		Columns:   Columns{Text: im.cols.text, Label: im.cols.label, LabelSeparator: string(im.cols.separator)},
		Tokenizer: TokenizerInfo{im.opts.TokenizerName, tok.VocabSize(), tok.EndOfText()},
		TokenType: tokenTypeFor(tok.VocabSize()).String(),
		Split:     SplitRule{im.shares(), im.opts.Split.EveryTenth}.String(), SplitBy: "document", Seed: im.opts.Seed, BlankLines: im.blank,
		BadRows: im.bad, Duplicates: im.duplicates,
		Splits: make(map[string]*SplitInfo), Files: make(map[string]FileInfo),
	}
	if im.byPosition {
		m.SplitBy = "position"
	}
	for i := range im.inputs {
		m.Sources = append(m.Sources, im.inputs[i].describe())
	}
	return m
}

func (in *input) describe() Source {
	s := Source{Path: in.path, For: "input", Folder: in.folder, Files: len(in.files), Hidden: in.hidden, Bytes: in.bytes}
	if in.use != train {
		s.For = in.use.String()
	}
	if !in.folder {
		s.SHA256 = hex.EncodeToString(in.files[0].sum[:])
		return s
	}
	h := sha256.New()
	for i := range in.files {
		h.Write(in.files[i].sum[:])
	}
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	return s
}

// notes are the findings that are no errors but that a person should see.
func (w *writer) notes(m *Manifest) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if w.im.byPosition {
		note("too few documents to share out by %s, so each is cut in itself: head training, then validation, then test", m.Split)
	}
	for _, split := range []splitID{valid, test} {
		if m.Splits[split.String()].Documents == 0 {
			note("the %s split is empty", split)
		}
	}
	for label, n := range w.splits[train].counts {
		if n == 0 {
			note("class %q has no training document", m.Labels[label])
		}
	}
	if d := m.Duplicates; d.ValidInTrain+d.TestInTrain+d.TestInValid > 0 {
		note("texts in two splits make scores too good: %d of valid and %d of test stand in train, %d of test in valid",
			d.ValidInTrain, d.TestInTrain, d.TestInValid)
	}
	if d := m.Duplicates; d.OtherLabels > 0 && m.Task != LanguageModel {
		note("%d texts stand elsewhere with other labels", d.OtherLabels)
	}
	if w.inside > 0 {
		note("%d end-of-text tokens stand inside documents, as the texts spell them", w.inside)
	}
	if m.BadRows.Rows > 0 {
		note("left out: %v", &m.BadRows)
	}
	return notes
}
