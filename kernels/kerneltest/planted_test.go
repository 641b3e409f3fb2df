package kerneltest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// recorder stands in for *testing.T.
type recorder struct{ problems []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// planted is ref with a mistake: change prepares each call, and spoil works on the memory after it has run.
type planted struct {
	kernels.Device
	change func(call *kernels.Call)
	spoil  func(call *kernels.Call, segments [][]byte)
}

func (p planted) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	memory := make([][]byte, len(segments))
	for i, s := range segments {
		memory[i] = s.Bytes()
	}
	return &plantedProgram{p, calls, memory}, nil
}

type plantedProgram struct {
	planted
	calls    []kernels.Call
	segments [][]byte
}

func (p *plantedProgram) Run() error {
	for _, call := range p.calls {
		if p.change != nil {
			p.change(&call)
		}
		if err := ref.Run(&call, p.segments); err != nil {
			return err
		}
		if p.spoil != nil {
			p.spoil(&call, p.segments)
		}
	}
	return nil
}

func (p *plantedProgram) Free() {}

// argument is the memory of argument i of a call, with extra bytes after it.
func argument(call *kernels.Call, segments [][]byte, i, extra int) []byte {
	n, err := call.Elements(i)
	if err != nil || call.Args[i] == kernels.None {
		return nil
	}
	at := int(call.Args[i].Offset())
	return segments[call.Args[i].Segment()][at : at+int(n)*call.DTypeOf(i).Size()+extra]
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// setMode changes the last dim, which is a mode in the kernels it is used on.
func setMode(call *kernels.Call, from, to int64) {
	last := len(kernels.SignatureOf(call.Kernel).Dims) - 1
	if call.Dims[last] == from {
		call.Dims[last] = to
	}
}

func TestPlantedMistakesAreReported(t *testing.T) {
	runs := 0
	tests := []struct {
		name   string
		kernel kernels.Kernel
		change func(call *kernels.Call)
		spoil  func(call *kernels.Call, segments [][]byte)
		want   string
	}{
		{"writes past the end", kernels.Add, nil, func(call *kernels.Call, segments [][]byte) {
			out := argument(call, segments, 0, 4)
			out[len(out)-4] = 1
		}, "0 bytes past the end of out"},
		{"writes before the start", kernels.Embed, nil, func(call *kernels.Call, segments [][]byte) {
			segments[call.Args[0].Segment()][call.Args[0].Offset()-1] = 1
		}, "1 bytes before out"},
		{"wrong in the last row", kernels.Linear, nil, func(call *kernels.Call, segments [][]byte) {
			if call.Precision == kernels.F32 && call.Dim("N") == 31 {
				y := kernels.Float32s(argument(call, segments, 0, 0))
				y[len(y)-1] += 1e-3
			}
		}, "y[30 12]"},
		{"wrong in the last row in half precision", kernels.Linear, nil, func(call *kernels.Call, segments [][]byte) {
			if call.Precision == kernels.BF16 && call.Dim("N") == 31 {
				y := kernels.Uint16s(argument(call, segments, 0, 0))
				y[len(y)-1] ^= 1 << 6 // half of its magnitude
			}
		}, "y[30 12]"},
		{"leaves an element unwritten", kernels.LinearDX, nil, func(call *kernels.Call, segments [][]byte) {
			if dx := argument(call, segments, 0, 0); call.Precision == kernels.F32 {
				kernels.Float32s(dx)[0] = float32(math.NaN())
			}
		}, "dx[0 0] is NaN"},
		{"forgets to accumulate", kernels.LinearDW, func(call *kernels.Call) { setMode(call, kernels.Accumulate, kernels.Overwrite) },
			nil, "dw["},
		{"accumulates where it should overwrite", kernels.HeadLoss,
			func(call *kernels.Call) { setMode(call, kernels.Overwrite, kernels.Accumulate) }, nil, "is NaN, want"},
		{"ignores the step", kernels.LayerNormBackward, func(call *kernels.Call) { setMode(call, kernels.ByStep, kernels.Overwrite) },
			nil, "step.accumulate=1: dg["},
		{"changes an input", kernels.GradNorm, nil, func(call *kernels.Call, segments [][]byte) {
			if grads := argument(call, segments, 1, 0); len(grads) > 0 {
				grads[0]++
			}
		}, "argument grads is an input, and it was changed"},
		{"gives other bits the second time", kernels.Pool, nil, func(call *kernels.Call, segments [][]byte) {
			if runs++; runs%2 == 0 {
				argument(call, segments, 0, 0)[0] ^= 1
			}
		}, "argument out differs between two runs"},
		{"drops the scale of dropout", kernels.Dropout, func(call *kernels.Call) { call.Scalars[0] *= 1.01 }, nil, "y["},
		{"updates in spite of a NaN", kernels.AdamW, nil, func(call *kernels.Call, segments [][]byte) {
			if loss := kernels.Float32s(argument(call, segments, 5, 0))[0]; loss != loss {
				kernels.Float32s(argument(call, segments, 0, 0))[0] += 0.1
			}
		}, "loss=NaN: weights[0]"},
		{"does not round", kernels.AdamW, func(call *kernels.Call) { call.Args[7] = kernels.None }, nil, "want a number of bf16"},
		{"rounds by the words of another salt", kernels.AdamW, func(call *kernels.Call) { call.Dims[1] ^= 1 }, nil, "are rounded to another bf16 number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &recorder{}
			for _, c := range Cases(test.kernel) {
				if product(c.Dims[:min(3, len(c.Dims))]) > 30_000 {
					continue // small cases are enough, and fast
				}
				for _, precision := range c.Precisions() {
					runCase(r, planted{ref.New(), test.change, test.spoil}, ref.New(), c, precision)
				}
			}
			if !strings.Contains(strings.Join(r.problems, "\n"), test.want) {
				t.Errorf("no report contains %q; got %d: %.3q", test.want, len(r.problems), r.problems)
			}
		})
	}
}

