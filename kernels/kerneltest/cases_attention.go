package kerneltest

import "atoll/kernels"

// attentionShapes are B, T, H and the head size D.
func attentionShapes() [][4]int64 {
	return [][4]int64{
		{1, 1, 1, 1}, {3, 1, 2, 8}, {2, 2, 1, 16}, {1, 7, 3, 24}, {2, 16, 2, 32}, {1, 17, 1, 64}, {2, 33, 2, 8}, {1, 64, 1, 64},
		{1, 65, 2, 80}, {1, 130, 1, 128}, {1, 130, 2, 16}, {2, 17, 3, 1}, {1, 33, 1, 80}, {1, 16, 2, 128}, {4, 5, 2, 40},
		{1, 196, 1, 64}, {2, 420, 1, 64}, {1, 300, 1, 128}, {1, 36, 1, 96}, {1, 20, 2, 160},
	}
}

// attentionCases serve attention and its backward kernel, which take the same sizes and options.
func attentionCases(k kernels.Kernel) []Case {
	options := []Case{
		{Scalars: []float32{0}, Absent: []string{"lengths", "seed"}},
		{Scalars: []float32{0}, Absent: []string{"seed"}},
		{Scalars: []float32{0.1}, Absent: []string{"lengths"}},
		{Scalars: []float32{0.5}},
		{Scalars: []float32{0}, Absent: []string{"lengths", "seed"}, Scale: map[string]float32{"qkv": 3}},
	}
	var cases []Case
	for i, s := range attentionShapes() {
		for j, c := range options {
			if s[1] > 64 && j != i%len(options) && j != 1 {
				continue // long rows: two options each
			}
			c.Kernel = k
			c.Dims = []int64{s[0], s[1], s[2] * s[3], s[2], int64(i)}
			cases = append(cases, c)
		}
	}
	cases = append(cases, Case{Kernel: k, Dims: []int64{4, 19, 32, 2, 0}, Scalars: []float32{0}, Absent: []string{"seed"},
		Lengths: []int32{0, 19, 1, 8}})
	if k == kernels.Attention {
		cases = append(cases, Case{Kernel: k, Dims: []int64{2, 9, 16, 2, 0}, Scalars: []float32{0},
			Absent: []string{"lse", "lengths", "seed"}})
	}
	return cases
}

func attentionCachedCases() []Case {
	shapes := []struct{ B, T, H, D, P, start int64 }{
		{1, 1, 1, 1, 1, 0}, {1, 1, 1, 8, 5, 0}, {2, 1, 3, 8, 7, 6}, {1, 5, 2, 16, 16, 0}, {2, 3, 3, 16, 33, 17},
		{1, 1, 2, 64, 130, 129}, {3, 16, 1, 80, 65, 40}, {1, 64, 1, 64, 64, 0}, {2, 7, 2, 128, 50, 20}, {1, 1, 2, 24, 70, 31}, {1, 2, 1, 160, 300, 200},
		{2, 9, 2, 136, 90, 70},
	}
	var cases []Case
	for _, s := range shapes {
		cases = append(cases, Case{Kernel: kernels.AttentionCached, Dims: []int64{s.B, s.T, s.H * s.D, s.H, s.P},
			Start: int32(s.start)})
	}
	return cases
}
