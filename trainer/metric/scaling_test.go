package metric

import (
	"strings"
	"testing"
)

// sampleScaling is a machine of 100 GFLOP/s, on which doubling the batch doubles the time, and doubling the width makes it tenfold.
func sampleScaling() Scaling {
	return Scaling{
		Title: "Cost <of> a step", Subtitle: "mini", Settings: []Setting{{"batch", "4"}}, Peak: 100e9,
		Lines: []ScalingLine{
			{"batch", []ScalingPoint{{4, 1e9, 20e-3, 0}, {8, 2e9, 40e-3, 1}}},
			{"width", []ScalingPoint{{64, 1e9, 20e-3, 0}, {128, 4e9, 200e-3, 2.5}}},
		},
	}
}

func TestScalingShowsEverything(t *testing.T) {
	var b strings.Builder
	if err := WriteScaling(&b, sampleScaling()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"Cost &lt;of&gt; a step", "width 64 to 128", "2.50", "50.0 %", "100.0 GFLOP/s", "40.00", "GFLOP a step", `class="peak"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"http:", "https:", "<link", " src=", "url(", "<of>", "ZgotmplZ", "NaN", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// The peak's line is below every point: no step can be faster than it.
func TestScalingPicture(t *testing.T) {
	p := sampleScaling().picture()
	if len(p.Lines) != 2 || p.Peak == "" {
		t.Fatalf("%+v, want two lines and the peak", p)
	}
	for _, line := range p.Lines {
		for _, q := range line.Points {
			if q.X < float64(p.Left) || q.X > float64(p.Right) || q.Y < float64(p.Top) || q.Y > float64(p.Bottom) {
				t.Errorf("%s %d is at %g, %g: want it within the plot", line.Name, q.Value, q.X, q.Y)
			}
		}
	}
	batch, width := p.Lines[0].Points, p.Lines[1].Points
	if batch[0].X != width[0].X || batch[0].Y != width[0].Y || width[1].X <= batch[1].X || width[1].Y >= batch[1].Y {
		t.Errorf("%+v and %+v: want one beginning, and the width's end at the right of and above the batch's", batch, width)
	}
}

func TestScalingWithoutPeak(t *testing.T) {
	for name, s := range map[string]Scaling{"no peak": {Lines: sampleScaling().Lines}, "nothing": {}} {
		var b strings.Builder
		if err := WriteScaling(&b, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(b.String(), `class="peak"`) || strings.Contains(b.String(), "NaN") {
			t.Errorf("%s: the page has a peak, or no number", name)
		}
	}
}
