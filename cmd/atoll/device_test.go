package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels/cuda"
	"atoll/model"
)

// Where no GPU can be had, asking for one is one line that says what to do, and auto computes on the CPU; in a build with CUDA
// it says so, once.
func TestDeviceWithoutGPU(t *testing.T) {
	noGPU(t)
	for _, device := range []string{"cuda", "cuda:1"} {
		code, out, errs := command(t, "", "bench", "train", "--model", "mini", "--seq", "8", "--device", device)
		if code != exitFailed || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "atoll: --device "+device+": no CUDA: ") {
			t.Errorf("--device %s: exit %d, stdout %q, stderr %q, want 1 and one line on what is missing", device, code, out, errs)
		}
	}
	arguments := []string{"bench", "train", "--model", "mini", "--batch", "1", "--seq", "8", "--steps", "1", "--precision", "fp32"}
	code, out, errs := command(t, "", arguments...)
	said := strings.Count(errs, "atoll: computing on the CPU: no CUDA: ")
	if code != exitDone || out == "" || cuda.Built && said != 1 || !cuda.Built && errs != "" {
		t.Errorf("exit %d, stdout %q, stderr %q, want 0, figures and, in a build with CUDA, one line on the CPU", code, out, errs)
	}
	if code, _, errs := command(t, "", append(arguments, "--device", "cpu")...); code != exitDone || errs != "" {
		t.Errorf("--device cpu: exit %d, stderr %q, want 0 and nothing", code, errs)
	}
}

// There, --device auto trains on the CPU from data to checkpoint, and --device cuda makes no run; inspect devices says why.
func TestTrainingWithoutGPU(t *testing.T) {
	noGPU(t)
	w := newWorkshop(t)
	lm, _ := w.data()
	out := w.path("run")
	o := w.run(w.training("pretrain", lm, out, "--device", "cuda", "--steps", "2")...)
	if _, err := os.Stat(out); o.code != exitFailed || strings.Count(o.stderr, "\n") != 1 || !strings.HasPrefix(o.stderr, "atoll: --device cuda: no CUDA: ") || err == nil {
		t.Errorf("--device cuda: exit %d, stderr %q, run directory %v; want 1, one line on what is missing, and none", o.code, o.stderr, err)
	}
	w.must(w.training("pretrain", lm, out, "--device", "auto", "--steps", "2")...)
	settings, err := os.ReadFile(filepath.Join(out, "settings.yaml"))
	if step := lastStep(out); err != nil || step != 2 || !strings.Contains(string(settings), "device: cpu\n") {
		t.Errorf("--device auto trains to step %d, %v, with settings\n%s\nwant step 2 on the CPU", step, err, settings)
	}
	if text := mustRun(t, "", "inspect", "devices", "--threads", "1"); !strings.Contains(text, "cuda   not used: no CUDA: ") {
		t.Errorf("inspect devices prints\n%s\nwant why CUDA is not used", text)
	}
}

func TestDeviceUsage(t *testing.T) {
	for _, arguments := range []string{"--device gpu", "--device cuda:x", "--device cuda:-1", "--device cuda --cpu-variant portable", "--threads -1",
		"--device cpu --precision tf32", "--precision tf33", "--precision int8"} {
		code, _, errs := command(t, "", append([]string{"bench", "train"}, strings.Fields(arguments)...)...)
		if code != exitUsage || !strings.Contains(errs, "want") {
			t.Errorf("%s: exit %d, stderr %q, want 2 and what is wanted", arguments, code, errs)
		}
	}
}

// Commands that run a model compute in int8, those that train say who does.
func TestInt8(t *testing.T) {
	classifier, writer := writeModel(t, tinyConfig(model.SingleLabel, "a", "b")), writeModel(t, tinyConfig(model.LanguageModel))
	for _, arguments := range [][]string{
		{"classify", "--model", classifier}, {"generate", "--model", writer, "--max-tokens", "3"},
		{"bench", "classify", "--model", "mini", "--batch", "1", "--seq", "8", "--steps", "1"},
		{"bench", "generate", "--model", "mini", "--batch", "1", "--seq", "8", "--steps", "1"},
	} {
		if out := mustRun(t, "a text\n", append(arguments, "--precision", "int8", "--device", "cpu")...); out == "" {
			t.Errorf("%v prints nothing", arguments)
		}
		code, _, errs := command(t, "a text\n", append(arguments, "--precision", "int4")...)
		if code != exitUsage || !strings.Contains(errs, "fp16 or int8") {
			t.Errorf("%v --precision int4: exit %d, stderr %q, want 2 and what there is", arguments, code, errs)
		}
	}
	for _, arguments := range [][]string{{"bench", "train"}, {"bench", "kernels"}, {"inspect", "program"},
		{"pretrain", "--data", "x", "--out", "y", "--steps", "1"}, {"finetune", "--data", "x", "--out", "y", "--from", "z"}} {
		code, _, errs := command(t, "", append(arguments, "--precision", "int8", "--device", "cpu")...)
		if code != exitUsage || !strings.Contains(errs, "--precision int8 is for commands that run a model: generate, classify") {
			t.Errorf("%v: exit %d, stderr %q, want 2 and which commands take int8", arguments, code, errs)
		}
	}
}

func TestVersionNamesCUDA(t *testing.T) {
	if out := mustRun(t, "", "version"); !strings.Contains(out, "CUDA "+cuda.Build()) {
		t.Errorf("version prints %q, want CUDA %s in it", out, cuda.Build())
	}
}

// noGPU skips the test where there is one, or a driver that stands for one.
func noGPU(t *testing.T) {
	t.Helper()
	if os.Getenv("ATOLL_LIBCUDA") != "" {
		t.Skip("ATOLL_LIBCUDA names a driver")
	}
	if _, err := cuda.Found(); err == nil {
		t.Skip("there is a GPU")
	}
}
