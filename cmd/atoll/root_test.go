package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"atoll/model"
)

// Every command must show how it is called, and every example must name flags that exist.
func TestHelpHasExamples(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		code, out, errs := command(t, "", args...)
		if code != exitDone || errs != "" || !strings.Contains(out, "Usage:") {
			t.Errorf("atoll %s: exit %d, stderr %q, want 0 and the usage on standard output", strings.Join(args, " "), code, errs)
		}
		if c.HasParent() && !strings.Contains(out, "Examples:\n  "+c.CommandPath()) && !strings.Contains(out, "| "+c.CommandPath()) {
			t.Errorf("%s --help has no example", c.CommandPath())
		}
		for word := range strings.FieldsSeq(c.Example) {
			name, isFlag := strings.CutPrefix(word, "--")
			name, _, _ = strings.Cut(name, "=")
			if isFlag && !knowsFlag(c, name) {
				t.Errorf("%s: the example has --%s, which is no flag of it", c.CommandPath(), name)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(streams{}))
}

// knowsFlag looks among the flags of c and of the commands below it, whose examples it may show.
func knowsFlag(c *cobra.Command, name string) bool {
	if c.Flags().Lookup(name) != nil {
		return true
	}
	for _, sub := range c.Commands() {
		if knowsFlag(sub, name) {
			return true
		}
	}
	return false
}

func TestWrongUsageExits2(t *testing.T) {
	for _, args := range [][]string{
		{"clasify"}, {"--flag"}, {"classify", "--modle", "x"}, {"inspect", "modle"}, {"inspect", "model"}, {"bench", "all"}, {"bench", "train", "x"},
		{"generate", "x"}, {"verify"}, {"version", "x"}, {"prepare"}, {"pretrain", "--steps", "many"}, {"finetune"}, {"export"}, {"classify", "--threads", "many"},
		{"generate", "--temperature", "-1"}, {"generate", "--max-tokens", "0"}, {"bench", "train", "--steps", "0"}, {"bench", "train", "--batch", "0"},
		{"inspect", "program", "--train", "--decode"}, {"tokenize", "--train", "x"}, {"tokenize", "--out", "x"}, {"export", "--model", "x", "--out", "y", "--format", "onnx"},
	} {
		code, out, errs := command(t, "", args...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errs, "atoll: ") || strings.Count(errs, "\n") != 1 {
			t.Errorf("atoll %s: exit %d, stdout %q, stderr %q; want 2 and one line that begins with atoll:", strings.Join(args, " "), code, out, errs)
		}
	}
}

func TestFailureExits1(t *testing.T) {
	for _, args := range [][]string{
		{"inspect", "model", "absent"}, {"inspect", "data", "absent"}, {"inspect", "run", "absent"}, {"generate", "--model", "absent"},
		{"export", "--model", "absent", "--out", "x"}, {"verify", "absent"}, {"tokenize", "--tokenizer", "absent"}, {"tokenize", "absent"},
		{"bench", "train", "--model", "absent.json"}, {"prepare", "--input", "absent", "--out", "x"}, {"bench", "tokenize", "absent"},
		{"pretrain", "--data", "absent", "--out", "x", "--steps", "1", "--model", "mini"},
	} {
		code, out, errs := command(t, "", args...)
		if code != exitFailed || out != "" || !strings.HasPrefix(errs[strings.LastIndex(errs[:max(len(errs)-1, 0)], "\n")+1:], "atoll: ") {
			t.Errorf("atoll %s: exit %d, stdout %q, stderr %q; want 1 and a last line that begins with atoll:", strings.Join(args, " "), code, out, errs)
		}
	}
}

func TestConfigFile(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made := func(args ...string) int {
		var result generated
		parseJSON(t, mustRun(t, "", append([]string{"generate", "--json"}, args...)...), &result)
		return result.Tokens
	}
	path := write("model: " + dir + "\nmax-tokens: 3\ntemperature: 0\n")
	if n := made("--config", path); n > 3 {
		t.Errorf("%d tokens, the file says 3 at most", n)
	}
	if n := made("--config", path, "--max-tokens", "1"); n > 1 {
		t.Errorf("%d tokens, the command line says 1 at most", n)
	}
	for text, says := range map[string]string{"max-token: 3\n": "max-token", "max-tokens: few\n": "few", "- 1\n": "config.yaml"} {
		code, _, errs := command(t, "", "generate", "--model", dir, "--config", write(text))
		if code == exitDone || !strings.Contains(errs, says) {
			t.Errorf("config %q: exit %d, %q; want an error with %q", text, code, errs, says)
		}
	}
}

// With --json a command writes one JSON document, whatever its text form is.
func TestJSONOutputsParse(t *testing.T) {
	lm, classifier := writeModel(t, tinyConfig(model.LanguageModel)), writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	rows := filepath.Join(t.TempDir(), "rows.csv")
	var text strings.Builder
	text.WriteString("text,label\n")
	for range 20 {
		text.WriteString("some words,a\nother ones,b\n")
	}
	if err := os.WriteFile(rows, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	dataset, run := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "run")
	shape := []string{"--model", lm, "--batch", "2", "--seq", "8", "--json"}
	for _, args := range [][]string{
		{"version", "--json"},
		{"prepare", "--input", rows, "--task", "classify", "--tokenizer", "bytes", "--out", dataset, "--json"},
		{"finetune", "--data", dataset, "--from", lm, "--out", run, "--epochs", "1", "--batch", "4", "--seq", "16", "--warmup", "0", "--json"},
		{"inspect", "model", lm, "--tensors", "--json"}, {"inspect", "model", classifier, "--verify", "--json"}, {"inspect", "model", "gpt2-xl", "--json"},
		{"inspect", "data", dataset, "--verify", "--json"}, {"inspect", "run", run, "--json"},
		append([]string{"inspect", "program", "--train", "--plan"}, shape...), append([]string{"inspect", "program", "--decode"}, shape...),
		append([]string{"inspect", "program"}, shape...), append([]string{"inspect", "program", "--labels", "3"}, shape...),
		{"generate", "--model", lm, "--prompt", "x", "--max-tokens", "4", "--json"},
		{"export", "--model", classifier, "--out", filepath.Join(t.TempDir(), "hf"), "--json"},
		{"tokenize", "--train", rows, "--vocab", "260", "--out", filepath.Join(t.TempDir(), "bpe"), "--json"},
	} {
		var document any
		parseJSON(t, mustRun(t, "", args...), &document)
		if _, isObject := document.(map[string]any); !isObject {
			t.Errorf("atoll %s: %T, want one object", strings.Join(args, " "), document)
		}
	}
}
