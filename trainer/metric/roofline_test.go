package metric

import (
	"math"
	"strings"
	"testing"
)

// sampleRoofline is a made-up machine of 100 GFLOP/s and 10 GB/s, whose roof bends at 10 operations a byte.
func sampleRoofline() Roofline {
	return Roofline{
		Title: "Kernels <of> a step", Subtitle: "gpt2, batch 4", Warnings: []string{"The device does not have dropout."},
		Settings: []Setting{{"batch", "4"}},
		Peak:     100e9, Bandwidth: 10e9, Limits: "fp32, measured",
		Kernels: []MeasuredKernel{
			{"linear", "N=256 I=768 O=768", 12, 1e-3, 80e9, 2e9},
			{"attention", "B=4 T=64", 12, 2e-3, 25e9, 5e9},
			{"head.loss", "N=256 V=50257", 1, 36e-3, 80e9, 1e9},
			{"adamw", "N=124318464", 1, 20e-3, 0, 9e9},
			{"layernorm", "N=256 C=768", 20, 1e-3, 0, 40e9},
		},
	}
}

func writeRoofline(t *testing.T, r Roofline) string {
	t.Helper()
	var b strings.Builder
	if err := WriteRoofline(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRooflineShowsEverything(t *testing.T) {
	page := writeRoofline(t, sampleRoofline())
	for _, want := range []string{
		"Kernels &lt;of&gt; a step", "does not have dropout", "100.0 GFLOP/s", "10.0 GB/s", "operations a byte",
		"61.7 %", // products together: (12*80 + 24*25 + 36*80) million operations in 72 ms are 61.7 GFLOP/s of 100
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"http:", "https:", "<link", "@import", " src=", "url(", "<of>", "ZgotmplZ", "NaN", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// A kernel's limit is the peak right of the ridge, and the memory's bandwidth times its intensity left of it.
func TestRooflineRows(t *testing.T) {
	rows := sampleRoofline().rows()
	for i, want := range []struct {
		name         string
		limit, share float64
	}{
		{"head.loss", 0.8, 36.0 / 112}, {"attention", 0.5, 24.0 / 112}, {"adamw", 0.9, 20.0 / 112}, {"layernorm", 4, 20.0 / 112}, {"linear", 0.8, 12.0 / 112},
	} {
		if got := rows[i]; got.Name != want.name || math.Abs(got.Limit-want.limit) > 1e-12 || math.Abs(got.Share-want.share) > 1e-12 {
			t.Errorf("row %d is %s, %g of its limit, %g of the step, want %+v", i, got.Name, got.Limit, got.Share, want)
		}
	}
}

func TestRooflinePicture(t *testing.T) {
	p := sampleRoofline().picture()
	if len(p.Points) != 3 || p.Roof == "" || p.BandwidthLabel == "" {
		t.Fatalf("%+v, want three points below a labelled roof", p)
	}
	colours := map[string]int{"linear": 1, "head.loss": 1, "attention": 2}
	last := math.Inf(-1)
	for _, q := range p.Points {
		if q.Colour != colours[q.Name] || q.X < plotLeft || q.X > plotRight || q.Y < plotTop || q.Y > float64(p.Bottom) {
			t.Errorf("%s has colour %d at %g, %g, want %d and a place in the plot", q.Name, q.Colour, q.X, q.Y, colours[q.Name])
		}
		if q.LabelY-last < labelHeight-0.02 {
			t.Errorf("the label of %s is at %g, the one above it at %g: want %d between them", q.Name, q.LabelY, last, labelHeight)
		}
		last = q.LabelY
	}
	if p.Points[0].Name != "head.loss" || p.Points[0].Radius <= p.Points[1].Radius {
		t.Errorf("%+v is on top, want head.loss, at the right of linear and larger", p.Points[0])
	}
}

func TestRooflineOfOddMachines(t *testing.T) {
	unknown, moving, none, timeless := sampleRoofline(), sampleRoofline(), Roofline{}, sampleRoofline()
	unknown.Peak, unknown.Bandwidth = 0, 0
	moving.Kernels = moving.Kernels[3:]
	for i := range timeless.Kernels {
		timeless.Kernels[i].Seconds, timeless.Kernels[i].BytesPerSecond = 0, 0
	}
	for name, c := range map[string]struct {
		page        Roofline
		has, hasNot string
	}{
		"limits not known": {unknown, "<circle", "class=\"roof\""},
		"no products":      {moving, "adamw", "<svg"},
		"no kernels":       {none, "<h1>", "<table"},
		"no times":         {timeless, "<table", "<circle"},
	} {
		page := writeRoofline(t, c.page)
		if !strings.Contains(page, c.has) || strings.Contains(page, c.hasNot) || strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("%s: want %s, and no %s, NaN or Inf", name, c.has, c.hasNot)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		places, want []float64
	}{
		{nil, nil},
		{[]float64{50}, []float64{50}},
		{[]float64{10, 50, 90}, []float64{10, 50, 90}},
		{[]float64{50, 50}, []float64{45, 55}},
		{[]float64{50, 50, 50, 61}, []float64{37.75, 47.75, 57.75, 67.75}}, // 40, 50, 60 would touch 61
		{[]float64{0, 0, 0}, []float64{0, 10, 20}},
		{[]float64{100, 100}, []float64{90, 100}},
	} {
		got := spread(c.places, 10, 0, 100)
		for i := range c.want {
			if len(got) != len(c.want) || math.Abs(got[i]-c.want[i]) > 1e-9 {
				t.Errorf("spread(%v) = %v, want %v", c.places, got, c.want)
				break
			}
		}
	}
}
