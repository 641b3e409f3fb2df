package bpe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// one yields a single text.
func one(text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield(text, nil) }
}

func readText(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func train(t *testing.T, texts iter.Seq2[string, error], options TrainOptions) *Tokenizer {
	t.Helper()
	tok, err := Train(context.Background(), texts, options)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// english.json and chinese.json hold what Hugging Face learned from the same texts (make_huggingface.py): all ids and
// all rules are equal, also where ties decide.
func TestTrainEqualsHuggingFace(t *testing.T) {
	for name, size := range map[string]int{"english": 800, "chinese": 1200} {
		want, err := Load("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		got := train(t, one(readText(t, "testdata/"+name+".txt")), TrainOptions{VocabSize: size})
		if !slices.Equal(got.tokens, want.tokens) || !slices.Equal(got.rules, want.rules) || got.VocabSize() != size {
			t.Errorf("%s: the rules learned differ from Hugging Face's", name)
		}
	}
}

// The checksums are of the rules, one a line, that Hugging Face tokenizers 0.23.3 learned from the whole file with
// BpeTrainer(vocab_size=8191, min_frequency=2, initial_alphabet=ByteLevel.alphabet()).
func TestTrainEqualsHuggingFaceOnSharedData(t *testing.T) {
	for name, want := range map[string]string{
		"tinyshakespeare/input.txt": "e7f4edee4cd707313774beed18dbbb8b9e87b451d79523db586f9647bfea88e4",
		"thucnews/headlines.txt":    "64b9c1acd1298d80caf3fb4191dd2adca707734896f05a716973fedbb78da1df",
	} {
		data, err := os.ReadFile("../../../shared/data/" + name)
		if err != nil {
			t.Skip("the shared data are not here: ", err)
		}
		tok := train(t, one(string(data)), TrainOptions{VocabSize: 8192})
		var rules strings.Builder
		for _, r := range tok.rules {
			rules.WriteString(alphabet().encode(tok.tokens[r.left]) + " " + alphabet().encode(tok.tokens[r.right]) + "\n")
		}
		if got := sum(rules.String()); got != want {
			t.Errorf("%s: SHA-256 of the rules learned is %s, want %s", name, got, want)
		}
	}
}

// A second implementation: count all pairs anew for each rule.
func TestTrainEqualsNaive(t *testing.T) {
	for _, text := range []string{
		"aaaaaaa aaaa aa aaa aaaaa", "abababab babab abcabc bcabc", "the theme then these thesis",
		"中文中文分类 文中文 类类类类", "\xff\xff\xff\xff \xff\xff", "a b c d",
	} {
		got := train(t, one(text), TrainOptions{VocabSize: 300})
		if want := naiveRules(words(text), 300-257); !slices.Equal(got.rules, want) {
			t.Errorf("%q: rules %v, want %v", text, got.rules, want)
		}
	}
}

func naiveRules(words []string, most int) []rule {
	var id [256]int32
	tokens := map[string]int32{}
	names := []string{}
	for k, b := range alphabet().order {
		id[b] = int32(k)
		names = append(names, string([]byte{b}))
		tokens[names[k]] = int32(k)
	}
	split := make([][]int32, len(words))
	for i, w := range words {
		for k := range len(w) {
			split[i] = append(split[i], id[w[k]])
		}
	}
	var rules []rule
	for len(names) < 256+most {
		counts := map[[2]int32]int{}
		for _, w := range split {
			for k := 1; k < len(w); k++ {
				counts[[2]int32{w[k-1], w[k]}]++
			}
		}
		best, count := [2]int32{}, 1
		for p, n := range counts {
			if n > count || n == count && n > 1 && slices.Compare(p[:], best[:]) < 0 {
				best, count = p, n
			}
		}
		if count < minPairs {
			return rules
		}
		name := names[best[0]] + names[best[1]]
		merged, ok := tokens[name]
		if !ok {
			merged = int32(len(names))
			tokens[name], names = merged, append(names, name)
		}
		rules = append(rules, rule{best[0], best[1], merged})
		for i, w := range split {
			var out []int32
			for k := 0; k < len(w); k++ {
				if k+1 < len(w) && w[k] == best[0] && w[k+1] == best[1] {
					out = append(out, merged)
					k++
				} else {
					out = append(out, w[k])
				}
			}
			split[i] = out
		}
	}
	return rules
}

func TestTrainSmallCorpusGivesSmallVocabulary(t *testing.T) {
	tok := train(t, one("abab"), TrainOptions{VocabSize: 1000})
	if tok.VocabSize() != 258 || tok.EndOfText() != 257 {
		t.Errorf("VocabSize %d, EndOfText %d, want 258, 257", tok.VocabSize(), tok.EndOfText())
	}
}

func TestTrainReportsErrors(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		ctx     context.Context
		texts   iter.Seq2[string, error]
		options TrainOptions
		want    string
	}{
		{context.Background(), one("a"), TrainOptions{VocabSize: 256}, "vocabulary of 256, want 257"},
		{context.Background(), one("a"), TrainOptions{VocabSize: maxVocab + 1}, "want 257 (256 bytes and <|endoftext|>) to 2097152"},
		{context.Background(), one("a"), TrainOptions{VocabSize: 300, MaxWords: -1}, "at most -1 words"},
		{context.Background(), one(""), TrainOptions{VocabSize: 300}, "the texts are all empty"},
		{context.Background(), Lines(iotest.ErrReader(broken)), TrainOptions{VocabSize: 300}, "disk on fire"},
		{cancelled, one("a"), TrainOptions{VocabSize: 300}, "context canceled"},
	} {
		if _, err := Train(c.ctx, c.texts, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Train with %+v: %v, want %q", c.options, err, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 1<<20+5)
	for _, text := range []string{"", "a", "a\n", "a\r\nb\n\nc", long + "\nend"} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(bytes.NewReader([]byte(text)))} {
			got := ""
			for line, err := range Lines(r) {
				if err != nil || line == "" || strings.Contains(line[:len(line)-1], "\n") {
					t.Errorf("Lines gave %q, %v", line, err)
				}
				got += line
			}
			if got != text {
				t.Errorf("Lines gave %d bytes back, want %d", len(got), len(text))
			}
		}
	}
}

// However small the table, no byte of the corpus leaves the counts, and the table stays within its limit.
func TestWordTableKeepsEveryByte(t *testing.T) {
	for _, name := range []string{"english", "chinese"} {
		text := readText(t, "testdata/"+name+".txt") + strings.Repeat("\xff", 1000) + strings.Repeat("中", 1000)
		for _, limit := range []int{1, 1500, 3000, 1 << 20} {
			table := newWordTable(limit)
			characters := make(map[string]bool)
			for _, r := range strings.SplitAfter(text, "") {
				characters[r] = true
			}
			table.addText(text)
			var counts, want [256]int64
			for _, w := range table.words {
				if len(w.word) > maxTrainedWord {
					t.Errorf("a word of %d bytes, want at most %d", len(w.word), maxTrainedWord)
				}
				for i := range len(w.word) {
					counts[w.word[i]] += w.count
				}
			}
			for i := range len(text) {
				want[text[i]]++
			}
			if counts != want {
				t.Errorf("%s, limit %d: the bytes counted are not those of the text", name, limit)
			}
			if most := max(limit, 2*len(characters)); len(table.words) > most {
				t.Errorf("%s, limit %d: %d words, want at most %d", name, limit, len(table.words), most)
			}
		}
	}
}

// The order in which Go walks a map must not show.
func TestTrainIsDeterministic(t *testing.T) {
	text := readText(t, "testdata/chinese.txt")
	options := TrainOptions{VocabSize: 600, MaxWords: 1500}
	first := train(t, one(text), options)
	for range 3 {
		if again := train(t, one(text), options); !slices.Equal(again.rules, first.rules) {
			t.Fatal("training twice on the same text gave different rules")
		}
	}
}

// A table of half the distinct words still learns a vocabulary about as good.
func TestTrainInLittleMemoryCompressesAsWell(t *testing.T) {
	text := readText(t, "testdata/chinese.txt")
	free := train(t, one(text), TrainOptions{VocabSize: 1200})
	table := newWordTable(1 << 20)
	table.addText(text)
	bounded := train(t, one(text), TrainOptions{VocabSize: 1200, MaxWords: len(table.words) / 2})
	got, want := len(bounded.Encode(nil, text)), len(free.Encode(nil, text))
	t.Logf("%d ids with half the words, %d with all", got, want)
	if got > want*21/20 {
		t.Errorf("%d ids with half the words, want at most 5 %% more than %d", got, want)
	}
}
