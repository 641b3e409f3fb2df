package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"atoll/kernels"
)

// bench is one call with a buffer for each of its arguments, ready to run.
type bench struct {
	device  *Device
	call    kernels.Call
	program kernels.Program
	bytes   int64 // of all arguments
}

// newBench fills Act and Float arguments with numbers in -1..1, and Integer ones with ints[name] or, where that is
// absent, with 0. Arguments in absent are left out.
func newBench(b *testing.B, call kernels.Call, ints map[string]func(i int) int32, absent ...string) *bench {
	b.Helper()
	s := &bench{device: open(b, Options{}), call: call}
	random := rand.New(rand.NewPCG(1, 2))
	var segments []kernels.Buffer
	for i, arg := range kernels.SignatureOf(call.Kernel).Args {
		s.call.Args[i] = kernels.None
		if arg.Optional && slices.Contains(absent, arg.Name) {
			continue
		}
		n, err := call.Elements(i)
		if err != nil {
			b.Fatal(err)
		}
		size := n * int64(call.DTypeOf(i).Size())
		buffer, err := s.device.NewBuffer(size)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(buffer.Free)
		fill(buffer.Bytes(), call.DTypeOf(i), random, ints[arg.Name])
		s.call.Args[i] = kernels.At(len(segments), 0)
		segments = append(segments, buffer)
		s.bytes += size
	}
	var err error
	if s.program, err = s.device.NewProgram([]kernels.Call{s.call}, segments); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.program.Free)
	return s
}

func fill(memory []byte, dtype kernels.DType, random *rand.Rand, integer func(i int) int32) {
	switch dtype {
	case kernels.F32:
		for i := range kernels.Float32s(memory) {
			kernels.Float32s(memory)[i] = random.Float32()*2 - 1
		}
	case kernels.I32:
		for i := range kernels.Int32s(memory) {
			if integer != nil {
				kernels.Int32s(memory)[i] = integer(i)
			}
		}
	default:
		for i := range kernels.Uint16s(memory) {
			x := random.Float32()*2 - 1
			kernels.Uint16s(memory)[i] = kernels.ToBF16(x)
			if dtype == kernels.F16 {
				kernels.Uint16s(memory)[i] = kernels.ToF16(x)
			}
		}
	}
}

// run measures the program; flops is the work of one run, 0 for kernels that are bound by memory.
func (s *bench) run(b *testing.B, flops float64) {
	b.Helper()
	for b.Loop() {
		if err := s.program.Run(); err != nil {
			b.Fatal(err)
		}
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	if flops > 0 {
		b.ReportMetric(flops/seconds/1e9, "GFLOP/s")
		return
	}
	b.ReportMetric(float64(s.bytes)/seconds/1e9, "GB/s")
}

// BenchmarkRows reports the bytes of all arguments over the time, which counts an argument once.
func BenchmarkRows(b *testing.B) {
	const N, C = 4096, 768
	some := func(i int) int32 { return int32(i * 7919 % 50257) }
	for _, call := range []kernels.Call{
		{Kernel: kernels.Add, Dims: [8]int64{N * C}},
		{Kernel: kernels.Dropout, Dims: [8]int64{N * C, 1}, Scalars: [8]float32{0.1}},
		{Kernel: kernels.LayerNorm, Dims: [8]int64{N, C}, Scalars: [8]float32{1e-5}},
		{Kernel: kernels.LayerNormBackward, Dims: [8]int64{N, C, kernels.Accumulate}},
		{Kernel: kernels.Embed, Dims: [8]int64{4, 1024, C, 50257, 1024}},
		{Kernel: kernels.EmbedBackward, Dims: [8]int64{4, 1024, C, 50257, 1024, kernels.Accumulate, kernels.Accumulate}},
		{Kernel: kernels.GradNorm, Dims: [8]int64{16 << 20}},
		{Kernel: kernels.AdamW, Dims: [8]int64{16 << 20}, Scalars: [8]float32{0.9, 0.95, 1e-8, 0.1, 1}},
	} {
		for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
			if precision != kernels.F32 && (call.Kernel == kernels.GradNorm || call.Kernel == kernels.AdamW) {
				continue
			}
			call.Precision = precision
			b.Run(fmt.Sprintf("%v/%v", call.Kernel, precision), func(b *testing.B) {
				absent := []string{"start", "dres", "res"}
				if call.Kernel == kernels.AdamW {
					absent = append(absent, "seed")
				}
				s := newBench(b, call, map[string]func(int) int32{"tokens": some}, absent...)
				s.run(b, 0)
			})
		}
	}
}

// BenchmarkRounding is BenchmarkRows' adamw with weights that are rounded to bf16 by chance.
func BenchmarkRounding(b *testing.B) {
	s := newBench(b, kernels.Call{Kernel: kernels.AdamW, Dims: [8]int64{16 << 20}, Scalars: [8]float32{0.9, 0.95, 1e-8, 0.1, 1}}, nil)
	s.run(b, 0)
}
