package kerneltest

import "atoll/kernels"

// headLossCases: head.loss.norm always has a dwte.
func headLossCases(k kernels.Kernel) []Case {
	shapes := [][4]int64{ // N, C, V, R; LD differs
		{1, 1, 1, 1}, {5, 3, 100, 2}, {7, 33, 1, 3}, {13, 16, 100, 4}, {17, 24, 257, 17}, {33, 65, 300, 8}, {3, 300, 100, 5},
		{20, 24, 5003, 7}, {65, 48, 513, 64}, {14, 64, 32, 14}, {4, 5, 128, 3},
	}
	absent := [][]string{nil, {"rows"}, {"dh", "dwte"}, {"dwte"}, {"dh"}}
	if k == kernels.HeadLossNorm {
		absent = [][]string{nil, {"rows"}, {"dh"}}
	}
	var cases []Case
	for i, s := range shapes {
		for j, how := range storings() {
			if s[0]*s[1]*s[2] > 1_000_000 && j > 1 {
				continue
			}
			lossMode := how.mode
			if j == 1 {
				lossMode = kernels.Overwrite
			}
			cases = append(cases, Case{Kernel: k, Dims: []int64{s[0], s[1], s[2], s[3], rowStride(s[2], i), lossMode, how.mode},
				Step: how.step, Absent: pick(absent, i+j)})
		}
	}
	return append(cases,
		Case{Kernel: k, Dims: []int64{2, 3, 40009, 1, 40064, 0, 0}}, // a row that a block of a GPU cannot keep
		Case{Kernel: k, Dims: []int64{6, 8, 50, 4, 50, 0, 0}, Fixed: map[string]float32{"targets": -1}},
		Case{Kernel: k, Dims: []int64{9, 16, 70, 4, 128, 1, 1}, Fixed: map[string]float32{"targets": 69}})
}

// rowStride is how far rows of V logits are apart in case i: V, three more, or the next multiple of 64.
func rowStride(V int64, i int) int64 { return []int64{V, V + 3, (V + 63) / 64 * 64}[i%3] }

// lossCases serve the two losses of classification.
func lossCases(k kernels.Kernel) []Case {
	absent := [][]string{nil, {"weights"}, {"rows", "weights"}, {"dlogits"}, {"rows", "dlogits"}}
	var cases []Case
	for i, s := range [][2]int64{{1, 1}, {1, 2}, {2, 3}, {7, 4}, {16, 5}, {33, 16}, {5, 17}, {9, 100}, {3, 1000}} {
		for j, how := range storings() {
			cases = append(cases, Case{Kernel: k, Dims: []int64{s[0], s[1], how.mode}, Step: how.step, Absent: pick(absent, i+j)})
		}
	}
	ignored := map[string]float32{"labels": -1, "targets": -1}
	return append(cases,
		Case{Kernel: k, Dims: []int64{4, 7, 0}, Fixed: ignored},
		Case{Kernel: k, Dims: []int64{8, 6, 0}, Scale: map[string]float32{"logits": 100}}, // exp overflows
		Case{Kernel: k, Dims: []int64{3, 5, 0}, Offset: map[string]float32{"logits": 500}})
}
