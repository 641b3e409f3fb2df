package kerneltest

import "atoll/kernels"

// embedShapes are B, T, C, V, P.
func embedShapes() [][5]int64 {
	return [][5]int64{
		{1, 1, 1, 1, 1}, {2, 3, 5, 4, 3}, {1, 7, 16, 100, 12}, {3, 16, 33, 50, 16}, {2, 65, 64, 300, 70}, {5, 2, 16, 5003, 9}, {2, 2, 300, 40, 9},
		{4, 33, 17, 2, 40},
	}
}

func embedCases() []Case {
	var cases []Case
	for _, s := range embedShapes() {
		cases = append(cases,
			Case{Kernel: kernels.Embed, Dims: s[:], Absent: []string{"start"}},
			Case{Kernel: kernels.Embed, Dims: s[:], Start: int32(s[4] - s[1])})
	}
	return cases
}

func embedBackwardCases(k kernels.Kernel) []Case {
	// More rows than are sorted at once, few tokens and many.
	shapes := append(embedShapes(), [5]int64{3, 900, 4, 2, 900}, [5]int64{31, 100, 8, 3000, 101})
	var cases []Case
	for i, s := range shapes {
		for j, how := range storings() {
			wpe := pick(storings(), i+j)
			if wpe.mode == kernels.ByStep {
				wpe.mode = kernels.Overwrite // one step for both: it is wteMode's
			}
			cases = append(cases, Case{Kernel: k, Step: how.step,
				Dims: []int64{s[0], s[1], s[2], s[3], s[4], how.mode, wpe.mode}})
		}
	}
	return cases
}

// rowShapes are N, C.
func rowShapes() [][2]int64 {
	return [][2]int64{
		{1, 1}, {3, 1}, {1, 2}, {2, 5}, {5, 15}, {4, 16}, {7, 17}, {13, 33}, {14, 64}, {33, 65}, {6, 257}, {65, 300}, {3, 768},
		{300, 31}, {2, 1600}, {3, 4200}, {2, 3333},
	}
}

func layerNormCases() []Case {
	statistics := [][]string{nil, {"mean", "rstd"}}
	var cases []Case
	for i, s := range rowShapes() {
		cases = append(cases, Case{Kernel: kernels.LayerNorm, Dims: s[:], Scalars: []float32{1e-5}, Absent: pick(statistics, i)})
	}
	// Far from 0, where the mean of squares less the square of the mean has no digits left.
	return append(cases, Case{Kernel: kernels.LayerNorm, Dims: []int64{5, 129}, Scalars: []float32{1e-5},
		Offset: map[string]float32{"x": 60}})
}

func layerNormBackwardCases() []Case {
	absent := [][]string{nil, {"dres"}, {"dg", "db"}, {"dg", "db", "dres"}, nil}
	var cases []Case
	for i, s := range rowShapes() {
		for j, how := range storings() {
			cases = append(cases, Case{Kernel: kernels.LayerNormBackward, Dims: []int64{s[0], s[1], how.mode}, Step: how.step,
				Absent: pick(absent, i+j)})
		}
	}
	return cases
}

// poolCases serve pool and its backward kernel.
func poolCases(k kernels.Kernel) []Case {
	var cases []Case
	for _, s := range [][3]int64{{1, 1, 1}, {3, 2, 5}, {7, 17, 33}, {4, 65, 64}, {2, 9, 300}} {
		cases = append(cases, Case{Kernel: k, Dims: s[:]})
	}
	return append(cases, Case{Kernel: k, Dims: []int64{4, 6, 16}, Lengths: []int32{6, 0, 1, 3}})
}
