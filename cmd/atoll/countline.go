package main

import (
	"fmt"
	"io"
	"time"
)

// countLine shows on a terminal how many rows of a stream are done; elsewhere nothing. It stays hidden where the results
// go to the same terminal.
type countLine struct {
	out    io.Writer
	unit   string
	hidden bool
	began  time.Time
	shown  time.Time
	drawn  bool
}

// start begins to count the time.
func (l *countLine) start() { l.began = time.Now() }

// update shows n rows done and, where the input's size is known, its share read and the time left.
func (l *countLine) update(n int, read, total int64) {
	if l.hidden || !isTerminal(l.out) || time.Since(l.shown) < 100*time.Millisecond {
		return
	}
	l.shown, l.drawn = time.Now(), true
	elapsed := time.Since(l.began)
	text := fmt.Sprintf("%d %s, %.0f/s", n, l.unit, float64(n)/max(elapsed.Seconds(), 1e-3))
	if total > 0 && read > 0 {
		left := time.Duration(float64(elapsed) * float64(max(total-read, 0)) / float64(read))
		text += fmt.Sprintf(", %.0f%%, %v left", 100*float64(read)/float64(total), left.Round(time.Second))
	}
	fmt.Fprintf(l.out, "\r\x1b[K%s", text)
}

// close clears the line.
func (l *countLine) close() {
	if l.drawn {
		fmt.Fprint(l.out, "\r\x1b[K")
		l.drawn = false
	}
}