// flip changes the lowest bit of the first output.
func flip(call *kernels.Call, segments [][]byte) { argument(call, segments, 0, 0)[0] ^= 1 }

func TestRunReportsEveryCase(t *testing.T) {
	only := Options{Only: []kernels.Kernel{kernels.ClassLoss, kernels.Pool}, Lacks: []kernels.DType{kernels.F16}}
	r := &recorder{}
	Run(r, planted{Device: ref.New(), spoil: func(call *kernels.Call, segments [][]byte) {
		argument(call, segments, 0, 0)[3] ^= 0x40
	}}, only)
	if want := len(Cases(kernels.ClassLoss)) + 2*len(Cases(kernels.Pool)); len(r.problems) < want {
		t.Errorf("%d reports, want one or more for each of %d cases", len(r.problems), want)
	}
}

func TestSameBitsReportsOneBit(t *testing.T) {
	only := Options{Only: []kernels.Kernel{kernels.ClassLoss}}
	r := &recorder{}
	SameBits(r, ref.New(), ref.New(), only)
	if len(r.problems) > 0 {
		t.Errorf("ref differs from itself: %q", r.problems[0])
	}
	SameBits(r, ref.New(), planted{Device: ref.New(), spoil: flip}, only)
	if want := len(Cases(kernels.ClassLoss)); len(r.problems) != want {
		t.Errorf("%d reports of a flipped bit, want one for each of %d cases", len(r.problems), want)
	}
}

func TestFaultsReportsMissingChecks(t *testing.T) {
	r := &recorder{}
	// planted does not fill in the index of the call, as a program must.
	Faults(r, planted{Device: ref.New()}, Options{Only: []kernels.Kernel{kernels.ClassLoss}})
	if len(r.problems) != 1 || !strings.Contains(r.problems[0], "instruction 0, want instruction 1") {
		t.Errorf("a fault without its index is not reported: %q", r.problems)
	}
	r = &recorder{}
	Faults(r, forgiving{ref.New()}, Options{})
	if want := len(wrongDataCases()); len(r.problems) != want {
		t.Errorf("%d reports, want %d: %.3q", len(r.problems), want, r.problems)
	}
}

// forgiving is a device whose programs do nothing and find nothing wrong.
type forgiving struct{ kernels.Device }

func (forgiving) NewProgram([]kernels.Call, []kernels.Buffer) (kernels.Program, error) {
	return nothing{}, nil
}

type nothing struct{}

func (nothing) Run() error { return nil }
func (nothing) Free()      {}

// A device that always rounds to nearest, and one whose seed changes nothing.
func TestUnbiasedReportsWrongMeans(t *testing.T) {
	const mark = 77
	wide := func(call *kernels.Call) {
		if call.Args[7] != kernels.None {
			call.Args[7], call.Dims[1] = kernels.None, mark
		}
	}
	nearest := func(call *kernels.Call, segments [][]byte) {
		weights := kernels.Float32s(argument(call, segments, 0, 0))
		for i, w := range weights {
			if call.Dims[1] == mark {
				weights[i] = ref.Round(w, kernels.BF16)
			}
		}
	}
	for _, test := range []struct {
		device planted
		want   string
	}{
		{planted{Device: ref.New(), change: wide}, "weights[0] is"},
		{planted{Device: ref.New(), change: wide, spoil: nearest}, "the mean of 65536 weights"},
		{planted{Device: ref.New(), change: func(call *kernels.Call) { call.Dims[1] = 9 }}, "another seed or salt gave the same weights"},
	} {
		r := &recorder{}
		Unbiased(r, test.device, Options{})
		if !strings.Contains(strings.Join(r.problems, "\n"), test.want) {
			t.Errorf("no report contains %q: %.3q", test.want, r.problems)
		}
	}
}

// Products in fp32 are exact enough for TF32, and those off by eight of its roundings are not.
func TestTF32ReportsWrongProducts(t *testing.T) {
	only := Options{Only: []kernels.Kernel{kernels.LinearDW}}
	TF32(t, ref.New(), only)
	r := &recorder{}
	TF32(r, planted{Device: ref.New(), spoil: func(call *kernels.Call, segments [][]byte) {
		for i := range kernels.Float32s(argument(call, segments, 0, 0)) {
			kernels.Float32s(argument(call, segments, 0, 0))[i] *= 1 + 8.0/(1<<11)
		}
	}}, only)
	cases := 0
	for _, c := range Cases(kernels.LinearDW) {
		if !c.absent("dw") && c.Step == 0 && !c.accumulates("dw") {
			cases++
		}
	}
	if len(r.problems) < cases*9/10 {
		t.Errorf("%d reports, want nine tenths of %d: %.3q", len(r.problems), cases, r.problems)
	}
}

func TestPaddingReportsInfluence(t *testing.T) {
	// A device whose attention gives other bits in a batch.
	spoil := func(call *kernels.Call, segments [][]byte) {
		if call.Kernel == kernels.Attention && call.Dim("B") > 1 {
			flip(call, segments)
		}
	}
	r := &recorder{}
	Padding(r, planted{Device: ref.New(), spoil: spoil}, Options{})
	if len(r.problems) != 1 || !strings.Contains(r.problems[0], "padded") {
		t.Errorf("want one report, got %q", r.problems)
	}
}
