package optim

import (
	"math"
	"strings"
	"testing"

	"atoll/engine/ir"
	"atoll/kernels"
)

func TestRate(t *testing.T) {
	s := Schedule{Peak: 1, Min: 0.1, Warmup: 4, Steps: 12}
	for step, want := range map[int]float64{0: 0.25, 1: 0.5, 3: 1, 4: 1, 8: 0.55, 6: 0.1 + 0.45*(1+math.Sqrt2/2), 12: 0.1, 99: 0.1} {
		if got := s.Rate(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("rate of step %d is %g, want %g", step, got, want)
		}
	}
	for step := 5; step < 12; step++ {
		if s.Rate(step) >= s.Rate(step-1) {
			t.Errorf("the rate does not fall from step %d to %d", step-1, step)
		}
	}
	if all := (Schedule{Peak: 1, Min: 1, Steps: 3}); all.Rate(0) != 1 || all.Rate(2) != 1 {
		t.Error("a schedule without warm-up and fall is not constant")
	}
	if long := (Schedule{Peak: 1, Warmup: 10, Steps: 5}); long.Rate(4) != 0.5 {
		t.Errorf("a run shorter than its warm-up has rate %g at its end, want 0.5", long.Rate(4))
	}
}

func TestRateAt(t *testing.T) {
	s := Schedule{Peak: 1, Min: 0.2, Warmup: 2}
	for _, c := range []struct {
		step       int
		gone, want float64
	}{{0, 0.9, 0.5}, {1, 0, 1}, {2, 0, 1}, {50, 0.5, 0.6}, {50, 1, 0.2}, {50, 1.7, 0.2}, {50, -1, 1}} {
		if got := s.RateAt(c.step, c.gone); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("rate of step %d after %g of the time is %g, want %g", c.step, c.gone, got, c.want)
		}
	}
}

func TestScheduleIsChecked(t *testing.T) {
	for want, s := range map[string]Schedule{"--lr": {Steps: 1}, "learning rate is NaN": {Peak: math.NaN(), Steps: 1}, "--min-lr": {Peak: 1, Min: 2, Steps: 1},
		"--warmup": {Peak: 1, Warmup: -1, Steps: 1}, "--steps": {Peak: 1}} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", s, err, want)
		}
	}
}

// TestFill: the bias corrections of Kingma and Ba 2015, algorithm 1, counted from step 1.
func TestFill(t *testing.T) {
	step := make([]float32, kernels.StepSize)
	AdamW{Beta1: 0.5, Beta2: 0.75}.Fill(step, 0.3, 1)
	if step[kernels.StepLearningRate] != 0.3 || step[kernels.StepCorrection1] != 0.75 || step[kernels.StepCorrection2] != 1-0.5625 {
		t.Errorf("step vector %v", step)
	}
}

// TestUpdate: the norm of all gradients comes before any weight changes; each range is one update with its own decay.
func TestUpdate(t *testing.T) {
	a := AdamW{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Decay: 0.1, Clip: 1}
	p, err := a.Update([]ir.Range{{First: 16, FirstGrad: 0, Length: 32, Decay: true}, {First: 64, FirstGrad: 32, Length: 16}}, 80, 48)
	if err != nil {
		t.Fatal(err)
	}
	if err := ir.Verify(p); err != nil {
		t.Error(err)
	}
	want := `   0  grad_norm:fp32[] = grad.norm.fp32(grads=grads.) {N=48}
   1  weights.[16:]:fp32[80], moment1.:fp32[48], moment2.:fp32[48] = adamw.fp32(grads=grads., norm=grad_norm, loss=loss, step=step) {N=32 salt=0 beta1=0.9 beta2=0.95 epsilon=1e-08 decay=0.1 clip=1}
   2  weights.[64:]:fp32[80], moment1.[32:]:fp32[48], moment2.[32:]:fp32[48] = adamw.fp32(grads=grads.[32:], norm=grad_norm, loss=loss, step=step) {N=16 salt=0 beta1=0.9 beta2=0.95 epsilon=1e-08 decay=0 clip=1}
`
	if p.String() != want {
		t.Errorf("got\n%swant\n%s", p, want)
	}
}

// TestUpdateRounds: each range has the seed and a salt of its own, none of which a dropout has.
func TestUpdateRounds(t *testing.T) {
	a := AdamW{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Rounding: true}
	p, err := a.Update([]ir.Range{{Length: 16}, {First: 32, FirstGrad: 16, Length: 16}}, 48, 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := ir.Verify(p); err != nil {
		t.Error(err)
	}
	for n, salt := range []string{"salt=2147483648 ", "salt=2147483649 "} {
		if line := p.Line(n + 1); !strings.Contains(line, "seed=seed") || !strings.Contains(line, salt) {
			t.Errorf("%s: want the seed and %s", line, salt)
		}
	}
}
