package kernels

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// The C record atoll_call has no other fields and no padding: 2*4 + 12*8 + 8*8 + 8*4 bytes.
func TestCallLayout(t *testing.T) {
	var c Call
	tests := []struct {
		field     string
		got, want uintptr
	}{
		{"size", unsafe.Sizeof(c), 200}, {"Kernel", unsafe.Offsetof(c.Kernel), 0}, {"Precision", unsafe.Offsetof(c.Precision), 4},
		{"Args", unsafe.Offsetof(c.Args), 8}, {"Dims", unsafe.Offsetof(c.Dims), 104}, {"Scalars", unsafe.Offsetof(c.Scalars), 168},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s of Call is %d, want %d", test.field, test.got, test.want)
		}
	}
}

func TestRef(t *testing.T) {
	for _, offset := range []int64{0, 64, 1<<56 - 64} {
		if r := At(254, offset); r.Segment() != 254 || r.Offset() != offset || r == None {
			t.Errorf("At(254, %d) gives segment %d, offset %d", offset, r.Segment(), r.Offset())
		}
	}
}

// Every name of the table is a name of something: shapes of dims, sums of modes, aliases of arguments.
func TestSignatures(t *testing.T) {
	names := map[string]bool{}
	for k := range Count {
		s := SignatureOf(k)
		if s.Name == "" || names[s.Name] || k.String() != s.Name {
			t.Errorf("kernel %d has name %q, String %q: want one of its own", uint32(k), s.Name, k)
		}
		names[s.Name] = true
		if len(s.Args) > MaxArgs || len(s.Dims) > MaxDims || len(s.Scalars) > MaxScalars {
			t.Errorf("%v does not fit in a Call", k)
		}
		c := Call{Kernel: k}
		for i, a := range s.Args {
			for factor := range strings.SplitSeq(a.Shape, "*") {
				if _, err := strconv.Atoi(factor); err != nil && c.Dim(factor) < 0 {
					t.Errorf("%v: argument %s has shape %s, and there is no dim %s", k, a.Name, a.Shape, factor)
				}
			}
			if n, err := c.Elements(i); err != nil || n < 0 {
				t.Errorf("%v: argument %s with all dims 0: %d, %v", k, a.Name, n, err)
			}
		}
		for _, alias := range Aliases(k) {
			written, read := argument(s, alias.Written), argument(s, alias.Read)
			if written == nil || read == nil || written.Access != Out || read.Access != In || written.Shape != read.Shape ||
				(written.Class == Act) != (read.Class == Act) { // all others have elements of 4 bytes
				t.Errorf("%v: %s may not alias %s", k, alias.Written, alias.Read)
			}
		}
	}
	if got := Count.String(); got != "kernel("+strconv.Itoa(int(Count))+")" {
		t.Errorf("a number that is no kernel is called %s", got)
	}
}

func argument(s *Signature, name string) *Arg {
	for i := range s.Args {
		if s.Args[i].Name == name {
			return &s.Args[i]
		}
	}
	return nil
}

// linear is a right call: y 4x6, x 4x5, w 5x6 in bf16, the last byte of each segment used.
func linear() (Call, []int64) {
	c := Call{Kernel: Linear, Precision: BF16, Dims: [MaxDims]int64{4, 5, 6, 0, 0}}
	for i := range c.Args {
		c.Args[i] = None
	}
	c.Args[0], c.Args[2], c.Args[3] = At(0, 64), At(0, 0), At(1, 0)
	return c, []int64{64 + 4*6*2, 5 * 6 * 4}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *Call, segments []int64)
		want   string // "" for no error
	}{
		{"right", func(*Call, []int64) {}, ""},
		{"kernel", func(c *Call, _ []int64) { c.Kernel = Count }, "want a number below"},
		{"precision", func(c *Call, _ []int64) { c.Precision = I32 }, "linear: precision is int32, want fp32, bf16 or fp16"},
		{"absent", func(c *Call, _ []int64) { c.Args[2] = None }, "linear: argument x is absent, and it is not optional"},
		{"negative dim", func(c *Call, _ []int64) { c.Dims[1] = -5 }, "argument x has shape N*I, and I is -5"},
		{"overflow", func(c *Call, _ []int64) { c.Dims[0], c.Dims[2] = 1<<40, 1<<40 }, "below 2^48"},
		{"segment", func(c *Call, _ []int64) { c.Args[3] = At(2, 0) }, "argument w is in segment 2, and there are 2"},
		{"one byte short", func(_ *Call, s []int64) { s[1]-- },
			"argument w (I*O, 30 of fp32) is at 0..120 of segment 1, which has 119 bytes"},
		{"output one byte short", func(_ *Call, s []int64) { s[0]-- }, "argument y"},
		{"alignment of an element", func(c *Call, s []int64) { c.Args[3], s[1] = At(1, 2), 200 }, "argument w"},
		{"flag", func(c *Call, _ []int64) { c.Dims[3] = 2 }, "linear: transposed is 2, want 0 to 1"},
		{"optional checked", func(c *Call, _ []int64) { c.Args[4] = At(1, 100) }, "argument b"},
	}
	for _, test := range tests {
		c, segments := linear()
		test.change(&c, segments)
		expectError(t, test.name, c.Check(segments), test.want)
	}
}

