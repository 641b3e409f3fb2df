package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// formatVersion is the version of atoll's reading of config.json, under the key atoll_version. A file without that key is
// one of Hugging Face's own.
const formatVersion = 1

// Parse reads a Hugging Face GPT-2 config.json. What it leaves out is as in GPT-2 small; keys that do not change what is
// computed are ignored. A value of the wrong type, a size out of bounds or an option that changes the computation into
// one atoll does not have (another activation, attention scaled by layer, cross-attention, an untied head) is an error.
// A token id outside the vocabulary is read as NoToken where GPT-2's default of 50256 met a smaller vocabulary.
func Parse(text []byte) (Config, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return Config{}, fmt.Errorf("config: got an empty file, want a JSON object: copy the model's config.json again")
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil || keys == nil {
		return Config{}, fmt.Errorf("config: got no JSON object (%v), want a Hugging Face config.json: check the file", err)
	}
	f := &fields{keys: keys}
	c := f.config()
	if f.err != nil {
		return Config{}, f.err
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// config reads every key; the first error stays in f.err.
func (f *fields) config() Config {
	f.refuseUnsupported()
	c := small()
	c.Vocab = f.size(c.Vocab, "vocab_size")
	c.Positions = f.size(c.Positions, "n_positions", "max_position_embeddings")
	c.Width = f.size(c.Width, "n_embd", "hidden_size")
	c.Layers = f.size(c.Layers, "n_layer", "num_hidden_layers")
	c.Heads = f.size(c.Heads, "n_head", "num_attention_heads")
	c.Inner = 4 * c.Width
	if !f.null("n_inner") {
		c.Inner = f.size(c.Inner, "n_inner")
	}
	c.Epsilon = f.number("layer_norm_epsilon", c.Epsilon)
	c.EmbdDropout = f.number("embd_pdrop", c.EmbdDropout)
	c.ResidDropout = f.number("resid_pdrop", c.ResidDropout)
	c.AttnDropout = f.number("attn_pdrop", c.AttnDropout)
	c.InitRange = f.number("initializer_range", c.InitRange)
	c.EndOfText = f.token("eos_token_id", c.EndOfText, c.Vocab)
	c.PadToken = f.token("pad_token_id", c.PadToken, c.Vocab)
	c.Problem = f.problem()
	if c.Problem != LanguageModel {
		c.Labels = f.labels()
	}
	return c
}

// refuseUnsupported stops at options under which the same weights compute something else.
func (f *fields) refuseUnsupported() {
	if version := f.size(formatVersion, "atoll_version"); version != formatVersion {
		f.fail("atoll_version", strconv.Itoa(version), strconv.Itoa(formatVersion), "read it with the version of atoll that wrote it")
	}
	if kind := f.text("model_type", "gpt2"); kind != "gpt2" {
		f.fail("model_type", strconv.Quote(kind), `"gpt2"`, "give a GPT-2 model")
	}
	activation := f.text("activation_function", "gelu_new")
	if activation != "gelu_new" && activation != "gelu_pytorch_tanh" {
		f.fail("activation_function", strconv.Quote(activation), `"gelu_new" or "gelu_pytorch_tanh"`, "give a model trained with the tanh form of GELU")
	}
	for _, o := range []struct {
		key       string
		supported bool
	}{{"scale_attn_by_inverse_layer_idx", false}, {"add_cross_attention", false}, {"scale_attn_weights", true}} {
		if got := f.boolean(o.key, o.supported); got != o.supported {
			f.fail(o.key, strconv.FormatBool(got), strconv.FormatBool(o.supported), "give a model without this option")
		}
	}
	if !f.boolean("tie_word_embeddings", true) && f.problem() == LanguageModel {
		f.fail("tie_word_embeddings", "false", "true", "give a model whose head is its token embedding")
	}
}

// problem decides by architectures and, where that says nothing of the head, by the label keys.
func (f *fields) problem() Problem {
	head := LanguageModel
	var architectures []string
	f.read("architectures", "a list of names", &architectures)
	switch {
	case slices.Contains(architectures, "GPT2ForSequenceClassification"):
		head = SingleLabel
	case slices.Contains(architectures, "GPT2LMHeadModel"), slices.Contains(architectures, "GPT2Model"):
		return LanguageModel
	case len(architectures) > 0:
		f.fail("architectures", fmt.Sprintf("%q", architectures), "GPT2LMHeadModel, GPT2Model or GPT2ForSequenceClassification", "export the model with one of those heads")
	case !f.null("problem_type") || !f.null("id2label") || !f.null("num_labels"):
		head = SingleLabel
	}
	if head == LanguageModel || f.null("problem_type") {
		return head
	}
	switch kind := f.text("problem_type", ""); kind {
	case "single_label_classification":
		return SingleLabel
	case "multi_label_classification":
		return MultiLabel
	default:
		f.fail("problem_type", strconv.Quote(kind), `"single_label_classification" or "multi_label_classification"`, "train it with classes; regression is not supported")
		return head
	}
}

// labels returns id2label in order of id, or LABEL_0, LABEL_1, ... for num_labels (2 unless given) as Transformers does.
func (f *fields) labels() []string {
	if f.null("id2label") {
		count := 2
		if !f.null("num_labels") {
			count = f.size(count, "num_labels")
		}
		if count < 1 || count > maxLabels {
			f.fail("num_labels", strconv.Itoa(count), fmt.Sprintf("1 to %d", maxLabels), "correct it")
			return nil
		}
		labels := make([]string, count)
		for i := range labels {
			labels[i] = "LABEL_" + strconv.Itoa(i)
		}
		return labels
	}
	var byID map[string]string
	f.read("id2label", `an object such as {"0": "ham", "1": "spam"}`, &byID)
	labels := make([]string, len(byID))
	for i := range labels {
		label, ok := byID[strconv.Itoa(i)]
		if !ok {
			f.fail("id2label", fmt.Sprintf("%d labels without id %d", len(byID), i), fmt.Sprintf("ids 0 to %d", len(byID)-1), "number the labels from 0 without gaps")
			return nil
		}
		labels[i] = label
	}
	return labels
}

// JSON returns c as a config.json that transformers.AutoModelForCausalLM, or AutoModelForSequenceClassification where
// there are labels, loads as it is, and that Parse reads back to an equal Config. The weights' dtype is left out:
// Transformers then takes it from the weights.
func (c Config) JSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	keys := map[string]any{
		"atoll_version": formatVersion, "model_type": "gpt2", "architectures": []string{"GPT2LMHeadModel"},
		"vocab_size": c.Vocab, "n_positions": c.Positions, "n_ctx": c.Positions, "n_embd": c.Width,
		"n_layer": c.Layers, "n_head": c.Heads, "n_inner": nil, "activation_function": "gelu_new",
		"layer_norm_epsilon": c.Epsilon, "embd_pdrop": c.EmbdDropout, "resid_pdrop": c.ResidDropout,
		"attn_pdrop": c.AttnDropout, "initializer_range": c.InitRange,
		"bos_token_id": tokenOrNil(c.EndOfText), "eos_token_id": tokenOrNil(c.EndOfText), "pad_token_id": tokenOrNil(c.PadToken),
		"tie_word_embeddings": true, "use_cache": true,
	}
	if c.Inner != 4*c.Width {
		keys["n_inner"] = c.Inner
	}
	if c.Problem != LanguageModel {
		c.describeHead(keys)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(keys); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return out.Bytes(), nil
}

// describeHead adds the keys of a classifier.
func (c Config) describeHead(keys map[string]any) {
	keys["architectures"] = []string{"GPT2ForSequenceClassification"}
	keys["problem_type"] = "single_label_classification"
	if c.Problem == MultiLabel {
		keys["problem_type"] = "multi_label_classification"
	}
	names, ids := make(map[string]string, len(c.Labels)), make(map[string]int, len(c.Labels))
	for i, label := range c.Labels {
		names[strconv.Itoa(i)], ids[label] = label, i
	}
	keys["id2label"], keys["label2id"] = names, ids
}

func tokenOrNil(id int) any {
	if id == NoToken {
		return nil
	}
	return id
}
