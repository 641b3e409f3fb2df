package main

import (
	"strings"
	"testing"

	"atoll/model"
)

func TestGenerate(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	ask := func(more ...string) generated {
		t.Helper()
		var r generated
		parseJSON(t, mustRun(t, "", append([]string{"generate", "--model", dir, "--prompt", "中 prompt", "--precision", "fp32", "--json"}, more...)...), &r)
		return r
	}
	first := ask("--max-tokens", "50", "--seed", "7")
	if again := ask("--max-tokens", "50", "--seed", "7"); again.Text != first.Text || again.Tokens != first.Tokens {
		t.Errorf("the same seed gives %q, then %q", first.Text, again.Text)
	}
	if other := ask("--max-tokens", "50", "--seed", "8"); other.Text == first.Text {
		t.Errorf("another seed gives the same %d tokens", first.Tokens)
	}
	if first.Prompt != "中 prompt" || first.TokensPerSecond <= 0 {
		t.Errorf("prompt %q and %v tokens a second, want the prompt and a rate", first.Prompt, first.TokensPerSecond)
	}
	greedy := ask("--max-tokens", "20", "--temperature", "0")
	if one := ask("--max-tokens", "20", "--top-k", "1", "--seed", "3"); one.Text != greedy.Text {
		t.Errorf("the likeliest token of one gives %q, temperature 0 %q", one.Text, greedy.Text)
	}
	if tiny := ask("--max-tokens", "20", "--top-p", "1e-9", "--seed", "3"); tiny.Text != greedy.Text {
		t.Errorf("the smallest nucleus gives %q, temperature 0 %q", tiny.Text, greedy.Text)
	}
}

func TestGenerateWritesTheText(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	args := []string{"generate", "--model", dir, "--max-tokens", "12", "--seed", "5", "--precision", "fp32"}
	var r generated
	parseJSON(t, mustRun(t, "", append(args, "--json")...), &r)
	if text := mustRun(t, "", args...); strings.ToValidUTF8(text, "") != strings.ReplaceAll(r.Text, "\ufffd", "")+"\n" {
		t.Errorf("text is %q, in JSON it is %q", text, r.Text)
	}
}

func TestGenerateNeedsALanguageModel(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	code, _, errs := command(t, "", "generate", "--model", dir, "--prompt", "x")
	if code != exitFailed || !strings.Contains(errs, "is a classifier") {
		t.Errorf("exit %d, %q; want 1 and that it is a classifier", code, errs)
	}
}
