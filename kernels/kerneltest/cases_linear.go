package kerneltest

import (
	"slices"

	"atoll/kernels"
)

// linearShapes are N, I, O. Each is at times the inner dimension of a product: tiles in use are 6x16 and 14x32, blocks of
// the inner dimension 256 to 512.
func linearShapes() [][3]int64 {
	return [][3]int64{
		{1, 1, 1}, {1, 5, 2}, {2, 1, 33}, {5, 13, 1}, {13, 14, 15}, {14, 16, 32}, {6, 16, 16}, {15, 31, 33}, {7, 17, 31},
		{12, 32, 64}, {28, 64, 96}, {31, 65, 13}, {33, 14, 127}, {65, 33, 15}, {64, 128, 65},
		{1, 300, 513}, {2, 513, 257}, {13, 257, 300}, {127, 700, 33}, {257, 13, 65}, {300, 31, 14}, {513, 33, 17},
		{700, 5, 33}, {1030, 3, 5}, {3, 17, 2100}, {5, 1030, 33}, {5, 33, 1030}, {65, 300, 257}, {64, 1088, 33},
	}
}

// smallProduct is the number of multiplications up to which a shape is run with every option; larger shapes take one
// option each, in turn.
const smallProduct = 4_000

// eachLinear visits shapes, both layouts of the weight, and options 0 to count-1.
func eachLinear(count int, visit func(shape [3]int64, transposed int64, option int)) {
	for i, shape := range linearShapes() {
		for transposed := range int64(2) {
			if shape[0]*shape[1]*shape[2] > smallProduct {
				visit(shape, transposed, (2*i+int(transposed))%count)
				continue
			}
			for option := range count {
				visit(shape, transposed, option)
			}
		}
	}
}

// hugeShapes are N, I, O of products whose GELU is far from 0: odd ones, and one that a product of halves has as its epilogue.
func hugeShapes() [][3]int64 { return [][3]int64{{5, 13, 9}, {64, 128, 64}} }

func linearCases() []Case {
	options := []struct {
		gelu   int64
		absent []string
	}{
		{0, []string{"pre", "b", "res"}}, {0, []string{"pre", "res"}}, {1, []string{"res"}}, {0, []string{"pre"}},
		{1, nil}, {1, []string{"pre", "b", "res"}}, {0, []string{"pre", "b"}},
	}
	var cases []Case
	eachLinear(len(options), func(s [3]int64, transposed int64, option int) {
		o := options[option]
		cases = append(cases, Case{Kernel: kernels.Linear, Dims: []int64{s[0], s[1], s[2], transposed, o.gelu}, Absent: o.absent})
	})
	for _, s := range hugeShapes() {
		for _, absent := range [][]string{{"pre", "res"}, nil} {
			c := Case{Kernel: kernels.Linear, Dims: []int64{s[0], s[1], s[2], 0, 1}, Absent: absent}
			cases = append(cases, huge(c, "b")...)
		}
	}
	return cases
}

func linearDXCases() []Case {
	options := [][]string{{"pre", "dres"}, {"dres"}, {"pre"}, nil}
	var cases []Case
	eachLinear(len(options), func(s [3]int64, transposed int64, option int) {
		cases = append(cases, Case{Kernel: kernels.LinearDX, Dims: []int64{s[0], s[1], s[2], transposed}, Absent: options[option]})
	})
	for _, s := range hugeShapes() {
		for _, absent := range [][]string{{"dres"}, nil} {
			c := Case{Kernel: kernels.LinearDX, Dims: []int64{s[0], s[1], s[2], 0}, Absent: absent}
			cases = append(cases, huge(c, "pre")...)
		}
	}
	return cases
}

// linearDWCases: linear.dw.norm always has a dw.
func linearDWCases(k kernels.Kernel) []Case {
	options := []struct {
		storing
		absent []string
	}{
		{storing{kernels.Overwrite, 0}, nil}, {storing{kernels.Accumulate, 0}, nil}, {storing{kernels.ByStep, 1}, []string{"db"}},
		{storing{kernels.Accumulate, 0}, []string{"dw"}}, {storing{kernels.ByStep, 0}, nil},
	}
	var cases []Case
	eachLinear(len(options), func(s [3]int64, transposed int64, option int) {
		o := options[option]
		if k == kernels.LinearDWNorm && slices.Contains(o.absent, "dw") {
			o.absent = nil
		}
		cases = append(cases, Case{Kernel: k, Dims: []int64{s[0], s[1], s[2], transposed, o.mode}, Step: o.step, Absent: o.absent})
	})
	if k == kernels.LinearDWNorm { // squares of the first overflow fp32, those of the second are below it
		for _, size := range []float32{1e25, 1e-25} {
			cases = append(cases, Case{Kernel: k, Dims: []int64{5, 33, 70, 0, kernels.Overwrite}, Scale: map[string]float32{"dy": size}})
		}
	}
	return cases
}
