package cpu

import (
	"fmt"
	"testing"

	"atoll/kernels"
)

// BenchmarkAttention counts the products that a causal mask leaves: T*(T+1)/2 pairs of rows, 2*D operations for each of
// 2 products forward and 5 backward.
func BenchmarkAttention(b *testing.B) {
	const C, H = 768, 12
	for _, T := range []int64{64, 256, 1024} {
		B := 2048 / T
		pairs := float64(B*H) * float64(T*(T+1)/2) * 2 * C / H
		for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
			call := kernels.Call{Kernel: kernels.Attention, Precision: precision, Dims: [8]int64{B, T, C, H}}
			b.Run(fmt.Sprintf("forward/T%d/%v", T, precision), func(b *testing.B) {
				newBench(b, call, nil, "lengths", "seed").run(b, 2*pairs)
			})
			call.Kernel = kernels.AttentionBackward
			b.Run(fmt.Sprintf("backward/T%d/%v", T, precision), func(b *testing.B) {
				newBench(b, call, nil, "lengths", "seed").run(b, 5*pairs)
			})
		}
		call := kernels.Call{Kernel: kernels.Attention, Dims: [8]int64{B, T, C, H, 1}, Scalars: [8]float32{0.1}}
		b.Run(fmt.Sprintf("forward/T%d/dropout", T), func(b *testing.B) {
			newBench(b, call, nil, "lengths").run(b, 2*pairs)
		})
	}
}

// BenchmarkAttentionCached is one new row after 1023 others. It reports the bytes of the caches over the time.
func BenchmarkAttentionCached(b *testing.B) {
	for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
		call := kernels.Call{Kernel: kernels.AttentionCached, Precision: precision, Dims: [8]int64{1, 1, 768, 12, 1024}}
		b.Run(precision.String(), func(b *testing.B) {
			last := func(int) int32 { return 1023 }
			newBench(b, call, map[string]func(int) int32{"start": last}).run(b, 0)
		})
	}
}
