package bpe

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// byteAlphabet writes bytes as printable characters, one character a byte, as GPT-2's files do: a printable Latin-1
// character stands for itself, the other 68 bytes are U+0100 upwards in order (encoder.py, bytes_to_unicode).
type byteAlphabet struct {
	char  [256]rune
	value map[rune]byte
	order [256]byte // bytes in the order of their characters, which is the order of GPT-2's first 256 ids
}

// alphabet gives the byte-level alphabet, made on first use.
var alphabet = sync.OnceValue(func() *byteAlphabet {
	a := &byteAlphabet{value: make(map[rune]byte, 256)}
	printable := func(b int) bool { return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE }
	n, next := 0, rune(0x100)
	for b := range 256 {
		if printable(b) {
			a.char[b] = rune(b)
			a.order[n] = byte(b)
			n++
		}
	}
	for b := range 256 {
		if !printable(b) {
			a.char[b] = next
			a.order[n] = byte(b)
			n, next = n+1, next+1
		}
	}
	for b, r := range a.char {
		a.value[r] = byte(b)
	}
	return a
})

// encode writes bytes as characters.
func (a *byteAlphabet) encode(token string) string {
	var s strings.Builder
	for i := range len(token) {
		s.WriteRune(a.char[token[i]])
	}
	return s.String()
}

// decode turns characters back into bytes; false if one of them stands for no byte.
func (a *byteAlphabet) decode(written string) (string, bool) {
	token := make([]byte, 0, len(written))
	for _, r := range written {
		b, ok := a.value[r]
		if !ok || r == utf8.RuneError {
			return "", false
		}
		token = append(token, b)
	}
	return string(token), true
}
