package kerneltest

import (
	"math"
	"math/rand/v2"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// packedShapes are N, I, O: few rows and many, depths that are no multiple of what a word holds, columns that fill no panel.
func packedShapes() [][3]int64 {
	return [][3]int64{
		{1, 1, 1}, {0, 5, 7}, {3, 0, 17}, {4, 9, 0}, {1, 3, 33}, {2, 7, 65}, {3, 66, 130}, {4, 13, 31}, {5, 14, 64}, {7, 33, 15}, {8, 64, 96},
		{9, 31, 33}, {13, 14, 127}, {31, 65, 13}, {67, 33, 47},
		{64, 0, 5}, {70, 1, 33}, {1, 515, 257}, {2, 1030, 33}, {6, 513, 97}, {8, 300, 161}, {65, 515, 65}, {130, 259, 33}, {1, 33, 2100}, {9, 17, 2100},
	}
}

// twiceShapes are N, I, O for PackedTwice: one block of rows and several, rows of the product that fill no tile, depths of more than a block of the
// product either way.
func twiceShapes() [][3]int64 {
	return [][3]int64{{1, 32, 32}, {0, 32, 64}, {5, 64, 96}, {33, 96, 64}, {70, 32, 160}, {32, 1056, 64}, {64, 64, 1120}, {65, 544, 288}}
}

func packCases() []Case {
	var cases []Case
	for _, s := range append(packedShapes(), twiceShapes()...) {
		for transposed := range int64(2) {
			for format := range kernels.FormatCount {
				if !format.Holds(s[1], s[2]) {
					continue
				}
				cases = append(cases, Case{Kernel: kernels.Pack, Dims: []int64{s[1], s[2], transposed, int64(format), format.Words(s[1], s[2])}})
			}
		}
	}
	for _, v := range notOrdinary() {
		cases = append(cases, Case{Kernel: kernels.Pack, Dims: packDims(17, 35, kernels.PackedI8), Fixed: map[string]float32{"w": v}})
	}
	return append(cases, Case{Kernel: kernels.Pack, Dims: packDims(17, 35, kernels.PackedBF16), Fixed: map[string]float32{"w": float32(math.NaN())}},
		Case{Kernel: kernels.Pack, Dims: packDims(17, 35, kernels.PackedI8), Scale: map[string]float32{"w": 1e-37}},
		Case{Kernel: kernels.Pack, Dims: packDims(17, 35, kernels.PackedI8), Scale: map[string]float32{"w": 1e38}})
}

func packDims(I, O int64, format kernels.Format) []int64 {
	return []int64{I, O, 0, int64(format), format.Words(I, O)}
}

// notOrdinary are numbers that quantization treats by themselves.
func notOrdinary() []float32 {
	return []float32{0, float32(math.NaN()), float32(math.Inf(-1)), 1e-40, 5e-37}
}

func linearPackedCases() []Case {
	options := []struct {
		gelu   int64
		absent []string
	}{{0, []string{"b", "res", "pre"}}, {0, []string{"res", "pre"}}, {1, []string{"res"}}, {0, []string{"pre"}}, {1, nil}, {1, []string{"pre"}}}
	var cases []Case
	n := 0
	for _, s := range append(packedShapes(), twiceShapes()...) {
		for format := range kernels.FormatCount {
			if !format.Holds(s[1], s[2]) {
				continue
			}
			for option := range options {
				if s[0]*s[1]*s[2] > smallProduct && option != n%len(options) {
					continue
				}
				o := options[option]
				cases = append(cases, Case{Kernel: kernels.LinearPacked, Dims: linearPackedDims(s, o.gelu, format), Absent: o.absent})
			}
			n++
		}
	}
	for _, rows := range []int64{5, 70} {
		for _, v := range append(notOrdinary(), -1, 1) { // a row of ones is one of 127s
			cases = append(cases, Case{Kernel: kernels.LinearPacked, Dims: linearPackedDims([3]int64{rows, 18, 35}, 0, kernels.PackedI8),
				Fixed: map[string]float32{"x": v}, Absent: []string{"res", "pre"}})
		}
	}
	return cases
}

func linearDXPackedCases() []Case {
	options := [][]string{{"pre", "dres"}, {"dres"}, {"pre"}, nil}
	var cases []Case
	for i, s := range twiceShapes() {
		for option := range options {
			if s[0]*s[1]*s[2] <= smallProduct || option == i%len(options) {
				cases = append(cases, Case{Kernel: kernels.LinearDXPacked, Dims: s[:], Absent: options[option]})
			}
		}
	}
	return cases
}

// adamWPackedCases: packed in the place of the gradients, as in training, and elsewhere; where nothing is changed, too.
func adamWPackedCases() []Case {
	settings := adamWSettings()
	var cases []Case
	for i, s := range twiceShapes() {
		c := Case{Kernel: kernels.AdamWPacked, Dims: []int64{s[1], s[2]}, Scalars: pick(settings, i)}
		cases = append(cases, c)
		c.Alias = kernels.Alias{Written: "packed", Read: "grads"}
		cases = append(cases, c)
	}
	for _, arg := range []string{"norm", "loss"} {
		for _, value := range []float64{math.NaN(), math.Inf(1)} {
			cases = append(cases, Case{Kernel: kernels.AdamWPacked, Dims: []int64{64, 32}, Scalars: settings[0], Fixed: map[string]float32{arg: float32(value)}})
		}
	}
	return cases
}

// linearPackedDims are those of a product, which is a stream's where its rows are odd.
func linearPackedDims(shape [3]int64, gelu int64, format kernels.Format) []int64 {
	return []int64{shape[0], shape[1], shape[2], gelu, int64(format), format.Words(shape[1], shape[2]), shape[0] % 2}
}

// words are the values of a packed weight: of random numbers from -1 to 1.
func (c Case) words(n int64, random *rand.Rand) []int32 {
	packed := make([]int32, n)
	I, O, format := int(c.dim("I")), int(c.dim("O")), kernels.PackedTwice
	if c.dim("format") >= 0 {
		format = kernels.Format(c.dim("format"))
	}
	w := make([]float32, I*O)
	for i := range w {
		w[i] = float32(random.Uint32())/(1<<31) - 1
	}
	ref.Pack(packed, w, I, O, false, format)
	return packed
}

// formats says whether the format of a case, if it has one, goes with a precision of activations.
func (c Case) formats(precision kernels.DType) bool {
	switch c.Kernel {
	case kernels.LinearPacked:
		return kernels.Format(c.dim("format")).Fits(precision)
	case kernels.LinearDXPacked:
		return kernels.PackedTwice.Fits(precision)
	}
	return true
}
