package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/model/predict"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// EvaluateSettings say what is evaluated on what.
type EvaluateSettings struct {
	Model    string // a run (its best checkpoint), a checkpoint or a Hugging Face directory
	Data     string // data directory
	Split    string // valid or test
	Sequence int    // tokens of a document or a window that are read, at most; 0: the model's positions, or those a language model's run trained
	Baseline bool   // of a classifier: fit the n-gram baseline on the training split and score it too
	Threads  int    // of the baseline's fit; 0: one for each processor
}

// Evaluation is how a model does on a split.
type Evaluation struct {
	Model     string   `json:"model"` // the checkpoint that was read
	Data      string   `json:"data"`
	Split     string   `json:"split"`
	Task      string   `json:"task"` // lm, classify or multilabel
	Documents int      `json:"documents"`
	Tokens    int64    `json:"tokens"` // predicted (language model), or read (classifier)
	Sequence  int      `json:"sequence"`
	Truncated int      `json:"truncated"` // documents that are longer than was read
	Labels    []string `json:"labels,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`

	Language *LanguageScores `json:"language,omitempty"`
	Scores
	Baseline *BaselineScores `json:"baseline,omitempty"`

	Mistakes []metric.Mistake `json:"-"` // of the model, the most confident first
}

// Scores are those of a classifier: one of the two is set. Classes are in the order of the data's labels.
type Scores struct {
	Classification *metric.ClassificationResult `json:"classification,omitempty"`
	MultiLabel     *metric.MultiLabelResult     `json:"multilabel,omitempty"`
}

// LanguageScores are those of a language model.
type LanguageScores struct {
	Loss        float64 `json:"loss"` // nats a token
	Perplexity  float64 `json:"perplexity"`
	BitsPerByte float64 `json:"bits_per_byte"` // of UTF-8 text; the end-of-text tokens between documents are paid for too
	Bytes       int64   `json:"bytes"`
}

// Evaluate scores a model on a split of a data directory: a classifier where the model has labels, else a language model.
// It refuses a model that was not trained with the data's tokenizer, labels that are not the data's, and an empty split.
func Evaluate(ctx context.Context, s EvaluateSettings, env Env) (e *Evaluation, err error) {
	dataset, err := data.Open(s.Data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dataset.Close()) }()
	split, err := openSplit(dataset, s.Split)
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Open(s.Model, checkpoint.Options{Which: checkpoint.Best})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	tokenizer, err := bpe.Load(s.Data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer of %s: %w", s.Data, err)
	}
	if err := sameTokenizer(dataset, tokenizer, c); err != nil {
		return nil, err
	}
	v := &evaluator{settings: s, env: env, dataset: dataset, split: split, model: c, tokenizer: tokenizer}
	if v.sequence, err = v.readLength(); err != nil {
		return nil, err
	}
	e = &Evaluation{Model: c.Dir, Data: s.Data, Split: s.Split, Task: c.Config.Problem.String(), Documents: split.Documents(),
		Sequence: v.sequence, Warnings: c.Warnings}
	if len(c.Config.Labels) == 0 {
		e.Task = model.LanguageModel.String()
		return e, v.language(ctx, e)
	}
	return e, v.classify(ctx, e)
}

// openSplit gives a split that something can be measured on.
func openSplit(d *data.Dataset, name string) (*data.Split, error) {
	if name != "valid" && name != "test" {
		return nil, fmt.Errorf("split is %q, want valid or test (--split)", name)
	}
	split, err := d.Split(name)
	if err != nil {
		return nil, err
	}
	if split.Documents() == 0 {
		return nil, fmt.Errorf("the %s split of %s is empty: evaluate another (--split), or prepare the data with a share or a file for it (--split 0.8,0.1,0.1 or --%s FILE)", name, d.Dir(), name)
	}
	return split, nil
}

// evaluator is an evaluation under way.
type evaluator struct {
	settings  EvaluateSettings
	env       Env
	dataset   *data.Dataset
	split     *data.Split
	model     *checkpoint.Checkpoint
	tokenizer *bpe.Tokenizer
	sequence  int
}

// classify scores every document, and the baseline's answers beside the model's.
func (v *evaluator) classify(ctx context.Context, e *Evaluation) error {
	classOf, err := v.matchLabels()
	if err != nil {
		return err
	}
	scored, err := v.predictions(ctx, classOf)
	if err != nil {
		return err
	}
	labels, problem := v.dataset.Manifest.Labels, v.model.Config.Problem
	e.Labels, e.Truncated, e.Scores = labels, scored.Truncated, Scores{scored.Single, scored.Multi}
	for _, p := range scored.Predictions {
		e.Tokens += int64(p.Tokens)
	}
	if e.Mistakes, err = scored.mistakes(v.split, v.tokenizer, labels, problem); err != nil {
		return err
	}
	if v.settings.Baseline {
		e.Baseline, err = v.baseline(ctx)
	}
	return err
}

func (v *evaluator) predictions(ctx context.Context, classOf []int) (*Scored, error) {
	store, err := predict.LoadStore(v.model, v.env.Device, nil)
	if err != nil {
		return nil, err
	}
	defer store.Free()
	m := predict.Over(store, v.model.Config, v.tokenizer, predict.Options{Precision: v.env.Precision, Packing: v.env.Packing})
	defer m.Release()
	m.Dir = v.model.Dir
	return Classify(ctx, m, v.split, v.sequence, classOf)
}

// matchLabels gives the model's class of each of the data's labels, by name.
func (v *evaluator) matchLabels() ([]int, error) {
	m, config := v.dataset.Manifest, v.model.Config
	want := data.Classify
	if config.Problem == model.MultiLabel {
		want = data.MultiLabel
	}
	if m.Task != want {
		return nil, fmt.Errorf("%s is a model of task %s, and the data in %s was prepared with task %s: prepare it with --task %s", v.model.Dir, want, v.settings.Data, m.Task, want)
	}
	classOf := make([]int, len(m.Labels))
	same := len(m.Labels) == len(config.Labels)
	for k, label := range m.Labels {
		classOf[k] = slices.Index(config.Labels, label)
		same = same && classOf[k] >= 0
	}
	if !same {
		return nil, fmt.Errorf("the labels differ: the model in %s has %d, %q, and the data in %s %d, %q: want the same set; prepare the data with --labels, a file with the model's",
			v.model.Dir, len(config.Labels), config.Labels, v.settings.Data, len(m.Labels), m.Labels)
	}
	return classOf, nil
}
