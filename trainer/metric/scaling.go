package metric

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

// Scaling is what a page about the growth of a step's time shows: the time over the step's operations, a line for each size that
// grew. Where the cost grows as it should, all lines run along that of the machine's peak, some way above it.
type Scaling struct {
	Title, Subtitle string
	Settings        []Setting
	Peak            float64 // operations a second; 0: not known, and there is no line for it
	Lines           []ScalingLine
}

// ScalingLine is one size that grew.
type ScalingLine struct {
	Name   string
	Points []ScalingPoint
}

// ScalingPoint is a shape.
type ScalingPoint struct {
	Value               int
	Operations, Seconds float64 // of a step
	Growth              float64 // of the time since the point before, over that of the operations; 0: there is none before
}

//go:embed scaling.html.tmpl
var scalingTemplate string

// scalingPage is what the template sees.
type scalingPage struct {
	Scaling
	Style   template.CSS
	Figures []Tile
	Picture scalingPicture
}

// scalingPicture is what the template draws.
type scalingPicture struct {
	Width, Height            int
	Left, Right, Top, Bottom int
	Middle, Caption          int
	XTicks, YTicks           []tick
	Peak, PeakLabel          string // a path; empty where the peak is not known
	Lines                    []scalingCurve
}

type scalingCurve struct {
	Name   string
	Colour int
	Path   string
	Points []scalingDot
}

type scalingDot struct {
	ScalingPoint
	X, Y         float64
	Milliseconds string
}

// WriteScaling writes s to w as one HTML page that needs no other file and no network.
func WriteScaling(w io.Writer, s Scaling) error {
	t, err := template.New("scaling").Funcs(template.FuncMap{
		"clean":   cleanText,
		"figure":  func(x float64) string { return formatFloat(x, 3) },
		"giga":    func(x float64) string { return formatFloat(x/1e9, 3) },
		"ms":      func(x float64) string { return formatFloat(1e3*x, 4) },
		"percent": formatPercent,
		"share":   func(p ScalingPoint) float64 { return PeakShare(1/p.Seconds, p.Operations, s.Peak) },
	}).Parse(scalingTemplate)
	if err != nil {
		return fmt.Errorf("scaling template: %w", err)
	}
	p := scalingPage{Scaling: s, Style: template.CSS(reportStyle + rooflineStyle), Figures: s.figures(), Picture: s.picture()}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write scaling: %w", err)
	}
	return nil
}

// figures are the tiles of the summary: what grew worst, and the best share of the peak.
func (s Scaling) figures() (tiles []Tile) {
	var worst, best float64
	var where, at string
	for _, line := range s.Lines {
		for i, p := range line.Points {
			if p.Growth > worst {
				worst, where = p.Growth, fmt.Sprintf("%s %d to %d; 1: the time grew as the operations", line.Name, line.Points[i-1].Value, p.Value)
			}
			if share := PeakShare(1/p.Seconds, p.Operations, s.Peak); share > best {
				best, at = share, fmt.Sprintf("of the peak, at %s %d", line.Name, p.Value)
			}
		}
	}
	if worst > 0 {
		tiles = append(tiles, Tile{"Steepest growth", formatFloat(worst, 3), where})
	}
	if best > 0 {
		tiles = append(tiles, Tile{"Fastest", formatPercent(best), at})
	}
	return tiles
}

// picture lays the lines out over logarithmic axes.
func (s Scaling) picture() scalingPicture {
	p := scalingPicture{Width: pictureWidth, Height: plotTop + leastPlot + 80 + belowPlot, Left: plotLeft + 12, Right: pictureWidth - 20, Top: plotTop}
	p.Bottom = p.Height - belowPlot
	p.Middle, p.Caption = (p.Left+p.Right)/2, p.Height-6
	x, y := s.axes()
	place := func(operations, seconds float64) (float64, float64) {
		return round2(float64(p.Left) + x.at(operations/1e9)*float64(p.Right-p.Left)), round2(float64(p.Bottom) - y.at(1e3*seconds)*float64(p.Bottom-p.Top))
	}
	p.XTicks, p.YTicks = x.ticks(formatTick), y.ticks(formatTick)
	for i := range p.XTicks {
		p.XTicks[i].At = round2(float64(p.Left) + p.XTicks[i].At/100*float64(p.Right-p.Left))
	}
	for i := range p.YTicks {
		p.YTicks[i].At = round2(float64(p.Bottom) - p.YTicks[i].At/100*float64(p.Bottom-p.Top))
	}
	for i, line := range s.Lines {
		c := scalingCurve{Name: line.Name, Colour: i + 1}
		var path strings.Builder
		for j, q := range line.Points {
			d := scalingDot{ScalingPoint: q, Milliseconds: formatFloat(1e3*q.Seconds, 4)}
			d.X, d.Y = place(q.Operations, q.Seconds)
			fmt.Fprintf(&path, "%s%g %g", map[bool]string{true: "M", false: "L"}[j == 0], d.X, d.Y)
			c.Points = append(c.Points, d)
		}
		c.Path = path.String()
		p.Lines = append(p.Lines, c)
	}
	if s.Peak > 0 && len(s.Lines) > 0 {
		from, to := math.Pow(10, x.low)*1e9, math.Pow(10, x.high)*1e9
		from, to = max(from, math.Pow(10, y.low)/1e3*s.Peak), min(to, math.Pow(10, y.high)/1e3*s.Peak)
		x0, y0 := place(from, from/s.Peak)
		x1, y1 := place(to, to/s.Peak)
		p.Peak, p.PeakLabel = fmt.Sprintf("M%g %gL%g %g", x0, y0, x1, y1), formatFloat(s.Peak/1e9, 4)+" GFLOP/s"
	}
	return p
}

// axes are logarithmic: 10^9 operations, and milliseconds. All points and the peak beside them are within them.
func (s Scaling) axes() (x, y axis) {
	left, right, low, high := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, line := range s.Lines {
		for _, p := range line.Points {
			left, right = min(left, p.Operations), max(right, p.Operations)
			low, high = min(low, p.Seconds), max(high, p.Seconds)
			if s.Peak > 0 {
				low = min(low, p.Operations/s.Peak)
			}
		}
	}
	return newAxis(left/1.3/1e9, right*1.3/1e9, true), newAxis(low*1e3/1.3, high*1e3*1.3, true)
}
