package ref

import (
	"math"
	"math/rand/v2"
	"testing"

	"atoll/kernels"
)

// uniform are n random numbers in -1 to 1.
func uniform(random *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(2*random.Float64() - 1)
	}
	return x
}

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// checkGradient holds gradient against finite differences of f, which reads x: the five-point formula, whose error is
// of the fourth order, with a step so wide that the rounding of float32 results does not matter. The tolerance is
// relative to the largest element.
func checkGradient(t *testing.T, name string, f func() float64, x, gradient []float32) {
	t.Helper()
	const step, tolerance = 1.0 / 16, 1e-4
	numeric, largest := make([]float64, len(x)), 0.0
	for i, at := range x {
		value := func(steps float32) float64 {
			x[i] = at + steps*step
			return f()
		}
		numeric[i] = (8*(value(1)-value(-1)) - (value(2) - value(-2))) / (12 * step)
		x[i] = at
		largest = math.Max(largest, math.Abs(numeric[i]))
	}
	if largest == 0 {
		t.Fatalf("%s: the gradient is zero everywhere: the test tests nothing", name)
	}
	for i, want := range numeric {
		if d := math.Abs(float64(gradient[i]) - want); d > tolerance*largest {
			t.Errorf("%s[%d] is %v, finite differences give %v", name, i, gradient[i], want)
			return
		}
	}
}

func TestLinearGradient(t *testing.T) {
	const N, I, M, O = 3, 4, 5, 2
	for _, transposed := range []bool{false, true} {
		random := seeded()
		x, w1, b1 := uniform(random, N*I), uniform(random, I*M), uniform(random, M)
		w2, b2, r, res := uniform(random, M*O), uniform(random, O), uniform(random, N*O), uniform(random, N*O)
		pre, h, y := make([]float32, N*M), make([]float32, N*M), make([]float32, N*O)
		loss := func() float64 {
			Linear(h, pre, x, w1, b1, nil, N, I, M, transposed, true, kernels.F32)
			Linear(y, nil, h, w2, b2, res, N, M, O, transposed, false, kernels.F32)
			return dot(y, r)
		}
		loss()
		dpre, dx := make([]float32, N*M), make([]float32, N*I)
		dw1, db1, dw2, db2 := make([]float32, I*M), make([]float32, M), make([]float32, M*O), make([]float32, O)
		LinearDX(dpre, r, w2, pre, nil, N, M, O, transposed)
		LinearDX(dx, dpre, w1, nil, nil, N, I, M, transposed)
		LinearDW(dw2, db2, h, r, N, M, O, transposed, false)
		LinearDW(dw1, db1, x, dpre, N, I, M, transposed, false)
		checkGradient(t, "dx", loss, x, dx)
		checkGradient(t, "dw1", loss, w1, dw1)
		checkGradient(t, "db1", loss, b1, db1)
		checkGradient(t, "dw2", loss, w2, dw2)
		checkGradient(t, "db2", loss, b2, db2)
		checkGradient(t, "res", loss, res, r)
	}
}

func TestGELUGradient(t *testing.T) {
	pre := []float32{-4, -2, -0.7, -0.1, 0, 0.3, 1.1, 2.5, 5}
	dy := []float32{1, -2, 1, 0.5, 1, -1, 2, 1, 1}
	dpre := make([]float32, len(pre))
	GELUBackward(dpre, dy, pre)
	loss := func() float64 {
		sum := 0.0
		for i, x := range pre {
			sum += GELU(float64(x)) * float64(dy[i])
		}
		return sum
	}
	checkGradient(t, "dpre", loss, pre, dpre)
}

func TestLayerNormGradient(t *testing.T) {
	const N, C = 3, 7
	random := seeded()
	x, g, b, r, res := uniform(random, N*C), uniform(random, C), uniform(random, C), uniform(random, N*C), uniform(random, N*C)
	for i := range x {
		x[i] = 3*x[i] + float32(i%5) // wide rows: the fifth derivative stays small
	}
	out, mean, rstd := make([]float32, N*C), make([]float32, N), make([]float32, N)
	loss := func() float64 {
		LayerNorm(out, mean, rstd, x, g, b, N, C, 1e-5)
		return dot(out, r) + dot(x, res) // the residual stream passes by
	}
	loss()
	dx, dg, db := make([]float32, N*C), make([]float32, C), make([]float32, C)
	LayerNormBackward(dx, dg, db, r, x, g, mean, rstd, res, N, C, false)
	checkGradient(t, "dx", loss, x, dx)
	checkGradient(t, "dg", loss, g, dg)
	checkGradient(t, "db", loss, b, db)
}

func TestAttentionGradient(t *testing.T) {
	shape := AttentionShape{B: 2, T: 5, C: 6, H: 2, Salt: 3, Dropout: 0.3}
	options := []struct {
		name          string
		lengths, seed []int32
	}{{"plain", nil, nil}, {"lengths", []int32{3, 5}, nil}, {"dropout", nil, []int32{5, 6}}, {"both", []int32{4, 0}, []int32{7, 8}}}
	for _, o := range options {
		random := seeded()
		qkv, r := uniform(random, 2*5*18), uniform(random, 2*5*6)
		out, lse, dqkv := make([]float32, len(r)), make([]float32, 2*2*5), make([]float32, len(qkv))
		loss := func() float64 {
			Attention(out, lse, qkv, o.lengths, o.seed, shape)
			return dot(out, r)
		}
		loss()
		AttentionBackward(dqkv, r, qkv, out, lse, o.lengths, o.seed, shape)
		checkGradient(t, o.name+" dqkv", loss, qkv, dqkv)
	}
}

