package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model"
	"atoll/model/predict"
)

// odd are texts that a careless reader loses or breaks.
var odd = []string{"plain", "emoji 👩‍👩‍👧 and 👍🏽", "中文没有空格", "", "  spaces  ", `"quotes", commas`, "<b>&amp;</b>", "tab\there", strings.Repeat("long ", 40)}

func TestClassifyLines(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "zebra", "apple <&>"))
	for name, text := range map[string]string{
		"line feeds":        strings.Join(odd, "\n") + "\n",
		"no last line feed": strings.Join(odd, "\n"),
		"carriage returns":  strings.Join(odd, "\r\n") + "\r\n",
		"byte order mark":   "\ufeff" + strings.Join(odd, "\n"),
		"mark and returns":  "\ufeff" + strings.Join(odd, "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			rows := parseLines(t, mustRun(t, text, "classify", "--model", dir, "--precision", "fp32"))
			if len(rows) != len(odd) {
				t.Fatalf("%d rows, want %d", len(rows), len(odd))
			}
			for i, row := range rows {
				if row["text"] != odd[i] {
					t.Errorf("row %d is of the text %q, want %q", i, row["text"], odd[i])
				}
				scores := row["scores"].(map[string]any)
				if row["score"] != scores[row["label"].(string)] {
					t.Errorf("row %d: score %v is not that of label %v in %v", i, row["score"], row["label"], scores)
				}
				if sum := scores["zebra"].(float64) + scores["apple <&>"].(float64); sum < 1-1e-6 || sum > 1+1e-6 {
					t.Errorf("row %d: scores sum to %v, want 1", i, sum)
				}
				if truncated := row["truncated"] == true; truncated != (len(odd[i]) > 32) {
					t.Errorf("row %d of %d bytes: truncated is %v, the model reads 32", i, len(odd[i]), truncated)
				}
			}
		})
	}
}

