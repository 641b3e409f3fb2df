package data

import (
	"context"
	"errors"
	"iter"
	"unicode/utf8"
)

// errChanged ends a later pass that meets other rows than the first did.
var errChanged = errors.New("the input changed while it was being read: run again when nothing writes to it")

// errStop ends a pass whose reader has had enough.
var errStop = errors.New("no more texts wanted")

// TrainingTexts gives every text of the training split in order, a long one in pieces of about 1 MiB. An error ends the
// texts and comes with an empty one. Tokenizers are trained on it before Write.
func (im *Import) TrainingTexts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := im.pieces(ctx, "read", func(p piece) error {
			if p.split == train && !yield(string(p.text), nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield("", err)
		}
	}
}

// piece is a part of a document that goes to one split.
type piece struct {
	record int // index in Import.records
	split  splitID
	text   []byte
	first  bool // begins the document, or its split's share of it
}

// pieces gives the usable rows of all files, in pieces of at most about pieceSize, with their splits.
func (im *Import) pieces(ctx context.Context, phase string, use func(piece) error) error {
	c := cutter{im: im, split: excluded}
	err := im.each(ctx, phase, func(f int, doc *document, bad *BadRow) error {
		if c.at >= len(im.records) || bad != nil && im.records[c.at].split != excluded {
			return errChanged
		}
		if bad == nil && im.records[c.at].split != excluded {
			if err := c.cut(doc.text, use); err != nil {
				return err
			}
		}
		if bad != nil || !doc.more {
			c.at, c.offset, c.split = c.at+1, 0, excluded
		}
		return nil
	})
	if err == nil && c.at != len(im.records) {
		return errChanged
	}
	return err
}

// cutter cuts documents where splits meet and where pieces grow too long.
type cutter struct {
	im     *Import
	at     int     // record being read
	offset int64   // bytes of it given out
	split  splitID // that the last piece of it went to; excluded: none yet
}

func (c *cutter) cut(text []byte, use func(piece) error) error {
	for len(text) > 0 {
		split, end := c.im.share(&c.im.records[c.at], c.offset)
		n := len(text)
		if left := end - c.offset; left < int64(n) {
			n = int(max(left, 0))
			for n < len(text) && (n == 0 || !utf8.RuneStart(text[n])) {
				n++
			}
		}
		if n > pieceSize {
			n = pieceEnd(text[:pieceSize])
		}
		if err := use(piece{c.at, split, text[:n], split != c.split}); err != nil {
			return err
		}
		c.split = split
		c.offset += int64(n)
		text = text[n:]
	}
	return nil
}

// share gives the split that byte offset of a document belongs to, and where that split's share ends.
func (im *Import) share(r *record, offset int64) (splitID, int64) {
	if !im.byPosition || r.split != train {
		return r.split, r.size
	}
	f := im.shares()
	sum := 0.0
	for s := train; s < test; s++ {
		sum += f[s]
		end := int64(sum * float64(r.size))
		if s == valid && f[test] == 0 || s == train && f[valid]+f[test] == 0 {
			end = r.size
		}
		if offset < end {
			return s, end
		}
	}
	return test, r.size
}
