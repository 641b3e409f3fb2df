package cpu

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"atoll/kernels"
)

// product is a linear or linear.dx without its optional arguments but the bias, over rows of one buffer each.
type product struct {
	kernel     kernels.Kernel
	precision  kernels.DType
	I, O       int64
	transposed int64
}

// A row of a product has the same bits alone as among others, whatever its place among them.
func TestRowsAlone(t *testing.T) {
	for _, variant := range Variants() {
		rows := int64(293) // more than one chunk of rows
		if variant == "amx" {
			rows = 2101 // three chunks in any case: then the weight is packed before
		}
		device := open(t, Options{Threads: 2, Variant: variant})
		for _, kernel := range []kernels.Kernel{kernels.Linear, kernels.LinearDX} {
			for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
				for transposed := range int64(2) {
					p := product{kernel, precision, 523, 531, transposed} // deeper than a block of AVX-512
					t.Run(fmt.Sprintf("%s/%v/%v/%d", variant, kernel, precision, transposed), func(t *testing.T) {
						checkRows(t, device, p, rows)
					})
				}
			}
		}
	}
}

func checkRows(t *testing.T, device *Device, p product, rows int64) {
	random := rand.New(rand.NewPCG(3, 4))
	in, out := p.widths()
	size := int64(p.precision.Size())
	x, w, b := make([]byte, rows*in*size), make([]byte, p.I*p.O*4), make([]byte, p.O*4)
	fill(x, p.precision, random, nil)
	fill(w, kernels.F32, random, nil)
	fill(b, kernels.F32, random, nil)
	all := p.run(t, device, rows, x, w, b)
	for _, part := range [][2]int64{{0, 1}, {5, 6}, {6, 8}, {140, 141}, {rows - 3, rows}, {10, 281}} {
		from, to := part[0], part[1]
		alone := p.run(t, device, to-from, x[from*in*size:to*in*size], w, b)
		if !bytes.Equal(alone, all[from*out*size:to*out*size]) {
			t.Errorf("rows %d to %d alone differ from the same rows among %d", from, to, rows)
		}
	}
}

// widths are those of a row that goes in and of one that comes out.
func (p product) widths() (in, out int64) {
	if p.kernel == kernels.LinearDX {
		return p.O, p.I
	}
	return p.I, p.O
}

// run gives the product of n rows.
func (p product) run(t *testing.T, device *Device, n int64, x, w, b []byte) []byte {
	t.Helper()
	_, out := p.widths()
	y := make([]byte, n*out*int64(p.precision.Size()))
	call := kernels.Call{Kernel: p.kernel, Precision: p.precision, Dims: [8]int64{n, p.I, p.O, p.transposed}}
	if p.kernel == kernels.LinearDX {
		return runCall(t, device, call, y, x, w, nil, nil)
	}
	return runCall(t, device, call, y, nil, x, w, b, nil)
}

// A NaN and an infinity reach every sum they belong to, through zeros too, and no other.
func TestLinearNotFinite(t *testing.T) {
	for _, variant := range Variants() {
		device := open(t, Options{Threads: 1, Variant: variant})
		const rows, I, O = 9, 33, 35
		x, w, b := make([]float32, rows*I), make([]float32, I*O), make([]float32, O)
		x[2*I+32], x[4*I] = float32(math.NaN()), float32(math.Inf(1)) // the weights are 0, and 0 * Inf is NaN
		p := product{kernels.Linear, kernels.F32, I, O, 0}
		y := kernels.Float32s(p.run(t, device, rows, kernels.BytesOf(x), kernels.BytesOf(w), kernels.BytesOf(b)))
		for i, v := range y {
			if want := i/O == 2 || i/O == 4; math.IsNaN(float64(v)) != want {
				t.Fatalf("%s: y[%d,%d] is %v, want NaN in rows 2 and 4 and nowhere else", variant, i/O, i%O, v)
			}
		}
	}
}

func TestPeak(t *testing.T) {
	d := open(t, Options{Threads: 1})
	if p := d.Peak(kernels.F32); p < 1e8 || p > 1e12 {
		t.Errorf("the peak of a thread is %g FLOP/s, want 1e8 to 1e12", p)
	}
	if w, r := d.Bandwidth(), d.Reading(); w < 1e8 || w > 1e12 || r < 1e8 || r > 1e12 {
		t.Errorf("the bandwidth is %g B/s and that of reading %g, want 1e8 to 1e12", w, r)
	}
}

// BenchmarkLinear reports each product's speed and its share of the machine's peak, measured right after it. Shapes are
// those of GPT-2 124M at 4 sequences of 64 tokens, and of nanoGPT's example of 4 layers of 128.
func BenchmarkLinear(b *testing.B) {
	for _, dims := range [][3]int64{
		{256, 768, 2304}, {256, 768, 768}, {256, 768, 3072}, {256, 3072, 768},
		{768, 128, 384}, {768, 128, 128}, {768, 128, 512}, {768, 512, 128},
	} {
		for _, kernel := range []kernels.Kernel{kernels.Linear, kernels.LinearDX, kernels.LinearDW} {
			for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
				call := kernels.Call{Kernel: kernel, Precision: precision, Dims: [8]int64{dims[0], dims[1], dims[2]}}
				b.Run(fmt.Sprintf("%v/%v/%dx%dx%d", kernel, precision, dims[0], dims[1], dims[2]), func(b *testing.B) {
					benchProduct(b, call, 2*float64(dims[0]*dims[1]*dims[2]), "pre", "res", "dres")
				})
			}
		}
	}
}

// BenchmarkHeadLoss is the language head with both gradients: three products.
func BenchmarkHeadLoss(b *testing.B) {
	for _, dims := range [][4]int64{{256, 768, 50257, 256}, {768, 128, 256, 768}} {
		call := kernels.Call{Kernel: kernels.HeadLoss, Dims: [8]int64{dims[0], dims[1], dims[2], dims[3], (dims[2] + 63) / 64 * 64}}
		b.Run(fmt.Sprintf("%dx%dx%d", dims[0], dims[1], dims[2]), func(b *testing.B) {
			benchProduct(b, call, 6*float64(dims[0]*dims[1]*dims[2]))
		})
	}
}

func benchProduct(b *testing.B, call kernels.Call, flops float64, absent ...string) {
	s := newBench(b, call, nil, absent...)
	s.run(b, flops)
	rate := flops * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(100*rate/s.device.Peak(call.Precision), "%peak")
}
