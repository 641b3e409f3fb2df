package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/model/bpe"
	"atoll/trainer/metric"
)

// argsVariable, in the environment of this test binary, makes TestChildCommand run the command line that it holds (JSON)
// and exit with its code: a process of its own, to be killed or interrupted.
const argsVariable = "ATOLL_TEST_COMMAND_LINE"

func TestChildCommand(t *testing.T) {
	text := os.Getenv(argsVariable)
	if text == "" {
		return
	}
	var args []string
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, args, os.Stdin, os.Stdout, os.Stderr))
}

// workshop is a folder with small data, a small model, and the means to run commands in it.
type workshop struct {
	*testing.T
	dir string
}

func newWorkshop(t *testing.T) workshop { return workshop{t, t.TempDir()} }

func (w workshop) path(name ...string) string {
	return filepath.Join(append([]string{w.dir}, name...)...)
}

func (w workshop) write(name, text string) string {
	w.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
	return w.path(name)
}

// outcome is what a command left.
type outcome struct {
	code        int
	out, stderr string
}

func (w workshop) run(args ...string) outcome {
	w.Helper()
	var out, stderr bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &out, &stderr)
	return outcome{code, out.String(), stderr.String()}
}

func (w workshop) must(args ...string) outcome {
	w.Helper()
	o := w.run(args...)
	if o.code != exitDone {
		w.Fatalf("atoll %s: exit %d\n%s", strings.Join(args, " "), o.code, o.stderr)
	}
	return o
}

// child is the command as a process of its own, its errors in stderr.
func (w workshop) child(stderr *bytes.Buffer, args ...string) *exec.Cmd {
	w.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		w.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestChildCommand$")
	c.Env = append(os.Environ(), argsVariable+"="+string(text))
	c.Stderr = stderr
	return c
}

// words are made up, some typical of each of three classes.
var words = [][]string{{"red", "apple", "sweet", "round"}, {"blue", "ocean", "deep", "salt"}, {"grey", "stone", "hard", "old"}}

// corpus is n labelled documents of differing lengths, a CSV with a header.
func corpus(n int) string {
	var b strings.Builder
	b.WriteString("text,label\n")
	for i := range n {
		class := i % 3
		for k := range 1 + (i*7)%6 {
			fmt.Fprintf(&b, "%s ", words[class][(i*(k+3)+k)%4])
		}
		fmt.Fprintf(&b, "number %d,%c\n", i, 'a'+class)
	}
	return b.String()
}

// data prepares the corpus twice, as text and with labels, and gives both data directories.
func (w workshop) data() (lm, labelled string) {
	w.Helper()
	input := w.write("corpus.csv", corpus(150))
	lm, labelled = w.path("lm"), w.path("labelled")
	w.must("prepare", "--input", input, "--text", "text", "--tokenizer", "bytes", "--out", lm)
	w.must("prepare", "--input", input, "--text", "text", "--label", "label", "--task", "classify", "--tokenizer", "bytes", "--out", labelled)
	return lm, labelled
}

// config is a model that trains a step in a few milliseconds.
func (w workshop) config() string {
	return w.write("config.json", fmt.Sprintf(`{"model_type": "gpt2", "vocab_size": %d, "n_positions": 48, "n_embd": 24, "n_layer": 2, "n_head": 2}`,
		bpe.Bytes().VocabSize()))
}

// training is the command line of a short run with everything that has a state: dropout, accumulation, epochs.
func (w workshop) training(command, data, out string, more ...string) []string {
	return append([]string{command, "--data", data, "--out", out, "--model", w.config(), "--batch", "4", "--seq", "24", "--tokens-per-step", "192",
		"--steps", "60", "--save-every", "5", "--eval-every", "20", "--dropout", "0.1", "--lr", "3e-3", "--warmup", "5", "--precision", "fp32"}, more...)
}

// records are a run's metrics without the ones that time decides.
func (w workshop) records(dir string) []metric.Record {
	w.Helper()
	records, err := metric.ReadLog(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		w.Fatal(err)
	}
	for n := range records {
		records[n].Seconds, records[n].TokensPerSecond, records[n].PeakShare = 0, 0, nil
	}
	return records
}

