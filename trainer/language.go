package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"atoll/engine"
	"atoll/model/checkpoint"
	"atoll/model/gpt2"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// language is pretraining: next-token prediction over the token stream.
type language struct {
	run    *run
	split  *data.Split
	loader *data.TokenLoader
	eval   *engine.Program // forward only; nil until the first evaluation
}

func openLanguage(r *run) (err error) {
	var weights *checkpoint.Checkpoint
	if r.From != "" {
		if weights, err = r.openWeights(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, weights.Close()) }()
		r.config = weights.Config
		if len(r.config.Labels) > 0 {
			return fmt.Errorf("%s is a classifier: pretraining goes on from a language model", weights.Dir)
		}
	} else if r.config, err = r.baseConfig(); err != nil {
		return err
	}
	r.config = r.withDropout(r.config)
	r.config.Labels = nil
	r.trainable = func(string) bool { return true }
	l := &language{run: r}
	if l.split, err = r.dataset.Split("train"); err != nil {
		return err
	}
	if l.loader, err = data.NewTokenLoader(l.split, data.LoaderOptions{B: r.Batch, T: r.Sequence, Seed: r.Seed}); err != nil {
		return err
	}
	r.task = l
	return r.newStore(weights)
}

func (l *language) next(b *microBatch) error {
	batch, err := l.loader.Next()
	if err != nil {
		return err
	}
	b.sequence = l.run.Sequence
	b.tokens = append(b.tokens[:0], batch.Inputs...)
	b.targets = append(b.targets[:0], batch.Targets...)
	b.documents = append(b.documents[:0], l.loader.Documents(batch)...)
	b.weight, b.read = float64(batch.TargetCount), int64(batch.TargetCount)
	return nil
}

func (l *language) feed(in engine.Inputs, b *microBatch) {
	copy(in.Ints(gpt2.Tokens), b.tokens)
	copy(in.Ints(gpt2.Targets), b.targets)
}

func (l *language) spec(batch, sequence int) gpt2.Spec {
	return gpt2.Spec{Batch: batch, Sequence: sequence, Loss: true, Train: l.run.trained(), Dropout: l.run.Dropout > 0}
}

func (l *language) lossScale(weight float64) float64 { return 1 / max(weight, 1) }
func (l *language) position() data.State             { return l.loader.State() }
func (l *language) restore(s data.State) error       { return l.loader.Restore(s) }
func (l *language) batchesPerEpoch() int64           { return l.loader.Batches() }
func (l *language) scoreName() string                { return "validation loss" }

func (l *language) origin(b *microBatch) []string { return origins(l.split, b.documents) }

func origins(split *data.Split, documents []int) []string {
	var names []string
	for _, d := range documents {
		names = append(names, split.Origin(d))
	}
	return names
}

// evaluate is the mean loss over the validation split, or over its first EvalBatches batches.
func (l *language) evaluate(ctx context.Context) (evaluation, error) {
	split, err := l.run.dataset.Split("valid")
	if err != nil {
		return evaluation{}, err
	}
	if l.eval == nil {
		spec := gpt2.Spec{Batch: l.run.Batch, Sequence: l.run.Sequence, Loss: true}
		if l.eval, err = compileEval(l.run, spec); err != nil {
			return evaluation{}, err
		}
	}
	loss, err := LanguageLoss(ctx, l.eval, split, l.run.Batch, l.run.Sequence, l.run.EvalBatches)
	if err != nil {
		return evaluation{}, err
	}
	perplexity := metric.Number(loss.Perplexity())
	return evaluation{score: -loss.Mean(), record: metric.Record{Loss: metric.Number(loss.Mean()), Perplexity: &perplexity}}, nil
}

func compileEval(r *run, spec gpt2.Spec) (*engine.Program, error) {
	graph, err := gpt2.Build(r.config, spec)
	if err != nil {
		return nil, err
	}
	return engine.Compile(graph, r.store, engine.Options{Precision: r.env.Precision, Share: r.widest})
}

// LanguageLoss is the mean loss of a forward program over a split in order; most bounds the batches, 0 for all.
func LanguageLoss(ctx context.Context, p *engine.Program, split *data.Split, batch, sequence, most int) (*metric.Loss, error) {
	loader, err := data.NewTokenLoader(split, data.LoaderOptions{B: batch, T: sequence, InOrder: true})
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	loss := &metric.Loss{}
	for n := 0; most == 0 || n < most; n++ {
		b, err := loader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return loss, err
		}
		copy(p.Ints(gpt2.Tokens), b.Inputs)
		copy(p.Ints(gpt2.Targets), b.Targets)
		if err := p.Run(); err != nil {
			return loss, err
		}
		for i, row := range p.Floats("rows") {
			if b.Targets[i] >= 0 {
				loss.Add(float64(row), 1)
			}
		}
	}
	return loss, nil
}

func (l *language) close() {
	l.loader.Close()
	if l.eval != nil {
		l.eval.Free()
	}
}
