package metric

// ClassScore holds one class's scores, each 0 to 1.
type ClassScore struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int64   `json:"support"`   // documents of this class
	Predicted int64   `json:"predicted"` // documents given this class
}

// Average holds precision, recall and F1 averaged over classes.
type Average struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// tally counts one class's outcomes.
type tally struct {
	hits      int64 // of the class and given it
	support   int64
	predicted int64
}

func (t tally) score() ClassScore {
	return ClassScore{
		Precision: ratio(t.hits, t.predicted),
		Recall:    ratio(t.hits, t.support),
		F1:        ratio(2*t.hits, t.support+t.predicted),
		Support:   t.support,
		Predicted: t.predicted,
	}
}

// micro scores all classes' outcomes as if they were one class's.
func micro(tallies []tally) Average {
	var sum tally
	for _, t := range tallies {
		sum.hits += t.hits
		sum.support += t.support
		sum.predicted += t.predicted
	}
	s := sum.score()
	return Average{s.Precision, s.Recall, s.F1}
}

// averageScores is the mean of the scores under the given weights, zero where
// they sum to zero.
func averageScores(scores []ClassScore, weight func(ClassScore) float64) Average {
	var a Average
	total := 0.0
	for _, s := range scores {
		w := weight(s)
		a.Precision += w * s.Precision
		a.Recall += w * s.Recall
		a.F1 += w * s.F1
		total += w
	}
	if total == 0 {
		return Average{}
	}
	return Average{a.Precision / total, a.Recall / total, a.F1 / total}
}

// ratio is a/b, and 0 where b is 0.
func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