// Scores must be those of the model for the text alone, printed so that they read back as the same float32.
func TestClassifyScoresAreTheModels(t *testing.T) {
	for _, problem := range []model.Problem{model.SingleLabel, model.MultiLabel} {
		dir := writeModel(t, tinyConfig(problem, "a", "b", "c"))
		lines := strings.SplitAfter(mustRun(t, strings.Join(odd, "\n"), "classify", "--model", dir, "--precision", "fp32"), "\n")
		device, err := cpu.New(cpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer device.Close()
		m, err := predict.Load(dir, device, predict.Options{Precision: kernels.F32})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for i, text := range odd {
			alone, err := m.Classify(t.Context(), []string{text})
			if err != nil {
				t.Fatal(err)
			}
			var scores, reached []string
			for k, label := range m.Labels() {
				score := alone[0].Scores[k]
				scores = append(scores, fmt.Sprintf("%q:%s", label, strconv.FormatFloat(float64(score), 'g', -1, 32)))
				if score >= 0.5 {
					reached = append(reached, strconv.Quote(label))
				}
			}
			if want := `"scores":{` + strings.Join(scores, ",") + "}"; !strings.Contains(lines[i], want) {
				t.Errorf("%v: %s lacks %s", problem, lines[i], want)
			}
			if want := `"labels":[` + strings.Join(reached, ",") + "]"; problem == model.MultiLabel && !strings.Contains(lines[i], want) {
				t.Errorf("%s lacks %s", lines[i], want)
			}
		}
	}
}

func TestClassifyFormats(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "one\ntwo\n")
	z.Close()
	for _, c := range []struct {
		name, text string
		args       []string
		want       []string
	}{
		{"a.csv", "id,body\n1,\"one, with\na line end\"\n2,two\n", []string{"--text", "body"}, []string{"one, with\na line end", "two"}},
		{"b.csv", "1,one\n2,two\n", []string{"--text", "1"}, []string{"one", "two"}},
		{"c.tsv", "text\tid\none\t1\n", nil, []string{"one"}},
		{"d.jsonl", `{"text":"one"}` + "\n" + `{"text":"\u4e2d"}`, nil, []string{"one", "中"}},
		{"e.jsonl", `{"x":"one"}`, []string{"--text", "x"}, []string{"one"}},
		{"f.txt.gz", zipped.String(), nil, []string{"one", "two"}},
		{"g.data", `{"text":"by its first byte"}`, nil, []string{"by its first byte"}},
		{"h.data", `{"text":"asked for"}`, []string{"--format", "text"}, []string{`{"text":"asked for"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			rows := parseLines(t, mustRun(t, "", append([]string{"classify", "--model", dir, path}, c.args...)...))
			var got []string
			for _, row := range rows {
				got = append(got, row["text"].(string))
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("texts %q, want %q", got, c.want)
			}
		})
	}
}

func TestClassifyBadRows(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	for _, c := range []struct{ name, text, at, says string }{
		{"latin.txt", "good\ncaf\xe9\ngood\n", ":2:", "UTF-8"},
		{"nul.txt", "good\na\x00b\ngood\n", ":2:", "NUL"},
		{"broken.jsonl", "{\"text\":\"good\"}\n{\"text\":\n{\"text\":\"good\"}\n", ":2:", "one object a line"},
		{"other.jsonl", "{\"text\":\"good\"}\n{\"body\":\"x\"}\n{\"text\":\"good\"}\n", ":2:", `no field "text"`},
		{"number.jsonl", "{\"text\":\"good\"}\n{\"text\":1}\n{\"text\":\"good\"}\n", ":2:", "want a string"},
		{"ragged.csv", "text,id\ngood,1\nx,y,z\ngood,2\n", ":3:", "3 columns, want 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			code, out, errs := command(t, "", "classify", "--model", dir, path)
			if code != exitFailed || !strings.Contains(errs, path+c.at) || !strings.Contains(errs, c.says) || !strings.Contains(errs, "--on-bad-row skip") {
				t.Errorf("exit %d, %q; want 1, %s%s, %q and the way out", code, errs, path, c.at, c.says)
			}
			if n := len(parseLines(t, out)); n != 1 {
				t.Errorf("%d rows before the bad one, want 1", n)
			}
			rows := parseLines(t, mustRun(t, "", "classify", "--model", dir, path, "--on-bad-row", "skip"))
			if len(rows) != 3 || rows[0]["text"] != "good" || rows[2]["text"] != "good" {
				t.Fatalf("rows %v, want good, an error, good", rows)
			}
			if message, _ := rows[1]["error"].(string); !strings.Contains(message, path+c.at) {
				t.Errorf("row 2 is %v, want an error with %s%s", rows[1], path, c.at)
			}
		})
	}
}

func TestClassifyRefuses(t *testing.T) {
	lm, dir := writeModel(t, tinyConfig(model.LanguageModel)), writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, exitUsage, "--model"},
		{[]string{"--model", dir, "a", "b"}, exitUsage, "2 files, want one"},
		{[]string{"--model", dir, "--format", "xml"}, exitUsage, "want text, csv"},
		{[]string{"--model", dir, "--on-bad-row", "drop"}, exitUsage, "want fail or skip"},
		{[]string{"--model", dir, "--threshold", "2"}, exitUsage, "from 0 to 1"},
		{[]string{"--model", dir, "--json=false"}, exitUsage, "JSON lines only"},
		{[]string{"--model", dir, "--device", "tpu"}, exitUsage, "want auto"},
		{[]string{"--model", dir, empty}, exitFailed, "empty"},
		{[]string{"--model", dir, t.TempDir()}, exitFailed, "folder"},
		{[]string{"--model", dir, "absent.txt"}, exitFailed, "no such file"},
		{[]string{"--model", "absent"}, exitFailed, "absent"},
		{[]string{"--model", lm}, exitFailed, "fine-tune"},
	} {
		code, out, errs := command(t, "text\n", append([]string{"classify"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("classify %q: exit %d, stdout %q, stderr %q; want %d, nothing, and %q", c.args, code, out, errs, c.code, c.says)
		}
	}
}

// An answer must come before the next question is asked, whatever the length of the line.
func TestClassifyAnswersAtOnce(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	asks, stdin := io.Pipe()
	stdout, answers := io.Pipe()
	code := make(chan int)
	go func() {
		defer answers.Close()
		code <- run(t.Context(), []string{"classify", "--model", dir}, asks, answers, io.Discard)
	}()
	lines := bufio.NewScanner(stdout)
	for _, text := range []string{"x", "", "a longer line"} {
		if _, err := io.WriteString(stdin, text+"\n"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), fmt.Sprintf(`{"text":%q`, text)) {
			t.Fatalf("answer to %q is %q", text, lines.Text())
		}
	}
	stdin.Close()
	if got := <-code; got != exitDone {
		t.Errorf("exit %d, want 0", got)
	}
}

func TestClassifyEndsWhileItWaits(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	silent, stdin := io.Pipe()
	defer stdin.Close()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if code := run(ctx, []string{"classify", "--model", dir}, silent, io.Discard, io.Discard); code != exitInterrupted {
		t.Errorf("exit %d, want %d", code, exitInterrupted)
	}
}

// endless gives lines and notes how far ahead of the answers it is read.
type endless struct {
	left, given int
	answered    *atomic.Int64
	ahead       int // most lines given and not answered
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for e.left > 0 && len(p)-n >= 32 {
		n += copy(p[n:], fmt.Sprintf("line %d\n", e.given))
		e.left--
		e.given++
	}
	e.ahead = max(e.ahead, e.given-int(e.answered.Load()))
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// answerCount checks that answers come in order, without keeping them.
type answerCount struct {
	n    *atomic.Int64
	rest []byte
	err  error
}

func (a *answerCount) Write(p []byte) (int, error) {
	a.rest = append(a.rest, p...)
	for {
		line, rest, found := bytes.Cut(a.rest, []byte("\n"))
		if !found {
			a.rest = append([]byte(nil), a.rest...)
			return len(p), nil
		}
		if want := fmt.Sprintf(`{"text":"line %d",`, a.n.Load()); !bytes.HasPrefix(line, []byte(want)) && a.err == nil {
			a.err = fmt.Errorf("answer %d is %.80s", a.n.Load(), line)
		}
		a.n.Add(1)
		a.rest = rest
	}
}

// The input is read two chunks and a read buffer ahead at most, and the heap stays small, however long the input is.
func TestClassifyStreamsInBoundedMemory(t *testing.T) {
	const lines = 200_000
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	var answered atomic.Int64
	in, out := &endless{left: lines, answered: &answered}, &answerCount{n: &answered}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"classify", "--model", dir}, in, out, &errs); code != exitDone {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	runtime.ReadMemStats(&now)
	if out.err != nil || answered.Load() != lines {
		t.Errorf("%d answers, %v; want %d in order", answered.Load(), out.err, lines)
	}
	const buffered = 256 << 10 / len("line 0\n")
	if most := 3*chunkTexts + buffered; in.ahead > most {
		t.Errorf("%d lines were read ahead of the answers, want at most %d", in.ahead, most)
	}
	if grown := int64(now.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB over %d lines, want at most 64", grown>>20, lines)
	}
}
