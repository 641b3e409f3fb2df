package predict

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"atoll/engine"
	"atoll/model"
	"atoll/model/gpt2"
)

// Prediction is what a classifier says of a text.
type Prediction struct {
	Scores    []float32 // by label: probabilities that sum to 1 for one label, one probability each for several
	Logits    []float32 // before softmax or sigmoid
	Tokens    int       // that were read
	Truncated bool      // the text is longer than the model reads; its beginning was read
}

// Best is the label with the highest score.
func (p Prediction) Best() int {
	best := 0
	for i, s := range p.Scores {
		if s > p.Scores[best] {
			best = i
		}
	}
	return best
}

// maxBatchTokens bounds a batch: enough rows that the products run at full speed, small enough to stay in cache and memory.
const maxBatchTokens = 2048

// Classify scores texts. The answers are in the order of the texts. It stops between batches when ctx ends.
func (m *Model) Classify(ctx context.Context, texts []string) ([]Prediction, error) {
	if len(m.Config.Labels) == 0 {
		return nil, fmt.Errorf("%s is a language model without labels: fine-tune it first (atoll finetune --from %s)", m.Dir, m.Dir)
	}
	documents := make([][]int32, len(texts))
	for i, t := range texts {
		documents[i] = m.Encode(t)
	}
	return m.ClassifyTokens(ctx, documents)
}

// Encode gives the tokens of a text as a classifier reads it. A text without tokens is read as <|endoftext|> alone.
func (m *Model) Encode(text string) []int32 {
	ids := m.Tokenizer.Encode(nil, text)
	if len(ids) == 0 {
		ids = append(ids, m.Tokenizer.EndOfText())
	}
	return ids
}

// ClassifyTokens scores documents that are tokens already. None may be empty.
func (m *Model) ClassifyTokens(ctx context.Context, documents [][]int32) ([]Prediction, error) {
	order, total := make([]int, len(documents)), 0
	for i := range order {
		order[i] = i
		total += len(documents[i])
		if len(documents[i]) == 0 {
			return nil, fmt.Errorf("document %d has no tokens: want at least one", i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(documents[a]), len(documents[b])) })
	predictions := make([]Prediction, len(documents))
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.expect((total + maxBatchTokens - 1) / maxBatchTokens)
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, sequence := m.nextBatch(documents, order)
		if err := m.classifyBatch(documents, order[:n], sequence, predictions); err != nil {
			return nil, err
		}
		order = order[n:]
	}
	return predictions, nil
}

// nextBatch says how many of the documents, shortest first, make the next batch, and the length they are padded to.
func (m *Model) nextBatch(documents [][]int32, order []int) (n, sequence int) {
	sequence = m.bucket(len(documents[order[0]]))
	rows := max(1, maxBatchTokens/sequence)
	for n < len(order) && n < rows && m.bucket(len(documents[order[n]])) == sequence {
		n++
	}
	return n, sequence
}

// bucket is the length to which a document of n tokens is padded: eight steps an octave, so that at most an eighth is
// padding beyond the first 16.
func (m *Model) bucket(n int) int {
	step := 16
	for step*16 < n {
		step *= 2
	}
	return min((n+step-1)/step*step, m.Config.Positions)
}

func (m *Model) compile(batch, sequence int) (*engine.Program, error) {
	graph, err := gpt2.Build(m.Config, gpt2.Spec{Batch: batch, Sequence: sequence})
	if err != nil {
		return nil, err
	}
	return engine.Compile(graph, m.store, engine.Options{Precision: m.precision, Packing: m.packing})
}

func (m *Model) classifyBatch(documents [][]int32, rows []int, sequence int, predictions []Prediction) error {
	batch := max(1, maxBatchTokens/sequence)
	for batch/2 >= len(rows) { // halves of the full batch: few shapes to compile, never more than half a batch of empty rows
		batch /= 2
	}
	p, err := m.program(batch, sequence)
	if err != nil {
		return err
	}
	tokens, lengths := p.Ints(gpt2.Tokens), p.Ints(gpt2.Lengths)
	clear(tokens)
	clear(lengths)
	for b, at := range rows {
		lengths[b] = int32(copy(tokens[b*sequence:(b+1)*sequence], documents[at]))
	}
	if err := p.Run(); err != nil {
		return err
	}
	logits, k := p.Floats(gpt2.Logits), len(m.Config.Labels)
	for b, at := range rows {
		row := slices.Clone(logits[b*k : (b+1)*k])
		if !finite(row) {
			return fmt.Errorf("%s gives document %d the logits %v, want finite numbers: its weights are damaged", m.Dir, at, row)
		}
		predictions[at] = Prediction{Logits: row, Scores: Scores(row, m.Config.Problem), Tokens: int(lengths[b]),
			Truncated: len(documents[at]) > sequence}
	}
	return nil
}

// finite reports whether no value is a NaN or an infinity.
func finite(values []float32) bool {
	return !slices.ContainsFunc(values, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) })
}

// Scores turns logits into probabilities: softmax for one label, a sigmoid each for several. Sums are in float64.
func Scores(logits []float32, problem model.Problem) []float32 {
	scores := make([]float32, len(logits))
	if problem == model.MultiLabel {
		for i, x := range logits {
			scores[i] = float32(1 / (1 + math.Exp(-float64(x))))
		}
		return scores
	}
	most, sum := math.Inf(-1), 0.0
	for _, x := range logits {
		most = max(most, float64(x))
	}
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	for i, x := range logits {
		scores[i] = float32(math.Exp(float64(x)-most) / sum)
	}
	return scores
}
