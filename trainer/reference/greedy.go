package reference

import (
	"fmt"

	"atoll/engine"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/gpt2"
)

// greedy continues the first half of batch 0 with the likeliest token each time, reading against caches, and counts the
// tokens that differ from the stored ones. In half precision a near tie may go the other way, after which everything
// differs: the count is compared in fp32 only.
func (r *run) greedy() error {
	if r.config.Problem != model.LanguageModel || r.precision != kernels.F32 {
		return nil
	}
	want, shape, err := r.ints("greedy")
	if err != nil {
		return err
	}
	prompt, total := r.sequence/2, shape[1]
	first, err := r.decoder(prompt, nil)
	if err != nil {
		return err
	}
	defer first.Free()
	next, err := r.decoder(1, first.State())
	if err != nil {
		return err
	}
	defer next.Free()
	check := Check{Name: "lm greedy ids"}
	program, tokens := first, make([][]int32, r.batch)
	for b := range tokens {
		tokens[b] = append([]int32(nil), r.inputs[b*r.sequence:b*r.sequence+prompt]...)
	}
	for at := 0; len(tokens[0]) < total; {
		t := len(program.Ints(gpt2.Tokens)) / r.batch
		for b := range tokens {
			copy(program.Ints(gpt2.Tokens)[b*t:], tokens[b][at:])
			program.Ints(gpt2.Lengths)[b] = int32(t)
		}
		program.Ints(gpt2.Start)[0] = int32(at)
		if err := program.Run(); err != nil {
			return err
		}
		at += t
		for b := range tokens {
			tokens[b] = append(tokens[b], argmax(program.Floats(gpt2.Logits)[b*r.config.Vocab:(b+1)*r.config.Vocab]))
		}
		program = next
	}
	for b := range tokens {
		for t, id := range tokens[b] {
			if id != want[b*total+t] {
				check.Error++
				if check.Worst == "" {
					check.Worst = fmt.Sprintf("greedy[%d,%d]: got %d, stored %d", b, t, id, want[b*total+t])
				}
			}
		}
	}
	r.checks = append(r.checks, check)
	return nil
}

func (r *run) decoder(tokens int, state *engine.State) (*engine.Program, error) {
	graph, err := gpt2.BuildDecoder(r.config, r.batch, tokens)
	if err != nil {
		return nil, err
	}
	return engine.Compile(graph, r.store, engine.Options{Precision: r.precision, State: state})
}

func argmax(values []float32) int32 {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return int32(best)
}
