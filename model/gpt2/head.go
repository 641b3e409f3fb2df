package gpt2

import (
	"gorgonia.org/gorgonia"

	"atoll/engine/op"
	"atoll/kernels"
	"atoll/model"
)

// languageModel ends in the tied head: its loss, or its logits.
func (b *builder) languageModel(h *gorgonia.Node) {
	h = b.norm(h, "transformer.ln_f")
	if b.err != nil {
		return
	}
	wte := b.Params["transformer.wte.weight"]
	if b.spec.Loss {
		targets := b.Input(Targets, kernels.I32, b.spec.Batch, b.spec.Sequence)
		b.Loss = b.keep(op.HeadLoss(h, wte, targets, b.Step()))
	}
	if b.spec.Logits {
		b.Outputs[Hidden] = h
		b.Outputs[Logits] = b.keep(op.Linear(h, wte, nil, true, op.Identity))
	}
}

// classifier reads each sequence at its last real token. Pooling before the final norm gives the same numbers as after
// it, since the norm works on rows, and leaves it B rows instead of B*T.
func (b *builder) classifier(h *gorgonia.Node) {
	if b.err != nil {
		return
	}
	pooled := b.norm(b.keep(op.Pool(h, b.length)), "transformer.ln_f")
	if b.err != nil {
		return
	}
	logits := b.keep(op.Linear(pooled, b.Params["score.weight"], nil, true, op.Identity))
	b.Outputs[Logits] = logits
	if b.err != nil || !b.spec.Loss {
		return
	}
	var weights *gorgonia.Node
	if b.spec.ClassWeights {
		weights = b.Input(Weights, kernels.F32, len(b.config.Labels))
	}
	if b.config.Problem == model.MultiLabel {
		labels := b.Input(Labels, kernels.F32, b.spec.Batch, len(b.config.Labels))
		b.Loss = b.keep(op.BinaryLoss(logits, labels, weights, b.Step()))
		return
	}
	b.Loss = b.keep(op.ClassLoss(logits, b.Input(Labels, kernels.I32, b.spec.Batch), weights, b.Step()))
}

// BuildDecoder gives the graph that continues texts: spec.Sequence new tokens a row from position Start on, read against
// the caches of what came before, and the fp32 logits after the last of them (Lengths says which that is).
func BuildDecoder(c model.Config, batch, tokens int) (*op.Graph, error) {
	b := newBuilder(c, Spec{Batch: batch, Sequence: tokens})
	b.start = b.Input(Start, kernels.I32, 1)
	h := b.trunk()
	if b.err != nil {
		return b.finish()
	}
	last := b.norm(b.keep(op.Pool(h, b.Input(Lengths, kernels.I32, batch))), "transformer.ln_f")
	if b.err != nil {
		return b.finish()
	}
	b.Outputs[Logits] = b.keep(op.Linear(last, b.Params["transformer.wte.weight"], nil, true, op.Identity))
	return b.finish()
}
