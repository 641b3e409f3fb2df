package ref

import "atoll/kernels"

// half is the place of a number of bf16 in packed words: the lower half of word, or the upper one.
type half struct{ word, upper int }

// placesOf are the two places of w[i,o] in kernels.PackedTwice: the one that linear reads, whose lines hold neighbours along I, and that of
// linear.dx, whose lines hold neighbours along O.
func placesOf(i, o, O int) (forward, backward half) {
	const rows, width, lines = kernels.TwiceRows, kernels.PanelWidth, kernels.TwiceRows / 2
	block := i / rows * rows * O
	row := i % rows
	forward = half{block + (o/width*lines+row/2)*width + o%width, row % 2}
	backward = half{block + rows/2*O + row/width*width*O/2 + o/2*width + row%width, o % 2}
	return forward, backward
}

func (h half) put(packed []int32, v float32) {
	packed[h.word] |= int32(uint32(kernels.ToBF16(v)) << (16 * h.upper))
}

func (h half) get(packed []int32) float32 {
	return kernels.FromBF16(uint16(uint32(packed[h.word]) >> (16 * h.upper)))
}

// packTwice is Pack in PackedTwice; packed is cleared.
func packTwice(packed []int32, w []float32, I, O int, transposed bool) {
	for i := range I {
		for o := range O {
			v := w[i*O+o]
			if transposed {
				v = w[o*I+i]
			}
			forward, backward := placesOf(i, o, O)
			forward.put(packed, v)
			backward.put(packed, v)
		}
	}
}

// unpackTwice gives what linear reads as [O,I].
func unpackTwice(w, scales []float32, packed []int32, I, O int) {
	for o := range O {
		scales[o] = 1
		for i := range I {
			forward, _ := placesOf(i, o, O)
			w[o*I+i] = forward.get(packed)
		}
	}
}

// LinearDXPacked is LinearDX with a w [I,O] that Pack has laid out in kernels.PackedTwice.
func LinearDXPacked(dx, dy []float32, packed []int32, pre, dres []float32, N, I, O int) {
	w := make([]float32, I*O)
	for i := range I {
		for o := range O {
			_, backward := placesOf(i, o, O)
			w[i*O+o] = backward.get(packed)
		}
	}
	LinearDX(dx, dy, w, pre, dres, N, I, O, false)
}

// AdamWPacked is AdamW of a weight [I,O], laid out in kernels.PackedTwice then, also where nothing was changed. packed may be grads.
func AdamWPacked(weights, m, v []float32, packed []int32, grads []float32, norm, loss float32, I, O int, s AdamWSettings) {
	AdamW(weights, m, v, grads, norm, loss, s)
	Pack(packed, weights, I, O, false, kernels.PackedTwice)
}

func runLinearDXPacked(a *arguments) error {
	LinearDXPacked(a.float("dx"), a.float("dy"), a.int("packed"), a.float("pre"), a.float("dres"), a.dim("N"), a.dim("I"), a.dim("O"))
	return nil
}

func runAdamWPacked(a *arguments) error {
	AdamWPacked(a.float("weights"), a.float("m"), a.float("v"), a.int("packed"), a.float("grads"), a.float("norm")[0], a.float("loss")[0],
		a.dim("I"), a.dim("O"), a.adamW())
	return nil
}
