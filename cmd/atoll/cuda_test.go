//go:build gpu

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// driver skips the test where no CUDA driver was named: make test-emulated names the emulated one, make test-gpu the machine's.
func driver(t *testing.T) {
	t.Helper()
	if os.Getenv("ATOLL_LIBCUDA") == "" {
		t.Skip("ATOLL_LIBCUDA names no driver: make test-emulated runs this")
	}
}

// Reference values of PyTorch, on the device: the language model in each precision, the classifiers in one each.
func TestCUDAVerify(t *testing.T) {
	driver(t)
	for reference, precisions := range map[string][]string{"lm": {"fp32", "bf16", "fp16"}, "classify": {"fp32"}, "multilabel": {"bf16"}} {
		for _, precision := range precisions {
			dir := filepath.Join("../../trainer/reference/testdata", reference)
			code, out, errs := command(t, "", "verify", dir, "--device", "cuda", "--precision", precision)
			if code != exitDone {
				t.Errorf("%s in %s: exit %d\n%s%s", reference, precision, code, out, errs)
			}
		}
	}
}

// short is a run that the emulator does in seconds: two micro-batches a step, an epoch's end, an evaluation.
func (w workshop) short(command, data, out string, more ...string) []string {
	return w.training(command, data, out, append([]string{"--batch", "2", "--seq", "16", "--tokens-per-step", "64", "--eval-every", "0", "--device", "cuda"}, more...)...)
}

// 50 steps of pretraining in fp32, with dropout and accumulation, and 10 of fine-tuning lose what they lose on the CPU, and
// classifying gives the CPU's scores.
func TestCUDATrainsAsTheCPU(t *testing.T) {
	driver(t)
	w := newWorkshop(t)
	lm, labelled := w.data()
	for command, data := range map[string]string{"pretrain": lm, "finetune": labelled} {
		steps := map[string]int{"pretrain": 50, "finetune": 10}[command]
		var loss [2][]float64
		for i, device := range []string{"cpu", "cuda"} {
			out := w.path(command + device)
			w.must(w.short(command, data, out, "--steps", strconv.Itoa(steps), "--device", device)...)
			for _, r := range w.records(out) {
				loss[i] = append(loss[i], float64(r.Loss))
			}
		}
		if len(loss[0]) < steps || len(loss[0]) != len(loss[1]) {
			t.Fatalf("%s: %d and %d records, want as many, and %d of training", command, len(loss[0]), len(loss[1]), steps)
		}
		for n := range loss[0] {
			if d := math.Abs(loss[0][n] - loss[1][n]); !(d <= 1e-4) {
				t.Errorf("%s: record %d: loss %v on the CPU and %v on the GPU, want a difference of at most 1e-4", command, n, loss[0][n], loss[1][n])
			}
		}
	}
	for i, line := range strings.Split(strings.TrimSpace(w.classify("cuda")), "\n") {
		var got, want struct{ Scores map[string]float64 }
		other := strings.Split(w.classify("cpu"), "\n")[i]
		if json.Unmarshal([]byte(line), &got) != nil || json.Unmarshal([]byte(other), &want) != nil || len(got.Scores) != 3 {
			t.Fatalf("line %d: %s and %s, want scores of three classes", i, line, other)
		}
		for label, score := range got.Scores {
			if math.Abs(score-want.Scores[label]) > 1e-5 {
				t.Errorf("line %d, %s: %v on the GPU and %v on the CPU", i, label, score, want.Scores[label])
			}
		}
	}
}

// classify scores a few texts with the classifier that was fine-tuned on the CPU.
func (w workshop) classify(device string) string {
	w.Helper()
	texts := w.write("texts.txt", "red apple\nblue ocean deep\ngrey stone hard old number 7\nx\n")
	return w.must("classify", "--model", w.path("finetunecpu"), texts, "--device", device, "--precision", "fp32").out
}

// A run that is killed and goes on gives the bits of one that was not.
func TestCUDAResume(t *testing.T) {
	driver(t)
	w := newWorkshop(t)
	lm, _ := w.data()
	whole, out := w.path("whole"), w.path("killed")
	args := []string{"--steps", "14", "--save-every", "3", "--precision", "bf16"}
	w.must(w.short("pretrain", lm, whole, args...)...)
	stderr, state := w.endAt(5, syscall.SIGKILL, out, w.short("pretrain", lm, out, args...)...)
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("the process ended by itself after step %d: %v\n%s", lastStep(out), state, stderr)
	}
	w.must("pretrain", "--out", out, "--resume")
	w.same("killed", out, whole)
}

// A device that fails in the middle of a run is one clear line and exit 1; the checkpoints before it stay good, and the run goes on
// from them to the bits of one that did not fail. DRIVER_FAIL is the emulator's.
func TestCUDAFailures(t *testing.T) {
	driver(t)
	if !strings.Contains(os.Getenv("ATOLL_LIBCUDA"), "emulated") {
		t.Skip("only the emulated driver fails when it is told to")
	}
	w := newWorkshop(t)
	lm, _ := w.data()
	whole := w.path("whole")
	args := []string{"--steps", "8", "--save-every", "2"}
	w.must(w.short("pretrain", lm, whole, args...)...)
	for name, test := range map[string]struct {
		fail string
		want []string
	}{
		"a kernel that does not launch": {"cuLaunchKernel:701:60", []string{"instruction ", "launching ", "701"}},
		"a lost device":                 {"cuGraphLaunch:700:9", []string{"instructions", "CUDA_LAUNCH_BLOCKING=1"}},
	} {
		out := w.path(strings.ReplaceAll(name, " ", "-"))
		t.Setenv("DRIVER_FAIL", test.fail)
		o := w.run(w.short("pretrain", lm, out, args...)...)
		t.Setenv("DRIVER_FAIL", "")
		if o.code != exitFailed {
			t.Errorf("%s: exit %d, want 1\n%s", name, o.code, o.stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(o.stderr, want) {
				t.Errorf("%s: %q does not contain %q", name, o.stderr, want)
			}
		}
		if _, err := os.Stat(filepath.Join(out, "checkpoints", "latest")); err != nil {
			continue // it failed before the first checkpoint
		}
		w.must("pretrain", "--out", out, "--resume")
		w.same(name, out, whole)
	}
}

// A model that does not fit is refused before the first step, with the bytes.
func TestCUDAOutOfMemory(t *testing.T) {
	driver(t)
	code, _, errs := command(t, "", "bench", "train", "--model", "gpt2-xl", "--batch", "64", "--seq", "1024", "--device", "cuda")
	if code != exitFailed || !strings.Contains(errs, "out of memory") && !strings.Contains(errs, "bytes free") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if strings.Contains(fmt.Sprint(errs), "panic") {
		t.Error("it panics")
	}
}
