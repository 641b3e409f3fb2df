package data

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Task says what a data directory is for.
type Task string

// The tasks.
const (
	LanguageModel Task = "lm"         // texts without labels
	Classify      Task = "classify"   // exactly one label a text
	MultiLabel    Task = "multilabel" // any number of labels a text, none included
)

// BadRowPolicy says what a bad row does to the import.
type BadRowPolicy string

// The policies.
const (
	Fail BadRowPolicy = "fail" // the import ends with a *BadRowsError after all rows were checked
	Skip BadRowPolicy = "skip" // the row is left out, counted and listed in the summary
)

// Tokenizer turns text into token ids; model/bpe has one. Several goroutines may call Encode at once.
type Tokenizer interface {
	// Encode appends the ids of text to dst. Text that spells a special token may be encoded as that token.
	Encode(dst []int32, text string) []int32
	// VocabSize is one more than the largest id.
	VocabSize() int
	// EndOfText is the id that begins every document of a shard.
	EndOfText() int32
	// Save writes the tokenizer's files (tokenizer.json at least) into dir, which exists.
	Save(dir string) error
}

// Options are the settings of an import. The zero value of each field is described with it.
type Options struct {
	Inputs []string // files and folders; at least one
	Valid  []string // files of the validation split; none: taken from Inputs by Split
	Test   []string // files of the test split; none: taken from Inputs by Split
	Out    string   // the data directory to write; empty: Scan only checks

	Task   Task   // "" is LanguageModel
	Format Format // "" is by file name: see Format

	Text           []string // columns joined by a newline to make the text: names, or numbers from 0; none is "text"
	Label          string   // column with the label; "" is "label"; unused for LanguageModel
	LabelSeparator string   // between the labels of a MultiLabel field; "" is ","
	Labels         []string // the classes in order; none: those found, numbers by value, else by bytes

	Split SplitRule // the zero value is 0.8,0.1,0.1
	Seed  uint64    // of the split

	OnBadRow      BadRowPolicy // "" is Fail
	Overwrite     bool         // replace Out if it is a data directory (or an empty folder)
	TokenizerName string       // recorded in dataset.json

	Progress func(Progress) // called now and then from the importing goroutine; nil is silence

	shardTokens int64 // most tokens of a shard; 0 is maxShardTokens
}

// Progress is how far a pass over the input is.
type Progress struct {
	Phase     string // "check", "read" (TrainingTexts) or "tokenize"
	Bytes     int64  // read from the files, as stored
	Total     int64  // bytes of all files, as stored
	Documents int64
}

// SplitRule says which row goes to which split. The zero value is the fractions 0.8,0.1,0.1.
type SplitRule struct {
	Fractions  [3]float64 // training, validation, test; they sum to 1
	EveryTenth bool       // row i, from 0: i mod 10 = 9 test, 8 validation, else training; Fractions unused
}

// ParseSplit reads "0.8,0.1,0.1" or "every-tenth".
func ParseSplit(s string) (SplitRule, error) {
	if s == "every-tenth" {
		return SplitRule{EveryTenth: true}, nil
	}
	parts := strings.Split(s, ",")
	var rule SplitRule
	if len(parts) != 3 {
		return rule, fmt.Errorf("split %q: %d parts, want training,validation,test such as 0.8,0.1,0.1, or every-tenth",
			s, len(parts))
	}
	for i, part := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return rule, fmt.Errorf("split %q: %q is not a number; want three shares such as 0.8,0.1,0.1", s, part)
		}
		rule.Fractions[i] = f
	}
	return rule, rule.validate()
}

// String is the form ParseSplit reads.
func (r SplitRule) String() string {
	if r.EveryTenth {
		return "every-tenth"
	}
	return fmt.Sprintf("%g,%g,%g", r.Fractions[0], r.Fractions[1], r.Fractions[2])
}

func (r SplitRule) validate() error {
	if r.EveryTenth {
		return nil
	}
	sum := 0.0
	for _, f := range r.Fractions {
		if !(f >= 0 && f <= 1) {
			return fmt.Errorf("split %s: share %g is not between 0 and 1", r, f)
		}
		sum += f
	}
	if math.Abs(sum-1) > 1e-6 {
		return fmt.Errorf("split %s: the shares sum to %g, want 1", r, sum)
	}
	if r.Fractions[0] == 0 {
		return fmt.Errorf("split %s: no training share, want more than 0", r)
	}
	return nil
}

// withDefaults fills in zero values and checks what needs no file.
func (o Options) withDefaults() (Options, error) {
	if o.Task == "" {
		o.Task = LanguageModel
	}
	if o.OnBadRow == "" {
		o.OnBadRow = Fail
	}
	if o.LabelSeparator == "" {
		o.LabelSeparator = ","
	}
	if o.Split == (SplitRule{}) {
		o.Split.Fractions = [3]float64{0.8, 0.1, 0.1}
	}
	if o.shardTokens == 0 {
		o.shardTokens = maxShardTokens
	}
	switch {
	case o.Task != LanguageModel && o.Task != Classify && o.Task != MultiLabel:
		return o, fmt.Errorf("task %q is unknown; want lm, classify or multilabel", o.Task)
	case o.OnBadRow != Fail && o.OnBadRow != Skip:
		return o, fmt.Errorf("on-bad-row %q is unknown; want fail or skip", o.OnBadRow)
	case len(o.Inputs) == 0:
		return o, fmt.Errorf("no input; give at least one file or folder")
	case o.Task == LanguageModel && o.Label != "":
		return o, fmt.Errorf("label column %q given for task lm, which has no labels; use task classify or multilabel", o.Label)
	}
	if err := o.Format.validate(); err != nil {
		return o, err
	}
	if err := checkLabelList(o.Labels); err != nil {
		return o, err
	}
	return o, o.Split.validate()
}

func checkLabelList(labels []string) error {
	seen := make(map[string]bool, len(labels))
	for _, label := range labels {
		if strings.TrimSpace(label) != label || label == "" {
			return fmt.Errorf("class %q in the list of labels is empty or has spaces around it", label)
		}
		if seen[label] {
			return fmt.Errorf("class %q stands twice in the list of labels", label)
		}
		seen[label] = true
	}
	return nil
}
