package kernels

import "fmt"

// Format is how the words of a packed weight hold its numbers. The numbers are part of the C interface.
type Format int64

// The formats. A word holds one number, or two or four that follow each other along I.
const (
	PackedF32   Format = iota
	PackedBF16         // rounded as ToBF16 does
	PackedI8           // whole numbers from -127 to 127, with a scale for each column
	PackedTwice        // bf16 for linear and for linear.dx, see TwiceRows; numbers below the normal ones may be zeros
	FormatCount
)

// Layout of a packed weight [I, O]. Columns are in panels of PanelWidth, as many as make whole pairs of panels; a panel is one line of
// PanelWidth words for each step of I, a word a column, in int8 behind a line of the columns' scales. What is beyond I and O is zeros.
const PanelWidth = 16

// TwiceRows are the rows of w whose words lie together in PackedTwice, which takes weights with whole blocks of both sides only: as many words as the
// rows have numbers, so that they fit in the place of the rows' gradient. The first half is for linear: panel after panel of the block's
// columns, TwiceRows/2 lines of each. The second is for linear.dx, whose columns are the rows: two panels of O/2 lines.
const TwiceRows = 32

// MostInt8 is the largest I of a weight in int8, so that a sum of products fits in 32 bits.
const MostInt8 = 1 << 17

// PerWord is how many numbers a word holds.
func (f Format) PerWord() int64 {
	switch f {
	case PackedBF16, PackedTwice:
		return 2
	case PackedI8:
		return 4
	}
	return 1
}

// PanelWords are the words of a panel.
func (f Format) PanelWords(I int64) int64 {
	lines := (I + f.PerWord() - 1) / f.PerWord()
	if f == PackedI8 {
		lines++
	}
	return PanelWidth * lines
}

// Words are those of a packed weight [I, O]: S in the signatures.
func (f Format) Words(I, O int64) int64 {
	const pair = 2 * PanelWidth
	if f == PackedTwice {
		return I * O
	}
	return (O + pair - 1) / pair * 2 * f.PanelWords(I)
}

func (f Format) String() string {
	switch f {
	case PackedF32:
		return "fp32"
	case PackedBF16:
		return "bf16"
	case PackedI8:
		return "int8"
	case PackedTwice:
		return "bf16-twice"
	}
	return fmt.Sprintf("format(%d)", int64(f))
}

// checkPacked holds the dims of a call that has a packed weight against each other.
func (c *Call) checkPacked() error {
	f, I, O := Format(c.Dim("format")), c.Dim("I"), c.Dim("O")
	if !f.Holds(I, O) {
		return fmt.Errorf("%v: I=%d, O=%d in %v: want multiples of %d", c.Kernel, I, O, f, TwiceRows)
	}
	if f == PackedI8 && I > MostInt8 {
		return fmt.Errorf("%v: I is %d, want at most %d in int8", c.Kernel, I, MostInt8)
	}
	if S, want := c.Dim("S"), f.Words(I, O); S != want {
		return fmt.Errorf("%v: S is %d, want %d words for I=%d, O=%d in %v", c.Kernel, S, want, I, O, f)
	}
	if c.Kernel == LinearPacked && !f.Fits(c.Precision) {
		return fmt.Errorf("linear.packed: weights in %v with activations in %v: want fp32 with fp32, bf16 and bf16-twice with fp32 or bf16, or int8", f, c.Precision)
	}
	return nil
}

// Fits tells whether the format goes with activations of a precision.
func (f Format) Fits(activations DType) bool {
	return f == PackedI8 || activations == F32 || f != PackedF32 && activations == BF16
}

// Holds tells whether the format takes a weight [I, O].
func (f Format) Holds(I, O int64) bool {
	return f != PackedTwice || I%TwiceRows == 0 && O%TwiceRows == 0
}
