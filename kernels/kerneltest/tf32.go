package kerneltest

import (
	"fmt"
	"math"
	"slices"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// TF32 is Run for a device whose products of fp32 round what they multiply to TF32, 10 bits of fraction. An output's largest
// error, against fp32, may be twice that of ref on operands rounded so, and what the fp32 rule allows.
func TF32(t TB, device kernels.Device, options Options) {
	t.Helper()
	oracle := ref.New()
	options.each(func(c Case, precision kernels.DType) {
		t.Helper()
		if tf32Operands(c.Kernel) == nil || precision != kernels.F32 {
			return
		}
		values := makeInputs(c, precision)
		problems := checkResults(device, c, precision, values, func(l *layout) (want, exact [][]float32, err error) {
			if exact, err = results(oracle, l); err != nil {
				return nil, nil, err
			}
			rounded, err := newLayout(c, precision, values.roundedTF32(c.Kernel))
			if err != nil {
				return nil, nil, err
			}
			want, err = results(oracle, rounded)
			return want, exact, err
		}, compareTF32)
		for _, problem := range problems {
			t.Errorf("%s with TF32 %s: %v", device.Name(), c.Name(precision), problem)
		}
	})
}

// tf32Operands are the arguments that a kernel's products multiply; nil: it has none.
func tf32Operands(k kernels.Kernel) []string {
	switch k {
	case kernels.Linear:
		return []string{"x", "w"}
	case kernels.LinearDX:
		return []string{"dy", "w"}
	case kernels.LinearDW:
		return []string{"x", "dy"}
	case kernels.HeadLoss:
		return []string{"h", "wte"}
	}
	return nil
}

// roundedTF32 is a copy of the inputs whose operands of products are rounded.
func (v *inputs) roundedTF32(k kernels.Kernel) *inputs {
	rounded := *v
	for i, arg := range kernels.SignatureOf(k).Args {
		if slices.Contains(tf32Operands(k), arg.Name) {
			rounded.floats[i] = slices.Clone(v.floats[i])
			for j, x := range rounded.floats[i] {
				rounded.floats[i][j] = toTF32(x)
			}
		}
	}
	return &rounded
}

// toTF32 rounds a finite number to nearest, as tensor cores' conversion does: ties go away from 0.
func toTF32(x float32) float32 { return math.Float32frombits((math.Float32bits(x) + 0x1000) &^ 0x1fff) }

// compareTF32 holds output i of a device against ref on rounded operands (want) and in fp32 (exact). The head's gradients are
// products of the gradients of logits, which are rounded once more.
func compareTF32(c Case, l *layout, i int, got, want, exact []float32) error {
	const unit = 1.0 / (1 << 11)
	p := l.args[i]
	r := ruleOf(c, p.name)
	limit := r.relative*math.Max(largest(exact), r.floor) + 2*largestError(want, exact)
	why := "twice the error of ref on operands in TF32 and the error of fp32"
	if p.name == "dh" || p.name == "dwte" {
		limit += unit * largest(exact)
		why = fmt.Sprint(why, ", and one rounding")
	}
	return differences(p, got, exact, limit, why)
}
