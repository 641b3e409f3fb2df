// Package gpt2 builds GPT-2 (Radford et al. 2019) as a gorgonia graph from a model.Config: with a language head or a
// classification head, for training, for scoring, or for decoding with caches of keys and values.
//
// It takes a Config and a batch shape and gives an op.Graph whose inputs, parameters and outputs have fixed names.
// Shape errors surface here, when the graph is built. Nothing is computed.
package gpt2

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"atoll/engine/op"
	"atoll/kernels"
	"atoll/model"
)

// Names of the inputs beside ir.StepInput and ir.SeedInput, and of the outputs beside "loss" and "rows".
const (
	Tokens  = "tokens"  // int32 [B, T]
	Targets = "targets" // language model: int32 [B, T], below 0 where there is none
	Lengths = "lengths" // int32 [B]: real tokens of each row
	Labels  = "labels"  // one label: int32 [B]; several: fp32 [B, K]
	Weights = "weights" // fp32 [K]: class weights, or weights of positive labels
	Start   = "start"   // int32 [1]: position of the first row, for decoding

	Logits = "logits" // language model: [B*T, V], decoding: fp32 [B, V]; classifier: fp32 [B, K]
	Hidden = "hidden" // [B*T, C] after the final layer norm
)

// Spec is what is built.
type Spec struct {
	Batch, Sequence int
	Loss            bool     // end in the loss
	Train           []string // parameters to differentiate for; with Loss
	Dropout         bool     // apply the config's dropout
	ClassWeights    bool     // the loss reads the input Weights
	Logits          bool     // language model: give the logits of every row and the hidden state, for verification
}

// builder carries what every layer needs, and the first error.
type builder struct {
	*op.Graph
	config model.Config
	spec   Spec
	salt   int
	length *gorgonia.Node // nil for a language model
	start  *gorgonia.Node // nil but for decoding
	err    error
}

// Build gives the graph of a model whose config has labels as a classifier, and of one without as a language model.
func Build(c model.Config, spec Spec) (*op.Graph, error) {
	b := newBuilder(c, spec)
	if len(c.Labels) > 0 {
		b.length = b.Input(Lengths, kernels.I32, spec.Batch)
		b.classifier(b.trunk())
	} else {
		b.languageModel(b.trunk())
	}
	if b.err == nil && len(spec.Train) > 0 {
		b.err = b.Differentiate(spec.Train...)
	}
	return b.finish()
}

func newBuilder(c model.Config, spec Spec) *builder {
	b := &builder{Graph: op.NewGraph(), config: c, spec: spec}
	if b.err = c.Validate(); b.err == nil && (spec.Batch < 1 || spec.Sequence < 1) {
		b.err = fmt.Errorf("batch is %d and sequence is %d, want at least 1 of each", spec.Batch, spec.Sequence)
	}
	for _, p := range c.Params() {
		b.Param(p.Name, p.Shape...)
	}
	return b
}

func (b *builder) finish() (*op.Graph, error) {
	if b.err != nil {
		return nil, fmt.Errorf("model graph for a batch of %d sequences of %d tokens: %w", b.spec.Batch, b.spec.Sequence, b.err)
	}
	return b.Graph, nil
}

// keep notes the first error, so that layers read as straight lines; after one, nodes are nil and nothing is added.
func (b *builder) keep(n *gorgonia.Node, err error) *gorgonia.Node {
	if err != nil && b.err == nil {
		b.err = err
	}
	return n
}

// trunk is the embeddings and the blocks: [B*T, C], before the final layer norm.
func (b *builder) trunk() *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	tokens := b.Input(Tokens, kernels.I32, b.spec.Batch, b.spec.Sequence)
	h := b.keep(op.Embed(tokens, b.Params["transformer.wte.weight"], b.Params["transformer.wpe.weight"], b.start))
	h = b.dropout(h, b.config.EmbdDropout)
	b.Blocks = append(b.Blocks, h)
	for l := range b.config.Layers {
		h = b.block(h, l)
		b.Blocks = append(b.Blocks, h)
	}
	return h
}

func (b *builder) block(h *gorgonia.Node, layer int) *gorgonia.Node {
	name := fmt.Sprintf("transformer.h.%d.", layer)
	a := b.norm(h, name+"ln_1")
	a = b.linear(a, name+"attn.c_attn", op.Identity)
	a = b.attention(a, layer)
	a = b.linear(a, name+"attn.c_proj", op.Identity)
	h = b.residual(h, b.dropout(a, b.config.ResidDropout))
	m := b.norm(h, name+"ln_2")
	m = b.linear(m, name+"mlp.c_fc", op.GELU)
	m = b.linear(m, name+"mlp.c_proj", op.Identity)
	return b.residual(h, b.dropout(m, b.config.ResidDropout))
}

func (b *builder) norm(x *gorgonia.Node, name string) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	return b.keep(op.LayerNorm(x, b.Params[name+".weight"], b.Params[name+".bias"], b.config.Epsilon))
}

func (b *builder) linear(x *gorgonia.Node, name string, activation op.Activation) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	return b.keep(op.Linear(x, b.Params[name+".weight"], b.Params[name+".bias"], false, activation))
}

func (b *builder) attention(qkv *gorgonia.Node, layer int) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	if b.start != nil {
		rows := b.spec.Batch * b.config.Positions
		keys := b.State(fmt.Sprintf("keys.%d", layer), rows, b.config.Width)
		values := b.State(fmt.Sprintf("values.%d", layer), rows, b.config.Width)
		return b.keep(op.CachedAttention(qkv, keys, values, b.start, b.spec.Batch, b.config.Heads))
	}
	spec := op.AttentionSpec{Batch: b.spec.Batch, Sequence: b.spec.Sequence, Heads: b.config.Heads, Lengths: b.length}
	if b.spec.Dropout && b.config.AttnDropout > 0 {
		spec.Dropout, spec.Seed, spec.Salt = b.config.AttnDropout, b.Seed(), b.nextSalt()
	}
	return b.keep(op.Attention(qkv, spec))
}

func (b *builder) dropout(x *gorgonia.Node, p float32) *gorgonia.Node {
	if b.err != nil || !b.spec.Dropout || p == 0 {
		return x
	}
	return b.keep(op.Dropout(x, b.Seed(), p, b.nextSalt()))
}

// nextSalt counts the dropouts of the model, so that each draws its own numbers.
func (b *builder) nextSalt() int {
	b.salt++
	return b.salt
}

func (b *builder) residual(x, y *gorgonia.Node) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	return b.keep(op.Residual(x, y))
}