// same fails where two runs differ in a record or in a bit of their last checkpoint.
func (w workshop) same(name, got, want string) {
	w.Helper()
	a, b := fmt.Sprint(lines(w.T, w.records(got))), fmt.Sprint(lines(w.T, w.records(want)))
	if a != b {
		w.Errorf("%s: metrics differ:\n%s\nwant\n%s", name, a, b)
	}
	for _, file := range []string{"model.safetensors", "optimizer.safetensors"} {
		x, errX := os.ReadFile(filepath.Join(got, "checkpoints", "latest", file))
		y, errY := os.ReadFile(filepath.Join(want, "checkpoints", "latest", file))
		if err := errors.Join(errX, errY); err != nil {
			w.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			w.Errorf("%s: %s differs", name, file)
		}
	}
}

func lines(t *testing.T, records []metric.Record) []string {
	t.Helper()
	var all []string
	for _, r := range records {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text)+"\n")
	}
	return all
}

// lastStep is the newest step in a run's log; 0 while there is none.
func lastStep(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		return 0
	}
	step := 0
	for line := range strings.Lines(string(text)) {
		var r struct{ Step int }
		if json.Unmarshal([]byte(line), &r) == nil {
			step = max(step, r.Step)
		}
	}
	return step
}

// endAt starts the command as a process, sends it a signal once its log passes the step, and gives its error output and
// its state. A process that was faster than the signal is started again.
func (w workshop) endAt(step int, s os.Signal, out string, args ...string) (string, *os.ProcessState) {
	w.Helper()
	for range 10 {
		var stderr bytes.Buffer
		c := w.child(&stderr, args...)
		if err := c.Start(); err != nil {
			w.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		for waiting := true; waiting; {
			select {
			case <-ended:
				waiting = false
			case <-time.After(time.Millisecond):
				if lastStep(out) >= step {
					if err := c.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
						w.Fatal(err)
					}
					<-ended
					waiting = false
				}
			}
		}
		if c.ProcessState.ExitCode() != exitDone {
			return stderr.String(), c.ProcessState
		}
		if err := os.RemoveAll(out); err != nil {
			w.Fatal(err)
		}
	}
	w.Fatal("the run was always done before the signal came")
	return "", nil
}

// TestResumeGivesTheSameBits trains 60 steps at once, and 25 or a few more, kill -9, and the rest in a new process, each on
// one thread and on two: four runs, one result. The epochs end in between, and each step is two micro-batches.
func TestResumeGivesTheSameBits(t *testing.T) {
	w := newWorkshop(t)
	lm, labelled := w.data()
	for command, data := range map[string]string{"pretrain": lm, "finetune": labelled} {
		t.Run(command, func(t *testing.T) {
			w := workshop{t, w.dir}
			whole := w.path(command + "-whole")
			w.must(w.training(command, data, whole, "--threads", "1")...)
			if r := w.records(whole); len(r) != 63 {
				t.Errorf("%d records, want 60 of training and 3 of validation", len(r))
			}
			two := w.path(command + "-two-threads")
			w.must(w.training(command, data, two, "--threads", "2")...)
			w.same("two threads", two, whole)
			for _, threads := range []int{1, 2} {
				out := w.path(fmt.Sprintf("%s-killed-%d", command, threads))
				args := w.training(command, data, out, "--threads", strconv.Itoa(threads))
				stderr, state := w.endAt(25, syscall.SIGKILL, out, args...)
				if status, ok := state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || lastStep(out) >= 60 {
					t.Fatalf("the process ended by itself after step %d: %v\n%s", lastStep(out), state, stderr)
				}
				resumed := w.must(command, "--out", out, "--resume", "--threads", strconv.Itoa(3-threads))
				if !strings.Contains(resumed.stderr, "resuming after step") {
					t.Errorf("stderr does not say where the run goes on:\n%s", resumed.stderr)
				}
				w.same(fmt.Sprintf("killed on %d threads", threads), out, whole)
			}
		})
	}
}

// TestInterruptSavesAndResumes: SIGTERM ends a run with 130 after a checkpoint of the step it was at, whatever
// --save-every says, and the rest gives the bits of a run that was not interrupted.
func TestInterruptSavesAndResumes(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	whole, out := w.path("whole"), w.path("interrupted")
	w.must(w.training("pretrain", lm, whole)...)
	stderr, state := w.endAt(12, syscall.SIGTERM, out, w.training("pretrain", lm, out, "--save-every", "50")...)
	if state.ExitCode() != exitInterrupted || !strings.Contains(stderr, "interrupted") {
		t.Fatalf("exit %d, want %d\n%s", state.ExitCode(), exitInterrupted, stderr)
	}
	step := lastStep(out)
	if _, err := os.Stat(filepath.Join(out, "checkpoints", fmt.Sprintf("step-%08d", step))); err != nil {
		t.Errorf("stopped after step %d without its checkpoint: %v", step, err)
	}
	w.must("pretrain", "--out", out, "--resume")
	w.same("interrupted", out, whole)
}

