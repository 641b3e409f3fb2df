package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"atoll/engine"
	"atoll/model"
	"atoll/model/checkpoint"
	"atoll/model/gpt2"
	"atoll/model/predict"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// classifier is fine-tuning: a label, or a set of labels, read at the last token of each document.
type classifier struct {
	run     *run
	split   *data.Split
	loader  *data.DocumentLoader
	scorer  *predict.Model
	weights []float32 // by class: of the class for one label, of positive labels for several; nil for none
}

// scoreParam is the classification head's weight.
const scoreParam = "score.weight"

func openClassifier(r *run) (err error) {
	manifest := r.dataset.Manifest
	if manifest.Task == data.LanguageModel {
		return fmt.Errorf("%s has no labels (task lm): fine-tuning wants data prepared with --task classify or multilabel and --label COLUMN", r.Data)
	}
	var weights *checkpoint.Checkpoint
	if r.From != "" {
		if weights, err = r.openWeights(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, weights.Close()) }()
		r.config = weights.Config
	} else if r.config, err = r.baseConfig(); err != nil {
		return err
	}
	if r.Sequence > r.config.Positions {
		return fmt.Errorf("sequence is %d tokens, and the model has %d positions: want at most that (--seq)", r.Sequence, r.config.Positions)
	}
	r.config = r.withDropout(r.config)
	r.config.Labels, r.config.Problem = manifest.Labels, model.SingleLabel
	if manifest.Task == data.MultiLabel {
		r.config.Problem = model.MultiLabel
	}
	if r.config.PadToken < 0 {
		r.config.PadToken = int(r.tokenizer.EndOfText())
	}
	if r.trainable, err = method(r.Method, r.config); err != nil {
		return err
	}
	c := &classifier{run: r}
	if c.split, err = r.dataset.Split("train"); err != nil {
		return err
	}
	if c.weights, err = c.classWeights(); err != nil {
		return err
	}
	if c.loader, err = data.NewDocumentLoader(c.split, data.LoaderOptions{B: r.Batch, T: r.Sequence, Seed: r.Seed}); err != nil {
		return err
	}
	r.task = c
	if err := r.newStore(weights, scoreParam); err != nil {
		return err
	}
	c.scorer = predict.Over(r.store, r.config, r.tokenizer, predict.Options{Precision: r.env.Precision})
	return nil
}

// method says which parameters a way of fine-tuning trains.
func method(name string, c model.Config) (func(string) bool, error) {
	last := fmt.Sprintf("transformer.h.%d.", c.Layers-1)
	switch name {
	case "", "full":
		return func(string) bool { return true }, nil
	case "last":
		return func(p string) bool {
			return p == scoreParam || strings.HasPrefix(p, last) || strings.HasPrefix(p, "transformer.ln_f.")
		}, nil
	case "head":
		return func(p string) bool { return p == scoreParam }, nil
	}
	return nil, fmt.Errorf("method is %q, want full, last or head (--method)", name)
}

// classWeights reads or computes the weights of the classes. Balanced: documents / (classes * documents of the class) for
// one label, as scikit-learn does; documents without / documents with a label for several.
func (c *classifier) classWeights() ([]float32, error) {
	labels := c.run.config.Labels
	counts := c.split.Info().LabelCounts
	switch c.run.ClassWeights {
	case "", "none":
		return nil, nil
	case "balanced":
		weights := make([]float32, len(labels))
		n := float64(c.split.Documents())
		for k, label := range labels {
			count := float64(max(counts[label], 1))
			weights[k] = float32(n / (float64(len(labels)) * count))
			if c.run.config.Problem == model.MultiLabel {
				weights[k] = float32((n - count) / count)
			}
		}
		return weights, nil
	}
	text, err := os.ReadFile(c.run.ClassWeights)
	if err != nil {
		return nil, fmt.Errorf("class weights are neither none nor balanced, so a file: %w", err)
	}
	var given map[string]float32
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, fmt.Errorf("%s: %w: want a JSON object of label to weight", c.run.ClassWeights, err)
	}
	weights := make([]float32, len(labels))
	for k, label := range labels {
		w, ok := given[label]
		if !ok || !(w >= 0) || len(given) != len(labels) {
			return nil, fmt.Errorf("%s: %d weights, and the one of label %q is %g: want a weight of at least 0 for each of %v", c.run.ClassWeights, len(given), label, w, labels)
		}
		weights[k] = w
	}
	return weights, nil
}