func TestCheckValues(t *testing.T) {
	tests := []struct {
		name string
		call Call
		want string
	}{
		{"mode", Call{Kernel: LinearDW, Dims: [8]int64{1, 1, 1, 0, 3}}, "linear.dw: mode is 3, want 0 to 2"},
		{"rows of logits that overlap", Call{Kernel: HeadLoss, Dims: [8]int64{1, 1, 9, 1, 8}}, "head.loss: rows of logits are LD=8 apart, want V=9 or more"},
		{"named mode", Call{Kernel: ClassLoss, Dims: [8]int64{1, 1, -1}}, "class.loss: lossMode is -1, want 0 to 2"},
		{"heads 0", Call{Kernel: Attention, Dims: [8]int64{1, 1, 8, 0, 0}}, "attention: H is 0, want 1 to"},
		{"heads", Call{Kernel: Attention, Dims: [8]int64{1, 1, 8, 3, 0}}, "attention: C=8 is not a multiple of H=3"},
		{"positions", Call{Kernel: Embed, Dims: [8]int64{1, 5, 8, 3, 4}}, "embed: T=5 rows, and there are P=4 positions"},
		{"chunk", Call{Kernel: HeadLoss, Dims: [8]int64{1, 1, 1, 0, 0, 0}}, "head.loss: R is 0, want 1 to"},
		{"salt", Call{Kernel: Dropout, Dims: [8]int64{1, 1 << 32}}, "dropout: salt is 4294967296"},
		{"probability", Call{Kernel: Dropout, Dims: [8]int64{1}, Scalars: [8]float32{1}}, "dropout: dropout is 1, want"},
		{"format", Call{Kernel: Pack, Dims: [8]int64{1, 1, 0, 4, 32}}, "pack: format is 4, want 0 to 3"},
		{"blocks", Call{Kernel: Pack, Dims: [8]int64{32, 33, 0, int64(PackedTwice), 1056}}, "pack: I=32, O=33 in bf16-twice: want multiples of 32"},
		{"blocks of an update", Call{Kernel: AdamWPacked, Dims: [8]int64{31, 32}}, "adamw.packed: I=31, O=32: want multiples of 32"},
		{"activations of a gradient", Call{Kernel: LinearDXPacked, Precision: F16, Dims: [8]int64{0, 32, 32}}, "gradients in fp16: want fp32 or bf16"},
		{"words", Call{Kernel: Pack, Dims: [8]int64{5, 33, 0, int64(PackedBF16), 191}}, "pack: S is 191, want 192 words for I=5, O=33 in bf16"},
		{"depth of int8", Call{Kernel: Pack, Dims: [8]int64{MostInt8 + 1, 0, 0, int64(PackedI8), 0}}, "want at most 131072 in int8"},
		{"format of activations", Call{Kernel: LinearPacked, Precision: BF16, Dims: [8]int64{0, 0, 0, 0, int64(PackedF32), 0}},
			"linear.packed: weights in fp32 with activations in bf16"},
		{"right", Call{Kernel: Dropout, Dims: [8]int64{1}, Scalars: [8]float32{0.999}}, ""},
	}
	for _, test := range tests {
		expectError(t, test.name, test.call.Check([]int64{1 << 20}), test.want)
	}
}

func expectError(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: got error %v, want %q", name, err, want)
	}
}

func TestFaultMessage(t *testing.T) {
	f := &Fault{Index: 3, Kernel: Embed, Message: "token 5 in row 0 is not below V=5"}
	if got, want := f.Error(), "instruction 3, embed: token 5 in row 0 is not below V=5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestViews(t *testing.T) {
	b := BytesOf([]float32{1, -2})
	if f := Float32s(b); len(f) != 2 || f[1] != -2 || &f[0] != (*float32)(unsafe.Pointer(&b[0])) {
		t.Errorf("Float32s(BytesOf([1 -2])) is %v, or a copy", f)
	}
	if len(Uint16s(b)) != 4 || len(Int32s(b)) != 2 || Int32s(nil) != nil || BytesOf([]int32{}) != nil {
		t.Error("a view has a wrong length")
	}
}

func TestWidenAndNarrow(t *testing.T) {
	x := []float32{1, -0.5, 3}
	for _, dtype := range []DType{F32, BF16, F16} {
		memory, back := make([]byte, 3*dtype.Size()), make([]float32, 3)
		if err := Narrow(memory, x, dtype); err != nil {
			t.Error(err)
		}
		if err := Widen(back, memory, dtype); err != nil || back[0] != x[0] || back[1] != x[1] || back[2] != x[2] {
			t.Errorf("%v comes back from %v as %v, %v", x, dtype, back, err)
		}
		expectError(t, "narrow", Narrow(memory[1:], x, dtype), "want a floating type of as many")
		expectError(t, "widen", Widen(back, memory[1:], dtype), "want a floating type of as many")
	}
	expectError(t, "narrow to int32", Narrow(make([]byte, 12), x, I32), "bytes of int32")
	expectError(t, "widen int32", Widen(x, make([]byte, 12), I32), "of int32")
}
