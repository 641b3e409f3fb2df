package cpu

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"atoll/kernels"
)

// packedProduct is a weight with both of its products: as it is, and packed.
type packedProduct struct {
	precision  kernels.DType
	format     kernels.Format
	I, O       int64
	transposed int64
}

// In fp32 and bf16 a packed weight gives the bits that the weight gives, for any number of rows: those that few rows take a way of
// their own for, and those that the tiles are cut for. The sizes are more than one block of the inner dimension, and odd.
func TestPackedGivesTheSameBits(t *testing.T) {
	for _, variant := range Variants() {
		device := open(t, Options{Threads: 2, Variant: variant})
		for _, p := range []packedProduct{
			{kernels.F32, kernels.PackedF32, 523, 161, 0}, {kernels.F32, kernels.PackedF32, 256, 97, 1},
			{kernels.BF16, kernels.PackedBF16, 1043, 161, 0}, {kernels.BF16, kernels.PackedBF16, 523, 97, 1}, {kernels.F32, kernels.PackedBF16, 523, 97, 1},
			{kernels.BF16, kernels.PackedTwice, 1056, 160, 0}, {kernels.BF16, kernels.PackedTwice, 160, 1056, 1}, {kernels.F32, kernels.PackedTwice, 544, 96, 0},
		} {
			for _, rows := range []int64{1, 2, 3, 4, 7, 8, 9, 17, 130, 1056} {
				t.Run(fmt.Sprintf("%s/%v/%v/%dx%dx%d", variant, p.precision, p.format, rows, p.I, p.O), func(t *testing.T) { p.check(t, device, rows) })
			}
		}
	}
}

func (p packedProduct) check(t *testing.T, device *Device, rows int64) {
	random := rand.New(rand.NewPCG(5, uint64(rows)))
	size := int64(p.precision.Size())
	x, res, b := make([]byte, rows*p.I*size), make([]byte, rows*p.O*size), make([]byte, p.O*4)
	w, packed := make([]byte, p.I*p.O*4), make([]byte, 4*p.format.Words(p.I, p.O))
	for _, content := range [][]byte{x, res} {
		fill(content, p.precision, random, nil)
	}
	fill(w, kernels.F32, random, nil)
	fill(b, kernels.F32, random, nil)
	S := p.format.Words(p.I, p.O)
	packed = runCall(t, device, kernels.Call{Kernel: kernels.Pack, Dims: [8]int64{p.I, p.O, p.transposed, int64(p.format), S}}, packed, w)
	if p.format != kernels.PackedF32 && p.precision == kernels.F32 { // linear rounds no weights in fp32
		for i, v := range kernels.Float32s(w) {
			kernels.Float32s(w)[i] = kernels.FromBF16(kernels.ToBF16(v))
		}
	}
	for gelu := range int64(2) {
		want := runCall(t, device, kernels.Call{Kernel: kernels.Linear, Precision: p.precision, Dims: [8]int64{rows, p.I, p.O, p.transposed, gelu}},
			make([]byte, len(res)), nil, x, w, b, res)
		got := runCall(t, device, kernels.Call{Kernel: kernels.LinearPacked, Precision: p.precision, Dims: [8]int64{rows, p.I, p.O, gelu, int64(p.format), S}},
			make([]byte, len(res)), x, packed, b, res)
		if !bytes.Equal(got, want) {
			t.Errorf("linear.packed differs from linear with gelu=%d", gelu)
		}
	}
	if p.format == kernels.PackedTwice && p.transposed == 0 {
		want := runCall(t, device, kernels.Call{Kernel: kernels.LinearDX, Precision: p.precision, Dims: [8]int64{rows, p.I, p.O}}, make([]byte, len(x)), res, w, x, x)
		got := runCall(t, device, kernels.Call{Kernel: kernels.LinearDXPacked, Precision: p.precision, Dims: [8]int64{rows, p.I, p.O}},
			make([]byte, len(x)), res, packed, x, x)
		if !bytes.Equal(got, want) {
			t.Error("linear.dx.packed differs from linear.dx")
		}
	}
}

