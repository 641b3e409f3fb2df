package kernels

import (
	"fmt"
	"strings"
)

// checkValues holds the dims and scalars that do not only count elements against what a kernel can make sense of.
func (c *Call) checkValues() error {
	signature := SignatureOf(c.Kernel)
	for i, name := range signature.Dims {
		low, high := dimRange(name)
		if v := c.Dims[i]; v < low || v > high {
			return fmt.Errorf("%v: %s is %d, want %d to %d", c.Kernel, name, v, low, high)
		}
	}
	if H, C := c.Dim("H"), c.Dim("C"); H > 0 && C%H != 0 {
		return fmt.Errorf("%v: C=%d is not a multiple of H=%d", c.Kernel, C, H)
	}
	if T, P := c.Dim("T"), c.Dim("P"); P >= 0 && T > P {
		return fmt.Errorf("%v: T=%d rows, and there are P=%d positions", c.Kernel, T, P)
	}
	if V, LD := c.Dim("V"), c.Dim("LD"); LD >= 0 && LD < V {
		return fmt.Errorf("%v: rows of logits are LD=%d apart, want V=%d or more", c.Kernel, LD, V)
	}
	if k := c.Kernel; (k == LinearDXPacked || k == AdamWPacked) && !PackedTwice.Holds(c.Dim("I"), c.Dim("O")) {
		return fmt.Errorf("%v: I=%d, O=%d: want multiples of %d", k, c.Dim("I"), c.Dim("O"), TwiceRows)
	}
	if c.Kernel == LinearDXPacked && !PackedTwice.Fits(c.Precision) {
		return fmt.Errorf("linear.dx.packed: gradients in %v: want fp32 or bf16", c.Precision)
	}
	if c.Dim("format") >= 0 {
		if err := c.checkPacked(); err != nil {
			return err
		}
	}
	for i, name := range signature.Scalars {
		if p := c.Scalars[i]; name == "dropout" && !(p >= 0 && p < 1) {
			return fmt.Errorf("%v: dropout is %v, want a probability of 0 or more and below 1", c.Kernel, p)
		}
	}
	return nil
}

// dimRange is the smallest and largest value of the named dim.
func dimRange(name string) (low, high int64) {
	const most = 1 << 48
	switch {
	case name == "transposed" || name == "gelu" || name == "stream":
		return 0, 1
	case name == "mode" || strings.HasSuffix(name, "Mode"):
		return Overwrite, ByStep
	case name == "format":
		return 0, int64(FormatCount) - 1
	case name == "H" || name == "R":
		return 1, most
	case name == "salt":
		return 0, 1<<32 - 1
	}
	return 0, most
}
