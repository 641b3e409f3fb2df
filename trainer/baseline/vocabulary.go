package baseline

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
)

// vocabulary maps terms to feature numbers, which follow the byte order of the
// terms (code point order, as scikit-learn's).
type vocabulary struct {
	unit    Unit
	feature map[string]int32
	df      []int32 // documents that hold the feature
	idf     []float64
	dropped int  // distinct terms counted but left out by the cap
	lossy   bool // rare terms were discarded while counting: see counter.prune
}

// counter counts terms over documents with a bound on the terms it holds.
type counter struct {
	counts map[string]*termCount
	limit  int // distinct terms held before rare ones are discarded
	pruned bool
}

type termCount struct {
	total int64 // occurrences, all documents
	df    int32
	last  int32 // the last document counted in df, plus 1
}

func (c *counter) add(document int, term []byte) {
	t := c.counts[string(term)]
	if t == nil {
		if len(c.counts) >= c.limit {
			c.prune()
		}
		t = &termCount{}
		c.counts[string(term)] = t
	}
	t.total++
	if t.last != int32(document)+1 {
		t.last = int32(document) + 1
		t.df++
	}
}

// prune discards the terms seen once, then those seen twice and so on, until a
// quarter of the room is free. Which terms go depends on counts alone, so the
// result is the same in every run.
func (c *counter) prune() {
	c.pruned = true
	for seen := int64(1); len(c.counts) > c.limit-c.limit/4; seen++ {
		for term, t := range c.counts {
			if t.total <= seen {
				delete(c.counts, term)
			}
		}
	}
}

// buildVocabulary counts the terms of texts and keeps the maxFeatures most
// frequent ones (ties in byte order). Counting is exact while there are at most
// counted distinct terms.
func buildVocabulary(ctx context.Context, texts []string, unit Unit, maxFeatures, counted int) (*vocabulary, error) {
	c := &counter{counts: make(map[string]*termCount), limit: counted}
	a := &analyzer{unit: unit}
	for i, text := range texts {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.terms(text, func(term []byte) { c.add(i, term) })
	}
	v := c.choose(maxFeatures)
	v.unit = unit
	if c.pruned {
		v.recount(a, texts)
	}
	v.weigh(len(texts))
	return v, nil
}

// choose returns the vocabulary of the most frequent terms counted.
func (c *counter) choose(maxFeatures int) *vocabulary {
	terms := make([]string, 0, len(c.counts))
	for term := range c.counts {
		terms = append(terms, term)
	}
	v := &vocabulary{lossy: c.pruned}
	if len(terms) > maxFeatures {
		slices.SortFunc(terms, func(x, y string) int {
			return cmp.Or(cmp.Compare(c.counts[y].total, c.counts[x].total), strings.Compare(x, y))
		})
		v.dropped = len(terms) - maxFeatures
		terms = terms[:maxFeatures]
	}
	slices.Sort(terms)
	v.feature = make(map[string]int32, len(terms))
	v.df = make([]int32, len(terms))
	for f, term := range terms {
		v.feature[term] = int32(f)
		v.df[f] = c.counts[term].df
	}
	return v
}

// recount counts the documents of each feature anew: a term that was forgotten
// for a while was counted too low, and the matrix needs to know which features
// occur in one document only.
func (v *vocabulary) recount(a *analyzer, texts []string) {
	clear(v.df)
	last := make([]int, len(v.df))
	for i, text := range texts {
		a.terms(text, func(term []byte) {
			if f, ok := v.feature[string(term)]; ok && last[f] != i+1 {
				last[f] = i + 1
				v.df[f]++
			}
		})
	}
}

// weigh sets the inverse document frequencies, ln((1 + N) / (1 + df)) + 1.
func (v *vocabulary) weigh(documents int) {
	v.idf = make([]float64, len(v.df))
	for f, df := range v.df {
		v.idf[f] = math.Log(float64(1+documents)/float64(1+df)) + 1
	}
}

// vectorizer turns texts into TF-IDF rows; one serves one goroutine.
type vectorizer struct {
	*vocabulary
	analyzer analyzer
	found    []int32
}

func newVectorizer(v *vocabulary) *vectorizer {
	return &vectorizer{vocabulary: v, analyzer: analyzer{unit: v.unit}}
}

// row appends the features of text in rising order and their values to ids and
// values: (1 + ln count) * idf, scaled to unit Euclidean length. A text without
// a known term adds nothing.
func (z *vectorizer) row(text string, ids []int32, values []float64) ([]int32, []float64) {
	z.found = z.found[:0]
	z.analyzer.terms(text, func(term []byte) {
		if f, ok := z.feature[string(term)]; ok {
			z.found = append(z.found, f)
		}
	})
	slices.Sort(z.found)
	start, squares := len(values), 0.0
	for i := 0; i < len(z.found); {
		f, first := z.found[i], i
		for i < len(z.found) && z.found[i] == f {
			i++
		}
		x := (1 + math.Log(float64(i-first))) * z.idf[f]
		ids, values = append(ids, f), append(values, x)
		squares += x * x
	}
	norm := math.Sqrt(squares)
	for i := start; i < len(values); i++ {
		values[i] /= norm
	}
	return ids, values
}
