package kernels

// Alias is a pair of arguments that may be the same memory, whole and at the same offset: the kernel reads each element
// of Read no later than it writes that element of Written.
type Alias struct {
	Written, Read string
}

// Aliases are the pairs that k allows, one pair in a call. All other arguments of a call that are written share no byte
// with any other argument. Products (linear, linear.packed, linear.dx, linear.dx.packed) allow none: their partial sums may lie in the output.
func Aliases(k Kernel) []Alias {
	switch k {
	case Add:
		return []Alias{{"out", "a"}, {"out", "b"}}
	case Dropout:
		return []Alias{{"y", "x"}, {"y", "res"}}
	case GELUBackward:
		return []Alias{{"dpre", "dy"}, {"dpre", "pre"}}
	case GELU:
		return []Alias{{"out", "pre"}}
	case AdamWPacked:
		return []Alias{{"packed", "grads"}} // a block of TwiceRows rows is read before its words are written
	}
	return nil
}