func (c *classifier) next(b *microBatch) error {
	batch, err := c.loader.Next()
	if err != nil {
		return err
	}
	b.sequence = batch.T
	b.tokens = append(b.tokens[:0], batch.Inputs...)
	b.lengths = append(b.lengths[:0], batch.Lengths...)
	b.labels = append(b.labels[:0], batch.Labels...)
	b.sets = append(b.sets[:0], batch.LabelSets...)
	b.documents = append(b.documents[:0], batch.Documents...)
	b.weight, b.read = 0, 0
	for n := range batch.Rows {
		b.read += int64(batch.Lengths[n])
		if c.weights != nil && c.run.config.Problem == model.SingleLabel {
			b.weight += float64(c.weights[batch.Labels[n]])
		} else {
			b.weight++
		}
	}
	k := len(c.run.config.Labels)
	for n := batch.Rows * k; n < len(b.sets); n++ {
		b.sets[n] = -1 // rows without a document have no labels, not the empty set of labels
	}
	return nil
}

func (c *classifier) feed(in engine.Inputs, b *microBatch) {
	copy(in.Ints(gpt2.Tokens), b.tokens)
	copy(in.Ints(gpt2.Lengths), b.lengths)
	if c.run.config.Problem == model.MultiLabel {
		copy(in.Floats(gpt2.Labels), b.sets)
	} else {
		copy(in.Ints(gpt2.Labels), b.labels)
	}
	copy(in.Floats(gpt2.Weights), c.weights)
}

func (c *classifier) spec(batch, sequence int) gpt2.Spec {
	return gpt2.Spec{Batch: batch, Sequence: sequence, Loss: true, Train: c.run.trained(), Dropout: c.run.Dropout > 0,
		ClassWeights: c.weights != nil}
}

// lossScale makes the loss the mean over documents, weighted where classes are; for several labels over labels too.
func (c *classifier) lossScale(weight float64) float64 {
	if c.run.config.Problem == model.MultiLabel {
		weight *= float64(len(c.run.config.Labels))
	}
	if weight == 0 {
		return 0 // every class in the batch has weight 0
	}
	return 1 / weight
}

func (c *classifier) position() data.State       { return c.loader.State() }
func (c *classifier) restore(s data.State) error { return c.loader.Restore(s) }
func (c *classifier) batchesPerEpoch() int64     { return c.loader.Batches() }

func (c *classifier) scoreName() string {
	if c.run.config.Problem == model.MultiLabel {
		return "validation micro F1"
	}
	return "validation accuracy"
}

func (c *classifier) origin(b *microBatch) []string { return origins(c.split, b.documents) }

func (c *classifier) evaluate(ctx context.Context) (evaluation, error) {
	split, err := c.run.dataset.Split("valid")
	if err != nil {
		return evaluation{}, err
	}
	scored, err := Classify(ctx, c.scorer, split, c.run.Sequence, nil)
	if err != nil {
		return evaluation{}, err
	}
	e := evaluation{scored: scored}
	if m := scored.Multi; m != nil {
		micro, macro, accuracy := metric.Number(m.Micro.F1), metric.Number(m.Macro.F1), metric.Number(m.SubsetAccuracy)
		e.score = m.Micro.F1
		e.record = metric.Record{Loss: metric.Number(m.LogLoss), MicroF1: &micro, MacroF1: &macro, Accuracy: &accuracy}
		return e, nil
	}
	accuracy, macro := metric.Number(scored.Single.Accuracy), metric.Number(scored.Single.Macro.F1)
	e.score = scored.Single.Accuracy
	e.record = metric.Record{Loss: metric.Number(scored.Single.LogLoss), Accuracy: &accuracy, MacroF1: &macro}
	return e, nil
}

func (c *classifier) close() {
	c.loader.Close()
	if c.scorer != nil {
		c.scorer.Release()
	}
}
