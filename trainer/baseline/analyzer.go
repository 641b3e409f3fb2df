package baseline

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unit is what an n-gram is made of.
type Unit int

// The units a text can be cut into. Auto looks at the training texts: see
// charShareThreshold.
const (
	Auto Unit = iota
	Words
	Characters
)

// String names the unit as Describe reports it.
func (u Unit) String() string {
	switch u {
	case Words:
		return "word"
	case Characters:
		return "character"
	default:
		return "automatic"
	}
}

// charShareThreshold is the share of letters in scripts written without spaces
// from which Auto takes characters. It is a quarter, not a half, because such a
// letter is about a third to a half of a word: at a quarter of the letters they
// are already about half of the words.
const charShareThreshold = 0.25

// unspacedScripts are the scripts whose words are not separated by spaces.
// Hangul is not among them: Korean is written with spaces.
var unspacedScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// unspacedShare returns the share of letters of texts that belong to
// unspacedScripts, 0 where there is no letter at all.
func unspacedShare(texts []string) float64 {
	letters, unspaced := 0, 0
	for _, text := range texts {
		for _, r := range text {
			switch {
			case r < utf8.RuneSelf:
				if 'a' <= r|0x20 && r|0x20 <= 'z' {
					letters++
				}
			case unicode.In(r, unspacedScripts...):
				letters++
				unspaced++
			case unicode.IsLetter(r):
				letters++
			}
		}
	}
	if letters == 0 {
		return 0
	}
	return float64(unspaced) / float64(letters)
}

// analyzer cuts texts into terms. It keeps buffers between calls, so one
// analyzer serves one goroutine.
type analyzer struct {
	unit  Unit
	ends  []int  // word mode: start and end of each token, in pairs
	term  []byte // word mode: the bigram being put together
	clean []byte // character mode: the text with runs of space collapsed
	marks []int  // character mode: the offset of each rune of clean
}

// terms calls emit for every 1-gram and 2-gram of text, in lower case. The
// slice is valid only during the call.
//
// The cut is that of scikit-learn's CountVectorizer: words are runs of two or
// more letters, numbers or underscores (its pattern \b\w\w+\b), character
// n-grams cross words and spaces, runs of space counting as one. Lower case is
// Unicode's simple mapping, so İ and a final Σ differ from Python's.
func (a *analyzer) terms(text string, emit func(term []byte)) {
	lower := strings.ToLower(text)
	if a.unit == Characters {
		a.characterTerms(lower, emit)
		return
	}
	a.wordTerms(lower, emit)
}

func (a *analyzer) wordTerms(text string, emit func(term []byte)) {
	a.findWords(text)
	for i := 0; i < len(a.ends); i += 2 {
		a.term = append(a.term[:0], text[a.ends[i]:a.ends[i+1]]...)
		emit(a.term)
		if i+3 < len(a.ends) {
			a.term = append(a.term, ' ')
			a.term = append(a.term, text[a.ends[i+2]:a.ends[i+3]]...)
			emit(a.term)
		}
	}
}

// findWords fills a.ends with the bounds of the words of text.
func (a *analyzer) findWords(text string) {
	a.ends = a.ends[:0]
	start, runes := -1, 0
	closeWord := func(end int) {
		if runes >= 2 {
			a.ends = append(a.ends, start, end)
		}
		start, runes = -1, 0
	}
	for i, r := range text {
		if !isWord(r) {
			closeWord(i)
			continue
		}
		if start < 0 {
			start = i
		}
		runes++
	}
	closeWord(len(text))
}

func (a *analyzer) characterTerms(text string, emit func(term []byte)) {
	a.clean, a.marks = a.clean[:0], a.marks[:0]
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if !isSpace(r) {
			a.marks = append(a.marks, len(a.clean))
			a.clean = utf8.AppendRune(a.clean, r)
			continue
		}
		// A single space character stays as it is; only runs become ' '.
		run := i
		for run < len(text) {
			next, n := utf8.DecodeRuneInString(text[run:])
			if !isSpace(next) {
				break
			}
			run += n
		}
		if run > i {
			r, i = ' ', run
		}
		a.marks = append(a.marks, len(a.clean))
		a.clean = utf8.AppendRune(a.clean, r)
	}
	a.marks = append(a.marks, len(a.clean))
	for i := 0; i+1 < len(a.marks); i++ {
		emit(a.clean[a.marks[i]:a.marks[i+1]])
		if i+2 < len(a.marks) {
			emit(a.clean[a.marks[i]:a.marks[i+2]])
		}
	}
}

// isWord is \w of Python's re on text: letters, numbers and the underscore.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// isSpace is \s of Python's re on text, which counts the four information
// separators that unicode.IsSpace leaves out.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}
