package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/model/bpe"
)

// What is encoded must come back byte by byte, whatever the bytes are.
func TestTokenizeRoundTrip(t *testing.T) {
	lines := append([]string{"nul \x00 byte", "not UTF-8 \xff\xfe", "a\rreturn inside", strings.Repeat("x", 1<<20)}, odd...)
	text := strings.Join(lines, "\n") + "\n"
	for _, name := range []string{"gpt2", "bytes"} {
		ids := mustRun(t, text, "tokenize", "--tokenizer", name)
		if n := len(parseLines(t, ids)); n != len(lines) {
			t.Errorf("%s: %d rows, want %d", name, n, len(lines))
		}
		if back := mustRun(t, ids, "tokenize", "--tokenizer", name, "--decode"); back != text {
			t.Errorf("%s: %d bytes come back, want the same %d", name, len(back), len(text))
		}
	}
}

func TestTokenizeIDs(t *testing.T) {
	for _, c := range []struct{ name, text, args, want string }{
		{"line", "Hello world\n", "", "[15496 995]"}, // the ids of tiktoken's gpt2
		{"no line end", "Hello world", "", "[15496 995]"},
		{"carriage return", "Hello world\r\n", "", "[15496 995]"},
		{"JSON", `{"text":"Hello world"}`, "", "[15496 995]"},
		{"named field", `{"body":"Hello world"}`, "--text=body", "[15496 995]"},
		{"CSV", "id,text\n1,Hello world\n", "--format=csv", "[15496 995]"},
		{"bytes", "hi", "--tokenizer=bytes", "[104 105]"},
		{"end of text", "<|endoftext|>", "", fmt.Sprint(bpe.GPT2().Encode(nil, "<|endoftext|>"))},
	} {
		rows := parseLines(t, mustRun(t, c.text, append([]string{"tokenize"}, strings.Fields(c.args)...)...))
		if len(rows) != 1 || fmt.Sprint(rows[0]["ids"]) != c.want {
			t.Errorf("%s: %v, want %s", c.name, rows, c.want)
		}
	}
}

func TestDecodeBadRows(t *testing.T) {
	const text = `{"ids":[15496]}` + "\n" + `{"ids":[50257]}` + "\n" + `{"id":[1]}` + "\n" + `{"ids":[]}` + "\n"
	code, out, errs := command(t, text, "tokenize", "--decode")
	if code != exitFailed || out != "Hello\n" || !strings.Contains(errs, "standard input:2: ") || !strings.Contains(errs, "50257") {
		t.Errorf("exit %d, %q, %q; want 1, the row before, and line 2 with its id", code, out, errs)
	}
	rows := strings.Split(mustRun(t, text, "tokenize", "--decode", "--on-bad-row", "skip"), "\n")
	if len(rows) != 5 || rows[0] != "Hello" || !strings.Contains(rows[1], `{"error":`) || !strings.Contains(rows[2], "standard input:3") || rows[3] != "" {
		t.Errorf("rows %q, want Hello, two errors and an empty text", rows)
	}
	if json := parseLines(t, mustRun(t, `{"ids":[15496,198]}`, "tokenize", "--decode", "--json")); json[0]["text"] != "Hello\n" {
		t.Errorf("%v, want the text with its line feed", json)
	}
}

func TestTokenizeTrain(t *testing.T) {
	dir := t.TempDir()
	corpus, out := filepath.Join(dir, "corpus.txt"), filepath.Join(dir, "bpe")
	if err := os.WriteFile(corpus, []byte(strings.Repeat("low lower lowest 中文 ", 50)), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "tokenize", "--train", corpus, "--vocab", "270", "--out", out)
	rows := parseLines(t, mustRun(t, "low lowest", "tokenize", "--tokenizer", out))
	if ids := rows[0]["ids"].([]any); len(ids) >= len("low lowest") || len(ids) == 0 {
		t.Errorf("ids %v, want fewer than bytes", ids)
	}
	code, _, errs := command(t, "", "tokenize", "--train", corpus, "--vocab", "270", "--out", out)
	if code != exitFailed || !strings.Contains(errs, "--overwrite") {
		t.Errorf("exit %d, %q over a tokenizer that is there; want 1 and the way out", code, errs)
	}
	_, _, errs = command(t, "", "tokenize", "--train", corpus, "--vocab", "5000", "--out", out, "--overwrite")
	if !strings.Contains(errs, "too small for 5000") {
		t.Errorf("%q, want a warning that the corpus is too small", errs)
	}
}
