//go:build gpu

package trainer

import (
	"maps"
	"math"
	"os"
	"testing"

	"atoll/kernels"
	"atoll/kernels/cuda"
	"atoll/trainer/data"
	"atoll/trainer/optim"
)

// onCUDA replaces the lab's device by the GPU of the driver that ATOLL_LIBCUDA names; without one the test is skipped.
func (l *lab) onCUDA() {
	l.Helper()
	if os.Getenv("ATOLL_LIBCUDA") == "" {
		l.Skip("ATOLL_LIBCUDA names no driver: make test-emulated runs this")
	}
	d, err := cuda.Open(0)
	l.use(d, err)
}

// TestCUDASkipsOverflows begins at a scale at which every gradient overflows: the GPU skips the steps that the CPU skips until the
// scale fits, trains then, and the losses are the CPU's within half precision's error.
func TestCUDASkipsOverflows(t *testing.T) {
	l, _ := half(t, optim.Scaling{First: 1 << 24, Interval: 6})
	s := l.pretraining(l.prepare(data.LanguageModel), "cpu")
	s.Steps, s.EvalEvery = 16, 16
	l.result(Pretrain(t.Context(), s, l.env))
	l.onCUDA()
	s.Out = l.path("cuda")
	l.result(Pretrain(t.Context(), s, l.env))
	_, want := l.scales("cpu")
	scales, got := l.scales("cuda")
	if !got[0] || got[len(got)-1] && got[len(got)-2] {
		t.Errorf("skipped: %v at scales %v, want the first step and not the last two", got, scales)
	}
	losses := l.records("cpu", "train")
	for n, r := range l.records("cuda", "train") {
		if got[n] != want[n] {
			t.Fatalf("step %d: skipped %v on the GPU and %v on the CPU; scales %v", n+1, got[n], want[n], scales)
		}
		if e := math.Abs(float64(r.Loss - losses[n].Loss)); !(e < 5e-3) {
			t.Errorf("step %d: loss %v on the GPU and %v on the CPU", n+1, r.Loss, losses[n].Loss)
		}
	}
}

// TestCUDARecomputes: with dropout and accumulation, the GPU's weights are the same bits whatever backward computes again.
func TestCUDARecomputes(t *testing.T) {
	l := newLab(t)
	l.onCUDA()
	lm := l.prepare(data.LanguageModel)
	for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
		l.env.Precision = precision
		var want map[string]string
		for _, how := range []string{"none", "gelu", "block"} {
			s := l.pretraining(lm, precision.String()+how)
			s.Steps, s.Dropout, s.TokensPerStep, s.Recompute = 3, 0.1, 256, how
			l.result(Pretrain(t.Context(), s, l.env))
			got := l.weights(s.Out)
			if want != nil && !maps.Equal(got, want) {
				t.Errorf("%v, %s: other weights than without recomputation", precision, how)
			}
			want = got
		}
	}
}

// TestCUDAHandsOverAhead: with dropout and accumulation, the GPU's weights are the same bits whether inputs go up beside a step or in it.
func TestCUDAHandsOverAhead(t *testing.T) {
	l := newLab(t)
	l.onCUDA()
	s := l.pretraining(l.prepare(data.LanguageModel), "ahead")
	s.Steps, s.Dropout, s.TokensPerStep = 4, 0.1, 256
	l.result(Pretrain(t.Context(), s, l.env))
	got := l.weights(s.Out)
	l.env.Device = struct{ kernels.Device }{l.env.Device} // no Stager
	s.Out = l.path("within")
	l.result(Pretrain(t.Context(), s, l.env))
	if !maps.Equal(got, l.weights(s.Out)) {
		t.Error("other weights where inputs are handed over ahead")
	}
}
