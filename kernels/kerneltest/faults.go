package kerneltest

import (
	"errors"
	"slices"
	"strings"

	"atoll/kernels"
)

// wrongData is a case with one integer made wrong, and what the message must name.
type wrongData struct {
	Case
	arg   string
	index int
	value int32
	names []string
}

// wrongDataCases are all checks of data that ref makes.
func wrongDataCases() []wrongData {
	embed := Case{Kernel: kernels.Embed, Dims: []int64{2, 10, 8, 50, 12}}
	backward := Case{Kernel: kernels.EmbedBackward, Dims: []int64{2, 10, 8, 50, 12, 0, 0}}
	cached := Case{Kernel: kernels.AttentionCached, Dims: []int64{2, 3, 16, 2, 8}}
	head := Case{Kernel: kernels.HeadLoss, Dims: []int64{20, 8, 50, 4, 50, 0, 0}}
	backwardNorm, headNorm := backward, head
	backwardNorm.Kernel, headNorm.Kernel = kernels.EmbedBackwardNorm, kernels.HeadLossNorm
	class := Case{Kernel: kernels.ClassLoss, Dims: []int64{6, 4, 0}}
	cases := []wrongData{
		{embed, "tokens", 17, 50, []string{"token 50", "row 17", "V=50"}},
		{embed, "tokens", 3, -2, []string{"token -2", "row 3", "below 0"}},
		{embed, "start", 0, 3, []string{"start 3", "T=10", "P=12"}},
		{embed, "start", 0, -1, []string{"start -1", "below 0"}},
		{backward, "tokens", 19, 1 << 30, []string{"token 1073741824", "row 19", "V=50"}},
		{backward, "tokens", 0, -1, []string{"token -1", "row 0", "below 0"}},
		{cached, "start", 0, 6, []string{"start 6", "T=3", "P=8"}},
		{cached, "start", 0, -5, []string{"start -5", "below 0"}},
		{backwardNorm, "tokens", 19, 50, []string{"token 50", "row 19", "V=50"}},
		{headNorm, "tokens", 7, 50, []string{"token 50", "row 7", "V=50"}},
		{headNorm, "tokens", 0, -1, []string{"token -1", "row 0", "below 0"}},
		{head, "targets", 19, 50, []string{"target 50", "row 19", "V=50"}},
		{class, "labels", 5, 4, []string{"label 4", "row 5", "K=4"}},
	}
	for _, k := range []kernels.Kernel{kernels.Attention, kernels.AttentionBackward, kernels.Pool, kernels.PoolBackward} {
		c := Case{Kernel: k, Dims: []int64{3, 7, 16}}
		if k == kernels.Attention || k == kernels.AttentionBackward {
			c = Case{Kernel: k, Dims: []int64{3, 7, 16, 2, 0}, Scalars: []float32{0}, Absent: []string{"seed"}}
		}
		cases = append(cases,
			wrongData{c, "lengths", 2, 8, []string{"length 8", "row 2", "T=7"}},
			wrongData{c, "lengths", 1, -1, []string{"length -1", "row 1", "below 0"}})
	}
	return cases
}

// Faults checks that the device answers wrong data with a *kernels.Fault that has the kernel, the index of its call and
// a message with the value, its row and the bound.
func Faults(t TB, device kernels.Device, options Options) {
	t.Helper()
	for _, c := range wrongDataCases() {
		if !options.wants(c.Kernel) {
			continue
		}
		l, err := c.layout()
		if err == nil {
			_, err = execute(device, l, 1)
		}
		var f *kernels.Fault
		name := device.Name() + " " + c.Name(kernels.F32)
		if !errors.As(err, &f) {
			t.Errorf("%s: %s[%d] = %d gives error %v, want a *kernels.Fault", name, c.arg, c.index, c.value, err)
			continue
		}
		if f.Kernel != c.Kernel || f.Index != 1 {
			t.Errorf("%s: fault of %v, instruction %d, want instruction 1", name, f.Kernel, f.Index)
		}
		for _, want := range c.names {
			if !strings.Contains(f.Message, want) {
				t.Errorf("%s: the message %q does not contain %q", name, f.Message, want)
			}
		}
	}
}

// layout is a program of two calls: a grad.norm that has nothing to do, and the case with its wrong integer.
func (w wrongData) layout() (*layout, error) {
	values := makeInputs(w.Case, kernels.F32)
	for i, arg := range kernels.SignatureOf(w.Kernel).Args {
		if arg.Name == w.arg {
			values.ints[i] = slices.Clone(values.ints[i])
			values.ints[i][w.index] = w.value
		}
	}
	l, err := newLayout(w.Case, kernels.F32, values)
	if err != nil {
		return nil, err
	}
	norm := kernels.Call{Kernel: kernels.GradNorm, Args: [kernels.MaxArgs]kernels.Ref{kernels.At(0, 0), kernels.At(0, 64)}}
	l.calls = slices.Insert(l.calls, 0, norm)
	return l, nil
}
