package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"atoll/kernels"
	"atoll/model"
	"atoll/trainer"
	"atoll/trainer/metric"
)

// scaleBench is what atoll bench scale prints: how the time of a training step grows when one size does.
type scaleBench struct {
	workload
	Series  []scaleSeries `json:"series"`
	Machine machineInfo   `json:"machine"`
}

// scaleSeries is one size that grows, the others as in the workload.
type scaleSeries struct {
	Size   string       `json:"size"` // batch, seq, layers or width
	Points []scalePoint `json:"points"`
}

type scalePoint struct {
	Value        int     `json:"value"`
	Operations   float64 `json:"operations"` // of a step
	Milliseconds float64 `json:"milliseconds"`
	PeakShare    float64 `json:"peak_share"`
	Growth       float64 `json:"growth"` // of the time since the point before, over that of the operations; 0 for the first one
}

func (r scaleBench) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%v\n", r.workload, r.Machine)
	fmt.Fprintf(&b, "%-8s %6s %12s %10s %7s %7s", "", "", "GFLOP a step", "ms a step", "peak", "growth")
	for _, s := range r.Series {
		for _, p := range s.Points {
			fmt.Fprintf(&b, "\n%-8s %6d %12.3f %10.2f %6.1f%%", s.Size, p.Value, p.Operations/1e9, p.Milliseconds, 100*p.PeakShare)
			if p.Growth > 0 {
				fmt.Fprintf(&b, " %7.2f", p.Growth)
			}
		}
	}
	return b.String()
}

func newBenchScale(s streams) *cobra.Command {
	f := &benchFlags{shapeFlags: shapeFlags{model: scaleModel, batch: 8, sequence: 128}, steps: 5}
	c := benchCommand(s, &cobra.Command{
		Use:   "scale",
		Short: "How the time of a training step grows with batch, sequence, layers and width",
		Long: "Each size is halved and doubled while the others stay. Growth is how much the time grew since the line above, over how much\n" +
			"the operations did: 1 is as it should be, less is what a small step wastes, and much more would be a cliff.\n" +
			"mini is taken with a width of 256, 4 heads and a vocabulary of 4,096, unless flags say otherwise: the head should not outweigh the blocks.",
		Example: "  atoll bench scale\n  atoll bench scale --model mini --width 384 --heads 6 --batch 4 --report scale.html",
	}, f, benchScale)
	c.Flags().StringVar(&f.report, "report", "", "write a page with the figure to this file")
	recomputeFlag(c.Flags(), &f.recompute)
	return c
}

// scaled are the sizes that are tried, as factors of the shape's own.
var scaled = []float64{0.125, 0.25, 0.5, 1, 2, 4, 8}

// scaleModel is the model whose shape bench scale chooses itself.
const scaleModel = "mini"

func benchScale(ctx context.Context, f *benchFlags) (fmt.Stringer, error) {
	if f.model == scaleModel {
		f.width, f.heads, f.vocab = cmp.Or(f.width, 256), cmp.Or(f.heads, 4), cmp.Or(f.vocab, 4096)
	}
	c, device, precision, err := f.open()
	if err != nil {
		return nil, err
	}
	defer device.Close()
	r := scaleBench{workload: f.workload(c), Machine: measureMachine(device, precision)}
	for _, size := range []string{"batch", "seq", "layers", "width"} {
		s := scaleSeries{Size: size}
		for _, factor := range scaled {
			shape, config, value := scaleShape(*f, c, size, factor)
			if value == 0 {
				continue
			}
			if err := config.Validate(); err != nil {
				return nil, err
			}
			p, err := measureScale(ctx, device, config, &shape, precision, r.Machine.Peak)
			if err != nil {
				return nil, fmt.Errorf("%s %d: %w", size, value, err)
			}
			p.Value = value
			if n := len(s.Points); n > 0 {
				last := s.Points[n-1]
				p.Growth = p.Milliseconds / last.Milliseconds / (p.Operations / last.Operations)
			}
			s.Points = append(s.Points, p)
			fmt.Fprintf(f.notes, "%s %d: %.2f ms\n", size, value, p.Milliseconds)
		}
		r.Series = append(r.Series, s)
	}
	if f.report != "" {
		return r, trainer.WritePage(f.report, func(w io.Writer) error { return metric.WriteScaling(w, r.page()) })
	}
	return r, nil
}

// scaleShape is the shape with one size so many times as large, and that size; 0 where there is no such whole one, or one that is
// measured enough: width goes down to a head, batch and layers to 1, and the two that cost most up to four times.
func scaleShape(f benchFlags, c model.Config, size string, factor float64) (benchFlags, model.Config, int) {
	times := func(n int) int {
		if v := float64(n) * factor; v == float64(int(v)) {
			return int(v)
		}
		return 0
	}
	value := 0
	switch size {
	case "batch":
		value = times(f.batch)
		f.batch = value
	case "seq":
		value = times(f.sequence)
		f.sequence = value
		c.Positions = max(c.Positions, value)
	case "layers":
		if factor <= 4 {
			value = times(c.Layers)
		}
		c.Layers = value
	case "width":
		if heads := times(c.Heads); heads > 0 && factor <= 4 {
			value = times(c.Width)
			c.Heads, c.Width, c.Inner = heads, value, 4*value
		}
	}
	return f, c, value
}

func measureScale(ctx context.Context, d kernels.Device, c model.Config, f *benchFlags, precision kernels.DType, peak float64) (scalePoint, error) {
	w, err := newTrainingWork(d, c, f, precision)
	if err != nil {
		return scalePoint{}, err
	}
	defer w.Free()
	seconds, _, err := median(ctx, f.steps, func() error { return w.step(w.program.Run) })
	operations := float64(f.batch*f.sequence) * metric.TrainingFLOPs(c.Layers, c.Width, c.Vocab, f.sequence)
	return scalePoint{Operations: operations, Milliseconds: 1e3 * seconds, PeakShare: share(operations/seconds, peak)}, err
}

// page is what the report shows.
func (r scaleBench) page() metric.Scaling {
	page := metric.Scaling{
		Title:    "The cost of a training step",
		Subtitle: fmt.Sprintf("%v; %s, %s", r.workload, r.Machine.Device, r.Machine.Precision),
		Peak:     r.Machine.Peak,
		Settings: []metric.Setting{{Name: "model", Value: r.Model}, {Name: "parameters", Value: fmt.Sprint(r.Parameters)}, {Name: "batch", Value: fmt.Sprint(r.Batch)},
			{Name: "sequence", Value: fmt.Sprint(r.Sequence)}, {Name: "precision", Value: r.Machine.Precision}, {Name: "device", Value: r.Machine.Device},
			{Name: "steps of each shape", Value: fmt.Sprint(r.Steps)}, {Name: "atoll", Value: version}, {Name: "measured", Value: time.Now().Format("2006-01-02 15:04")}},
	}
	for _, s := range r.Series {
		line := metric.ScalingLine{Name: s.Size}
		for _, p := range s.Points {
			line.Points = append(line.Points, metric.ScalingPoint{Value: p.Value, Operations: p.Operations, Seconds: p.Milliseconds / 1e3, Growth: p.Growth})
		}
		page.Lines = append(page.Lines, line)
	}
	return page
}
