package predict

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"atoll/engine"
	"atoll/kernels/cpu"
	"atoll/model/bpe"
	"atoll/model/gpt2"
)

// generated is the text that m makes, and how many tokens it took.
func generated(t *testing.T, m *Model, prompt string, s Sampling) (string, int) {
	t.Helper()
	var text []byte
	n, err := m.Generate(t.Context(), prompt, s, func(piece []byte) error {
		text = append(text, piece...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text), n
}

// greedyByFullPasses continues prompt by a forward pass over the whole window for each token, without caches.
func greedyByFullPasses(t *testing.T, m *Model, prompt string, most int) string {
	t.Helper()
	tokens := m.Tokenizer.Encode([]int32{m.Tokenizer.EndOfText()}, prompt)
	var made []int32
	for range most {
		if len(tokens) > m.Config.Positions {
			tokens = tokens[len(tokens)-max(1, m.Config.Positions/2):]
		}
		g, err := gpt2.Build(m.Config, gpt2.Spec{Batch: 1, Sequence: len(tokens), Logits: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.Compile(g, m.store, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		copy(p.Ints(gpt2.Tokens), tokens)
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		last := p.Floats(gpt2.Logits)[(len(tokens)-1)*m.Config.Vocab:]
		best := 0
		for i, x := range last {
			if x > last[best] {
				best = i
			}
		}
		p.Free()
		if int32(best) == m.Tokenizer.EndOfText() {
			break
		}
		made, tokens = append(made, int32(best)), append(tokens, int32(best))
	}
	text, err := m.Tokenizer.Decode(nil, made)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGreedyEqualsFullPasses: the caches must not show, whether the prompt is empty, fills more than one chunk, or more than
// the model's positions, and when the window slides.
func TestGreedyEqualsFullPasses(t *testing.T) {
	d := open(t, cpu.Options{Threads: 2})
	for _, c := range []struct {
		name      string
		positions int
		prompt    string
		most      int
	}{
		{"empty prompt", 20, "", 10},
		{"window slides", 20, "hello", 40},
		{"two chunks", 150, strings.Repeat("a prompt ", 12), 8},
		{"chunks of all sizes", 400, strings.Repeat("a prompt ", 37), 3},
		{"prompt fills the window", 80, strings.Repeat("x", 79), 4},
		{"prompt beyond the window", 70, strings.Repeat("abc", 40), 6},
		{"one position", 1, "hello", 5},
		{"odd window", 3, "hello", 7},
	} {
		m := over(t, d, tiny(c.positions), nil)
		want := greedyByFullPasses(t, m, c.prompt, c.most)
		for range 2 { // again: the caches of the first text must not reach the second
			if got, n := generated(t, m, c.prompt, Sampling{MaxTokens: c.most}); got != want || n > c.most {
				t.Errorf("%s: %q in %d tokens, full passes give %q", c.name, got, n, want)
			}
		}
		if want == "" {
			t.Errorf("%s: nothing was made", c.name)
		}
	}
}

// TestReader: a prompt is read by the program that takes least for each of its tokens, and never past the caches' end.
func TestReader(t *testing.T) {
	m := over(t, open(t, cpu.Options{Threads: 1}), tiny(100), nil)
	m.decoder = &decoder{room: 100}
	for _, c := range []struct{ tokens, from, size, taken int }{
		{1, 0, 1, 1}, {2, 0, 8, 2}, {8, 5, 8, 8}, {9, 0, 8, 8}, {15, 0, 64, 15}, {64, 0, 64, 64}, {80, 0, 64, 64}, {16, 64, 8, 8}, {5, 95, 1, 1},
		{1, 99, 1, 1},
	} {
		p, taken, err := m.reader(c.tokens, c.from)
		if err != nil || len(p.Ints(gpt2.Tokens)) != c.size || taken != c.taken {
			t.Errorf("%d tokens from %d: a program of %d takes %d, %v, want %d and %d", c.tokens, c.from, len(p.Ints(gpt2.Tokens)), taken, err, c.size, c.taken)
		}
	}
	if len(m.decoder.made) != 3 {
		t.Errorf("%d programs were compiled, want each of 3 once", len(m.decoder.made))
	}
	for _, c := range []struct{ tokens, room, size int }{{160, 1000, 64}, {161, 1000, 256}, {161, 255, 64}, {900, 1000, 256}, {3, 2, 1}} {
		if size := readSizes[cheapestSize(c.tokens, c.room)]; size != c.size {
			t.Errorf("%d tokens in room for %d: a program of %d, want %d", c.tokens, c.room, size, c.size)
		}
	}
}

// TestSamplingEdges: what leaves one candidate is greedy; a seed gives one text, another seed another.
func TestSamplingEdges(t *testing.T) {
	m := over(t, open(t, cpu.Options{Threads: 1}), tiny(30), nil)
	greedy, _ := generated(t, m, "ab", Sampling{MaxTokens: 12})
	for name, s := range map[string]Sampling{"top-k 1": {Temperature: 1.5, TopK: 1}, "top-p tiny": {Temperature: 1.5, TopP: 1e-9},
		"temperature tiny": {Temperature: 1e-300}} {
		s.MaxTokens, s.Seed = 12, 5
		if got, _ := generated(t, m, "ab", s); got != greedy {
			t.Errorf("%s: %q, greedy %q", name, got, greedy)
		}
	}
	hot := Sampling{MaxTokens: 12, Temperature: 5, Seed: 1}
	first, _ := generated(t, m, "ab", hot)
	again, _ := generated(t, m, "ab", hot)
	hot.Seed = 2
	other, _ := generated(t, m, "ab", hot)
	if first != again || first == other || first == greedy {
		t.Errorf("seed 1 gives %q and %q, seed 2 %q, greedy %q", first, again, other, greedy)
	}
}

func TestChoose(t *testing.T) {
	tie := []float32{1, 3, 3, -2}
	for _, c := range []struct {
		name    string
		s       Sampling
		logits  []float32
		allowed []int32
	}{
		{"greedy takes the smaller id of a tie", Sampling{}, tie, []int32{1}},
		{"top-k 1 too", Sampling{Temperature: 1, TopK: 1}, tie, []int32{1}},
		{"top-k 2", Sampling{Temperature: 1, TopK: 2}, tie, []int32{1, 2}},
		{"top-k beyond the vocabulary", Sampling{Temperature: 100, TopK: 9}, tie, []int32{0, 1, 2, 3}},
		{"top-p of a half takes one of a tie", Sampling{Temperature: 1, TopP: 0.4}, tie, []int32{1}},
		{"top-p of two thirds takes both", Sampling{Temperature: 1, TopP: 0.66}, tie, []int32{1, 2}},
		{"top-p 1 is all", Sampling{Temperature: 100, TopP: 1}, tie, []int32{0, 1, 2, 3}},
		{"top-k before top-p", Sampling{Temperature: 100, TopK: 2, TopP: 0.99}, tie, []int32{1, 2}},
		{"infinitely unlikely", Sampling{Temperature: 1}, []float32{float32(math.Inf(-1)), 0, float32(math.Inf(-1))}, []int32{1}},
		{"infinite temperature", Sampling{Temperature: math.Inf(1)}, tie, []int32{0, 1, 2, 3}},
	} {
		random := rand.New(rand.NewPCG(1, 1))
		seen := map[int32]bool{}
		for range 300 {
			seen[c.s.choose(c.logits, random)] = true
		}
		for _, id := range c.allowed {
			if !seen[id] {
				t.Errorf("%s: token %d was never drawn", c.name, id)
			}
			delete(seen, id)
		}
		if len(seen) > 0 {
			t.Errorf("%s: drew %v, want %v only", c.name, seen, c.allowed)
		}
	}
}

// TestChooseDrawsByProbability counts 20,000 draws against the softmax.
func TestChooseDrawsByProbability(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	logits := []float32{0, float32(math.Log(2)), float32(math.Log(5))}
	var count [3]int
	for range 20000 {
		count[Sampling{Temperature: 1}.choose(logits, random)]++
	}
	for i, p := range []float64{1.0 / 8, 2.0 / 8, 5.0 / 8} {
		if got := float64(count[i]) / 20000; math.Abs(got-p) > 0.015 {
			t.Errorf("token %d was drawn with frequency %g, want %g", i, got, p)
		}
	}
}

func TestSamplingIsChecked(t *testing.T) {
	for flag, s := range map[string]Sampling{"--max-tokens": {}, "--temperature": {MaxTokens: 1, Temperature: -1}, "--top-k": {MaxTokens: 1, TopK: -1},
		"--top-p": {MaxTokens: 1, TopP: 1.5}} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%+v: %v, want an error with %s", s, err, flag)
		}
	}
	if err := (Sampling{MaxTokens: 1, Temperature: math.NaN()}).Validate(); err == nil {
		t.Error("a temperature of NaN passed")
	}
}

// TestStreamEmitsWholeCharacters gives the stream one byte at a time: every piece but a broken one is valid by itself, and
// nothing is lost, whatever the bytes are.
func TestStreamEmitsWholeCharacters(t *testing.T) {
	for _, text := range []string{"plain", "żółć", "日本語 and 🙂!", "\xff\xfe broken \xe6\x97", "\x80\x80\x80\x80\x80", "é\xf0\x9f\x99"} {
		var pieces [][]byte
		s := &stream{tokenizer: bpe.Bytes(), emit: func(piece []byte) error {
			pieces = append(pieces, append([]byte{}, piece...))
			return nil
		}}
		for _, id := range bpe.Bytes().Encode(nil, text) {
			if err := s.add(id); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, piece := range pieces {
			if all += string(piece); utf8.ValidString(text) && !utf8.Valid(piece) {
				t.Errorf("%q: the piece %q is not whole", text, piece)
			}
			if len(piece) == 0 {
				t.Errorf("%q: an empty piece", text)
			}
		}
		if all != text {
			t.Errorf("%q came out as %q", text, all)
		}
	}
}

// TestGenerateEnds with its context, without an error, and with emit's error.
func TestGenerateEnds(t *testing.T) {
	m := over(t, open(t, cpu.Options{Threads: 1}), tiny(30), nil)
	ctx, cancel := context.WithCancel(t.Context())
	pieces := 0
	n, err := m.Generate(ctx, "ab", Sampling{MaxTokens: 1000}, func([]byte) error {
		if pieces++; pieces == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || n < 3 || n > 20 {
		t.Errorf("%d tokens after the context ended, %v", n, err)
	}
	full := errors.New("disk full")
	if _, err := m.Generate(t.Context(), "ab", Sampling{MaxTokens: 1000}, func([]byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v, want emit's error", err)
	}
}
