package metric

import (
	"fmt"
	"math"
	"strings"
)

// plotSize is the side of a plot's coordinate system. The page stretches the
// picture to whatever size there is, with lines of constant width; labels are
// HTML beside it, so they keep their size on a phone.
const plotSize = 1000

// chart is a plot of values over steps, drawn over linear and, where there is
// something to see, over logarithmic steps.
type chart struct {
	Title, Unit string
	Wide        bool // takes the whole width of the page
	Note        string
	Plots       []plot
	lines       []curve
}

// plot is one drawing of a chart.
type plot struct {
	Kind           string // linear or log
	Lines          []drawnLine
	XTicks, YTicks []tick
	Data           []hoverLine
}

// drawnLine is a curve as an SVG path.
type drawnLine struct {
	curve
	Path string
	Dots []dot // for lines too short to be seen as lines
}

// dot is a position in percent of the plot, from the left and the bottom.
type dot struct{ X, Y float64 }

// tick is a labelled position in percent of the axis.
type tick struct {
	At    float64
	Label string
}

// hoverLine is what the page's script needs to read out a line.
type hoverLine struct {
	Name   string    `json:"name"`
	Colour int       `json:"colour"`
	X      []float64 `json:"x"` // percent
	Y      []float64 `json:"y"`
	Step   []int64   `json:"step"`
	Value  []string  `json:"value"`
}

// lay computes the plots over the steps from first to last; false where there
// is nothing to draw.
func (c *chart) lay(first, last float64) bool {
	c.Note = missing(c.lines)
	var lines []curve
	for _, l := range c.lines {
		if len(l.points) > 0 {
			l.points = thin(l.points)
			lines = append(lines, l)
		}
	}
	low, high, ok := span(lines)
	if !ok {
		return false
	}
	y := newValueAxis(low, high)
	c.Plots = []plot{newPlot("linear", lines, newAxis(first, last, false), y)}
	if c.Wide && last > 20*max(first, 1) {
		c.Plots = append(c.Plots, newPlot("log", lines, newAxis(max(first, 1), last, true), y))
	}
	return true
}

func newPlot(kind string, lines []curve, x, y axis) plot {
	p := plot{Kind: kind, XTicks: x.ticks(formatStep), YTicks: y.ticks(formatTick)}
	for _, l := range lines {
		drawn := drawnLine{curve: l}
		hover := hoverLine{Name: l.Name, Colour: l.Colour}
		var path strings.Builder
		for i, q := range l.points {
			px, py := x.at(float64(q.step)), y.at(q.value)
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], px*plotSize, (1-py)*plotSize)
			hover.X = append(hover.X, round2(100*px))
			hover.Y = append(hover.Y, round2(100*py))
			hover.Step = append(hover.Step, q.step)
			hover.Value = append(hover.Value, formatFloat(q.value, 4))
			if len(l.points) <= minSmoothing {
				drawn.Dots = append(drawn.Dots, dot{round2(100 * px), round2(100 * py)})
			}
		}
		drawn.Path = path.String()
		p.Lines = append(p.Lines, drawn)
		if !l.Faint {
			p.Data = append(p.Data, hover)
		}
	}
	return p
}

func round2(x float64) float64 { return math.Round(100*x) / 100 }

// axis maps values to 0..1.
type axis struct {
	low, high float64 // logarithms where log
	log       bool
}

func newAxis(low, high float64, log bool) axis {
	if log {
		low, high = math.Log10(low), math.Log10(high)
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	return axis{low, high, log}
}

// newValueAxis leaves a margin around the values, and is logarithmic where they
// are positive and span more than two powers of ten.
func newValueAxis(low, high float64) axis {
	if low > 0 && high/low > 100 {
		a := newAxis(low, high, true)
		margin := 0.05 * (a.high - a.low)
		return axis{a.low - margin, a.high + margin, true}
	}
	// Halves keep a span of the largest numbers finite.
	margin := 0.06 * 2 * (high/2 - low/2)
	if margin == 0 {
		margin = max(math.Abs(low)*0.1, 1e-9)
	}
	floor := low - margin
	if low >= 0 {
		floor = max(floor, 0)
	}
	return axis{max(floor, -math.MaxFloat64/4), min(high+margin, math.MaxFloat64/4), false}
}

func (a axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(max(v, math.SmallestNonzeroFloat64))
	}
	return min(max((v-a.low)/(a.high-a.low), 0), 1)
}

// ticks places about five labels at round values.
func (a axis) ticks(format func(float64) string) (list []tick) {
	for _, v := range a.values() {
		if at := 100 * a.at(v); finite(at) {
			list = append(list, tick{round2(at), format(v)})
		}
	}
	return list
}

func (a axis) values() (list []float64) {
	if !a.log {
		step := niceStep((a.high - a.low) / 5)
		for i := math.Ceil(a.low / step); i*step <= a.high && len(list) < 20; i++ {
			list = append(list, i*step)
		}
		return list
	}
	within := []float64{1, 2, 5}
	if a.high-a.low > 1.7 {
		within = []float64{1}
	}
	stride := max(1, math.Ceil((a.high-a.low)/8))
	for decade := math.Floor(a.low); decade <= a.high; decade += stride {
		for _, w := range within {
			v := w * math.Pow(10, decade)
			if l := math.Log10(v); l >= a.low-1e-9 && l <= a.high+1e-9 {
				list = append(list, v)
			}
		}
	}
	return list
}

// niceStep is the next 1, 2 or 5 times a power of ten.
func niceStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x {
			return m * power
		}
	}
	return 10 * power
}

func formatTick(v float64) string {
	if math.Abs(v) >= 1e4 && math.Abs(v) < 1e12 {
		return formatStep(v)
	}
	s := formatFloat(v, 3)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// formatStep writes 0, 500, 1.5k, 20k, 3M.
func formatStep(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.size {
			return fmt.Sprintf("%.4g%s", v/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.4g", v)
}
