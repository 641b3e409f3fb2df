package ref

// Pool gives out[b] = x[b, lengths[b]-1] for x [B,T,C]: the last real row. A sequence of length 0 gives zeros.
func Pool(out, x []float32, lengths []int32, B, T, C int) {
	clear(out)
	for b := range B {
		if last := int(lengths[b]) - 1; last >= 0 {
			copy(out[b*C:(b+1)*C], x[(b*T+last)*C:])
		}
	}
}

// PoolBackward writes dout [B,C] to the rows of dx [B,T,C] that Pool read, and 0 to all others.
func PoolBackward(dx, dout []float32, lengths []int32, B, T, C int) {
	clear(dx)
	for b := range B {
		if last := int(lengths[b]) - 1; last >= 0 {
			copy(dx[(b*T+last)*C:], dout[b*C:(b+1)*C])
		}
	}
}

func runPool(a *arguments) error {
	if err := a.checkLengths(); err != nil {
		return err
	}
	Pool(a.float("out"), a.float("x"), a.int("lengths"), a.dim("B"), a.dim("T"), a.dim("C"))
	return nil
}

func runPoolBackward(a *arguments) error {
	if err := a.checkLengths(); err != nil {
		return err
	}
	PoolBackward(a.float("dx"), a.float("dout"), a.int("lengths"), a.dim("B"), a.dim("T"), a.dim("C"))
	return nil
}
