package kerneltest

import (
	"fmt"

	"atoll/kernels"
)

// Padding checks what makes padding free of consequences: each sequence of a padded batch gives the same bits, in fp32,
// as the sequence alone at its own length. It runs the kernels of a forward pass, one at a time.
func Padding(t TB, device kernels.Device, options Options) {
	t.Helper()
	const B, T, C = 5, 37, 48
	lengths := []int32{37, 1, 14, 33, 6}
	absent := []string{"lse", "seed"}
	cases := []struct {
		batch Case
		alone func(rows int64) Case
	}{
		{Case{Kernel: kernels.Embed, Dims: []int64{B, T, C, 300, 40}, Absent: []string{"start"}},
			func(rows int64) Case { return Case{Dims: []int64{1, rows, C, 300, 40}} }},
		{Case{Kernel: kernels.LayerNorm, Dims: []int64{B * T, C}, Scalars: []float32{1e-5}},
			func(rows int64) Case { return Case{Dims: []int64{rows, C}} }},
		{Case{Kernel: kernels.Linear, Dims: []int64{B * T, C, 70, 0, 1}, Absent: []string{"pre"}},
			func(rows int64) Case { return Case{Dims: []int64{rows, C, 70, 0, 1}} }},
		{Case{Kernel: kernels.Linear, Dims: []int64{B * T, 600, C, 1, 0}, Absent: []string{"pre"}},
			func(rows int64) Case { return Case{Dims: []int64{rows, 600, C, 1, 0}} }},
		{Case{Kernel: kernels.Attention, Dims: []int64{B, T, C, 3, 0}, Scalars: []float32{0}, Absent: absent, Lengths: lengths},
			func(rows int64) Case { return Case{Dims: []int64{1, rows, C, 3, 0}, Lengths: []int32{int32(rows)}} }},
	}
	for _, c := range cases {
		if !options.wants(c.batch.Kernel) {
			continue
		}
		for b, length := range lengths {
			alone := c.alone(int64(length))
			alone.Kernel, alone.Scalars, alone.Absent = c.batch.Kernel, c.batch.Scalars, c.batch.Absent
			if err := samePadded(device, c.batch, alone, b, B, int(length)); err != nil {
				t.Errorf("%s %s: %v", device.Name(), c.batch.Name(kernels.F32), err)
			}
		}
	}
}

// samePadded runs the batch, and sequence b of it alone, and compares the rows of the sequence in their first output.
func samePadded(device kernels.Device, batch, alone Case, b, sequences, rows int) error {
	values := makeInputs(batch, kernels.F32)
	all, err := runOutput(device, batch, values)
	if err != nil {
		return err
	}
	one, err := runOutput(device, alone, values.sequence(batch, b, sequences, alone))
	if err != nil {
		return err
	}
	share := len(all) / sequences
	for i, v := range one {
		if all[b*share+i] != v {
			return fmt.Errorf("sequence %d of %d rows, element %d: %v in the padded batch and %v alone: want the same bits",
				b, rows, i, all[b*share+i], v)
		}
	}
	return nil
}

// runOutput is the first argument, an output, after a run.
func runOutput(device kernels.Device, c Case, values *inputs) ([]float32, error) {
	l, err := newLayout(c, kernels.F32, values)
	if err != nil {
		return nil, err
	}
	outputs, err := results(device, l)
	if err != nil {
		return nil, err
	}
	return outputs[0], nil
}

// sequence is the part of a batch's inputs that belongs to sequence b, cut to the sizes of alone. Arguments that have
// the same size in both, such as weights, are shared.
func (v *inputs) sequence(batch Case, b, sequences int, alone Case) *inputs {
	part := &inputs{}
	call, whole := alone.call(kernels.F32), batch.call(kernels.F32)
	for i, arg := range kernels.SignatureOf(batch.Kernel).Args {
		n, errN := call.Elements(i)
		all, errAll := whole.Elements(i)
		if errN != nil || errAll != nil || batch.absent(arg.Name) {
			continue
		}
		at := int64(b) * all / int64(sequences)
		if n == all {
			at = 0
		}
		if arg.Class == kernels.Integer {
			part.ints[i] = v.ints[i][at : at+n]
			continue
		}
		part.floats[i] = v.floats[i][at : at+n]
	}
	return part
}
