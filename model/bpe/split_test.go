package bpe

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// words splits a text by GPT-2's pattern.
func words(text string) []string {
	var all []string
	for i := 0; i < len(text); {
		end := unicodeClasses().next(text, i)
		all = append(all, text[i:end])
		i = end
	}
	return all
}

// testdata/splits.jsonl was made by make_huggingface.py: texts on which Hugging Face and Python's regex agree.
func TestSplitEqualsReference(t *testing.T) {
	data, err := os.ReadFile("testdata/splits.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(data)) {
		var want struct {
			Text  string
			Words []string
		}
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		if got := words(want.Text); !slices.Equal(got, want.Words) {
			t.Errorf("words of %q\n got %q\nwant %q", want.Text, got, want.Words)
		}
		count++
	}
	if count != 400 {
		t.Errorf("%d texts, want 400", count)
	}
}

// Cases whose words follow from the pattern by hand.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"'", []string{"'"}},
		{"'l", []string{"'", "l"}},
		{"'ll'LL", []string{"'ll", "'", "LL"}},
		{"it's 's", []string{"it", "'s", " '", "s"}},
		{"a  b", []string{"a", " ", " b"}},
		{"a \n", []string{"a", " \n"}},
		{"a\nb", []string{"a", "\n", "b"}},
		{"\u3000\u3000x", []string{"\u3000", "\u3000", "x"}},
		{"  ", []string{"  "}},
		{"\xff\xfe!", []string{"\xff\xfe!"}},
		{"a\xffb", []string{"a", "\xff", "b"}},
		{" \xe4\xb8", []string{" \xe4\xb8"}},             // a character cut short
		{"a\xe0\x83\xa9", []string{"a", "\xe0\x83\xa9"}}, // a letter written too long
		{"\xed\xa0\x80a", []string{"\xed\xa0\x80", "a"}}, // a surrogate
	} {
		if got := words(c.text); !slices.Equal(got, c.want) {
			t.Errorf("words of %q = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestLeadingLetters(t *testing.T) {
	for b := range 256 {
		isLetter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		for at := range 8 {
			text := []byte("abYZayAZ")
			text[at] = byte(b)
			want := at
			if isLetter {
				want = 8
			}
			if got := leadingLetters(load8(string(text))); got != want {
				t.Errorf("%q begins with %d letters, want %d", text, got, want)
			}
		}
	}
}

// Go's tables are a second source for the classes of the code points that its Unicode version knows.
func TestClassesEqualGo(t *testing.T) {
	differ := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		var want uint8
		switch {
		case !utf8.ValidRune(r) || !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z):
			continue // unassigned, in Go's version
		case unicode.IsLetter(r):
			want = classLetter
		case unicode.IsNumber(r):
			want = classNumber
		case unicode.IsSpace(r):
			want = classSpace
		}
		if got, _ := unicodeClasses().at(string(r), 0); got != want {
			t.Errorf("class of %U is %d, Go's Unicode %s has %d", r, got, unicode.Version, want)
			if differ++; differ > 10 {
				t.Fatal("and more")
			}
		}
	}
}

// Letters that Unicode 15.1 and 16 added, which tiktoken and Hugging Face know and Go 1.26 does not.
func TestClassesAreUnicode16(t *testing.T) {
	for r, want := range map[rune]uint8{0x2EBF0: classLetter, 0x10D4A: classLetter, 0x10D40: classNumber, 0x323B0: classOther} {
		if got, _ := unicodeClasses().at(string(r), 0); got != want {
			t.Errorf("class of %U is %d, want %d", r, got, want)
		}
	}
}
