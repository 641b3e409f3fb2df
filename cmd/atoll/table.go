package main

import (
	"io"
	"strings"

	"golang.org/x/text/width"
)

// table is text in columns: the first aligned left, the others right.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

// write aligns the columns by what a terminal shows: a Chinese character takes two columns. Rows may be of different length.
func (t table) write(w io.Writer) error {
	var widths []int
	for _, row := range t {
		for n, cell := range row {
			if n == len(widths) {
				widths = append(widths, 0)
			}
			widths[n] = max(widths[n], columns(cell))
		}
	}
	var text strings.Builder
	for _, row := range t {
		line := ""
		for n, cell := range row {
			padding := strings.Repeat(" ", widths[n]-columns(cell))
			if n == 0 {
				line = cell + padding
			} else {
				line += "  " + padding + cell
			}
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// columns is how many columns of a terminal a text takes.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
