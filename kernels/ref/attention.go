package ref

import (
	"math"

	"atoll/kernels"
)

// AttentionShape is what Attention and AttentionBackward need to know besides their tensors.
type AttentionShape struct {
	B, T, C, H int
	Salt       int           // of the dropout over the probabilities
	Dropout    float32       // probability of a drop; used where there is a seed
	Precision  kernels.DType // to which probabilities and score gradients are rounded before a product
}

// Attention is causal multi-head attention over packed rows [q(C) k(C) v(C)], qkv [B,T,3C]. Head h uses columns
// h*D to (h+1)*D of each third, D = C/H; scores are q·k/sqrt(D); row t sees rows 0 to t.
//
// out is [B,T,C]. lse [B,H,T], which may be nil, is the maximum of the row's scores plus the log of the sum of their
// exponentials from it. Where lengths (nil: T) is given, rows at or beyond lengths[b] give out = 0 and lse = 0, and
// what qkv holds there has no influence as long as it is finite. Dropout is applied to the normalised probabilities,
// over the index ((b*H+h)*T+t)*T+s.
func Attention(out, lse, qkv []float32, lengths, seed []int32, shape AttentionShape) {
	clear(out)
	clear(lse)
	for b := range shape.B {
		for h := range shape.H {
			q, k, v := shape.heads(qkv, b, h)
			into := shape.head(out, b, h)
			for t := range shape.rows(lengths, b) {
				p, total := softmax(shape.scores(q.row(t), k, t+1))
				if lse != nil {
					lse[shape.index(b, h, t)] = float32(total)
				}
				shape.average(into.row(t), shape.drop(p, seed, b, h, t), v)
			}
		}
	}
}

// AttentionBackward is the gradient of Attention for its qkv, from the gradient dout of its out. out and lse are what
// Attention wrote; the probabilities are recomputed as P = exp(score - lse). With mask the dropout factor:
//
//	dP = dout·v,  dS = P*(mask*dP - dout·out),  dq = dS·k/sqrt(D),  dk = dSᵀ·q/sqrt(D),  dv = (mask*P)ᵀ·dout
//
// Rows at or beyond lengths[b] of dqkv are 0.
func AttentionBackward(dqkv, dout, qkv, out, lse []float32, lengths, seed []int32, shape AttentionShape) {
	sums := make([]float64, len(dqkv))
	for b := range shape.B {
		for h := range shape.H {
			dq, dk, dv := shape.heads64(sums, b, h)
			q, k, v := shape.heads(qkv, b, h)
			for t := range shape.rows(lengths, b) {
				gradient := shape.head(dout, b, h).row(t)
				through := dot(gradient, shape.head(out, b, h).row(t))
				p := shape.scores(q.row(t), k, t+1)
				for s := range p {
					p[s] = math.Exp(p[s] - float64(lse[shape.index(b, h, t)]))
				}
				for s, dropped := range shape.drop(p, seed, b, h, t) {
					mask := shape.mask(seed, b, h, t, s)
					dS := shape.round(p[s] * (mask*dot(gradient, v.row(s)) - through))
					addScaled(dq.row(t), dS*shape.scale(), k.row(s))
					addScaled(dk.row(s), dS*shape.scale(), q.row(t))
					addScaled(dv.row(s), shape.round(dropped), gradient)
				}
			}
		}
	}
	putAll(dqkv, sums, false)
}

// AttentionCached is Attention of rows start to start+T-1 over all rows before and with them. The keys and values of
// the new rows are first copied from qkv [B,T,3C] into the caches, each [B,P,C], at rows start to start+T-1; rows 0 to
// start-1 of the caches are read, the rest stays as it is. out is [B,T,C].
func AttentionCached(out, qkv, keys, values []float32, start, P int, shape AttentionShape) {
	cache := AttentionShape{B: shape.B, T: P, C: shape.C, H: shape.H}
	for b := range shape.B {
		for h := range shape.H {
			q, k, v := shape.heads(qkv, b, h)
			cachedK, cachedV := cache.head(keys, b, h), cache.head(values, b, h)
			for t := range shape.T {
				copy(cachedK.row(start+t), k.row(t))
				copy(cachedV.row(start+t), v.row(t))
			}
			for t := range shape.T {
				p, _ := softmax(shape.scores(q.row(t), cachedK, start+t+1))
				shape.average(shape.head(out, b, h).row(t), p, cachedV)
			}
		}
	}
}

// scores are q·k/sqrt(D) for the first count rows of keys.
func (a AttentionShape) scores(q []float32, keys matrix[float32], count int) []float64 {
	scores := make([]float64, count)
	for s := range scores {
		scores[s] = dot(q, keys.row(s)) * a.scale()
	}
	return scores
}

// average sets out to the sum of the rows of values weighted by p, which is rounded first.
func (a AttentionShape) average(out []float32, p []float64, values matrix[float32]) {
	sums := make([]float64, len(out))
	for s, weight := range p {
		addScaled(sums, a.round(weight), values.row(s))
	}
	putAll(out, sums, false)
}

// drop is p with dropout.
func (a AttentionShape) drop(p []float64, seed []int32, b, h, t int) []float64 {
	dropped := make([]float64, len(p))
	for s := range p {
		dropped[s] = p[s] * a.mask(seed, b, h, t, s)
	}
	return dropped
}

func (a AttentionShape) mask(seed []int32, b, h, t, s int) float64 {
	return dropoutFactor(seed, a.Salt, uint64(a.index(b, h, t)*a.T+s), a.Dropout)
}

// rows is how many rows of sequence b are not padding.
func (a AttentionShape) rows(lengths []int32, b int) int {
	if lengths == nil {
		return a.T
	}
	return int(lengths[b])
}

// index of row t of head h of sequence b in lse.
func (a AttentionShape) index(b, h, t int) int { return (b*a.H+h)*a.T + t }

func (a AttentionShape) scale() float64 { return 1 / math.Sqrt(float64(a.C/a.H)) }

func (a AttentionShape) round(x float64) float64 { return float64(Round(float32(x), a.Precision)) }

// softmax turns scores into probabilities, in place, and gives the log of the sum of their exponentials.
func softmax(scores []float64) (p []float64, lse float64) {
	largest := math.Inf(-1)
	for _, s := range scores {
		largest = max(largest, s)
	}
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(s - largest)
	}
	lse = largest + math.Log(sum)
	for i, s := range scores {
		scores[i] = math.Exp(s-largest) / sum
	}
	return scores, lse
}

// addScaled adds factor*x to sums.
func addScaled(sums []float64, factor float64, x []float32) {
	for i, v := range x {
		sums[i] += factor * float64(v)
	}
}
