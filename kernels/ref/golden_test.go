package ref

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"atoll/kernels"
)

// golden is one group of testdata/golden.json, which golden.py made with PyTorch in float64.
type golden map[string]json.RawMessage

func readGolden(t *testing.T, group string) golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]golden
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all[group]
}

// values is a tensor of the group; E is float32 or int32.
func values[E float32 | int32](t *testing.T, g golden, name string) []E {
	t.Helper()
	var x []E
	if err := json.Unmarshal(g[name], &x); err != nil {
		t.Fatalf("golden %s: %v", name, err)
	}
	return x
}

// near holds got against the tensor of that name: two roundings of float32 at the tensor's largest magnitude.
func (g golden) near(t *testing.T, name string, got []float32) {
	t.Helper()
	want := values[float32](t, g, name)
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, PyTorch %d", name, len(got), len(want))
	}
	largest := 0.0
	for _, w := range want {
		largest = math.Max(largest, math.Abs(float64(w)))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= 2.4e-7*largest) {
			t.Errorf("%s[%d] is %v, PyTorch gives %v", name, i, got[i], w)
			return
		}
	}
}

func TestLayerNormAgainstPyTorch(t *testing.T) {
	const N, C = 6, 33
	g := readGolden(t, "layernorm")
	x, gain, b := values[float32](t, g, "x"), values[float32](t, g, "g"), values[float32](t, g, "b")
	out, mean, rstd := make([]float32, N*C), make([]float32, N), make([]float32, N)
	LayerNorm(out, mean, rstd, x, gain, b, N, C, 1e-5)
	g.near(t, "out", out)
	dx, dg, db := make([]float32, N*C), make([]float32, C), make([]float32, C)
	LayerNormBackward(dx, dg, db, values[float32](t, g, "dy"), x, gain, mean, rstd, nil, N, C, false)
	g.near(t, "dx", dx)
	g.near(t, "dg", dg)
	g.near(t, "db", db)
}

func TestLinearAgainstPyTorch(t *testing.T) {
	const N, I, O = 5, 17, 13
	g := readGolden(t, "linear")
	x, w, b := values[float32](t, g, "x"), values[float32](t, g, "w"), values[float32](t, g, "b")
	out, pre := make([]float32, N*O), make([]float32, N*O)
	Linear(out, pre, x, w, b, nil, N, I, O, false, true, kernels.F32)
	g.near(t, "pre", pre)
	g.near(t, "out", out)
	GELUForward(out, values[float32](t, g, "pre"))
	g.near(t, "out", out)
	dpre, dx, dw, db := make([]float32, N*O), make([]float32, N*I), make([]float32, I*O), make([]float32, O)
	GELUBackward(dpre, values[float32](t, g, "dy"), pre)
	LinearDX(dx, dpre, w, nil, nil, N, I, O, false)
	LinearDW(dw, db, x, dpre, N, I, O, false, false)
	g.near(t, "dpre", dpre)
	g.near(t, "dx", dx)
	g.near(t, "dw", dw)
	g.near(t, "db", db)
}

func TestAttentionAgainstPyTorch(t *testing.T) {
	shape := AttentionShape{B: 2, T: 9, C: 24, H: 3}
	g := readGolden(t, "attention")
	qkv := values[float32](t, g, "qkv")
	out, lse, dqkv := make([]float32, len(qkv)/3), make([]float32, 2*3*9), make([]float32, len(qkv))
	Attention(out, lse, qkv, nil, nil, shape)
	g.near(t, "out", out)
	g.near(t, "lse", lse)
	AttentionBackward(dqkv, values[float32](t, g, "dout"), qkv, out, lse, nil, nil, shape)
	g.near(t, "dqkv", dqkv)
}

func TestHeadLossAgainstPyTorch(t *testing.T) {
	g := readGolden(t, "head")
	shape := HeadShape{N: 7, C: 8, V: 50, Scale: 0.2}
	loss, rows, dh, dwte := make([]float32, 1), make([]float32, 7), make([]float32, 7*8), make([]float32, 50*8)
	HeadLoss(loss, rows, dh, dwte, values[float32](t, g, "h"), values[float32](t, g, "wte"), values[int32](t, g, "targets"), shape)
	g.near(t, "loss", loss)
	g.near(t, "rows", rows)
	g.near(t, "dh", dh)
	g.near(t, "dwte", dwte)
}

func TestClassLossAgainstPyTorch(t *testing.T) {
	g := readGolden(t, "class")
	loss, rows, dlogits := make([]float32, 1), make([]float32, 6), make([]float32, 6*5)
	ClassLoss(loss, rows, dlogits, values[float32](t, g, "logits"), values[int32](t, g, "labels"), values[float32](t, g, "weights"),
		LossShape{B: 6, K: 5, Scale: 0.2})
	g.near(t, "loss", loss)
	g.near(t, "rows", rows)
	g.near(t, "dlogits", dlogits)
}

func TestBinaryLossAgainstPyTorch(t *testing.T) {
	g := readGolden(t, "binary")
	loss, dlogits := make([]float32, 1), make([]float32, 4*6)
	BinaryLoss(loss, nil, dlogits, values[float32](t, g, "logits"), values[float32](t, g, "targets"), values[float32](t, g, "weights"),
		LossShape{B: 4, K: 6, Scale: 1.0 / 24})
	g.near(t, "loss", loss)
	g.near(t, "dlogits", dlogits)
}

func TestAdamWAgainstPyTorch(t *testing.T) {
	g := readGolden(t, "adamw")
	w, grads := values[float32](t, g, "w"), values[float32](t, g, "grads")
	n := len(w)
	m, v := make([]float32, n), make([]float32, n)
	var weights, norms []float32
	for step := range len(grads) / n {
		gradient := grads[step*n : (step+1)*n]
		norm := GradNorm(gradient)
		AdamW(w, m, v, gradient, norm, 0, AdamWSettings{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Decay: 0.1, Clip: 1, LearningRate: 0.02, InverseScale: 1,
			Correction1: float32(1 - math.Pow(0.9, float64(step+1))), Correction2: float32(1 - math.Pow(0.95, float64(step+1)))})
		weights, norms = append(weights, w...), append(norms, norm)
	}
	g.near(t, "norms", norms)
	g.near(t, "weights", weights)
}
