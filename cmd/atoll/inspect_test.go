package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/kernels/selftest"
	"atoll/model"
)

func TestInspectModel(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "ham", "spam"))
	text := mustRun(t, "", "inspect", "model", dir)
	for _, want := range []string{"classify", "width 8", `"ham" "spam"`, "257 tokens", "model.safetensors"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	var info modelInfo
	parseJSON(t, mustRun(t, "", "inspect", "model", "gpt2", "--json"), &info)
	if info.Parameters != 124439808 || info.Directory != "" { // Radford et al. call it 124M; Transformers counts this number
		t.Errorf("gpt2 has %d parameters in %q, want 124439808 and no directory", info.Parameters, info.Directory)
	}
}

func TestInspectModelFindsDamage(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	path := filepath.Join(dir, "model.safetensors")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-1] ^= 1
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, "", "inspect", "model", dir, "--verify"); code != exitFailed || !strings.Contains(errs, "model.safetensors") {
		t.Errorf("exit %d, %q; want 1 and the file's name", code, errs)
	}
}

// The plan is checked against the rule that it must keep: values alive at one instruction share no byte.
func TestInspectProgramPlan(t *testing.T) {
	var info programInfo
	parseJSON(t, mustRun(t, "", "inspect", "program", "--model", "mini", "--batch", "2", "--seq", "16", "--train", "--plan", "--json"), &info)
	if len(info.Values) == 0 || info.Memory.Arena < info.Memory.Floor {
		t.Fatalf("%d values, arena %d, floor %d", len(info.Values), info.Memory.Arena, info.Memory.Floor)
	}
	for n, a := range info.Values {
		if a.Offset < 0 || a.Offset+a.Bytes > info.Memory.Arena || a.Last >= len(info.Instructions) {
			t.Errorf("%+v is outside of the arena or the program", a)
		}
		for _, b := range info.Values[n+1:] {
			if a.First <= b.Last && b.First <= a.Last && a.Offset < b.Offset+b.Bytes && b.Offset < a.Offset+a.Bytes {
				t.Errorf("%+v and %+v overlap", a, b)
			}
		}
	}
	if info.Memory.Gradients != info.Memory.Weights || info.Memory.Moments != 2*info.Memory.Gradients {
		t.Errorf("memory %+v, want gradients as weights and two moments", info.Memory)
	}
	if !slices.ContainsFunc(info.Instructions, func(s string) bool { return strings.Contains(s, "adamw") }) {
		t.Error("the update is not in the program")
	}
}

func TestInspectProgramModes(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.SingleLabel, "a", "b"))
	for _, c := range []struct{ args, has, lacks string }{
		{"--model mini", "head.loss", "adamw"},
		{"--model mini --decode --seq 1", "attention.cached", "head.loss"},
		{"--model mini --labels 3", "pool", "head.loss"},
		{"--model mini --labels 3 --loss", "class.loss", "adamw"},
		{"--seq 8 --model " + dir, "pool", "class.loss"},
		{"--seq 8 --train --precision bf16 --model " + dir, "bf16", "head.loss"},
		{"--seq 8 --train --precision fp32 --recompute gelu --model " + dir, "= gelu.fp32(", "= gelu.bf16("},
	} {
		text := mustRun(t, "", append([]string{"inspect", "program"}, strings.Fields(c.args)...)...)
		if !strings.Contains(text, c.has) || strings.Contains(text, c.lacks) {
			t.Errorf("%s: want %s and no %s in\n%s", c.args, c.has, c.lacks, text)
		}
	}
}

// What is computed again takes no memory, and the more is computed, the less is taken.
func TestInspectProgramRecomputes(t *testing.T) {
	var before memoryInfo
	for _, how := range []string{"none", "gelu", "block"} {
		var info programInfo
		parseJSON(t, mustRun(t, "", "inspect", "program", "--model", "mini", "--batch", "2", "--seq", "64", "--train", "--recompute", how, "--json"), &info)
		if before.Arena > 0 && info.Memory.Arena >= before.Arena {
			t.Errorf("%s: %d bytes, want fewer than %d", how, info.Memory.Arena, before.Arena)
		}
		before = info.Memory
	}
	if code, _, errs := command(t, "", "inspect", "program", "--train", "--recompute", "all"); code != exitUsage || !strings.Contains(errs, "want none, gelu, block") {
		t.Errorf("exit %d, %q; want 2 and the choices", code, errs)
	}
}

// What is told of a self-test: what was checked, how long that took, and that a second was not enough where it was not.
func TestDescribeVerdict(t *testing.T) {
	v := selftest.Verdict{Kernels: map[string]string{"add": "", "embed": "add fp32 N=1: out[0] is 2"}, Cases: 60, Seconds: 0.4, First: 0.1}
	v.Driver, v.Time = "CUDA 13.0", time.Date(2026, 11, 26, 2, 0, 0, 0, time.Local)
	head := "1 kernels agree with the plainest ones, embed is wrong (add fp32 N=1: out[0] is 2); last tested 2026-11-26 02:00:00 with CUDA 13.0, "
	if got := describeVerdict(v); got != head+"all 60 cases in 0.40 s" {
		t.Error(got)
	}
	v.Left, v.Seconds = 363, 0.953
	if got := describeVerdict(v); got != head+"60 of 423 cases in 0.95 s" {
		t.Error(got)
	}
	v.Seconds, v.First = 2.5, 2.5
	if got := describeVerdict(v); got != head+"60 of 423 cases in 2.50 s, of which the smallest of each kernel alone took 2.50 s, longer than the second that a test may take" {
		t.Error(got)
	}
}

func TestInspectDevices(t *testing.T) {
	noGPU(t)
	var found []deviceInfo
	parseJSON(t, mustRun(t, "", "inspect", "devices", "--threads", "1", "--json"), &found)
	last := found[len(found)-1]
	if len(found) < 2 || !found[0].Default || found[0].Peaks["fp32"] <= 0 || found[0].Bandwidth <= 0 {
		t.Errorf("%+v, want a measured CPU first", found)
	}
	if last.Device != "cuda" || last.Unavailable == "" {
		t.Errorf("%+v, want to read why CUDA is not used", last)
	}
}
