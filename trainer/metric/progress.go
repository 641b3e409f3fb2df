package metric

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Progress is the state of a run that its progress line shows.
type Progress struct {
	Step  int64
	Steps int64 // to do in all, 0 if not known
	// Loss is of the last step; NaN is shown as such.
	Loss            float64
	TokensPerSecond float64
	PeakShare       float64 // of the machine's peak, 0 to 1; 0 leaves it out
	Elapsed         time.Duration
	Left            time.Duration // negative if not known
}

// TimeLeft extrapolates from the steps done by this process, which began after
// step begin, to the end at step steps; negative while nothing is known.
func TimeLeft(begin, step, steps int64, elapsed time.Duration) time.Duration {
	if step <= begin || steps <= 0 {
		return -1
	}
	perStep := float64(elapsed) / float64(step-begin)
	return time.Duration(perStep * float64(max(steps-step, 0)))
}

// Widths of the bar, in columns.
const (
	minBar = 8
	maxBar = 30
)

// FormatLine lays p out on at most width-1 columns, since some terminals wrap
// at the last one. Where that is narrow, the fields leave one by one, the most
// telling last: elapsed time, bar, share of the peak, rate, time left, loss. All characters are ASCII, so columns are bytes.
func FormatLine(p Progress, width int) string {
	room := width - 1
	fields := p.fields()
	if p.Steps > 0 && lineLength(fields)+len(" []")+minBar > room {
		fields = fields[:len(fields)-1] // elapsed, for the bar's sake
	}
	for len(fields) > 1 && lineLength(fields) > room {
		fields = fields[:len(fields)-1]
	}
	line := fields[0]
	if p.Steps > 0 {
		bar := min(maxBar, room-lineLength(fields)-len(" []"))
		if bar >= minBar {
			line += " " + formatBar(p, bar)
		}
	}
	line = strings.Join(append([]string{line}, fields[1:]...), "  ")
	if len(line) > room {
		line = line[:max(room, 0)]
	}
	return line
}

// FormatPlain lays p out as a line for a log file.
func FormatPlain(p Progress) string { return strings.Join(p.fields(), "  ") }

// fields lists what is known, the most telling first.
func (p Progress) fields() []string {
	step := "step " + strconv.FormatInt(p.Step, 10)
	if p.Steps > 0 {
		step = fmt.Sprintf("step %d/%d", p.Step, p.Steps)
	}
	fields := []string{step, fmt.Sprintf("loss %.4f", p.Loss)}
	if p.Left >= 0 {
		fields = append(fields, "left "+formatDuration(p.Left))
	}
	fields = append(fields, formatRate(p.TokensPerSecond)+" tok/s")
	if p.PeakShare > 0 {
		fields = append(fields, fmt.Sprintf("peak %.0f%%", 100*p.PeakShare))
	}
	return append(fields, "elapsed "+formatDuration(p.Elapsed))
}

func lineLength(fields []string) int {
	n := 2 * (len(fields) - 1)
	for _, f := range fields {
		n += len(f)
	}
	return n
}

func formatBar(p Progress, columns int) string {
	done := float64(p.Step) / float64(p.Steps)
	full := min(max(int(done*float64(columns)), 0), columns)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", columns-full) + "]"
}

// formatRate writes a rate with three digits: 87.2, 940, 21.5k, 1.20M.
func formatRate(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return "-"
	}
	unit := ""
	for _, u := range []string{"k", "M", "G"} {
		if x < 999.5 {
			break
		}
		x, unit = x/1000, u
	}
	switch {
	case x < 9.995:
		return fmt.Sprintf("%.2f%s", x, unit)
	case x < 99.95:
		return fmt.Sprintf("%.1f%s", x, unit)
	default:
		return fmt.Sprintf("%.0f%s", x, unit)
	}
}

// formatDuration writes 42s, 3:07, 2:03:07 or 4d 02h.
func formatDuration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	default:
		return fmt.Sprintf("%dd %02dh", s/86400, s/3600%24)
	}
}
