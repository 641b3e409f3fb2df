package predict

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"atoll/engine"
	"atoll/model/gpt2"
)

// Sampling says how the next token is chosen, and how many.
type Sampling struct {
	MaxTokens   int     // new tokens at most
	Temperature float64 // logits are divided by it; 0 takes the likeliest token
	TopK        int     // only the k likeliest; 0 for all
	TopP        float64 // only the likeliest that together reach this probability; 0 or 1 for all
	Seed        uint64
}

// Validate names the first setting that is out of bounds.
func (s Sampling) Validate() error {
	switch {
	case s.MaxTokens < 1:
		return fmt.Errorf("%d new tokens, want at least 1 (--max-tokens)", s.MaxTokens)
	case !(s.Temperature >= 0):
		return fmt.Errorf("temperature is %g, want at least 0 (--temperature)", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("top-k is %d, want at least 0 (--top-k)", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return fmt.Errorf("top-p is %g, want between 0 and 1 (--top-p)", s.TopP)
	}
	return nil
}

// PromptChunk is how many tokens of a long prompt are read at one time.
const PromptChunk = 256

// readSizes are how many tokens the decoder's programs read at one time.
var readSizes = [...]int{1, 8, 64, PromptChunk}

// weightsInTokens says what running a program costs besides its tokens, of which padding costs as much as others: reading the weights takes
// as long as computing with some 20 tokens (AVX2, fp32) to 85 (AMX, bf16).
const weightsInTokens = 64

// decoder holds the programs that put tokens into one pair of caches, by the number of tokens; each is compiled when it is
// first wanted.
type decoder struct {
	programs [len(readSizes)]*engine.Program
	made     []*engine.Program // in the order of making: the caches are the first one's
	room     int               // positions of the caches
}

func (d *decoder) free() {
	for _, p := range slices.Backward(d.made) {
		p.Free()
	}
}

// Generate continues prompt and hands each piece of text to emit as it is made, whole characters at a time. It ends after
// MaxTokens, at <|endoftext|>, when ctx ends (without an error), or with emit's error. It returns the number of tokens made.
// When the model's positions are full it goes on from the later half of the text.
func (m *Model) Generate(ctx context.Context, prompt string, s Sampling, emit func(text []byte) error) (int, error) {
	if len(m.Config.Labels) > 0 {
		return 0, fmt.Errorf("%s is a classifier: generate needs a language model, such as the run it was fine-tuned from", m.Dir)
	}
	if err := s.Validate(); err != nil {
		return 0, err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.expect(s.MaxTokens + len(prompt)/(8*PromptChunk))
	if m.decoder == nil {
		m.decoder = &decoder{room: m.Config.Positions}
	}
	tokens := m.Tokenizer.Encode([]int32{m.Tokenizer.EndOfText()}, prompt) // documents begin with it in training
	out := &stream{tokenizer: m.Tokenizer, emit: emit}
	random := rand.New(rand.NewPCG(s.Seed, 0))
	read := 0 // tokens that are in the caches
	made := 0
	for ; made < s.MaxTokens && ctx.Err() == nil; made++ {
		if len(tokens) > m.decoder.room { // start again from the later half
			tokens, read = tokens[len(tokens)-max(1, m.decoder.room/2):], 0
		}
		logits, err := m.read(tokens, read)
		if err != nil {
			return made, err
		}
		if !finite(logits) {
			return made, fmt.Errorf("%s gives token %d logits that are no finite numbers: its weights are damaged", m.Dir, made)
		}
		read = len(tokens)
		next := s.choose(logits[:m.Tokenizer.VocabSize()], random)
		if next == m.Tokenizer.EndOfText() {
			break
		}
		if err := out.add(next); err != nil {
			return made, err
		}
		tokens = append(tokens, next)
	}
	return made, out.close()
}

// reader gives the program that reads the next of so many tokens, behind those in the caches, and how many it takes of them.
func (m *Model) reader(tokens, from int) (*engine.Program, int, error) {
	n := cheapestSize(tokens, m.decoder.room-from)
	p, err := m.decoderProgram(n)
	return p, min(tokens, readSizes[n]), err
}

// cheapestSize is the place in readSizes of the program that costs least for each token it reads of so many, where the caches have room for
// all it writes.
func cheapestSize(tokens, room int) int {
	chosen, least := 0, math.Inf(1)
	for n, size := range readSizes {
		if cost := float64(weightsInTokens+size) / float64(min(tokens, size)); cost < least && size <= room {
			chosen, least = n, cost
		}
	}
	return chosen
}

// decoderProgram compiles a program unless it is there.
func (m *Model) decoderProgram(n int) (*engine.Program, error) {
	d := m.decoder
	if d.programs[n] != nil {
		return d.programs[n], nil
	}
	graph, err := gpt2.BuildDecoder(m.Config, 1, readSizes[n])
	if err != nil {
		return nil, err
	}
	o := engine.Options{Precision: m.precision, Packing: m.packing}
	if len(d.made) > 0 {
		o.State = d.made[0].State()
	}
	p, err := engine.Compile(graph, m.store, o)
	if err != nil {
		return nil, err
	}
	d.programs[n], d.made = p, append(d.made, p)
	return p, nil
}

// read puts tokens[from:] into the caches and gives the logits after the last of them. A program that is not full leaves
// rows of padding behind it in the caches; the tokens that follow overwrite them before anything reads them.
func (m *Model) read(tokens []int32, from int) ([]float32, error) {
	var logits []float32
	for from < len(tokens) {
		p, n, err := m.reader(len(tokens)-from, from)
		if err != nil {
			return nil, err
		}
		clear(p.Ints(gpt2.Tokens))
		copy(p.Ints(gpt2.Tokens), tokens[from:from+n])
		p.Ints(gpt2.Lengths)[0], p.Ints(gpt2.Start)[0] = int32(n), int32(from)
		if err := p.Run(); err != nil {
			return nil, err
		}
		from += n
		logits = p.Floats(gpt2.Logits)
	}
	return logits, nil
}
