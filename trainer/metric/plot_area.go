package metric

// plotArea is where a page's large picture has its plot, in units of the picture, with labels beside and below.
type plotArea struct {
	Width, Height            int // of the picture
	Left, Right, Top, Bottom int
	Middle                   int // across
	Caption                  int // of the name of the axis below, from the top
	XTicks, YTicks           []tick
}

// newPlotArea is a plot of a height, from left to right within the picture, whose ticks are those of the axes.
func newPlotArea(left, right, height int, x, y axis) plotArea {
	p := plotArea{Width: pictureWidth, Height: plotTop + height + belowPlot, Left: left, Right: right, Top: plotTop, Bottom: plotTop + height,
		Middle: (left + right) / 2, Caption: plotTop + height + belowPlot - 6, XTicks: x.ticks(formatTick), YTicks: y.ticks(formatTick)}
	for i := range p.XTicks {
		p.XTicks[i].At = p.across(p.XTicks[i].At / 100)
	}
	for i := range p.YTicks {
		p.YTicks[i].At = p.down(p.YTicks[i].At / 100)
	}
	return p
}

// across and down turn shares of the axes into places of the picture.
func (p *plotArea) across(share float64) float64 {
	return round2(float64(p.Left) + share*float64(p.Right-p.Left))
}

func (p *plotArea) down(share float64) float64 {
	return round2(float64(p.Bottom) - share*float64(p.Bottom-p.Top))
}
