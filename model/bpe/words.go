package bpe

import (
	"strings"
	"unicode/utf8"
)

// maxTrainedWord is the length in bytes above which training cuts a word in pieces, so that text without spaces or a
// file in one line does not become one word.
const maxTrainedWord = 256

// A wordTable counts the words of a corpus in bounded memory. When it holds more than its limit of distinct words, the
// rarest are cut in halves, which other words share, and halves again until the table is half full. So no byte of the
// corpus is left out: all that is lost is that the two sides of a cut could have merged. Words of one character are
// never cut; a table of these alone may exceed the limit.
type wordTable struct {
	classes *classTable
	limit   int // distinct words at which to cut next
	half    int // distinct words to get down to
	at      map[string]int32
	words   []countedWord
}

type countedWord struct {
	word  string
	count int64
}

func newWordTable(limit int) *wordTable {
	return &wordTable{classes: unicodeClasses(), limit: limit, half: limit / 2, at: make(map[string]int32)}
}

// addText counts the words of one text.
func (w *wordTable) addText(text string) {
	for i := 0; i < len(text); {
		end := w.classes.next(text, i)
		for end-i > maxTrainedWord {
			cut := i + charactersWithin(text[i:end], maxTrainedWord)
			w.add(text[i:cut], 1)
			i = cut
		}
		w.add(text[i:end], 1)
		i = end
		if len(w.words) > w.limit {
			w.shrink()
		}
	}
}

// add counts a word n times.
func (w *wordTable) add(word string, n int64) {
	if k, ok := w.at[word]; ok {
		w.words[k].count += n
		return
	}
	word = strings.Clone(word)
	w.at[word] = int32(len(w.words))
	w.words = append(w.words, countedWord{word, n})
}

// shrink cuts the words seen once in halves, then those seen at most twice, four times and so on, until the table is
// half full or nothing is left to cut.
func (w *wordTable) shrink() {
	for most, more := int64(1), true; more && len(w.words) > w.half; most *= 2 {
		before := w.words
		w.at, w.words, more = make(map[string]int32, len(before)), nil, false
		for _, c := range before {
			cut := len(c.word)
			if half := charactersWithin(c.word, (len(c.word)+1)/2); half < cut {
				more = true
				if c.count <= most {
					cut = half
				}
			}
			w.add(c.word[:cut], c.count)
			if cut < len(c.word) {
				w.add(c.word[cut:], c.count)
			}
		}
	}
	w.limit = max(w.limit, 2*len(w.words))
}

// charactersWithin gives the length of the longest run of whole characters from the start of s that is at most n bytes
// long, but of one character at least. A byte that is not valid UTF-8 is a character.
func charactersWithin(s string, n int) int {
	_, end := utf8.DecodeRuneInString(s)
	for end < len(s) {
		_, size := utf8.DecodeRuneInString(s[end:])
		if end+size > n {
			break
		}
		end += size
	}
	return end
}
