package bpe

import (
	"math/bits"
	"unicode/utf8"
)

// A classTable gives the class of every code point. Pages of 256 are shared where they are equal, so that it stays
// within the first-level cache for most text.
type classTable struct {
	ascii [256]uint8 // class of an ASCII byte; notASCII from 0x80 up
	page  [(utf8.MaxRune + 1) >> 8]uint8
	pages [][256]uint8
}

// The classes that GPT-2's pattern tells apart. A byte that is not valid UTF-8 is classOther.
const (
	classOther uint8 = iota
	classLetter
	classNumber
	classSpace
	notASCII
)

// at gives the class of the character at s[i] and its length in bytes.
func (c *classTable) at(s string, i int) (class uint8, size int) {
	if class := c.ascii[s[i]]; class != notASCII {
		return class, 1
	}
	r, size := decodeThree(s[i:])
	if size == 0 {
		r, size = utf8.DecodeRuneInString(s[i:])
	}
	return c.pages[c.page[r>>8]][r&0xFF], size
}

// decodeThree decodes a character of three bytes, as almost all of Chinese, Japanese and Korean are, about twice as fast as
// package utf8; size 0 if s begins with none. A surrogate passes though it is not valid: its class is that of its bytes.
func decodeThree(s string) (r rune, size int) {
	if len(s) < 3 || s[0]>>4 != 0xE || s[1]>>6 != 2 || s[2]>>6 != 2 {
		return 0, 0
	}
	r = rune(s[0]&0xF)<<12 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F)
	if r < 0x800 { // a shorter character written too long
		return 0, 0
	}
	return r, 3
}

// next gives the end of the word that begins at s[i]; i must be below len(s). Words are the matches of GPT-2's pattern
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// one after the other; together they cover the text. A byte that is not valid UTF-8 counts as a character of the class
// [^\s\p{L}\p{N}], the class that U+FFFD has.
func (c *classTable) next(s string, i int) int {
	if s[i] == '\'' {
		if n := contraction(s[i+1:]); n > 0 {
			return i + 1 + n
		}
	}
	if end := lettersEnd(s, i); end > i {
		return c.run(s, end, classLetter)
	}
	class, size := c.at(s, i)
	if class != classSpace {
		return c.run(s, i+size, class)
	}
	if s[i] == ' ' && i+1 < len(s) {
		if class, size := c.at(s, i+1); class != classSpace {
			return c.run(s, i+1+size, class)
		}
	}
	return c.spaces(s, i, size)
}

// lettersEnd gives the end of the ASCII letters at s[i], behind a space if there is one; i if there are none. It looks at 8
// bytes at once, since the length of a word is what a processor cannot foresee, and at none of the last 7 bytes of s.
func lettersEnd(s string, i int) int {
	first := i
	if s[i] == ' ' {
		first++
	}
	end := first
	for end+8 <= len(s) {
		n := leadingLetters(load8(s[end : end+8]))
		end += n
		if n < 8 {
			break
		}
	}
	if end == first {
		return i
	}
	return end
}

// leadingLetters counts the ASCII letters that 8 bytes begin with. In each byte the top bit tells: adding 128-'a' sets it from 'a'
// up, adding 127-'z' above 'z', and in what is not ASCII it was set before.
func leadingLetters(x uint64) int {
	const each, top = 0x0101010101010101, 0x8080808080808080
	lower := (x | 0x20*each) &^ top
	letters := (lower + (0x80-'a')*each) &^ (lower + (0x7F-'z')*each) &^ x & top
	return bits.TrailingZeros64(letters^top) / 8
}

// run gives the end of the characters of one class that begin at s[i].
func (c *classTable) run(s string, i int, class uint8) int {
	for i < len(s) {
		k := c.ascii[s[i]]
		if k == class {
			i++
			continue
		}
		if k != notASCII {
			return i
		}
		k, size := c.at(s, i)
		if k != class {
			return i
		}
		i += size
	}
	return i
}

// spaces gives the end of the white space that begins at s[i] with a character of size bytes. The last character of
// several is left to the word after it, if there is one: \s+(?!\S) before \s+.
func (c *classTable) spaces(s string, i, size int) int {
	last, end := i, i+size
	for end < len(s) {
		class, size := c.at(s, end)
		if class != classSpace {
			if last == i {
				return end
			}
			return last
		}
		last, end = end, end+size
	}
	return end
}

// contraction gives the length of the English contraction that s begins with, the apostrophe left out, or 0.
func contraction(s string) int {
	if len(s) == 0 {
		return 0
	}
	switch s[0] {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(s) > 1 && s[1] == 'e' {
			return 2
		}
	case 'l':
		if len(s) > 1 && s[1] == 'l' {
			return 2
		}
	}
	return 0
}
