package trainer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/trainer/data"
)

// TestStochasticRounding: the trained weights are bf16 numbers, the same bits on one thread and on three and after an interruption,
// with one micro-batch a step and with several, and they learn what fp32 weights learn.
func TestStochasticRounding(t *testing.T) {
	l := newLab(t)
	l.env.Precision = kernels.BF16
	lm := l.prepare(data.LanguageModel)
	for _, tokens := range []int{0, 256} {
		wide := l.pretraining(lm, fmt.Sprint("wide", tokens))
		wide.Steps, wide.Dropout, wide.TokensPerStep = 30, 0.1, tokens
		want := l.result(Pretrain(t.Context(), wide, l.env)).TrainLoss

		whole := wide
		whole.Out, whole.Rounding = l.path(fmt.Sprint("whole", tokens)), true
		got := l.result(Pretrain(t.Context(), whole, l.env)).TrainLoss
		if first := l.records(filepath.Base(whole.Out), "train")[0].Loss; !(float64(got) < float64(want)+0.1*float64(first-want)) {
			t.Errorf("%d tokens a step: loss %v with rounding, from %v; %v without: want nine tenths of the way", tokens, got, first, want)
		}
		weights := l.weights(whole.Out)
		l.areBF16(weights)
		for _, threads := range []int{1, 3} {
			l.onThreads(threads)
			s := whole
			s.Out = l.path(fmt.Sprint("stopped", tokens, threads))
			l.result(Pretrain(untilLogged{t.Context(), filepath.Join(s.Out, "metrics.jsonl"), "13"}, s, l.env))
			s.Resume = true
			l.result(Pretrain(t.Context(), s, l.env))
			if !maps.Equal(l.weights(s.Out), weights) {
				t.Errorf("%d tokens a step: other weights on %d threads and after an interruption", tokens, threads)
			}
		}
		other := whole
		other.Seed, other.Out = 2, l.path(fmt.Sprint("other", tokens))
		l.result(Pretrain(t.Context(), other, l.env))
		if maps.Equal(l.weights(other.Out), weights) {
			t.Error("the same weights with another seed")
		}
	}
}

// areBF16 reports tensors with a weight, stored in fp32, whose lower half is not zero.
func (l lab) areBF16(tensors map[string]string) {
	l.Helper()
	for name, bytes := range tensors {
		for at := 0; at+4 <= len(bytes); at += 4 {
			if bits := binary.LittleEndian.Uint32([]byte(bytes[at : at+4])); bits&0xffff != 0 {
				l.Errorf("%s[%d] is %#x: want a bf16 number", name, at/4, bits)
				break
			}
		}
	}
}

// TestStochasticRoundingIsKept: a run goes on as it began, and the refusal says with what.
func TestStochasticRoundingIsKept(t *testing.T) {
	l := newLab(t)
	lm := l.prepare(data.LanguageModel)
	for _, rounding := range []bool{false, true} {
		s := l.pretraining(lm, fmt.Sprint("run", rounding))
		s.Rounding = rounding
		l.result(Pretrain(t.Context(), s, l.env))
		s.Rounding, s.Resume, s.Steps = !rounding, true, 8
		want := fmt.Sprintf("resume with --stochastic-rounding=%v", rounding)
		if _, err := Pretrain(t.Context(), s, l.env); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
		s.Rounding = rounding
		l.result(Pretrain(t.Context(), s, l.env))
	}
}
