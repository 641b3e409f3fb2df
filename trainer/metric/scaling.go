package metric

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
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

//go:embed scaling.css
var scalingStyle string

// scalingPage is what the template sees.
type scalingPage struct {
	Scaling
	Style   template.CSS
	Figures []Tile
	Picture scalingPicture
}

// scalingPicture is what the template draws.
type scalingPicture struct {
	plotArea
	Peak, PeakLabel string // a path; empty where the peak is not known
	Lines           []scalingCurve
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
	p := scalingPage{Scaling: s, Style: template.CSS(reportStyle + rooflineStyle + scalingStyle), Figures: s.figures(), Picture: s.picture()}
	return writePage(w, "scaling", scalingTemplate, template.FuncMap{
		"figure": func(x float64) string { return formatFloat(x, 3) },
		"giga":   func(x float64) string { return formatFloat(x/1e9, 3) },
		"ms":     func(x float64) string { return formatFloat(1e3*x, 4) },
		"share":  func(p ScalingPoint) float64 { return PeakShare(1/p.Seconds, p.Operations, s.Peak) },
	}, p)
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
	x, y := s.axes()
	p := scalingPicture{plotArea: newPlotArea(plotLeft+12, pictureWidth-20, leastPlot+80, x, y)}
	place := func(operations, seconds float64) (float64, float64) {
		return p.across(x.at(operations / 1e9)), p.down(y.at(1e3 * seconds))
	}
	for i, line := range s.Lines {
		p.Lines = append(p.Lines, line.curve(i+1, place))
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

// curve draws the line where place puts its points.
func (l ScalingLine) curve(colour int, place func(operations, seconds float64) (x, y float64)) scalingCurve {
	c := scalingCurve{Name: l.Name, Colour: colour}
	command := "M"
	for _, p := range l.Points {
		d := scalingDot{ScalingPoint: p, Milliseconds: formatFloat(1e3*p.Seconds, 4)}
		d.X, d.Y = place(p.Operations, p.Seconds)
		c.Path += fmt.Sprintf("%s%g %g", command, d.X, d.Y)
		command = "L"
		c.Points = append(c.Points, d)
	}
	return c
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
