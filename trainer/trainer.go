// Package trainer runs the steps of training: batches in, updated weights out, with evaluation, saving and resuming.
//
// Pretrain and Finetune take Settings and an Env (the device and where progress goes) and write a run directory:
// settings.yaml, metrics.jsonl, TensorBoard events, report.html and checkpoints. The same settings and seed give the same
// bits on the same kind of device, for any number of threads and across any interruption: the position in the data, the
// random state and the optimizer are part of every checkpoint.
//
// Errors appear before anything is written where the settings, the data and the model do not fit together; later when the
// loss stops being a number (before the update, with the documents named), when a checkpoint cannot be written, and when
// the device fails. In fp16 a gradient that overflows is no error: the step's update is left out and the loss is scaled down. The checkpoints written before an error stay usable. An ended ctx is no error: the run saves and
// Result.Interrupted is set.
package trainer

import (
	"context"
	"errors"
	"fmt"

	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/trainer/metric"
	"atoll/trainer/optim"
)

// Env is what a run is given beside its settings.
type Env struct {
	Device    kernels.Device
	Precision kernels.DType
	Packing   lower.Packing // of the weights that are evaluated; of those that are trained none
	Peak      float64       // operations a second that the device can do in this precision; 0 where it was not measured
	Progress  *metric.ProgressLine

	scaling optim.Scaling // of the loss in fp16; zero: optim.DefaultScaling
}

// Result is how a run ended.
type Result struct {
	Step        int           `json:"step"`
	Tokens      int64         `json:"tokens"` // trained on, over all sessions of the run
	Seconds     float64       `json:"seconds"`
	TrainLoss   metric.Number `json:"train_loss"` // of the last step; not a number before the first
	BestStep    int           `json:"best_step"`
	BestScore   float64       `json:"best_score"` // validation loss of a language model, accuracy or micro F1 of a classifier
	ScoreName   string        `json:"score_name"`
	Checkpoint  string        `json:"checkpoint"`
	Report      string        `json:"report"`
	PeakMemory  int64         `json:"peak_memory_bytes"` // of the process; 0 where the system does not say
	Interrupted bool          `json:"interrupted"`
	Stopped     string        `json:"stopped,omitempty"` // why it ended before the steps were done
}

// Pretrain trains a language model on the training split of a data directory, from nothing or from given weights.
func Pretrain(ctx context.Context, s Settings, env Env) (*Result, error) {
	return train(ctx, s, env, openLanguage)
}

// Finetune trains a classifier on a labelled data directory, from the weights in s.From or, where there are none, from
// the model s.Model with new weights.
func Finetune(ctx context.Context, s Settings, env Env) (*Result, error) {
	return train(ctx, s, env, openClassifier)
}

func train(ctx context.Context, s Settings, env Env, open func(*run) error) (result *Result, err error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s.MinLearningRate = s.minRate()
	r := &run{Settings: s, env: env}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.openData(); err != nil {
		return nil, err
	}
	if err := open(r); err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if err := r.openRun(); err != nil {
		return nil, err
	}
	if err := r.loop(ctx); err != nil {
		return nil, fmt.Errorf("step %d: %w", r.state.Step+1, err)
	}
	return r.finish(ctx)
}
