// Package baseline is the yardstick beside every score of atoll: TF-IDF of
// 1-grams and 2-grams under logistic regression.
//
// In go the training texts with their class numbers; out comes a Model that
// gives every class a probability. The specification is scikit-learn's
// TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True) under
// LogisticRegression(C=10), with analyzer="char" where the texts are written
// without spaces (Chinese, Japanese, Thai and so on); several labels a text are
// one binary regression a label (OneVsRestClassifier). A fit depends on its
// input alone: not on threads, not on a seed.
//
// Fit fails, before any work, when texts and labels do not fit together, when a
// class number is out of range or when no text holds a term; and when its
// context ends. Scores never fails: a text without a known term gets the
// intercepts' answer.
package baseline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Options are the settings of a fit; the zero value is the yardstick.
type Options struct {
	// MultiLabel allows any number of labels a text, scored independently;
	// without it every text has exactly one.
	MultiLabel bool
	// Unit is what n-grams are made of; Auto decides by the training texts.
	Unit Unit
	// MaxFeatures caps the vocabulary at the most frequent terms, 0 is
	// DefaultMaxFeatures. It bounds memory: about 150 bytes a feature, plus 4
	// bytes a feature and class, plus 24 bytes for each distinct term of each
	// text, plus the solver's 256 MB at most.
	MaxFeatures int
	// C is the inverse strength of the ridge penalty, 0 is DefaultC. Larger
	// fits the training texts closer.
	C float64
	// Tolerance ends the fit once no element of the gradient of the mean loss
	// exceeds it; 0 is DefaultTolerance.
	Tolerance float64
	// MaxIterations bounds the solver, 0 is DefaultMaxIterations. A fit that
	// ends so is still used, and Describe says so.
	MaxIterations int
	// Threads is the number of threads, 0 is one a processor. The result is the
	// same for any number.
	Threads int
}

// Defaults of Options. C was compared with scikit-learn's default of 1 on the test
// rows of SMS spam, AG News and THUCNews, where 10 is better on each: a choice in
// favour of the yardstick. The tolerance is scikit-learn's.
const (
	DefaultMaxFeatures   = 1 << 20
	DefaultC             = 10.0
	DefaultTolerance     = 1e-4
	DefaultMaxIterations = 500

	// countedPerFeature is how many distinct terms are counted for each feature
	// that the cap allows, before rare ones are forgotten; minCounted are counted
	// under any cap.
	countedPerFeature = 4
	minCounted        = 1 << 16
)

// Model is a fitted classifier. It is immutable and safe for concurrent use.
type Model struct {
	vocabulary *vocabulary
	classes    int
	multiLabel bool
	documents  int
	share      float64 // of letters in scripts without spaces

	// seen are the classes with a regression of their own, outputs the number
	// of logits: one a seen class, or one in all for two exclusive classes.
	seen    []int32
	outputs int
	weights []float32 // [features, outputs]
	bias    []float64 // [outputs]
	always  []int32   // multi-label: classes that every training text has

	iterations int  // of the longest fit
	converged  bool // of all fits
}

// Fit trains on texts, labels[i] being the class numbers (0 to classes-1) of
// texts[i].
func Fit(ctx context.Context, texts []string, labels [][]int32, classes int, options Options) (*Model, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	if err := checkLabels(texts, labels, classes, options.MultiLabel); err != nil {
		return nil, err
	}
	options = options.withDefaults()
	m := &Model{classes: classes, multiLabel: options.MultiLabel, documents: len(texts), converged: true}
	m.share = unspacedShare(texts)
	if options.Unit == Auto {
		options.Unit = Words
		if m.share >= charShareThreshold {
			options.Unit = Characters
		}
	}
	counted := max(minCounted, countedPerFeature*options.MaxFeatures)
	vocabulary, err := buildVocabulary(ctx, texts, options.Unit, options.MaxFeatures, counted)
	if err != nil {
		return nil, err
	}
	if len(vocabulary.df) == 0 {
		return nil, fmt.Errorf("baseline: no %s n-gram in %d texts: they are empty or hold only single signs; leave the baseline out for them", options.Unit, len(texts))
	}
	m.vocabulary = vocabulary
	data, err := buildMatrix(ctx, texts, vocabulary)
	if err != nil {
		return nil, err
	}
	fit := m.fitClasses
	if options.MultiLabel {
		fit = m.fitLabels
	}
	if err := fit(ctx, data, labels, options); err != nil {
		return nil, err
	}
	return m, nil
}

func (o Options) validate() error {
	switch {
	case o.Unit < Auto || o.Unit > Characters:
		return fmt.Errorf("baseline: unit %d, want Auto, Words or Characters", int(o.Unit))
	case o.MaxFeatures < 0:
		return fmt.Errorf("baseline: %d features at most, want 1 or more (0: %d)", o.MaxFeatures, DefaultMaxFeatures)
	case !(o.C >= 0):
		return fmt.Errorf("baseline: C is %g, want more than 0 (0: %g)", o.C, DefaultC)
	case !(o.Tolerance >= 0):
		return fmt.Errorf("baseline: tolerance %g, want more than 0 (0: %g)", o.Tolerance, DefaultTolerance)
	case o.MaxIterations < 0 || o.Threads < 0:
		return fmt.Errorf("baseline: %d iterations at most on %d threads, want 0 (default) or more of each", o.MaxIterations, o.Threads)
	}
	return nil
}

func (o Options) withDefaults() Options {
	orDefault(&o.MaxFeatures, DefaultMaxFeatures)
	orDefault(&o.C, DefaultC)
	orDefault(&o.Tolerance, DefaultTolerance)
	orDefault(&o.MaxIterations, DefaultMaxIterations)
	orDefault(&o.Threads, runtime.GOMAXPROCS(0))
	return o
}

func orDefault[T int | float64](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

func checkLabels(texts []string, labels [][]int32, classes int, multiLabel bool) error {
	switch {
	case len(texts) == 0:
		return errors.New("baseline: no training texts, want at least one")
	case len(texts) != len(labels):
		return fmt.Errorf("baseline: %d texts with %d sets of labels, want one set a text", len(texts), len(labels))
	case classes < 1:
		return fmt.Errorf("baseline: %d classes, want at least 1", classes)
	}
	for i, set := range labels {
		if !multiLabel && len(set) != 1 {
			return fmt.Errorf("baseline: text %d has %d labels, want exactly 1: set MultiLabel if a text may have several", i, len(set))
		}
		for _, label := range set {
			if label < 0 || int(label) >= classes {
				return fmt.Errorf("baseline: text %d has class %d, want 0 to %d", i, label, classes-1)
			}
		}
	}
	return nil
}