// The words of adamw.packed are those of the weights that it leaves.
func TestAdamWPacksWhatItLeaves(t *testing.T) {
	const I, O = 96, 160
	for _, variant := range Variants() {
		device := open(t, Options{Threads: 2, Variant: variant})
		random := rand.New(rand.NewPCG(3, 9))
		var all [4][]byte // weights, m, v, gradients
		for n := range all {
			all[n] = make([]byte, 4*I*O)
			fill(all[n], kernels.F32, random, nil)
		}
		clear(all[2])
		one := kernels.BytesOf([]float32{1})
		step := kernels.BytesOf([]float32{1, 0.1, 0.5, 0.5, 0, 1, 0, 0})
		buffers := runAll(t, device, kernels.Call{Kernel: kernels.AdamWPacked, Dims: [8]int64{I, O}, Scalars: [8]float32{0.9, 0.95, 1e-8, 0.1, 1}},
			all[0], all[1], all[2], make([]byte, 4*I*O), all[3], one, one, step)
		want := runCall(t, device, kernels.Call{Kernel: kernels.Pack, Dims: [8]int64{I, O, 0, int64(kernels.PackedTwice), I * O}}, make([]byte, 4*I*O), buffers[0])
		if !bytes.Equal(buffers[3], want) || bytes.Equal(buffers[0], all[0]) {
			t.Errorf("%s: the words are not those of the weights, or the weights have not changed", variant)
		}
	}
}

// In int8 a row has the bits of the row alone.
func TestInt8RowsAlone(t *testing.T) {
	const rows, I, O = 311, 547, 161 // more than a chunk of rows, a block of depth and a task of panels
	S := kernels.PackedI8.Words(I, O)
	for _, variant := range Variants() {
		device := open(t, Options{Threads: 2, Variant: variant})
		random := rand.New(rand.NewPCG(7, 8))
		x, w := make([]byte, rows*I*4), make([]byte, I*O*4)
		fill(x, kernels.F32, random, nil)
		fill(w, kernels.F32, random, nil)
		packed := runCall(t, device, kernels.Call{Kernel: kernels.Pack, Dims: [8]int64{I, O, 0, int64(kernels.PackedI8), S}}, make([]byte, 4*S), w)
		product := func(from, to int) []byte {
			return runCall(t, device, kernels.Call{Kernel: kernels.LinearPacked, Dims: [8]int64{int64(to - from), I, O, 1, int64(kernels.PackedI8), S}},
				make([]byte, (to-from)*O*4), x[from*I*4:to*I*4], packed, nil, nil)
		}
		all := product(0, rows)
		for _, part := range [][2]int{{0, 1}, {5, 8}, {63, 65}, {rows - 2, rows}, {3, 66}, {3, 67}, {7, 308}} {
			if !bytes.Equal(product(part[0], part[1]), all[part[0]*O*4:part[1]*O*4]) {
				t.Errorf("%s: rows %d to %d alone differ from the same rows among %d", variant, part[0], part[1], rows)
			}
		}
	}
}

// runCall runs one call on copies of its arguments, nil where absent, and gives the first.
func runCall(t *testing.T, device *Device, call kernels.Call, arguments ...[]byte) []byte {
	t.Helper()
	return runAll(t, device, call, arguments...)[0]
}

// runAll runs a call over copies of its arguments, nil for those that are absent, and gives them as they are then.
func runAll(t *testing.T, device *Device, call kernels.Call, arguments ...[]byte) [][]byte {
	t.Helper()
	var segments []kernels.Buffer
	for i, content := range arguments {
		call.Args[i] = kernels.None
		if content == nil {
			continue
		}
		buffer, err := device.NewBuffer(int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		defer buffer.Free()
		copy(buffer.Bytes(), content)
		call.Args[i] = kernels.At(len(segments), 0)
		segments = append(segments, buffer)
	}
	program, err := device.NewProgram([]kernels.Call{call}, segments)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Free()
	if err := program.Run(); err != nil {
		t.Fatal(err)
	}
	var after [][]byte
	for _, s := range segments {
		after = append(after, bytes.Clone(s.Bytes()))
	}
	return after
}
