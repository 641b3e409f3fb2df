package ref

import (
	"errors"
	"math"
	"strings"
	"testing"

	"atoll/kernels"
)

// buffers gives one segment of the device for each of contents.
func buffers(t *testing.T, device kernels.Device, contents ...[]byte) []kernels.Buffer {
	t.Helper()
	segments := make([]kernels.Buffer, len(contents))
	for i, c := range contents {
		b, err := device.NewBuffer(int64(len(c)))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write(0, c); err != nil {
			t.Fatal(err)
		}
		segments[i] = b
	}
	return segments
}

func TestProgramRunsCallsInOrder(t *testing.T) {
	device := New()
	x := []float32{1, 2, 3}
	segments := buffers(t, device, kernels.BytesOf(x), make([]byte, 12))
	double := kernels.Call{Kernel: kernels.Add, Dims: [8]int64{3},
		Args: [12]kernels.Ref{kernels.At(1, 0), kernels.At(0, 0), kernels.At(0, 0)}}
	more := double
	more.Args[1] = kernels.At(1, 0)
	program, err := device.NewProgram([]kernels.Call{double, more}, segments)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Run(); err != nil {
		t.Fatal(err)
	}
	for i, got := range kernels.Float32s(segments[1].Bytes()) {
		if got != 3*x[i] {
			t.Errorf("element %d is %v, want %v", i, got, 3*x[i])
		}
	}
}

func TestFaultNamesTheInstruction(t *testing.T) {
	device := New()
	segments := buffers(t, device, kernels.BytesOf([]int32{0, 7}), make([]byte, 256))
	ok := kernels.Call{Kernel: kernels.GradNorm, Args: [12]kernels.Ref{kernels.At(1, 0), kernels.At(1, 64)}}
	embed := kernels.Call{Kernel: kernels.Embed, Dims: [8]int64{1, 2, 4, 5, 2},
		Args: [12]kernels.Ref{kernels.At(1, 0), kernels.At(0, 0), kernels.At(1, 64), kernels.At(1, 192), kernels.None}}
	program, err := device.NewProgram([]kernels.Call{ok, embed}, segments)
	if err != nil {
		t.Fatal(err)
	}
	var f *kernels.Fault
	if err := program.Run(); !errors.As(err, &f) || f.Index != 1 || f.Message != "token 7 in row 1 is not below V=5" {
		t.Errorf("Run gives %v", err)
	}
}

func TestNewProgramRefusesWrongCalls(t *testing.T) {
	device := New()
	call := kernels.Call{Kernel: kernels.Add, Dims: [8]int64{4}}
	_, err := device.NewProgram([]kernels.Call{call}, buffers(t, device, make([]byte, 15)))
	if err == nil || !strings.Contains(err.Error(), "instruction 0: add: argument out") {
		t.Errorf("NewProgram gives %v", err)
	}
}

func TestBufferBounds(t *testing.T) {
	b, err := New().NewBuffer(8)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{-1, 5, math.MaxInt64} {
		if b.Write(at, make([]byte, 4)) == nil || b.Read(make([]byte, 4), at) == nil {
			t.Errorf("4 bytes at offset %d of 8 are not refused", at)
		}
	}
	if _, err := New().NewBuffer(-1); err == nil {
		t.Error("a buffer of -1 bytes is not refused")
	}
}

// In bf16, 1 + 2^-8 is a tie that goes to the even 1, and a weight of 1 + 2^-8 enters the product as 1.
func TestHalfPrecisionRounding(t *testing.T) {
	weight, tie := float32(1+1.0/(1<<8)), kernels.ToBF16(1)
	act := kernels.BytesOf([]uint16{tie, 0})
	segments := [][]byte{kernels.BytesOf([]float32{weight}), act}
	call := kernels.Call{Kernel: kernels.Linear, Precision: kernels.BF16, Dims: [8]int64{1, 1, 1},
		Args: [12]kernels.Ref{kernels.At(1, 2), kernels.None, kernels.At(1, 0), kernels.At(0, 0), kernels.None, kernels.None}}
	if err := Run(&call, segments); err != nil {
		t.Fatal(err)
	}
	if got := kernels.FromBF16(kernels.Uint16s(act)[1]); got != 1 {
		t.Errorf("1 * bf16(1+2^-8) is %v, want 1", got)
	}
	if got := kernels.Float32s(segments[0])[0]; got != weight {
		t.Errorf("the master weight was changed to %v", got)
	}
}

func TestAdamWChangesNothingWithoutFiniteNumbers(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		w, m, v := []float32{1}, []float32{2}, []float32{3}
		s := AdamWSettings{Beta1: 0.9, Beta2: 0.9, LearningRate: 1, Correction1: 1, Correction2: 1, InverseScale: 1}
		AdamW(w, m, v, []float32{1}, bad, 1, s)
		AdamW(w, m, v, []float32{1}, 1, bad, s)
		if w[0] != 1 || m[0] != 2 || v[0] != 3 {
			t.Errorf("norm or loss %v: the state became %v %v %v", bad, w[0], m[0], v[0])
		}
	}
}
