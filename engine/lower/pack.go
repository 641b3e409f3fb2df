package lower

import (
	"slices"

	"atoll/engine/ir"
	"atoll/kernels"
)

// Packing says whether products read their weights as the model keeps them, or from a copy that was laid out for them once.
type Packing uint8

// The ways. A copy holds for weights that do not change.
const (
	Unpacked  Packing = iota
	PackAlike         // copies in the precision of the program
	PackInt8          // copies in int8
)

// Pack lets the products of p read packed copies of their parameters, which its Once instructions make. dtype is the precision that p
// was narrowed to: a product of an embedding is packed in it although the product works in fp32, as the loss of that head rounds
// the embedding, too. Products in fp16 stay as they are, but for int8.
func Pack(p ir.Program, how Packing, dtype kernels.DType) ir.Program {
	out := p.Clone()
	embeddings := map[ir.ID]bool{}
	for n := range p.Instrs {
		if p.Instrs[n].Kernel == kernels.Embed {
			embeddings[p.Instrs[n].Arg("wte")] = true
		}
	}
	// With caches it is a stream that is read, and nobody holds the bits of one token against those of several at once.
	stream := int64(0)
	if slices.ContainsFunc(p.Instrs, func(i ir.Instr) bool { return i.Kernel == kernels.AttentionCached }) {
		stream = 1
	}
	copies := map[string]ir.ID{}
	for n := range out.Instrs {
		i := &out.Instrs[n]
		if i.Kernel != kernels.Linear || i.Arg("pre") != ir.None || p.Values[i.Arg("w")].Kind != ir.Param {
			continue
		}
		format := kernels.PackedF32
		switch {
		case how == PackInt8:
			format = kernels.PackedI8
		case i.Precision == kernels.BF16 || dtype == kernels.BF16 && embeddings[i.Arg("w")]:
			format = kernels.PackedBF16
		}
		if format.Fits(i.Precision) && (format != kernels.PackedI8 || i.Dim("I") <= kernels.MostInt8) {
			packProduct(&out, i, copies, format, stream)
		}
	}
	return out
}

// packProduct turns a linear into a linear.packed.
func packProduct(p *ir.Program, i *ir.Instr, copies map[string]ir.ID, format kernels.Format, stream int64) {
	w, I, O := i.Arg("w"), i.Dim("I"), i.Dim("O")
	name := ir.PackedName(p.Values[w].Name, format, i.Dim("transposed") != 0)
	packed, made := copies[name]
	if !made {
		words := ir.Value{Name: name, Kind: ir.Packed, DType: kernels.I32, Shape: []int{int(format.Words(I, O))}}
		packed = layOut(p, i, words, format)
		copies[name] = packed
	}
	readPacked(i, packed, format, stream)
}

// layOut adds a value of words, and the instruction that makes it once of the weight that product i reads.
func layOut(p *ir.Program, i *ir.Instr, words ir.Value, format kernels.Format) ir.ID {
	packed := ir.ID(len(p.Values))
	p.Values = append(p.Values, words)
	I, O := i.Dim("I"), i.Dim("O")
	p.Once = append(p.Once, newInstr(kernels.Pack, kernels.F32, map[string]ir.ID{"packed": packed, "w": i.Arg("w")},
		[]int64{I, O, i.Dim("transposed"), int64(format), format.Words(I, O)}))
	return packed
}

// readPacked has a linear read its weight from packed words.
func readPacked(i *ir.Instr, packed ir.ID, format kernels.Format, stream int64) {
	N, I, O := i.Dim("N"), i.Dim("I"), i.Dim("O")
	*i = newInstr(kernels.LinearPacked, i.Precision,
		map[string]ir.ID{"y": i.Arg("y"), "x": i.Arg("x"), "packed": packed, "b": i.Arg("b"), "res": i.Arg("res"), "pre": i.Arg("pre")},
		[]int64{N, I, O, i.Dim("gelu"), int64(format), format.Words(I, O), stream})
}

func newInstr(k kernels.Kernel, precision kernels.DType, args map[string]ir.ID, dims []int64) ir.Instr {
	i := ir.Instr{Kernel: k, Precision: precision}
	for at := range i.Args {
		i.Args[at] = ir.None
	}
	for name, id := range args {
		i.Bind(name, id)
	}
	copy(i.Dims[:], dims)
	return i
}
