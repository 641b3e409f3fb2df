package bpe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// minPairs is how often a pair must occur to become a token.
const minPairs = 2

// ctxEvery is how many merge rules are learned between two looks at the context.
const ctxEvery = 64

// TrainOptions says what Train learns.
type TrainOptions struct {
	// VocabSize is the number of ids wanted, 257 (256 bytes and <|endoftext|>) at least.
	VocabSize int
	// MaxWords bounds the distinct words held while counting; 0 means 2^20, with which training took 520 MB at most on 50 MB of
	// random Chinese. Beyond it the rarest words are cut in halves, see Train.
	MaxWords int
}

// Train learns a byte-level BPE from texts: words are counted, split as Encode splits them, then the most frequent pair
// of neighbouring tokens becomes a new token, again and again. Of pairs equally frequent the one with the smaller left id,
// then the smaller right id, is taken, so the result depends on nothing but the texts; it equals that of Hugging Face's
// BpeTrainer with the byte-level alphabet and min_frequency 2. Ids are laid out as in GPT-2: the bytes, the learned
// tokens, <|endoftext|> last.
//
// Memory is bounded by TrainOptions.MaxWords and not by the corpus: words longer than 256 bytes are cut at a character,
// and when there are too many distinct words the rarest are cut in halves. Nothing of the corpus is left out of the
// counts.
//
// An error that texts yields ends the training, as does ctx. A corpus too small for VocabSize gives a smaller
// vocabulary; compare VocabSize afterwards. A corpus without any text is an error.
func Train(ctx context.Context, texts iter.Seq2[string, error], options TrainOptions) (*Tokenizer, error) {
	if options.VocabSize < 257 || options.VocabSize > maxVocab {
		return nil, fmt.Errorf("tokenizer training: vocabulary of %d, want 257 (256 bytes and %s) to %d",
			options.VocabSize, endOfText, maxVocab)
	}
	if options.MaxWords < 0 {
		return nil, fmt.Errorf("tokenizer training: at most %d words, want a positive number, or 0 for 2^20", options.MaxWords)
	}
	if options.MaxWords == 0 {
		options.MaxWords = 1 << 20
	}
	table := newWordTable(options.MaxWords)
	for text, err := range texts {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("tokenizer training: %w", err)
		}
		table.addText(text)
	}
	if len(table.words) == 0 {
		return nil, errors.New("tokenizer training: the texts are all empty, want text to learn from")
	}
	l := newLearner(table.words)
	for k := 0; len(l.tokens) < options.VocabSize-1 && l.step(); k++ {
		if k%ctxEvery == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("tokenizer training: %w", ctx.Err())
		}
	}
	return withEndOfText(l.tokens, l.rules), nil
}

// Lines gives the lines of r as texts to train on, their line ends included; a line longer than 1 MiB comes in pieces.
func Lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b := bufio.NewReaderSize(r, 1<<20)
		for {
			line, err := b.ReadSlice('\n')
			if len(line) > 0 && !yield(string(line), nil) {
				return
			}
			if err == nil || errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if !errors.Is(err, io.EOF) {
				yield("", err)
			}
			return
		}
	}
}
