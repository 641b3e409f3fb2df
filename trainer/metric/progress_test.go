package metric

import (
	"math"
	"strings"
	"testing"
	"time"
)

func sample() Progress {
	return Progress{Step: 1200, Steps: 2000, Loss: 1.87342, TokensPerSecond: 21504, PeakShare: 0.4321,
		Elapsed: 220 * time.Second, Left: 151 * time.Second}
}

func TestFormatLine(t *testing.T) {
	unknown := Progress{Step: 3, Loss: math.NaN(), TokensPerSecond: math.Inf(1), Left: -1}
	for _, c := range []struct {
		p     Progress
		width int
		want  string
	}{
		{sample(), 120, "step 1200/2000 [##################............]  loss 1.8734  left 2:31  21.5k tok/s  peak 43%  elapsed 3:40"},
		{sample(), 80, "step 1200/2000 [#########......]  loss 1.8734  left 2:31  21.5k tok/s  peak 43%"},
		{sample(), 40, "step 1200/2000  loss 1.8734  left 2:31"},
		{sample(), 20, "step 1200/2000"},
		{sample(), 8, "step 12"},
		{sample(), 0, ""},
		{unknown, 80, "step 3  loss NaN  - tok/s  elapsed 0s"},
	} {
		if got := FormatLine(c.p, c.width); got != c.want {
			t.Errorf("width %d:\n got %q\nwant %q", c.width, got, c.want)
		}
	}
}

func TestFormatLineNeverWraps(t *testing.T) {
	states := []Progress{sample(), {Left: -1}, {Step: math.MaxInt64, Steps: math.MaxInt64, Loss: -math.MaxFloat64,
		TokensPerSecond: math.MaxFloat64, PeakShare: 1e9, Elapsed: math.MaxInt64, Left: math.MaxInt64},
		{Step: 50, Steps: 20, Loss: math.Inf(-1)}}
	for _, p := range states {
		for width := 20; width <= 200; width++ {
			line := FormatLine(p, width)
			if len(line) >= width || strings.ContainsAny(line, "\r\n\t") {
				t.Errorf("%d bytes on %d columns: %q", len(line), width, line)
			}
			for i := range len(line) {
				if line[i] >= 0x80 {
					t.Errorf("not ASCII: %q", line)
				}
			}
		}
	}
}

func TestTimeLeft(t *testing.T) {
	for _, c := range []struct {
		begin, step, steps int64
		want               time.Duration
	}{
		{0, 50, 200, 30 * time.Second},
		{100, 150, 200, 10 * time.Second}, // resumed at 100
		{0, 0, 200, -1},
		{0, 50, 0, -1},
		{0, 50, 40, 0},
	} {
		if got := TimeLeft(c.begin, c.step, c.steps, 10*time.Second); got != c.want {
			t.Errorf("%+v: %v left", c, got)
		}
	}
}

func TestFormatRateAndDuration(t *testing.T) {
	for x, want := range map[float64]string{0: "0.00", 9.994: "9.99", 87.25: "87.2", 940: "940", 999.7: "1.00k",
		21504: "21.5k", 999600: "1.00M", 5.5e8: "550M", 1e12: "1000G"} {
		if got := formatRate(x); got != want {
			t.Errorf("rate %g is %q, want %q", x, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0s", 59.4: "59s", 59.6: "1:00", 187: "3:07", 7387: "2:03:07", 352800: "4d 02h"} {
		if got := formatDuration(time.Duration(s * float64(time.Second))); got != want {
			t.Errorf("%g s is %q, want %q", s, got, want)
		}
	}
}

func TestProgressLineOnATerminal(t *testing.T) {
	var out strings.Builder
	line := NewProgressLine(&out, func() int { return 30 })
	p := sample()
	line.Update(p)
	p.Elapsed += redrawInterval / 2
	p.Step++
	line.Update(p) // too soon
	line.Print("warning: cold\n")
	p.Step = p.Steps
	line.Update(p) // too soon, but the last
	line.Close()
	line.Close()
	want := "\rstep 1200/2000  loss 1.8734\x1b[K" +
		"\r\x1b[Kwarning: cold\n\rstep 1200/2000  loss 1.8734\x1b[K" +
		"\rstep 2000/2000  loss 1.8734\x1b[K\n"
	if got := out.String(); got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestProgressLineElsewhere(t *testing.T) {
	var out strings.Builder
	line := NewProgressLine(&out, nil)
	for i := range 25 {
		line.Update(Progress{Step: int64(i), Steps: 100, Left: -1, Elapsed: time.Duration(i) * time.Second})
	}
	line.Print("saved")
	line.Close()
	if got := strings.Count(out.String(), "\n"); got != 4 {
		t.Errorf("%d lines, want those of steps 0, 10, 20 and one printed:\n%s", got, out.String())
	}
	if strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("control characters in a log file: %q", out.String())
	}
}
