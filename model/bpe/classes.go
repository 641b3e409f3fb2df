package bpe

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// unicode16 holds the letters (L), numbers (N) and white space (S) of Unicode 16, one range of code points a line, as
// Hugging Face tokenizers and tiktoken have them. Go's own tables are not used: they are of another version and change
// with Go's, and a model must see the same ids for the same text as long as it lives. testdata/make_classes.py made it.
//
//go:embed unicode16.txt
var unicode16 string

// unicodeClasses gives the class table, made on first use.
var unicodeClasses = sync.OnceValue(func() *classTable {
	classOf := map[string]uint8{"L": classLetter, "N": classNumber, "S": classSpace}
	all := make([]uint8, utf8.MaxRune+1)
	for line := range strings.Lines(unicode16) {
		field := strings.Fields(line)
		first, _ := strconv.ParseUint(field[1], 16, 32)
		last, _ := strconv.ParseUint(field[2], 16, 32)
		for r := first; r <= last; r++ {
			all[r] = classOf[field[0]]
		}
	}
	return newClassTable(all)
})

// newClassTable packs the class of every code point.
func newClassTable(all []uint8) *classTable {
	c := new(classTable)
	for b := range c.ascii {
		c.ascii[b] = notASCII
		if b < utf8.RuneSelf {
			c.ascii[b] = all[b]
		}
	}
	known := make(map[[256]uint8]uint8)
	for p := range c.page {
		page := [256]uint8(all[p<<8:])
		at, ok := known[page]
		if !ok {
			at = uint8(len(c.pages))
			known[page] = at
			c.pages = append(c.pages, page)
		}
		c.page[p] = at
	}
	return c
}