// TestResumeTakesALengthFromTheCommandLine: a run that was to take epochs goes on for steps.
func TestResumeTakesALengthFromTheCommandLine(t *testing.T) {
	w := newWorkshop(t)
	_, labelled := w.data()
	out := w.path("run")
	w.must("finetune", "--data", labelled, "--model", w.config(), "--out", out, "--epochs", "0.1", "--seq", "24", "--batch", "8")
	w.must("finetune", "--out", out, "--resume", "--steps", "5")
	if step := lastStep(out); step != 5 {
		t.Errorf("the run went on to step %d, want 5", step)
	}
	w.must("pretrain", "--config", w.write("settings.yaml", "epochs: 2\nseq: 24\nbatch: 4\n"), "--data", w.path("lm"), "--model", w.path("config.json"),
		"--out", w.path("other"), "--steps", "3")
	if step := lastStep(w.path("other")); step != 3 {
		t.Errorf("the configured run went to step %d, want 3", step)
	}
}

// TestResumeWithoutTheModelItStartedFrom: the run's own checkpoint is all that it needs.
func TestResumeWithoutTheModelItStartedFrom(t *testing.T) {
	w := newWorkshop(t)
	lm, labelled := w.data()
	base, out := w.path("base"), w.path("run")
	w.must(w.training("pretrain", lm, base, "--steps", "2")...)
	w.must("finetune", "--data", labelled, "--from", base, "--out", out, "--seq", "24", "--steps", "4", "--batch", "4", "--method", "last", "--precision", "fp32")
	if err := os.RemoveAll(base); err != nil {
		t.Fatal(err)
	}
	w.must("finetune", "--out", out, "--resume", "--steps", "8")
	if step := lastStep(out); step != 8 {
		t.Errorf("the run went on to step %d, want 8", step)
	}
}

// TestKeptCheckpoints: the last two and the best stay.
func TestKeptCheckpoints(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	out := w.path("run")
	w.must(w.training("pretrain", lm, out, "--keep-last", "2", "--steps", "20")...)
	entries, err := os.ReadDir(filepath.Join(out, "checkpoints"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"best", "latest", "step-00000015", "step-00000020"}; !slices.Equal(names, want) {
		t.Errorf("checkpoints %v, want %v", names, want)
	}
}

// TestInterruptBeforeTheFirstStep: there is no loss yet; the run saves, exits with 130, and goes on from its beginning.
func TestInterruptBeforeTheFirstStep(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	whole, out := w.path("whole"), w.path("run")
	w.must(w.training("pretrain", lm, whole)...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, append(w.training("pretrain", lm, out), "--json"), strings.NewReader(""), &stdout, &stderr)
	var result struct {
		Step        int
		Interrupted bool
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || code != exitInterrupted || !result.Interrupted || result.Step != 0 {
		t.Errorf("exit %d, %v, %s\n%s", code, err, stdout.String(), stderr.String())
	}
	stdout.Reset()
	if run(ctx, []string{"pretrain", "--out", out, "--resume"}, strings.NewReader(""), &stdout, &stderr); !strings.Contains(stdout.String(), "not evaluated yet") {
		t.Errorf("a result without an evaluation: %s", stdout.String())
	}
	w.must("pretrain", "--out", out, "--resume")
	w.same("interrupted before the first step", out, whole)
}

// TestOverwriteKeepsTheModelItStartsFrom: a run may not replace the one that its weights come from.
func TestOverwriteKeepsTheModelItStartsFrom(t *testing.T) {
	w := newWorkshop(t)
	lm, labelled := w.data()
	out := w.path("run")
	w.must(w.training("pretrain", lm, out, "--steps", "2")...)
	for _, from := range []string{out, filepath.Join(out, "checkpoints", "step-00000002"), filepath.Join(out, "..", "run")} {
		w.refuses("from "+from, exitFailed, []string{out, "--out"}, "finetune", "--data", labelled, "--from", from, "--out", out, "--overwrite", "--seq", "24", "--steps", "2", "--epochs", "0")
	}
}
