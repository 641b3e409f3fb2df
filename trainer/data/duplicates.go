package data

import (
	"cmp"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Duplicates counts texts that are equal but for letter case and white space. A text in two splits makes scores of the
// second too good.
type Duplicates struct {
	Repeated     int64              `json:"repeated"`       // rows whose text stands in an earlier row
	ValidInTrain int64              `json:"valid_in_train"` // validation rows whose text is in training too
	TestInTrain  int64              `json:"test_in_train"`
	TestInValid  int64              `json:"test_in_valid"`
	OtherLabels  int64              `json:"other_labels"` // rows whose text stands in an earlier row with other labels
	Examples     []DuplicateExample `json:"examples,omitempty"`
}

// DuplicateExample is one text in two splits.
type DuplicateExample struct {
	Split string `json:"split"`
	At    string `json:"at"` // file:line
	Also  string `json:"also_in"`
	There string `json:"also_at"`
}

const duplicateExamples = 5

// findDuplicates compares 64-bit hashes of the normalised texts.
func (im *Import) findDuplicates() *Duplicates {
	rows := make([]int32, 0, im.count())
	for i := range im.records {
		if im.records[i].split != excluded {
			rows = append(rows, int32(i))
		}
	}
	slices.SortFunc(rows, func(a, b int32) int {
		return cmp.Or(cmp.Compare(im.records[a].hash, im.records[b].hash), cmp.Compare(a, b))
	})
	d := &Duplicates{}
	for begin := 0; begin < len(rows); {
		end := begin + 1
		for end < len(rows) && im.records[rows[end]].hash == im.records[rows[begin]].hash {
			end++
		}
		if end-begin > 1 {
			im.addDuplicates(d, rows[begin:end])
		}
		begin = end
	}
	return d
}

// addDuplicates counts one group of rows with the same text.
func (im *Import) addDuplicates(d *Duplicates, rows []int32) {
	var first [3]*record
	for _, at := range rows {
		r := &im.records[at]
		if first[r.split] == nil {
			first[r.split] = r
		}
	}
	d.Repeated += int64(len(rows) - 1)
	for _, at := range rows {
		r := &im.records[at]
		if r.set != im.records[rows[0]].set {
			d.OtherLabels++
		}
		var also *record
		switch {
		case r.split == valid && first[train] != nil:
			d.ValidInTrain++
			also = first[train]
		case r.split == test && first[train] != nil:
			d.TestInTrain++
			also = first[train]
		}
		if r.split == test && first[valid] != nil {
			d.TestInValid++
			also = cmp.Or(also, first[valid])
		}
		if also != nil && len(d.Examples) < duplicateExamples {
			d.Examples = append(d.Examples, DuplicateExample{r.split.String(), im.place(r), also.split.String(), im.place(also)})
		}
	}
}

// place is where a row stands, for people.
func (im *Import) place(r *record) string {
	if r.line == 0 {
		return im.files[r.file].path
	}
	return fmt.Sprintf("%s:%d", im.files[r.file].path, r.line)
}

// normalHash hashes a text with letters in lower case and each run of white space as one space: FNV-1a over runes.
type normalHash struct {
	h     uint64
	size  int64 // bytes of the text as it is
	solid bool  // a character other than white space was seen
	space bool  // white space was seen since the last other character
}

func (n *normalHash) write(text []byte) {
	n.size += int64(len(text))
	for i := 0; i < len(text); {
		r, width := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, width = utf8.DecodeRune(text[i:])
		}
		i += width
		if unicode.IsSpace(r) {
			n.space = n.solid
			continue
		}
		if n.space {
			n.add(' ')
			n.space = false
		}
		n.solid = true
		n.add(unicode.ToLower(r))
	}
}

func (n *normalHash) add(r rune) {
	const basis, prime = 14695981039346656037, 1099511628211
	if n.h == 0 {
		n.h = basis
	}
	n.h = (n.h ^ uint64(r)) * prime
}

func (n *normalHash) sum() uint64 { return mix(0, n.h) }