func TestEmbedGradient(t *testing.T) {
	const B, T, C, V, P = 2, 3, 2, 5, 4
	random := seeded()
	wte, wpe, r := uniform(random, V*C), uniform(random, P*C), uniform(random, B*T*C)
	tokens := []int32{1, 4, 1, 0, 1, 3}
	out, dwte, dwpe := make([]float32, B*T*C), make([]float32, V*C), make([]float32, P*C)
	loss := func() float64 {
		Embed(out, tokens, wte, wpe, 0, B, T, C)
		return dot(out, r)
	}
	EmbedBackward(dwte, dwpe, r, tokens, B, T, C, false, false)
	checkGradient(t, "dwte", loss, wte, dwte)
	checkGradient(t, "dwpe", loss, wpe, dwpe)
}

func TestDropoutAndPoolGradient(t *testing.T) {
	const B, T, C = 3, 4, 2
	random := seeded()
	x, r, seed := uniform(random, B*T*C), uniform(random, B*C), []int32{1, 2}
	lengths := []int32{4, 0, 2}
	dropped, pooled := make([]float32, B*T*C), make([]float32, B*C)
	loss := func() float64 {
		Dropout(dropped, x, nil, seed, 9, 0.4)
		Pool(pooled, dropped, lengths, B, T, C)
		return dot(pooled, r)
	}
	ddropped, dx := make([]float32, B*T*C), make([]float32, B*T*C)
	PoolBackward(ddropped, r, lengths, B, T, C)
	Dropout(dx, ddropped, nil, seed, 9, 0.4)
	checkGradient(t, "dx", loss, x, dx)
}

func TestHeadLossGradient(t *testing.T) {
	shape := HeadShape{N: 4, C: 3, V: 6, Scale: 0.25}
	random := seeded()
	h, wte := uniform(random, 4*3), uniform(random, 6*3)
	targets := []int32{5, 0, -1, 2}
	total, rows, dh, dwte := make([]float32, 1), make([]float32, 4), make([]float32, 4*3), make([]float32, 6*3)
	loss := func() float64 {
		HeadLoss(total, rows, dh, dwte, h, wte, targets, shape)
		return float64(shape.Scale) * (float64(rows[0]) + float64(rows[1]) + float64(rows[2]) + float64(rows[3]))
	}
	if value := loss(); math.Abs(value-float64(total[0])) > 1e-6 || rows[2] != 0 {
		t.Errorf("loss is %v, the scaled sum of rows %v; the ignored row has %v", total[0], value, rows[2])
	}
	dhAt, dwteAt := append([]float32(nil), dh...), append([]float32(nil), dwte...)
	checkGradient(t, "dh", loss, h, dhAt)
	checkGradient(t, "dwte", loss, wte, dwteAt)
}

func TestClassificationLossGradients(t *testing.T) {
	shape := LossShape{B: 3, K: 4, Scale: 0.5}
	random := seeded()
	logits, weights, total := uniform(random, 3*4), []float32{0.5, 2, 1, 3}, make([]float32, 1)
	labels := []int32{3, -1, 0}
	targets := []float32{1, 0, 0.25, 1, -1, 1, 1, 1, 0, 0, 1, 0}
	dlogits, rows := make([]float32, 3*4), make([]float32, 3)
	class := func() float64 {
		ClassLoss(total, rows, nil, logits, labels, weights, shape)
		return float64(shape.Scale) * (float64(rows[0]) + float64(rows[1]) + float64(rows[2]))
	}
	ClassLoss(total, rows, dlogits, logits, labels, weights, shape)
	checkGradient(t, "class dlogits", class, logits, dlogits)
	binary := func() float64 {
		BinaryLoss(total, rows, nil, logits, targets, weights, shape)
		return float64(shape.Scale) * (float64(rows[0]) + float64(rows[1]) + float64(rows[2]))
	}
	BinaryLoss(total, rows, dlogits, logits, targets, weights, shape)
	checkGradient(t, "binary dlogits", binary, logits, dlogits)
}

// The cache must give what attention over the whole sequence gives, one row at a time or several.
func TestAttentionCachedEqualsAttention(t *testing.T) {
	const B, T, C, H, P = 2, 7, 6, 3, 9
	qkv := uniform(seeded(), B*T*3*C)
	want := make([]float32, B*T*C)
	Attention(want, nil, qkv, nil, nil, AttentionShape{B: B, T: T, C: C, H: H, Precision: kernels.F32})
	keys, values := make([]float32, B*P*C), make([]float32, B*P*C)
	for start, rows := 0, 4; start < T; start, rows = start+rows, 1 {
		part := make([]float32, 0, B*rows*3*C)
		for b := range B {
			part = append(part, qkv[(b*T+start)*3*C:(b*T+start+rows)*3*C]...)
		}
		out := make([]float32, B*rows*C)
		AttentionCached(out, part, keys, values, start, P, AttentionShape{B: B, T: rows, C: C, H: H})
		for b := range B {
			for i, got := range out[b*rows*C : (b+1)*rows*C] {
				if whole := want[(b*T+start)*C+i]; got != whole {
					t.Fatalf("start %d, sequence %d, element %d is %v, attention gives %v", start, b, i, got, whole)
				}
			}
		}
	}
}
