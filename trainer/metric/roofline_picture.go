package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// The picture's measures, in its own units: the plot at the left, a column of labels at the right.
const (
	pictureWidth  = 1124
	plotLeft      = 58
	plotRight     = 640
	plotTop       = 14
	labelLeft     = 672
	labelHeight   = 21
	belowPlot     = 44
	leastPlot     = 380
	leastDot      = 4.0
	mostDotGrowth = 11.0
)

// rooflinePicture is what the template draws.
type rooflinePicture struct {
	plotArea
	LabelLeft, LabelRight     int
	Roof, Shade               string // paths; empty where the limits are not known
	PeakLabel, BandwidthLabel string
	PeakY                     float64
	SlopeX, SlopeY, Angle     float64 // of the bandwidth's label, which lies along the slope
	Points                    []kernelPoint
}

// kernelPoint is a kernel in the plot and its label.
type kernelPoint struct {
	kernelRow
	X, Y, Radius float64
	LabelY       float64
	Colour       int // 1: the peak limits it, 2: the memory
}

// picture lays the plot out; nil where no kernel has operations.
func (r Roofline) picture() *rooflinePicture {
	var rows []kernelRow
	for _, row := range r.rows() {
		if row.OperationRate > 0 && finite(row.intensity()) {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	plot := max(leastPlot, labelHeight*len(rows))
	x, y := r.axes(rows)
	p := &rooflinePicture{plotArea: newPlotArea(plotLeft, plotRight, plot, x, y), LabelLeft: labelLeft, LabelRight: pictureWidth - 4}
	p.place(r, rows, x, y)
	if r.Peak > 0 && r.Bandwidth > 0 {
		p.roof(r, x, y)
	}
	return p
}

// axes are logarithmic: operations a byte, and 10^9 operations a second. All points and the ridge are within them.
func (r Roofline) axes(rows []kernelRow) (x, y axis) {
	left, right, low, high := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, k := range rows {
		left, right = min(left, k.intensity()), max(right, k.intensity())
		low, high = min(low, k.OperationRate), max(high, k.OperationRate)
	}
	if r.Peak > 0 && r.Bandwidth > 0 {
		left, right = min(left, r.Peak/r.Bandwidth), max(right, r.Peak/r.Bandwidth)
		high = max(high, r.Peak)
	}
	return newAxis(left/5, right*1.6, true), newAxis(low/1.6e9, high*1.6/1e9, true)
}

// place puts the points where they belong and their labels beside the plot.
func (p *rooflinePicture) place(r Roofline, rows []kernelRow, x, y axis) {
	for _, k := range rows {
		q := kernelPoint{kernelRow: k, X: p.across(x.at(k.intensity())), Y: p.down(y.at(k.OperationRate / 1e9)),
			Radius: round2(leastDot + mostDotGrowth*math.Sqrt(k.Share)), Colour: 1}
		if k.intensity()*r.Bandwidth < r.Peak {
			q.Colour = 2
		}
		p.Points = append(p.Points, q)
	}
	slices.SortStableFunc(p.Points, func(a, b kernelPoint) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(b.X, a.X))
	})
	var heights []float64
	for _, q := range p.Points {
		heights = append(heights, q.Y)
	}
	for i, at := range spread(heights, labelHeight, float64(p.Top)+labelHeight/2, float64(p.Bottom)-labelHeight/2) {
		p.Points[i].LabelY = round2(at)
	}
}

// spread moves places, which ascend, apart by at least gap, within low and high, and as little as it can: places that are too
// near each other become a block around their mean, and blocks that then touch become one (least squares, pool adjacent violators).
func spread(places []float64, gap, low, high float64) []float64 {
	type block struct {
		sum   float64 // of what the first place of the block would be, by each of its places
		count int
	}
	mean := func(b block) float64 { return b.sum / float64(b.count) }
	var blocks []block
	for i, at := range places {
		b := block{at - float64(i)*gap, 1}
		for len(blocks) > 0 && mean(blocks[len(blocks)-1]) > mean(b) {
			last := blocks[len(blocks)-1]
			b = block{b.sum + last.sum, b.count + last.count}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	moved := make([]float64, 0, len(places))
	for _, b := range blocks {
		for range b.count {
			i := len(moved)
			at := mean(b) + float64(i)*gap
			moved = append(moved, max(low+float64(i)*gap, min(at, high-float64(len(places)-1-i)*gap)))
		}
	}
	return moved
}

// roof draws the two limits and the space below them.
func (p *rooflinePicture) roof(r Roofline, x, y axis) {
	at := func(intensity float64) (float64, float64) {
		return p.across(x.at(intensity)), p.down(y.at(min(r.Peak, r.Bandwidth*intensity) / 1e9))
	}
	lowest := math.Pow(10, y.low) * 1e9
	left := max(math.Pow(10, x.low), lowest/r.Bandwidth)
	x0, y0 := at(left)
	x1, y1 := at(r.Peak / r.Bandwidth)
	p.Roof = fmt.Sprintf("M%g %gL%g %gL%d %g", x0, y0, x1, y1, p.Right, y1)
	p.Shade = fmt.Sprintf("%sL%d %dL%g %dZ", p.Roof, p.Right, p.Bottom, x0, p.Bottom)
	p.PeakLabel, p.PeakY = formatFloat(r.Peak/1e9, 4)+" GFLOP/s", round2(y1-9)
	if length := math.Hypot(x1-x0, y1-y0); length > 120 {
		p.BandwidthLabel = formatFloat(r.Bandwidth/1e9, 3) + " GB/s"
		p.Angle = round2(math.Atan2(y1-y0, x1-x0) * 180 / math.Pi)
		p.SlopeX, p.SlopeY = round2((x0+x1)/2-7), round2((y0+y1)/2-7)
	}
}
