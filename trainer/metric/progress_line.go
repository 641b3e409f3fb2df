package metric

import (
	"io"
	"strings"
	"sync"
	"time"
)

// How often a ProgressLine shows the state: often enough on a terminal for the
// eye, seldom enough elsewhere for a log file.
const (
	redrawInterval = 100 * time.Millisecond
	plainInterval  = 10 * time.Second
)

// ProgressLine shows a run's progress: on a terminal one line drawn again and
// again, elsewhere a plain line now and then. It is safe for concurrent use.
// Write errors are ignored: a closed terminal must not stop a run.
type ProgressLine struct {
	mutex sync.Mutex
	w     io.Writer
	width func() int // nil where w is not a terminal
	shown bool       // something was shown since the start
	last  time.Duration
	line  string // on the terminal now
}

// NewProgressLine writes to w. On a terminal, width returns its columns (as
// golang.org/x/term's GetSize does, asked at each drawing so that a resized
// window is right at once; 0 or less counts as 80); elsewhere width is nil.
func NewProgressLine(w io.Writer, width func() int) *ProgressLine {
	return &ProgressLine{w: w, width: width}
}

// Update shows p if the last showing is long enough ago by p.Elapsed; the first
// and the last step are always shown.
func (l *ProgressLine) Update(p Progress) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	interval := plainInterval
	if l.width != nil {
		interval = redrawInterval
	}
	final := p.Steps > 0 && p.Step >= p.Steps
	if l.shown && !final && p.Elapsed-l.last < interval {
		return
	}
	l.shown, l.last = true, p.Elapsed
	if l.width == nil {
		io.WriteString(l.w, FormatPlain(p)+"\n")
		return
	}
	width := l.width()
	if width <= 0 {
		width = 80
	}
	l.line = FormatLine(p, width)
	l.draw()
}

// Print writes text as lines of their own, above the progress line.
func (l *ProgressLine) Print(text string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	text = strings.TrimSuffix(text, "\n") + "\n"
	if l.line == "" {
		io.WriteString(l.w, text)
		return
	}
	io.WriteString(l.w, "\r\x1b[K"+text)
	l.draw()
}

// Close ends the line, so that what follows starts on a new one.
func (l *ProgressLine) Close() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.line != "" {
		io.WriteString(l.w, "\n")
		l.line = ""
	}
}

// draw replaces the terminal's line: carriage return, text, erase to its end.
func (l *ProgressLine) draw() { io.WriteString(l.w, "\r"+l.line+"\x1b[K") }
