package data

import (
	"cmp"
	"fmt"
	"slices"
)

// splitID numbers the splits; excluded marks a bad row.
type splitID uint8

const (
	train splitID = iota
	valid
	test
	excluded
)

var splitNames = [...]string{train: "train", valid: "valid", test: "test", excluded: "excluded"}

func (s splitID) String() string { return splitNames[s] }

// shares are the fractions with those of splits that have files of their own added to training.
func (im *Import) shares() [3]float64 {
	f := im.opts.Split.Fractions
	if len(im.opts.Valid) > 0 {
		f[train], f[valid] = f[train]+f[valid], 0
	}
	if len(im.opts.Test) > 0 {
		f[train], f[test] = f[train]+f[test], 0
	}
	return f
}

// assignSplits gives every usable row its split. A row of Valid or Test keeps to it.
func (im *Import) assignSplits() {
	var rows []int // usable rows of Inputs
	row := 0       // counts bad rows too, so that a bad row moves no other
	for i := range im.records {
		r := &im.records[i]
		use := im.inputs[im.files[r.file].source].use
		if use == train {
			if im.opts.Split.EveryTenth && r.split != excluded {
				r.split = im.everyTenth(row)
			} else if r.split != excluded {
				rows = append(rows, i)
			}
			row++
		} else if r.split != excluded {
			r.split = use
		}
	}
	if im.opts.Split.EveryTenth || len(rows) == 0 {
		return
	}
	if im.opts.Task == LanguageModel && im.tooFewToShare(len(rows)) {
		im.byPosition = true
		return
	}
	im.shareOut(rows)
}

func (im *Import) everyTenth(row int) splitID {
	switch {
	case row%10 == 9 && len(im.opts.Test) == 0:
		return test
	case row%10 == 8 && len(im.opts.Valid) == 0:
		return valid
	}
	return train
}

// tooFewToShare tells whether some split would get no document.
func (im *Import) tooFewToShare(documents int) bool {
	for _, f := range im.shares() {
		if f > 0 && f*float64(documents) < 1-1e-9 {
			return true
		}
	}
	return false
}

// shareOut splits rows by the fractions. Rows are put in order of their rarest label, in each label in an order drawn from
// the seed, and walked through: each goes to the split furthest behind its share, so that every label's rows are shared
// out by the fractions to within one or two rows. A row with a label that has no training row yet goes to training.
func (im *Import) shareOut(rows []int) {
	stratum := im.strata(rows)
	slices.SortFunc(rows, func(a, b int) int {
		if c := cmp.Compare(stratum(a), stratum(b)); c != 0 {
			return c
		}
		if c := cmp.Compare(mix(im.opts.Seed, uint64(a)), mix(im.opts.Seed, uint64(b))); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	f := im.shares()
	trained := make([]bool, len(im.labels.names))
	var given [3]float64
	for i, at := range rows {
		r := &im.records[at]
		best := train
		for s := valid; s <= test; s++ {
			if f[s]*float64(i+1)-given[s] > f[best]*float64(i+1)-given[best] {
				best = s
			}
		}
		for _, label := range im.labels.sets[r.set] {
			if !trained[label] {
				best = train
			}
		}
		if best == train {
			for _, label := range im.labels.sets[r.set] {
				trained[label] = true
			}
		}
		given[best]++
		r.split = best
	}
}

// strata gives the function from a row to its rarest label; -1 for a row without labels.
func (im *Import) strata(rows []int) func(int) int32 {
	perLabel := make([]int64, len(im.labels.names))
	for _, at := range rows {
		for _, label := range im.labels.sets[im.records[at].set] {
			perLabel[label]++
		}
	}
	rarest := make([]int32, len(im.labels.sets))
	for i, set := range im.labels.sets {
		rarest[i] = -1
		for _, label := range set {
			if rarest[i] < 0 || perLabel[label] < perLabel[rarest[i]] {
				rarest[i] = label
			}
		}
	}
	return func(at int) int32 { return rarest[im.records[at].set] }
}

// mix is SplitMix64's finaliser over a seed and a number: a fixed random-looking order.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// trainingCounts counts training rows per label.
func (im *Import) trainingCounts() []int64 {
	counts := make([]int64, len(im.labels.names))
	for i := range im.records {
		if r := &im.records[i]; r.split == train {
			for _, label := range im.labels.sets[r.set] {
				counts[label]++
			}
		}
	}
	return counts
}

// refuseUntrained makes bad rows of validation and test rows with a label that no training row has, and forgets such
// labels unless the classes were given.
func (im *Import) refuseUntrained() {
	counts := im.trainingCounts()
	for i := range im.records {
		r := &im.records[i]
		if r.split != valid && r.split != test {
			continue
		}
		for _, label := range im.labels.sets[r.set] {
			if counts[label] > 0 {
				continue
			}
			im.bad.add(&BadRow{im.files[r.file].path, r.line, UntrainedText, fmt.Sprintf(
				"label %.60q of the %s split has no row in the training split: add training rows with it, or mend the label",
				im.labels.names[label], r.split)})
			r.split = excluded
			break
		}
	}
	im.labels.forget(counts)
}

// checkSplits refuses a data set that cannot be trained on.
func (im *Import) checkSplits() error {
	var rows [4]int64
	for i := range im.records {
		rows[im.records[i].split]++
	}
	if rows[train] == 0 {
		return fmt.Errorf("%s: no row is left for training of %d usable ones: give more rows or another --split",
			im.inputs[0].path, im.count())
	}
	classes := 0
	only := ""
	for label, n := range im.trainingCounts() {
		if n > 0 {
			classes++
			only = im.labels.names[label]
		}
	}
	if im.opts.Task == Classify && classes == 1 {
		return fmt.Errorf("%s: all %d training rows have the label %q, want at least two classes: is the label column the right one?",
			im.inputs[0].path, rows[train], only)
	}
	if im.opts.Task == MultiLabel && classes == 0 {
		return fmt.Errorf("%s: no training row has a label: is the label column the right one?", im.inputs[0].path)
	}
	return nil
}
