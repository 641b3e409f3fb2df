package metric

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// figures picks the final figures out of the log and the scores.
func (r Report) figures() []Tile {
	return append(r.scoreFigures(), r.trainingFigures()...)
}

func (r Report) scoreFigures() (tiles []Tile) {
	on := "on " + r.splitName()
	if c := r.Classification; c != nil {
		tiles = append(tiles,
			Tile{"Accuracy", formatPercent(c.Accuracy), fmt.Sprintf("%s, %s documents", on, FormatCount(c.Count))},
			Tile{"Macro F1", formatFloat(c.Macro.F1, 3), on},
			Tile{"Log loss", formatFloat(c.LogLoss, 3), "nats a document"},
			Tile{"Calibration error", formatPercent(c.ECE), "confidence against accuracy"})
	}
	if m := r.MultiLabel; m != nil {
		tiles = append(tiles,
			Tile{"Micro F1", formatFloat(m.Micro.F1, 3), fmt.Sprintf("%s, %s documents", on, FormatCount(m.Count))},
			Tile{"Macro F1", formatFloat(m.Macro.F1, 3), fmt.Sprintf("threshold %.2g", m.Threshold)},
			Tile{"All labels right", formatPercent(m.SubsetAccuracy), "subset accuracy"},
			Tile{"Hamming loss", formatFloat(m.HammingLoss, 3), "wrong decisions"})
	}
	return tiles
}

func (r Report) splitName() string {
	if r.Split == "" {
		return "held-out data"
	}
	return r.Split
}

func (r Report) trainingFigures() (tiles []Tile) {
	train, valid := r.records("train"), r.records("valid")
	if best, ok := lowestLoss(valid); ok {
		tiles = append(tiles, Tile{"Best validation loss", formatFloat(float64(best.Loss), 4), "step " + FormatCount(best.Step)})
		if r.Classification == nil && r.MultiLabel == nil {
			tiles = append(tiles, Tile{"Perplexity", formatFloat(math.Exp(float64(best.Loss)), 4), "at that step"})
		}
	}
	if len(train) == 0 {
		return tiles
	}
	last := train[len(train)-1]
	tiles = append(tiles, Tile{"Training loss", formatFloat(float64(last.Loss), 4), "step " + FormatCount(last.Step)})
	speed := median(train, func(r Record) float64 { return float64(r.TokensPerSecond) })
	if speed > 0 {
		note := "median"
		if share := median(train, peakShare); share > 0 && finite(100*share) {
			note = fmt.Sprintf("median, %.0f %% of the machine's peak", 100*share)
		}
		tiles = append(tiles, Tile{"Tokens a second", formatRate(speed), note})
	}
	tiles = append(tiles, Tile{"Tokens trained on", formatRate(float64(last.Tokens)), FormatCount(last.Step) + " steps"})
	if s := float64(last.Seconds); s > 0 && s < 1e9 {
		tiles = append(tiles, Tile{"Training time", formatDuration(time.Duration(s * float64(time.Second))), ""})
	}
	return tiles
}

// records returns the log's records of a split in order of steps.
func (r Report) records(split string) (list []Record) {
	for _, record := range r.Log {
		if record.Split == split {
			list = append(list, record)
		}
	}
	slices.SortStableFunc(list, func(a, b Record) int { return int(min(max(a.Step-b.Step, -1), 1)) })
	return list
}

func lowestLoss(records []Record) (best Record, found bool) {
	for _, r := range records {
		if finite(float64(r.Loss)) && (!found || r.Loss < best.Loss) {
			best, found = r, true
		}
	}
	return best, found
}

// median of the finite values, NaN if there are none.
func median(records []Record, value func(Record) float64) float64 {
	var values []float64
	for _, r := range records {
		if v := value(r); finite(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func peakShare(r Record) float64 { return optional(r.PeakShare) }

// optional is the value of an optional number, NaN where it is absent.
func optional(n *Number) float64 {
	if n == nil {
		return math.NaN()
	}
	return float64(*n)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
