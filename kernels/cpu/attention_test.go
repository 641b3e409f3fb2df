package cpu

import (
	"math"
	"testing"

	"atoll/kernels"
)

// A query that is no number has no output that is one, whatever bits it has: those of a NaN must not pass for a part of an exponential.
func TestAttentionOfNoNumber(t *testing.T) {
	const T, C = 20, 16
	for _, bits := range []uint32{0x7fc00000, 0x7fc00003, 0x7fc001ff, 0xffc000c0} {
		qkv := make([]byte, T*3*C*4)
		for i := range kernels.Float32s(qkv) {
			kernels.Float32s(qkv)[i] = 0.5
			if i%(3*C) < C {
				kernels.Float32s(qkv)[i] = math.Float32frombits(bits)
			}
		}
		for _, variant := range Variants() {
			device := open(t, Options{Threads: 1, Variant: variant})
			out := runCall(t, device, kernels.Call{Kernel: kernels.Attention, Dims: [8]int64{1, T, C, 2}}, make([]byte, T*C*4), nil, qkv, nil, nil)
			for i, v := range kernels.Float32s(out) {
				if !math.IsNaN(float64(v)) {
					t.Errorf("%s, queries of bits %x: output %d is %v, want no number", variant, bits, i, v)
					break
				}
			}
		}
	}
}
