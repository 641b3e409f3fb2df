package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// snapshot is every file below dir with its content, to show that nothing was lost or added.
func (w workshop) snapshot(dir string) map[string]string {
	w.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if entry.Type() == fs.ModeSymlink {
			files[path], err = os.Readlink(path)
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return files
}

// refuses runs a command that must fail: with the code, one line on standard error that has the words, nothing on standard
// output, and every file as it was.
func (w workshop) refuses(name string, code int, want []string, args ...string) {
	w.Helper()
	before := w.snapshot(w.dir)
	o := w.run(args...)
	if o.code != code {
		w.Errorf("%s: exit %d, want %d\n%s", name, o.code, code, o.stderr)
	}
	line := w.errorLine(name, o.stderr)
	for _, word := range want {
		if !strings.Contains(line, word) {
			w.Errorf("%s: %q; want it to say %q", name, line, word)
		}
	}
	if len(line) > 1000 {
		w.Errorf("%s: an error of %d bytes", name, len(line))
	}
	if o.out != "" {
		w.Errorf("%s: wrote %q to standard output", name, o.out)
	}
	after := w.snapshot(w.dir)
	for path := range after {
		if text, ok := before[path]; !ok || text != after[path] {
			w.Errorf("%s: wrote %s", name, path)
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			w.Errorf("%s: removed %s", name, path)
		}
	}
}

// errorLine is the one line of an error; the lines before it may be progress.
func (w workshop) errorLine(name, stderr string) string {
	w.Helper()
	at := strings.Index(stderr, "atoll: ")
	if at < 0 || strings.Count(stderr[at:], "\n") != 1 {
		w.Errorf("%s: standard error is %q, want it to end in one line of atoll's", name, stderr)
		return stderr
	}
	return stderr[at:]
}

// badFiles are inputs that prepare must refuse.
var badFiles = []struct {
	name, file, text string
	args, want       []string
}{
	{"empty file", "empty.csv", "", nil, []string{"empty.csv", "empty"}},
	{"binary file", "binary.csv", "text,label\n\x00\x01\x02\xff\xfe,\x00\n\x7fELF\x02\x01\x01\x00,b\n", nil, []string{"binary.csv"}},
	{"binary text", "binary.txt", "\x7fELF\x02\x01\x01\x00\x00\xff\xfe\xfd", []string{"--task", "lm", "--text", ""}, []string{"binary.txt"}},
	{"one class only", "one.csv", "text,label\n" + strings.Repeat("a text,spam\n", 30), nil, []string{"one.csv", "spam", "at least two classes"}},
	{"nothing but whitespace", "blank.csv", "text,label\n" + strings.Repeat("\"  \t \",spam\n", 5), nil, []string{"blank.csv:2", "text", "--on-bad-row skip"}},
	{"nothing but whitespace, skipped", "blank.csv", "text,label\n" + strings.Repeat("\"  \t \",spam\n", 5), []string{"--on-bad-row", "skip"}, []string{"blank.csv:2", "no row can be used"}},
	{"ragged row", "ragged.csv", "text,label\nfine,a\nnot, fine,b\n", nil, []string{"ragged.csv:3", "columns"}},
	{"absent column", "columns.csv", "body,label\nfine,a\n", nil, []string{"columns.csv", "text", "body"}},
}

func TestPrepareRefusesBadFiles(t *testing.T) {
	w := newWorkshop(t)
	out := w.path("data")
	w.refuses("missing file", exitFailed, []string{w.path("absent.csv"), "no such file"}, "prepare", "--input", w.path("absent.csv"), "--out", out)
	for _, c := range badFiles {
		path := w.write(c.file, c.text)
		args := append([]string{"prepare", "--input", path, "--task", "classify", "--text", "text", "--label", "label", "--tokenizer", "bytes", "--out", out}, c.args...)
		if slices.Contains(c.args, "lm") {
			args = []string{"prepare", "--input", path, "--tokenizer", "bytes", "--out", out}
		}
		w.refuses(c.name, exitFailed, c.want, args...)
	}
}

// TestPrepareRefusesALineOf100MB: the error comes without the line being printed, and soon.
func TestPrepareRefusesALineOf100MB(t *testing.T) {
	w := newWorkshop(t)
	file, err := os.Create(w.path("long.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("text,label\n\""); err != nil {
		t.Fatal(err)
	}
	block := []byte(strings.Repeat("a line without an end ", 1<<20/22))
	for range 100 {
		if _, err := file.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	o := w.run("prepare", "--input", w.path("long.csv"), "--task", "classify", "--text", "text", "--label", "label", "--tokenizer", "bytes", "--out", w.path("data"))
	line := w.errorLine("a line of 100 MB", o.stderr)
	if o.code != exitFailed || !strings.Contains(line, "long.csv:2") || len(line) > 1000 {
		t.Errorf("exit %d, %.300q; want 1 and an error of the file and line", o.code, line)
	}
	if _, err := os.Stat(w.path("data")); err == nil {
		t.Error("a data directory was left")
	}
}

// TestPrepareRefusesALabelOfTheTestSplitOnly names the label.
func TestPrepareRefusesALabelOfTheTestSplitOnly(t *testing.T) {
	w := newWorkshop(t)
	train, test := w.write("train.csv", corpus(30)), w.write("test.csv", "text,label\nwhat is this,unseen\nred apple,a\n")
	w.refuses("label only in the test split", exitFailed, []string{"test.csv:2", "unseen"}, "prepare", "--input", train, "--test", test, "--task", "classify",
		"--text", "text", "--label", "label", "--tokenizer", "bytes", "--out", w.path("data"))
}

// TestPrepareKeepsWhatExists: a data directory is replaced with --overwrite only, anything else never.
func TestPrepareKeepsWhatExists(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	input := w.path("corpus.csv")
	args := []string{"prepare", "--input", input, "--text", "text", "--tokenizer", "bytes", "--out"}
	w.refuses("output exists", exitFailed, []string{lm, "--overwrite"}, append(args, lm)...)
	w.must(append(args, lm, "--overwrite")...)
	if err := os.Mkdir(w.path("mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("mine/thesis.txt", "years of work")
	w.refuses("output is no data directory", exitFailed, []string{w.path("mine")}, append(args, w.path("mine"), "--overwrite")...)
	w.refuses("output is a file", exitFailed, []string{input}, append(args, input, "--overwrite")...)
	w.refuses("output below a file", exitFailed, []string{input}, append(args, filepath.Join(input, "data"))...)
	w.refuses("output cannot be written", exitFailed, []string{"/proc/atoll"}, append(args, "/proc/atoll")...)
}

// TestTrainKeepsWhatExists is the same for a run.
func TestTrainKeepsWhatExists(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	out := w.path("run")
	short := func(out string, more ...string) []string {
		return append(w.training("pretrain", lm, out, "--steps", "2"), more...)
	}
	w.must(short(out)...)
	w.refuses("run exists", exitFailed, []string{out, "--resume", "--overwrite", "--out"}, short(out)...)
	w.must(short(out, "--overwrite")...)
	if err := os.Mkdir(w.path("mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("mine/thesis.txt", "years of work")
	w.refuses("output is no run", exitFailed, []string{w.path("mine"), "not a run"}, short(w.path("mine"), "--overwrite")...)
	w.refuses("resumed output is no run", exitFailed, []string{w.path("mine"), "not a run"}, short(w.path("mine"), "--resume")...)
	file := w.path("corpus.csv")
	w.refuses("output is a file", exitFailed, []string{file}, short(file)...)
	w.refuses("output is a file to overwrite", exitFailed, []string{file}, short(file, "--overwrite")...)
	w.refuses("output is a file to resume", exitFailed, []string{file}, short(file, "--resume")...)
	w.refuses("output below a file", exitFailed, []string{file}, short(filepath.Join(file, "run"))...)
	w.refuses("output cannot be written", exitFailed, []string{"/proc/atoll"}, short("/proc/atoll")...)
	w.refuses("data is a run", exitFailed, []string{out, "dataset.json"}, w.training("pretrain", out, w.path("other"))...)
	w.refuses("no data", exitUsage, []string{"--data"}, "pretrain", "--out", w.path("other"), "--steps", "3")
}

// TestTrainRefusesWhatDoesNotFit: model, data and settings that do not go together.
func TestTrainRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorkshop(t)
	lm, labelled := w.data()
	run := w.path("run")
	w.must(w.training("pretrain", lm, run, "--steps", "2")...)
	out := w.path("out")
	small := w.write("small.json", `{"model_type": "gpt2", "vocab_size": 100, "n_positions": 48, "n_embd": 24, "n_layer": 1, "n_head": 2}`)
	gpt2 := w.path("gpt2-data")
	w.must("prepare", "--input", w.path("corpus.csv"), "--text", "text", "--label", "label", "--task", "classify", "--tokenizer", "gpt2", "--out", gpt2)
	trained := w.path("trained-data")
	w.must("prepare", "--input", w.path("corpus.csv"), "--text", "text", "--tokenizer", "train", "--vocab", "257", "--out", trained)
	for _, c := range []struct {
		name string
		code int
		want []string
		args []string
	}{
		{"sequence longer than the model", exitFailed, []string{"64 tokens", "48 positions", "--seq"}, w.training("pretrain", lm, out, "--seq", "64")},
		{"sequence longer than the model, to classify", exitFailed, []string{"64 tokens", "48 positions", "--seq"},
			[]string{"finetune", "--data", labelled, "--from", run, "--seq", "64", "--out", out}},
		{"vocabulary of the model too small", exitFailed, []string{"small.json", "100", "257", "vocab_size"},
			[]string{"pretrain", "--data", lm, "--model", small, "--steps", "2", "--seq", "24", "--out", out}},
		{"vocabulary mismatch", exitFailed, []string{"vocabulary mismatch", "50257", "257", "--tokenizer"},
			[]string{"finetune", "--data", gpt2, "--from", run, "--seq", "24", "--out", out}},
		{"tokenizer mismatch", exitFailed, []string{"tokenizer", "--tokenizer"},
			[]string{"pretrain", "--data", trained, "--from", run, "--steps", "2", "--seq", "24", "--out", out}},
		{"data without labels", exitFailed, []string{lm, "no labels", "--task classify"}, []string{"finetune", "--data", lm, "--from", run, "--seq", "24", "--out", out}},
		{"nothing to start from", exitUsage, []string{"--from"}, []string{"finetune", "--data", labelled, "--out", out}},
		{"unknown model", exitFailed, []string{"gpt5", "mini"}, []string{"pretrain", "--data", lm, "--model", "gpt5", "--steps", "1", "--out", out}},
		{"unknown flag", exitUsage, []string{"--stepz", "--help"}, []string{"pretrain", "--stepz", "1"}},
		{"two lengths", exitUsage, []string{"--steps", "--epochs"}, w.training("pretrain", lm, out, "--epochs", "1")},
		{"batch of nothing", exitUsage, []string{"--batch", "0"}, w.training("pretrain", lm, out, "--batch", "0")},
		{"learning rate of NaN", exitUsage, []string{"--lr", "NaN"}, w.training("pretrain", lm, out, "--lr", "NaN")},
		{"unknown method", exitFailed, []string{"--method", "tail"}, []string{"finetune", "--data", labelled, "--from", run, "--seq", "24", "--method", "tail", "--out", out}},
		{"class weights of another set", exitFailed, []string{"weights.json", "label"},
			[]string{"finetune", "--data", labelled, "--from", run, "--seq", "24", "--class-weights", w.write("weights.json", `{"a": 1}`), "--out", out}},
		{"class weights that are no file", exitFailed, []string{"balancd"},
			[]string{"finetune", "--data", labelled, "--from", run, "--seq", "24", "--class-weights", "balancd", "--out", out}},
	} {
		w.refuses(c.name, c.code, c.want, c.args...)
	}
}

// TestNonFiniteLossStops: the run ends before the update, names the step and the documents, and what was saved before it
// loads and goes on.
func TestNonFiniteLossStops(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	out := w.path("run")
	args := w.training("pretrain", lm, out, "--save-every", "1", "--eval-every", "0")
	w.must(append(args, "--steps", "3")...)
	before := w.snapshot(filepath.Join(out, "checkpoints"))
	o := w.run(append(args, "--resume", "--lr", "1e30", "--min-lr", "1e30", "--warmup", "0", "--clip", "0", "--weight-decay", "0")...)
	line := w.errorLine("learning rate of 1e30", o.stderr)
	for _, word := range []string{"step ", "finite", "corpus.csv:", "--lr"} {
		if !strings.Contains(line, word) {
			t.Errorf("%q; want it to say %q", line, word)
		}
	}
	if o.code != exitFailed || len(before) == 0 {
		t.Errorf("exit %d, want 1\n%s", o.code, o.stderr)
	}
	var step int
	if _, err := fmt.Sscanf(line, "atoll: step %d:", &step); err != nil || step != lastStep(out)+1 {
		t.Errorf("%q names step %d, %v; the log ends with step %d", line, step, err, lastStep(out))
	}
	if _, err := os.Stat(filepath.Join(out, "checkpoints", fmt.Sprintf("step-%08d", step))); err == nil {
		t.Errorf("the step that failed left a checkpoint")
	}
}
