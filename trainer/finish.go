package trainer

import (
	"context"
	"math"

	"atoll/model/checkpoint"
	"atoll/trainer/metric"
)

// finish writes the report and says how the run ended.
func (r *run) finish(ctx context.Context) (*Result, error) {
	result := &Result{Step: r.state.Step, Tokens: r.state.Tokens, Seconds: r.seconds(), TrainLoss: metric.Number(math.NaN()), BestStep: r.state.BestStep,
		BestScore: r.state.BestScore, ScoreName: r.task.scoreName(), Report: r.path(reportFile), PeakMemory: PeakMemory(),
		Interrupted: r.stopped == interrupted, Stopped: r.stopped}
	if _, language := r.task.(*language); language && r.state.BestStep > 0 {
		result.BestScore = -result.BestScore // stored below zero, so that more is better
	}
	for _, record := range r.history.records {
		if record.Split == "train" {
			result.TrainLoss = record.Loss
		}
	}
	var err error
	if result.Checkpoint, _, err = checkpoint.Resolve(r.Out, checkpoint.Newest); err != nil {
		return nil, err
	}
	return result, r.completeReport(ctx)
}
