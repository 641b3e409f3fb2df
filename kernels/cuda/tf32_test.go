//go:build gpu

package cuda

import (
	"testing"

	"atoll/kernels"
	"atoll/kernels/kerneltest"
)

// The products of the case table, by our own kernels and by cublasLt, with operands rounded to TF32; aligned, and so that no argument
// may be read 16 bytes at a time.
func TestTF32Products(t *testing.T) {
	d := open(t)
	if err := d.SetTF32(true); err != nil {
		t.Fatal(err)
	}
	options := present(t, d)
	kerneltest.TF32(t, d, options)
	options.Shift = 1
	kerneltest.TF32(t, d, options)
}

// TestTF32: a product of float32 keeps a number with 12 bits of fraction until TF32 is asked for, which rounds it to 10.
func TestTF32(t *testing.T) {
	d := open(t)
	if !d.Has(kernels.Linear) {
		t.Skip("the device has no products")
	}
	const side = 64
	x, identity := make([]float32, side*side), make([]float32, side*side)
	for i := range x {
		x[i] = 1 + 1.0/(1<<12)
		if i%(side+1) == 0 {
			identity[i] = 1
		}
	}
	for _, c := range []struct {
		tf32 bool
		want float32
	}{{false, 1 + 1.0/(1<<12)}, {true, 1}} {
		if err := d.SetTF32(c.tf32); err != nil {
			t.Fatal(err)
		}
		y := make([]float32, side*side)
		segments := make([]kernels.Buffer, 3)
		for i, values := range [][]float32{y, x, identity} {
			b, err := d.NewBuffer(int64(4 * len(values)))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Write(0, kernels.BytesOf(values)); err != nil {
				t.Fatal(err)
			}
			segments[i] = b
		}
		call := kernels.Call{Kernel: kernels.Linear, Dims: [kernels.MaxDims]int64{side, side, side}, Args: [kernels.MaxArgs]kernels.Ref{
			kernels.At(0, 0), kernels.None, kernels.At(1, 0), kernels.At(2, 0), kernels.None, kernels.None}}
		p, err := d.NewProgram([]kernels.Call{call}, segments)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		p.Free()
		if err := segments[0].Read(kernels.BytesOf(y), 0); err != nil {
			t.Fatal(err)
		}
		for i, got := range y {
			if got != c.want {
				t.Fatalf("TF32 %v: element %d is %v, want %v", c.tf32, i, got, c.want)
			}
		}
		for _, b := range segments {
			b.Free()
		}
	}
}
