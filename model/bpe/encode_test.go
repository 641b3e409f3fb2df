package bpe

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// reference is one line of testdata/encoded.jsonl: a text and the ids that tiktoken and Hugging Face tokenizers agree
// on, special tokens allowed.
type reference struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

func readReferences(t testing.TB, name string) []reference {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []reference
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var r reference
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGPT2EqualsReference(t *testing.T) {
	all := readReferences(t, "testdata/encoded.jsonl")
	if len(all) != 466 {
		t.Fatalf("%d texts, want 466", len(all))
	}
	for _, r := range all {
		for pass := range 3 { // the second pass fills the cache, the third reads it
			if got := GPT2().EncodeWithSpecial(nil, r.Text); !slices.Equal(got, r.IDs) {
				t.Errorf("pass %d: EncodeWithSpecial(%q)\n got %v\nwant %v", pass, r.Text, got, r.IDs)
			}
		}
		if got, err := GPT2().Decode(nil, r.IDs); err != nil || string(got) != r.Text {
			t.Errorf("Decode(%v) = %q, %v, want %q", r.IDs, got, err, r.Text)
		}
	}
}

// testdata/random.jsonl was made by make_huggingface.py: random texts, words of up to 1,500 bytes among them.
func TestGPT2EqualsRandomReference(t *testing.T) {
	all := readReferences(t, "testdata/random.jsonl")
	if len(all) != 230 {
		t.Fatalf("%d texts, want 230", len(all))
	}
	for _, r := range all {
		if got := GPT2().Encode(nil, r.Text); !slices.Equal(got, r.IDs) {
			t.Errorf("Encode(%q)\n got %v\nwant %v", r.Text, got, r.IDs)
		}
	}
}

func TestEncodeAppends(t *testing.T) {
	if got, want := GPT2().Encode([]int32{7}, "Hello world"), []int32{7, 15496, 995}; !slices.Equal(got, want) {
		t.Errorf("Encode = %v, want %v", got, want)
	}
}

func TestEncodeTakesSpecialTokensAsText(t *testing.T) {
	const text = "a<|endoftext|>b"
	if ids := GPT2().Encode(nil, text); slices.Contains(ids, GPT2().EndOfText()) {
		t.Errorf("Encode(%q) = %v holds the special token", text, ids)
	}
	if got, want := GPT2().EncodeWithSpecial(nil, text), []int32{64, 50256, 65}; !slices.Equal(got, want) {
		t.Errorf("EncodeWithSpecial(%q) = %v, want %v", text, got, want)
	}
}

// Of added tokens at one place the longest is taken, of several places the leftmost.
func TestEncodeWithSpecialTakesLeftmostLongest(t *testing.T) {
	b := Bytes()
	tokens := append(slices.Clone(b.tokens), "<a>", "<a>b", "a>bc")
	added := append(slices.Clone(b.added), addedToken{257, "<a>", true}, addedToken{258, "<a>b", false}, addedToken{259, "a>bc", true})
	tok := newTokenizer(tokens, nil, added, 256)
	for text, want := range map[string][]int32{
		"":                    nil,
		"<a>":                 {257},
		"x<a>bcy":             {'x', 258, 'c', 'y'},
		"a>bc<a><a>b":         {259, 257, 258},
		"<a<|endoftext|>":     {'<', 'a', 256},
		"<a><|endoftext|><a>": {257, 256, 257},
	} {
		if got := tok.EncodeWithSpecial(nil, text); !slices.Equal(got, want) {
			t.Errorf("EncodeWithSpecial(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestDecodeRefusesUnknownID(t *testing.T) {
	for _, id := range []int32{-1, 257, 1 << 30} {
		got, err := Bytes().Decode([]byte("x"), []int32{'a', id})
		if err == nil || !strings.Contains(err.Error(), "position 1 is not in the vocabulary of 257 ids") || string(got) != "xa" {
			t.Errorf("Decode of id %d = %q, %v", id, got, err)
		}
	}
}

// The two ways to merge a word are each other's second implementation.
func TestMergeShortEqualsLong(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		letters := []string{"ab", "etaoins ", "=-", "\xe4\xb8\xad\xe6\x96\x87", "\x00\xff\x80 "}[random.IntN(5)]
		word := make([]byte, 1+random.IntN(maxShort))
		for i := range word {
			word[i] = letters[random.IntN(len(letters))]
		}
		short := GPT2().appendMerged(nil, string(word))
		if long := GPT2().appendMergedLong(nil, string(word)); !slices.Equal(short, long) {
			t.Fatalf("word %q: short %v, long %v", word, short, long)
		}
	}
}

// A quadratic merge of a word of 1 MB takes many minutes.
func TestEncodeLongWordInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("a megabyte, in one goroutine")
	}
	random := rand.New(rand.NewPCG(3, 4))
	word := make([]byte, 1<<20)
	for i := range word {
		word[i] = "etaoinshrdlu"[random.IntN(12)]
	}
	for _, text := range []string{string(word), strings.Repeat("a", 1<<17), strings.Repeat(" ", 1<<17), strings.Repeat("中", 1<<15)} {
		start := time.Now()
		ids := GPT2().Encode(nil, text)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("a word of %d bytes (%q...) took %v", len(text), text[:8], took)
		}
		if got, err := GPT2().Decode(nil, ids); err != nil || string(got) != text {
			t.Errorf("a word of %d bytes (%q...) does not come back: %v", len(text), text[:8], err)
		}
	}
}

