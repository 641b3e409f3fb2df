package kernels

import "testing"

// The figures on the right are counted by hand from the signatures.
func TestCost(t *testing.T) {
	tests := []struct {
		name       string
		call       Call
		absent     []string
		operations float64
		bytes      int64
	}{
		{"linear", Call{Kernel: Linear, Precision: BF16, Dims: [8]int64{10, 3, 5}}, []string{"pre", "res"},
			2 * 10 * 3 * 5, 2*(10*5+10*3) + 4*(3*5+5)},
		{"linear.packed", Call{Kernel: LinearPacked, Precision: BF16, Dims: [8]int64{10, 6, 5, 0, int64(PackedI8), 96}}, []string{"res", "pre"},
			2 * 10 * 6 * 5, 2*(10*5+10*6) + 4*(96+5)},
		{"linear.dx", Call{Kernel: LinearDX, Precision: F32, Dims: [8]int64{10, 3, 5}}, []string{"pre", "dres"},
			2 * 10 * 3 * 5, 4 * (10*3 + 10*5 + 3*5)},
		{"linear.dw added to", Call{Kernel: LinearDW, Precision: F16, Dims: [8]int64{10, 3, 5, 0, Accumulate}}, []string{"db"},
			2 * 10 * 3 * 5, 4*(2*3*5+8) + 2*(10*3+10*5)},
		{"linear.dw of a bias", Call{Kernel: LinearDW, Precision: F16, Dims: [8]int64{10, 3, 5, 0, ByStep}}, []string{"dw"},
			0, 4*(5+8) + 2*(10*3+10*5)},
		{"attention", Call{Kernel: Attention, Precision: BF16, Dims: [8]int64{2, 7, 8, 4}}, []string{"lengths", "seed"},
			2 * 2 * 7 * 7 * 8, 2*(2*7*8+2*7*3*8) + 4*2*4*7},
		{"attention.backward", Call{Kernel: AttentionBackward, Precision: BF16, Dims: [8]int64{2, 7, 8, 4}}, []string{"seed"},
			5 * 2 * 7 * 7 * 8, 2*(2*2*7*3*8+2*2*7*8) + 4*(2*4*7+2)},
		{"attention.cached", Call{Kernel: AttentionCached, Precision: F32, Dims: [8]int64{2, 3, 8, 4, 50}}, nil,
			0, 4 * (2*3*8 + 2*3*3*8 + 2*(2*50*8+2*3*8) + 1)},
		{"head.loss", Call{Kernel: HeadLoss, Precision: BF16, Dims: [8]int64{6, 8, 50, 2, ByStep, ByStep}}, []string{"rows"},
			6 * 6 * 8 * 50, 4*(1+2*50*8+6+8) + 2*2*6*8},
		{"head.loss without gradients", Call{Kernel: HeadLoss, Precision: BF16, Dims: [8]int64{6, 8, 50, 2}}, []string{"dh", "dwte"},
			2 * 6 * 8 * 50, 4*(1+6+50*8+6+8) + 2*6*8},
		{"embed of few rows", Call{Kernel: Embed, Precision: BF16, Dims: [8]int64{2, 3, 4, 100, 9}}, []string{"start"},
			0, 2*2*3*4 + 4*(2*3+2*3*4+3*4)},
		{"embed of all rows", Call{Kernel: Embed, Precision: BF16, Dims: [8]int64{2, 3, 4, 5, 9}}, []string{"start"},
			0, 2*2*3*4 + 4*(2*3+5*4+3*4)},
		{"embed.backward", Call{Kernel: EmbedBackward, Precision: F32, Dims: [8]int64{2, 3, 4, 100, 9, Overwrite, ByStep}}, nil,
			0, 4 * (100*4 + 9*4 + 2*3*4 + 2*3 + 8)},
		{"embed.backward added to", Call{Kernel: EmbedBackward, Precision: F32, Dims: [8]int64{2, 3, 4, 100, 9, Accumulate, Accumulate}}, nil,
			0, 4 * (2*6*4 + 2*3*4 + 2*3*4 + 2*3 + 8)},
		{"pool", Call{Kernel: Pool, Precision: BF16, Dims: [8]int64{2, 9, 4}}, nil, 0, 4*(2*4+2) + 2*2*4},
		{"adamw", Call{Kernel: AdamW, Dims: [8]int64{10}}, []string{"seed"}, 0, 4 * (7*10 + 1 + 1 + 8)},
		{"linear.dx.packed", Call{Kernel: LinearDXPacked, Precision: BF16, Dims: [8]int64{10, 32, 64}}, []string{"pre", "dres"},
			2 * 10 * 32 * 64, 2*(10*32+10*64) + 2*32*64},
		{"linear.packed twice", Call{Kernel: LinearPacked, Precision: BF16, Dims: [8]int64{10, 32, 64, 0, int64(PackedTwice), 2048}}, []string{"b", "res", "pre"},
			2 * 10 * 32 * 64, 2*(10*32+10*64) + 2*32*64},
		{"adamw.packed", Call{Kernel: AdamWPacked, Dims: [8]int64{32, 64}}, nil, 0, 4 * (8*32*64 + 1 + 1 + 8)},
		{"grad.norm", Call{Kernel: GradNorm, Dims: [8]int64{10}}, nil, 0, 4 * 11},
		{"grad.norm.rest", Call{Kernel: GradNormRest, Dims: [8]int64{10, 3}}, nil, 0, 4 * 14},
	}
	for _, test := range tests {
		for i, arg := range SignatureOf(test.call.Kernel).Args {
			for _, name := range test.absent {
				if arg.Name == name {
					test.call.Args[i] = None
				}
			}
		}
		if got := test.call.Operations(); got != test.operations {
			t.Errorf("%s: %v operations, want %v", test.name, got, test.operations)
		}
		if got := test.call.Traffic(); got != test.bytes {
			t.Errorf("%s: %d bytes, want %d", test.name, got, test.bytes)
		}
	}
}
