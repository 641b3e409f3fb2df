package main

import (
	"fmt"
	"strings"

	"atoll/engine/ir"
	"atoll/kernels"
)

// programCall is work that a program does, once or several times.
type programCall struct {
	kernels.Call       // its arguments are present or absent, and nowhere
	at           []int // the instructions that do it
}

// distinctCalls are the calls of a program, each kind once, in the order of their first appearance.
func distinctCalls(list ir.Program) []programCall {
	known := map[string]int{}
	var calls []programCall
	for index, i := range list.Instrs {
		c := kernels.Call{Kernel: i.Kernel, Precision: i.Precision, Dims: i.Dims, Scalars: i.Scalars}
		for n, id := range i.Args {
			if id == ir.None {
				c.Args[n] = kernels.None
			}
		}
		key := callKey(&c)
		n, again := known[key]
		if !again {
			n = len(calls)
			known[key] = n
			calls = append(calls, programCall{Call: c})
		}
		calls[n].at = append(calls[n].at, index)
	}
	return calls
}

// callKey is equal for calls that do the same work.
func callKey(c *kernels.Call) string {
	absent := [kernels.MaxArgs]bool{}
	for at, ref := range c.Args {
		absent[at] = ref == kernels.None
	}
	dims := c.Dims
	for at, name := range kernels.SignatureOf(c.Kernel).Dims {
		if name == "salt" {
			dims[at] = 0
		}
	}
	return fmt.Sprint(c.Kernel, c.Precision, dims, absent)
}

// describeDims lists the dims of a call that are sizes, without those that follow from the others, and the format of a packed weight.
func describeDims(c *kernels.Call) string {
	var dims []string
	for at, name := range kernels.SignatureOf(c.Kernel).Dims {
		switch {
		case name == "salt" || name == "S" || strings.HasSuffix(strings.ToLower(name), "mode"):
		case name == "format":
			dims = append(dims, "format="+kernels.Format(c.Dims[at]).String())
		default:
			dims = append(dims, fmt.Sprintf("%s=%d", name, c.Dims[at]))
		}
	}
	return strings.Join(dims, " ")
}
