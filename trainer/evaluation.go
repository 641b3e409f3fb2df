package trainer

import (
	"context"
	"fmt"
	"math"
	"time"

	"atoll/model/predict"
	"atoll/trainer/metric"
)

// evaluation is the outcome of one pass over the validation split.
type evaluation struct {
	score  float64 // more is better
	record metric.Record
	scored *Scored // of a classifier
}

// record logs the step that was just done.
func (r *run) record() error {
	elapsed := time.Since(r.began)
	r.history.rate(r.state.Tokens, r.seconds())
	rate := r.history.tokensPerSecond()
	loss := r.loss()
	share := metric.PeakShare(rate, metric.TrainingFLOPs(r.config.Layers, r.config.Width, r.headVocabulary(), r.Sequence), r.env.Peak)
	record := metric.Record{Step: int64(r.state.Step), Tokens: r.state.Tokens, Split: "train", Loss: metric.Number(loss),
		LearningRate: metric.Number(r.lastRate), GradNorm: metric.Number(r.gradNorm()), TokensPerSecond: metric.Number(rate),
		Seconds: metric.Number(r.seconds())}
	r.recordScale(&record)
	if share > 0 {
		peak := metric.Number(share)
		record.PeakShare = &peak
	}
	left := metric.TimeLeft(int64(r.firstStep), int64(r.state.Step), int64(r.steps), elapsed)
	if r.Minutes > 0 {
		left = time.Duration((r.Minutes*60 - r.seconds()) * float64(time.Second))
	}
	r.env.Progress.Update(metric.Progress{Step: record.Step, Steps: int64(r.steps), Loss: loss, TokensPerSecond: rate,
		PeakShare: share, Elapsed: elapsed, Left: left})
	return r.add(record)
}

// headVocabulary is the width of the language head, 0 for a classifier: what its products cost.
func (r *run) headVocabulary() int {
	if len(r.config.Labels) > 0 {
		return 0
	}
	return r.config.Vocab
}

func (r *run) add(record metric.Record) error {
	r.history.records = append(r.history.records, record)
	if err := r.log.Append(record); err != nil {
		return err
	}
	return r.events.Record(record)
}

// evaluateAndSave does what is due after a step: the last step evaluates and saves whatever the intervals say.
func (r *run) evaluateAndSave(ctx context.Context) error {
	evaluate := r.done() || r.evaluationDue()
	if !evaluate && (r.SaveEvery == 0 || r.state.Step%r.SaveEvery != 0) {
		return nil
	}
	best := false
	if evaluate {
		var err error
		if best, err = r.evaluate(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			r.stopped = interrupted
			return r.save(best)
		}
	}
	if r.SaveEvery > 0 && !r.done() && !best && r.state.Step%r.SaveEvery != 0 {
		return nil
	}
	return r.save(best)
}

// evaluationDue is by the interval, or for fine-tuning without one at the end of each epoch.
func (r *run) evaluationDue() bool {
	if r.EvalEvery > 0 {
		return r.state.Step%r.EvalEvery == 0
	}
	if _, ok := r.task.(*classifier); !ok {
		return false
	}
	perEpoch := r.task.batchesPerEpoch()
	done := int64(r.state.Step) * int64(r.micro)
	return done/perEpoch != (done-int64(r.micro))/perEpoch
}

// evaluate scores the validation split, notes the best, and stops the run when the score has not risen for too long.
func (r *run) evaluate(ctx context.Context) (best bool, err error) {
	e, err := r.task.evaluate(ctx)
	if ctx.Err() != nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("evaluation: %w", err)
	}
	if math.IsNaN(e.score) || math.IsInf(e.score, 0) {
		return false, fmt.Errorf("evaluation: %s is %g, want a finite number: the weights or the validation texts are damaged", r.task.scoreName(), e.score)
	}
	e.record.Step, e.record.Tokens, e.record.Split = int64(r.state.Step), r.state.Tokens, "valid"
	e.record.Seconds = metric.Number(r.seconds())
	nan := metric.Number(math.NaN())
	e.record.LearningRate, e.record.GradNorm, e.record.TokensPerSecond = nan, nan, nan
	if err := r.add(e.record); err != nil {
		return false, err
	}
	r.env.Progress.Print(describe(e.record))
	r.state.Evaluated = r.state.Step
	r.state.Stale++
	if r.state.BestStep == 0 || e.score > r.state.BestScore {
		best = true
		r.state.BestStep, r.state.BestScore, r.state.Stale = r.state.Step, e.score, 0
		r.history.best = e.scored
	}
	if r.Patience > 0 && r.state.Stale >= r.Patience {
		r.stopped = fmt.Sprintf("%s has not improved for %d evaluations", r.task.scoreName(), r.state.Stale)
	}
	if err := r.sample(ctx); err != nil {
		return best, err
	}
	r.watch()
	return best, nil
}

// describe is an evaluation as a line for people.
func describe(e metric.Record) string {
	line := fmt.Sprintf("step %d: validation loss %.4f", e.Step, float64(e.Loss))
	for _, f := range []struct {
		name  string
		value *metric.Number
	}{{"perplexity", e.Perplexity}, {"accuracy", e.Accuracy}, {"macro F1", e.MacroF1}, {"micro F1", e.MicroF1}} {
		if f.value != nil {
			line += fmt.Sprintf(", %s %.4g", f.name, float64(*f.value))
		}
	}
	return line
}

// sample generates a text with the model as it is, so that a person sees it learn.
func (r *run) sample(ctx context.Context) error {
	if r.SampleTokens == 0 || len(r.config.Labels) > 0 {
		return nil
	}
	writer := predict.Over(r.store, r.config, r.tokenizer, predict.Options{Precision: r.env.Precision})
	defer writer.Release()
	var text []byte
	_, err := writer.Generate(ctx, "", predict.Sampling{MaxTokens: r.SampleTokens, Temperature: 0.8, TopK: 50, Seed: r.Seed}, func(piece []byte) error {
		text = append(text, piece...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	return r.history.sample(r.Out, r.state.Step, string(text))
}