// A word of more than 1 MiB is cut at a character, here after 349,525 of three bytes.
func TestEncodeCutsHugeWord(t *testing.T) {
	const character = "\u4e2d"
	first := GPT2().Encode(nil, strings.Repeat(character, maxWord/3))
	want := append(slices.Clone(first), GPT2().Encode(nil, strings.Repeat(character, 7))...)
	if got := GPT2().Encode(nil, strings.Repeat(character, maxWord/3+7)); !slices.Equal(got, want) {
		t.Errorf("%d ids, want the %d of the two pieces", len(got), len(want))
	}
}

// Words that were cut in pieces and words from the cache have the ids of the whole word merged at once.
func TestEncodeEqualsMergedWords(t *testing.T) {
	if testing.Short() {
		t.Skip("every word of two texts, in one goroutine")
	}
	for _, name := range []string{"english", "chinese"} {
		trained, err := Load("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words(readText(t, "testdata/"+name+".txt")) {
			for _, tok := range []*Tokenizer{GPT2(), trained} {
				if got, want := tok.Encode(nil, word), tok.appendMergedLong(nil, word); !slices.Equal(got, want) {
					t.Fatalf("Encode(%q) = %v, want %v", word, got, want)
				}
			}
		}
	}
}

// A key is the word's own wherever the word stands, and no other word's.
func TestKeys(t *testing.T) {
	words := []string{"a", "a\x00", "ab", "1234567", "12345678", "12345678\x00", "123456789", "123456781234567", strings.Repeat("\xff", 15)}
	keys := make(map[wordKey]string)
	for _, word := range words {
		key := keyOf(word, 0, len(word))
		if other, known := keys[key]; known {
			t.Errorf("%q and %q have the same key", word, other)
		}
		keys[key] = word
		for _, text := range []string{"xyz" + word, "xyz" + word + "more than sixteen bytes of text"} {
			if keyOf(text, 3, 3+len(word)) != key {
				t.Errorf("the key of %q is another in %q", word, text)
			}
		}
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	text := strings.Repeat("It's the same text again, 中文 too.\n", 20)
	dst := GPT2().Encode(nil, text)
	for range 3 {
		dst = GPT2().Encode(dst[:0], text)
	}
	if n := testing.AllocsPerRun(20, func() { dst = GPT2().Encode(dst[:0], text) }); n != 0 {
		t.Errorf("Encode allocates %v times, want 0", n)
	}
}

// Several goroutines share one tokenizer whose cache is too small for the words they bring.
func TestEncodeConcurrently(t *testing.T) {
	tok, err := Load("testdata/english.json")
	if err != nil {
		t.Fatal(err)
	}
	count := 20000
	if testing.Short() {
		count = 2000
	}
	var group sync.WaitGroup
	for k := range uint64(4) {
		group.Go(func() {
			random := rand.New(rand.NewPCG(k%2, 5)) // two and two bring the same words
			for range count {
				word := make([]byte, 2+random.IntN(6))
				for i := range word {
					word[i] = byte('a' + random.IntN(26))
				}
				if got, want := tok.Encode(nil, string(word)), tok.appendMerged(nil, string(word)); !slices.Equal(got, want) {
					t.Errorf("Encode(%q) = %v, want %v", word, got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func FuzzRoundTrip(f *testing.F) {
	for _, seed := range []string{"", "Hello world", "\xff\xfe", "中\xe4\xb8", "a<|endoftext|>b", "  \u3000\n x", strings.Repeat("ab", 200)} {
		f.Add([]byte(seed))
	}
	trained, err := Load("testdata/chinese.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, tok := range []*Tokenizer{GPT2(), Bytes(), trained} {
			for _, encode := range []func([]int32, string) []int32{tok.Encode, tok.EncodeWithSpecial} {
				got, err := tok.Decode(nil, encode(nil, string(text)))
				if err != nil || string(got) != string(text) {
					t.Fatalf("%q came back as %q, %v", text, got, err)
				}
			}
		}
	})
}
