package trainer

import (
	"context"
	"fmt"

	"atoll/model"
	"atoll/trainer/baseline"
	"atoll/trainer/data"
)

// BaselineScores are the n-gram baseline's on the same documents.
type BaselineScores struct {
	Description string `json:"description"`
	Scores
}

// baseline fits n-grams on the training split's texts, whole, and scores the split with them.
func (v *evaluator) baseline(ctx context.Context) (*BaselineScores, error) {
	train, err := v.dataset.Split("train")
	if err != nil {
		return nil, err
	}
	multi, classes := v.model.Config.Problem == model.MultiLabel, len(v.dataset.Manifest.Labels)
	texts, err := v.texts(ctx, train)
	if err != nil {
		return nil, err
	}
	labels := make([][]int32, len(texts))
	for i := range labels {
		labels[i] = labelsOf(train, i, classes, multi)
	}
	fitted, err := baseline.Fit(ctx, texts, labels, classes, baseline.Options{MultiLabel: multi, Threads: v.settings.Threads})
	if err != nil {
		return nil, fmt.Errorf("%w; --baseline=false leaves it out", err)
	}
	if texts, err = v.texts(ctx, v.split); err != nil {
		return nil, err
	}
	scored := &Scored{}
	if err := scored.count(v.model.Config, v.split, func(i int) []float32 { return fitted.Scores(texts[i]) }); err != nil {
		return nil, err
	}
	return &BaselineScores{Description: fitted.Describe(), Scores: Scores{scored.Single, scored.Multi}}, nil
}

// texts are a split's documents, back from their tokens.
func (v *evaluator) texts(ctx context.Context, split *data.Split) ([]string, error) {
	texts := make([]string, split.Documents())
	for i := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if texts[i], err = documentText(split, v.tokenizer, i); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func labelsOf(split *data.Split, i, classes int, multi bool) []int32 {
	if multi {
		return LabelsOf(split, i, classes)
	}
	return []int32{split.Label(i)}
}
