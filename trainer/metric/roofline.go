package metric

import (
	"cmp"
	_ "embed"
	"html/template"
	"io"
	"math"
	"slices"
)

// Roofline is what a page of measured kernels shows: how near each comes to what the machine allows, which is its peak or, for a kernel
// of few operations a byte, its memory's bandwidth times those (S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52(4), 2009).
type Roofline struct {
	Title, Subtitle string
	Settings        []Setting
	Warnings        []string // shown on top

	Peak      float64 // operations a second; 0: not known, and there is no roof
	Bandwidth float64 // bytes a second; 0 likewise
	Limits    string  // where the two come from
	Kernels   []MeasuredKernel
}

// MeasuredKernel is one kernel at one shape.
type MeasuredKernel struct {
	Name, Shape    string
	Calls          int     // in a step
	Seconds        float64 // of a call
	OperationRate  float64 // operations a second; 0 for a kernel that only moves memory
	BytesPerSecond float64
}

//go:embed roofline.html.tmpl
var rooflineTemplate string

//go:embed roofline.css
var rooflineStyle string

// rooflinePage is what the template sees.
type rooflinePage struct {
	Roofline
	Style   template.CSS
	Figures []Tile
	Picture *rooflinePicture // nil where no kernel has operations
	Moving  []movingRow
	Rows    []kernelRow
}

// kernelRow is a line of the table.
type kernelRow struct {
	MeasuredKernel
	Microseconds, Rate, Bytes, Intensity string
	Limit, Share                         float64 // of its limit and of the step, 0 to 1
}

// movingRow is a kernel that only moves memory, as a bar.
type movingRow struct {
	kernelRow
	Width, Mark float64 // of the bar and of the memory's bandwidth on it, in percent
}

// WriteRoofline writes r to w as one HTML page that needs no other file and no network.
func WriteRoofline(w io.Writer, r Roofline) error {
	p := rooflinePage{Roofline: r, Style: template.CSS(reportStyle + rooflineStyle), Figures: r.figures(), Picture: r.picture(), Rows: r.rows()}
	p.Moving = r.moving(p.Rows)
	return writePage(w, "roofline", rooflineTemplate, template.FuncMap{"count": func(n int) string { return FormatCount(int64(n)) }}, p)
}

// seconds is the time of all calls of a step.
func (r Roofline) seconds() (sum float64) {
	for _, k := range r.Kernels {
		sum += k.inStep()
	}
	return sum
}

func (k MeasuredKernel) inStep() float64 { return float64(k.Calls) * k.Seconds }

// intensity is operations a byte.
func (k MeasuredKernel) intensity() float64 { return k.OperationRate / k.BytesPerSecond }

// limit is the share that a kernel reaches of what the machine allows it; 0 where that is not known.
func (r Roofline) limit(k MeasuredKernel) float64 {
	switch {
	case !(r.Peak > 0 && r.Bandwidth > 0):
		return 0
	case k.OperationRate == 0:
		return k.BytesPerSecond / r.Bandwidth
	}
	return k.OperationRate / min(r.Peak, r.Bandwidth*k.intensity())
}

// rows are the kernels, those first that a step spends most of its time in.
func (r Roofline) rows() []kernelRow {
	total := r.seconds()
	var rows []kernelRow
	for _, k := range r.Kernels {
		row := kernelRow{MeasuredKernel: k, Microseconds: formatFloat(1e6*k.Seconds, 4), Rate: absent, Intensity: absent,
			Bytes: formatFloat(k.BytesPerSecond/1e9, 3), Limit: r.limit(k), Share: k.inStep() / max(total, math.SmallestNonzeroFloat64)}
		if k.OperationRate > 0 {
			row.Rate, row.Intensity = formatFloat(k.OperationRate/1e9, 4), formatFloat(k.intensity(), 3)
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b kernelRow) int { return cmp.Compare(b.Share, a.Share) })
	return rows
}

// moving are the rows of kernels without operations, with bars that all fit, the memory's bandwidth too.
func (r Roofline) moving(rows []kernelRow) []movingRow {
	widest := r.Bandwidth
	var list []movingRow
	for _, row := range rows {
		if row.OperationRate == 0 {
			list = append(list, movingRow{kernelRow: row})
			widest = max(widest, row.BytesPerSecond)
		}
	}
	for i := range list {
		list[i].Width, list[i].Mark = round2(100*list[i].BytesPerSecond/widest), round2(100*r.Bandwidth/widest)
	}
	return list
}

// figures are the tiles of the summary.
func (r Roofline) figures() (tiles []Tile) {
	if r.Peak > 0 && r.Bandwidth > 0 {
		tiles = append(tiles, Tile{"Peak, GFLOP/s", formatFloat(r.Peak/1e9, 4), r.Limits},
			Tile{"Memory, GB/s", formatFloat(r.Bandwidth/1e9, 3), r.Limits},
			Tile{"Ridge", formatFloat(r.Peak/r.Bandwidth, 3), "operations a byte, where the roof bends"})
	}
	calls, products, operations := 0, 0.0, 0.0
	for _, k := range r.Kernels {
		calls += k.Calls
		if k.OperationRate > 0 {
			products += k.inStep()
			operations += k.inStep() * k.OperationRate
		}
	}
	if products > 0 && r.Peak > 0 {
		tiles = append(tiles, Tile{"Matrix products", formatPercent(operations / products / r.Peak),
			"of the peak, in " + formatPercent(products/r.seconds()) + " of the time"})
	}
	return append(tiles, Tile{"Step, ms", formatFloat(1e3*r.seconds(), 4), "the sum of its " + FormatCount(int64(calls)) + " calls"})
}
