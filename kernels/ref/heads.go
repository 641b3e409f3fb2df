package ref

// matrix is the rows of one head in a tensor that packs several: row r begins at start + r*stride.
type matrix[E float32 | float64] struct {
	data                 []E
	start, stride, width int
}

func (m matrix[E]) row(r int) []E {
	at := m.start + r*m.stride
	return m.data[at : at+m.width]
}

// head is the rows of head h of sequence b in x [B,T,C].
func (a AttentionShape) head(x []float32, b, h int) matrix[float32] {
	D := a.C / a.H
	return matrix[float32]{x, b*a.T*a.C + h*D, a.C, D}
}

// heads are the rows of head h of sequence b in the three thirds of qkv [B,T,3C].
func (a AttentionShape) heads(qkv []float32, b, h int) (q, k, v matrix[float32]) {
	return thirds(qkv, a, b, h)
}

// heads64 is heads for sums.
func (a AttentionShape) heads64(dqkv []float64, b, h int) (dq, dk, dv matrix[float64]) {
	return thirds(dqkv, a, b, h)
}

func thirds[E float32 | float64](packed []E, a AttentionShape, b, h int) (q, k, v matrix[E]) {
	D := a.C / a.H
	at := b*a.T*3*a.C + h*D
	q = matrix[E]{packed, at, 3 * a.C, D}
	k = matrix[E]{packed, at + a.C, 3 * a.C, D}
	v = matrix[E]{packed, at + 2*a.C, 3 * a.C, D}
	return q, k, v
}

// attentionShape reads the dims and scalars that the attention kernels share.
func (a *arguments) attentionShape() AttentionShape {
	return AttentionShape{B: a.dim("B"), T: a.dim("T"), C: a.dim("C"), H: a.dim("H"), Salt: a.dim("salt"),
		Dropout: a.scalar("dropout"), Precision: a.call.Precision}
}

func runAttention(a *arguments) error {
	if err := a.checkLengths(); err != nil {
		return err
	}
	Attention(a.float("out"), a.float("lse"), a.float("qkv"), a.int("lengths"), a.int("seed"), a.attentionShape())
	return nil
}

func runAttentionBackward(a *arguments) error {
	if err := a.checkLengths(); err != nil {
		return err
	}
	AttentionBackward(a.float("dqkv"), a.float("dout"), a.float("qkv"), a.float("out"), a.float("lse"), a.int("lengths"),
		a.int("seed"), a.attentionShape())
	return nil
}

func runAttentionCached(a *arguments) error {
	start, err := a.start()
	if err != nil {
		return err
	}
	AttentionCached(a.float("out"), a.float("qkv"), a.float("keys"), a.float("values"), start, a.dim("P"), a.attentionShape())
	return nil
}
