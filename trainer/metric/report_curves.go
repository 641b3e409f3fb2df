package metric

import (
	"fmt"
	"math"
	"slices"
)

// Points a line is drawn with at most, and from which on it is smoothed.
const (
	maxPoints    = 600
	minSmoothing = 30
)

// charts lists the curves for which the log has values.
func (r Report) charts() []chart {
	train, valid, test := r.records("train"), r.records("valid"), r.records("test")
	loss := func(r Record) float64 { return float64(r.Loss) }
	accuracy := func(r Record) float64 { return optional(r.Accuracy) }
	macroF1 := func(r Record) float64 { return optional(r.MacroF1) }
	microF1 := func(r Record) float64 { return optional(r.MicroF1) }
	charts := []chart{
		{Title: "Loss", Unit: "nats", Wide: true, lines: append(smoothedLines("train", 1, train, loss),
			line("validation", 2, valid, loss), line("test", 3, test, loss))},
		{Title: "Validation scores", lines: []curve{line("accuracy", 1, valid, accuracy),
			line("macro F1", 2, valid, macroF1), line("micro F1", 3, valid, microF1)}},
		{Title: "Learning rate", lines: []curve{
			line("learning rate", 1, train, func(r Record) float64 { return float64(r.LearningRate) })}},
		{Title: "Gradient norm", Unit: "before clipping", lines: smoothedLines("norm", 1, train,
			func(r Record) float64 { return float64(r.GradNorm) })},
		{Title: "Loss scale", lines: []curve{line("scale", 1, train, func(r Record) float64 { return optional(r.LossScale) })}},
		{Title: "Speed", Unit: "tokens a second", lines: smoothedLines("tokens/s", 1, timed(train),
			func(r Record) float64 { return float64(r.TokensPerSecond) })},
		{Title: "Share of the machine's peak", Unit: "%", lines: smoothedLines("share", 1, rated(train),
			func(r Record) float64 { return 100 * peakShare(r) })},
	}
	var drawn []chart
	first, last := r.steps()
	for _, c := range charts {
		if c.lay(first, last) {
			drawn = append(drawn, c)
		}
	}
	return drawn
}

// timed leaves out the records whose speed was not known yet, as that of a run's first step.
func timed(records []Record) []Record {
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.TokensPerSecond == 0 })
}

// rated leaves out the records without a share of the peak.
func rated(records []Record) []Record {
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.PeakShare == nil })
}

// steps returns the range of steps that all curves share, from 0 unless the
// log begins late in the run.
func (r Report) steps() (first, last float64) {
	first = math.Inf(1)
	for _, record := range r.Log {
		first, last = min(first, float64(record.Step)), max(last, float64(record.Step))
	}
	if first < last/10 {
		first = 0
	}
	return first, last
}

// point is one value at a step.
type point struct {
	step  int64
	value float64
}

// curve is one line of a chart.
type curve struct {
	Name   string
	Colour int  // 1 to 3, a series colour of the style sheet
	Faint  bool // the raw values behind a smoothed line
	points []point
	gone   []int64 // steps without a finite value
}

func line(name string, colour int, records []Record, value func(Record) float64) curve {
	c := curve{Name: name, Colour: colour}
	for _, r := range records {
		if v := value(r); finite(v) {
			c.points = append(c.points, point{r.Step, v})
		} else {
			c.gone = append(c.gone, r.Step)
		}
	}
	return c
}

// smoothedLines is the raw line, faint, and its mean over the fiftieth of the
// points around each; a short line stays alone. The window is centred, since an
// exponential average would lag behind a loss that falls fast, and shrinks
// towards the ends to a few points, one-sided there.
func smoothedLines(name string, colour int, records []Record, value func(Record) float64) []curve {
	raw := line(name, colour, records, value)
	n := len(raw.points)
	if n < minSmoothing {
		return []curve{raw}
	}
	smooth := curve{Name: name, Colour: colour}
	widest := max(1, n/100)
	few := min(widest, 5)
	stride := max(1, n/(2*maxPoints)) // means that thin would drop are not worth their windows
	for i := 0; i < n; i += stride {
		half := min(widest, max(few, min(i, n-1-i)))
		window := raw.points[max(0, i-half):min(n, i+half+1)]
		mean := 0.0
		for _, q := range window {
			mean += q.value / float64(len(window))
		}
		smooth.points = append(smooth.points, point{raw.points[i].step, mean})
	}
	raw.Name, raw.Faint = name+", each step", true
	return []curve{raw, smooth}
}

// thin keeps at most maxPoints points: of each stretch the lowest and the
// highest, so that no spike is lost.
func thin(points []point) []point {
	if len(points) <= maxPoints {
		return points
	}
	stretches := maxPoints / 2
	kept := make([]point, 0, maxPoints)
	for s := range stretches {
		part := points[len(points)*s/stretches : len(points)*(s+1)/stretches]
		low, high := 0, 0
		for i, p := range part {
			if p.value < part[low].value {
				low = i
			}
			if p.value > part[high].value {
				high = i
			}
		}
		kept = append(kept, part[min(low, high)])
		if low != high {
			kept = append(kept, part[max(low, high)])
		}
	}
	return kept
}

// missing notes the values that could not be drawn. A few evaluations may lack
// a score altogether: that is no fault, so only lines with some values count.
func missing(lines []curve) string {
	for _, l := range lines {
		if len(l.gone) > 0 && len(l.points) > 0 {
			return fmt.Sprintf("%s of %s values of “%s” are not finite, the first at step %s",
				FormatCount(int64(len(l.gone))), FormatCount(int64(len(l.points)+len(l.gone))), l.Name, FormatCount(l.gone[0]))
		}
	}
	return ""
}

// span returns the lowest and highest value of all lines and whether there is
// any.
func span(lines []curve) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, p := range l.points {
			low, high = min(low, p.value), max(high, p.value)
		}
	}
	return low, high, low <= high
}
