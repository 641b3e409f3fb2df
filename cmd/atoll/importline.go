package main

import (
	"fmt"
	"io"
	"time"

	"atoll/trainer/data"
)

// importLine shows how far an import is: on a terminal a line that is redrawn, elsewhere nothing, since imports that take
// long enough to wonder about are watched by a person.
type importLine struct {
	out   io.Writer
	shown time.Time
	drawn bool
}

func (l *importLine) update(p data.Progress) {
	if !isTerminal(l.out) || time.Since(l.shown) < 200*time.Millisecond {
		return
	}
	l.shown, l.drawn = time.Now(), true
	share := 0.0
	if p.Total > 0 {
		share = 100 * float64(p.Bytes) / float64(p.Total)
	}
	fmt.Fprintf(l.out, "\r\x1b[K%s: %.0f%%, %d documents", p.Phase, share, p.Documents)
}

// close clears the line, so that what follows starts on a clean one.
func (l *importLine) close() {
	if l.drawn {
		fmt.Fprint(l.out, "\r\x1b[K")
		l.drawn = false
	}
}
