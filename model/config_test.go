package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The counts are Hugging Face's num_parameters() for the four published sizes (tied head counted once).
func TestNamedParamCounts(t *testing.T) {
	for name, want := range map[string]int{
		"gpt2": 124439808, "gpt2-medium": 354823168, "gpt2-large": 774030080, "gpt2-xl": 1557611200,
	} {
		c, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := c.ParamCount(); got != want {
			t.Errorf("%s: %d parameters, want %d", name, got, want)
		}
	}
	if _, err := Named("gpt3"); err == nil || !strings.Contains(err.Error(), "gpt2-medium") {
		t.Errorf("Named(gpt3): %v, want an error that lists the names", err)
	}
}

func TestParseDefaults(t *testing.T) {
	small, err := Named("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		want       func(c *Config)
	}{
		{"nothing given", `{}`, func(c *Config) {}},
		{"unknown keys", `{"task_specific_params": {"x": [1]}, "transformers_version": "9"}`, func(c *Config) {}},
		{"width sets the MLP", `{"n_embd": 48, "n_head": 3, "n_inner": null}`, func(c *Config) { c.Width, c.Heads, c.Inner = 48, 3, 192 }},
		{"own MLP", `{"n_inner": 100}`, func(c *Config) { c.Inner = 100 }},
		{"aliases", `{"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "max_position_embeddings": 8}`,
			func(c *Config) { c.Width, c.Heads, c.Layers, c.Positions, c.Inner = 64, 4, 2, 8, 256 }},
		{"default end of text outside the vocabulary", `{"vocab_size": 256, "eos_token_id": 50256}`, func(c *Config) { c.Vocab, c.EndOfText = 256, NoToken }},
		{"tokens null, list", `{"eos_token_id": [7, 8], "pad_token_id": null}`, func(c *Config) { c.EndOfText = 7 }},
		{"two labels by default", `{"architectures": ["GPT2ForSequenceClassification"]}`,
			func(c *Config) { c.Problem, c.Labels = SingleLabel, []string{"LABEL_0", "LABEL_1"} }},
		{"label count", `{"num_labels": 3, "problem_type": "multi_label_classification"}`,
			func(c *Config) { c.Problem, c.Labels = MultiLabel, []string{"LABEL_0", "LABEL_1", "LABEL_2"} }},
		{"labels of a language model do not count", `{"architectures": ["GPT2LMHeadModel"], "id2label": {"0": "a", "1": "b"}}`, func(c *Config) {}},
		{"classifier with an untied head", `{"architectures": ["GPT2ForSequenceClassification"], "tie_word_embeddings": false, "id2label": {"1": "b", "0": "a"}}`,
			func(c *Config) { c.Problem, c.Labels = SingleLabel, []string{"a", "b"} }},
	}
	for _, test := range tests {
		want := small
		test.want(&want)
		if got, err := Parse([]byte(test.text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", test.name, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty", " \n", "empty"},
		{"not JSON", `{"n_layer": `, "JSON"},
		{"not an object", `[1]`, "JSON object"},
		{"null", `null`, "JSON object"},
		{"trailing text", `{} {}`, "JSON object"},
		{"wrong type", `{"n_layer": "12"}`, "n_layer: got \"12\", want a whole number"},
		{"fraction", `{"n_layer": 1.5}`, "n_layer"},
		{"null size", `{"vocab_size": null}`, "vocab_size: got null"},
		{"no vocabulary", `{"vocab_size": 0}`, "vocab_size: got 0"},
		{"negative", `{"n_positions": -3}`, "n_positions: got -3"},
		{"huge", `{"n_layer": 1000000000}`, "n_layer"},
		{"out of int", `{"n_layer": 1e40}`, "n_layer"},
		{"heads", `{"n_embd": 10, "n_head": 3}`, "n_head: got 3 heads for n_embd 10"},
		{"aliases differ", `{"n_embd": 768, "hidden_size": 64}`, "hidden_size: got 64, want 768"},
		{"dropout", `{"attn_pdrop": 1}`, "attn_pdrop: got 1"},
		{"epsilon", `{"layer_norm_epsilon": 0}`, "layer_norm_epsilon: got 0"},
		{"epsilon vanishes in float32", `{"layer_norm_epsilon": 1e-60}`, "layer_norm_epsilon: got 0"},
		{"end of text", `{"vocab_size": 300, "eos_token_id": 301}`, "eos_token_id: got 301, want 0 to 299"},
		{"pad", `{"pad_token_id": 50257}`, "pad_token_id: got 50257"},
		{"pad type", `{"pad_token_id": "x"}`, "pad_token_id"},
		{"other model", `{"model_type": "llama"}`, `model_type: got "llama", want "gpt2"`},
		{"activation", `{"activation_function": "relu"}`, `activation_function: got "relu"`},
		{"inverse layer", `{"scale_attn_by_inverse_layer_idx": true}`, "scale_attn_by_inverse_layer_idx: got true, want false"},
		{"unscaled", `{"scale_attn_weights": false}`, "scale_attn_weights"},
		{"cross-attention", `{"add_cross_attention": true}`, "add_cross_attention"},
		{"untied", `{"tie_word_embeddings": false}`, "tie_word_embeddings"},
		{"version", `{"atoll_version": 2}`, "atoll_version: got 2, want 1"},
		{"other head", `{"architectures": ["GPT2ForTokenClassification"]}`, "architectures"},
		{"regression", `{"num_labels": 2, "problem_type": "regression"}`, `problem_type: got "regression"`},
		{"one class", `{"num_labels": 1}`, "id2label: got 1 labels, want 2"},
		{"no class", `{"num_labels": -1}`, "num_labels: got -1"},
		{"label gap", `{"id2label": {"0": "a", "2": "b"}}`, "id2label: got 2 labels without id 1"},
		{"label twice", `{"id2label": {"0": "a", "1": "a"}}`, `both "a"`},
		{"label empty", `{"id2label": {"0": "a", "1": ""}}`, "non-empty"},
		{"labels a list", `{"id2label": ["a", "b"]}`, "id2label"},
	} {
		if c, err := Parse([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %+v, %v, want an error with %q", test.name, c, err, test.want)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	c, err := Named("mini")
	if err != nil {
		t.Fatal(err)
	}
	c.Inner, c.PadToken, c.Epsilon = 300, 17, 3e-6
	classifier := c
	classifier.Problem, classifier.Labels = MultiLabel, []string{"体育", "<b> & \"c\"", "x"}
	for _, want := range []Config{c, classifier} {
		text, err := want.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v\nfrom %s", got, err, want, text)
		}
	}
	if _, err := (Config{}).JSON(); err == nil {
		t.Error("the zero Config was written, want an error")
	}
}

// testdata/*.json were written by Transformers 5.23.0 (GPT2Config.save_pretrained).
func TestParseTransformersFiles(t *testing.T) {
	base := Config{
		Vocab: 320, Positions: 64, Width: 64, Layers: 2, Heads: 4, Inner: 256,
		Epsilon: 1e-5, InitRange: 0.02, EndOfText: 319, PadToken: 319,
	}
	for file, problem := range map[string]Problem{"lm": LanguageModel, "classify": SingleLabel, "multilabel": MultiLabel} {
		text, err := os.ReadFile(filepath.Join("testdata", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		want := base
		want.Problem = problem
		if problem != LanguageModel {
			want.Labels = []string{"LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"}
		}
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", file, got, err, want)
		}
		holdKeys(t, file, text, got)
	}
}

// holdKeys checks that each key atoll writes for c has the value that Transformers wrote for the same model.
func holdKeys(t *testing.T, file string, text []byte, c Config) {
	t.Helper()
	written, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(written, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for key, value := range got {
		if key == "atoll_version" || key == "n_ctx" {
			continue // atoll's own, and one that old readers want
		}
		if !reflect.DeepEqual(value, want[key]) {
			t.Errorf("%s: %s: wrote %v, Transformers %v", file, key, value, want[key])
		}
	}
}

// FuzzConfig: no text makes Parse panic, and what it accepts is written and read back unchanged.
func FuzzConfig(f *testing.F) {
	for _, name := range []string{"lm", "classify", "multilabel"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"num_labels": 3, "eos_token_id": [1], "n_inner": 7, "hidden_size": 12}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if c.ParamCount() <= 0 {
			t.Fatalf("%+v has %d parameters", c, c.ParamCount())
		}
		written, err := c.JSON()
		if err != nil {
			t.Fatalf("a parsed config cannot be written: %v", err)
		}
		if again, err := Parse(written); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v was read back as %+v, %v", c, again, err)
		}
	})
}
