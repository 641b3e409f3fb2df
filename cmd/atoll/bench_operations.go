package main

import (
	"fmt"
	"strings"

	"atoll/kernels"
)

// operations are the multiplications and additions that a call has to do; 0 for kernels that memory limits. Causal
// attention does half of its T x T products, its gradient two and a half times as many as its forward pass.
func operations(c *kernels.Call) float64 {
	dim := func(name string) float64 { return float64(c.Dim(name)) }
	switch c.Kernel {
	case kernels.Linear, kernels.LinearDX, kernels.LinearDW:
		return 2 * dim("N") * dim("I") * dim("O")
	case kernels.Attention:
		return 2 * dim("B") * dim("T") * dim("T") * dim("C")
	case kernels.AttentionBackward:
		return 5 * dim("B") * dim("T") * dim("T") * dim("C")
	case kernels.HeadLoss:
		products := 1.0
		for at, arg := range kernels.SignatureOf(c.Kernel).Args {
			if (arg.Name == "dh" || arg.Name == "dwte") && c.Args[at] != kernels.None {
				products++
			}
		}
		return 2 * products * dim("N") * dim("C") * dim("V")
	}
	return 0
}

// traffic is the bytes of an argument that a call has to move: read and written counts twice, and of an embedding's tables
// only the rows that the tokens name.
func traffic(c *kernels.Call, arg kernels.Arg, size int64) int64 {
	switch {
	case (c.Kernel == kernels.Embed || c.Kernel == kernels.EmbedBackward) && strings.Contains(arg.Shape, "*C") && arg.Class == kernels.Float:
		return c.Dim("B") * c.Dim("T") * c.Dim("C") * 4
	case arg.Access == kernels.InOut:
		return 2 * size
	}
	return size
}

// describeDims lists the dims of a call that are sizes.
func describeDims(c *kernels.Call) string {
	var dims []string
	for at, name := range kernels.SignatureOf(c.Kernel).Dims {
		if name != "salt" && !strings.HasSuffix(strings.ToLower(name), "mode") {
			dims = append(dims, fmt.Sprintf("%s=%d", name, c.Dims[at]))
		}
	}
	return strings.Join(dims, " ")
}
