package server

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"atoll/model"
)

func TestClassifyAnswers(t *testing.T) {
	r := start(t, DefaultLimits(), fakeModel(&fake{})).ready()
	for _, c := range []struct{ name, body, want string }{
		{"a text", `{"input": "four"}`,
			`{"model":"fake","data":[{"index":0,"label":"yes","score":0.96,"scores":{"yes":0.96,"no":0.04},"truncated":false}],"usage":{"tokens":4}}`},
		{"texts, in their order", `{"input": ["` + strings.Repeat("n", 55) + `", "y"]}`,
			`{"model":"fake","data":[{"index":0,"label":"no","score":0.55,"scores":{"yes":0.45,"no":0.55},"truncated":false},` +
				`{"index":1,"label":"yes","score":0.99,"scores":{"yes":0.99,"no":0.01},"truncated":false}],"usage":{"tokens":56}}`},
		{"cut to one token more than is read", `{"input": "` + strings.Repeat("n", 70) + `"}`,
			`{"model":"fake","data":[{"index":0,"label":"no","score":0.61,"scores":{"yes":0.39,"no":0.61},"truncated":true}],"usage":{"tokens":60}}`},
		{"unknown fields", `{"model": "other", "input": "four", "Input": 3, "x": [{"input": 1}]}`,
			`{"model":"fake","data":[{"index":0,"label":"yes","score":0.96,"scores":{"yes":0.96,"no":0.04},"truncated":false}],"usage":{"tokens":4}}`},
		{"escapes", `{"input": "\ud83d\ude00"}`,
			`{"model":"fake","data":[{"index":0,"label":"yes","score":0.96,"scores":{"yes":0.96,"no":0.04},"truncated":false}],"usage":{"tokens":4}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := r.post(context.Background(), c.body)
			if got.status != 200 || strings.TrimSpace(got.body) != c.want {
				t.Errorf("got %d %s, want 200 %s", got.status, got.body, c.want)
			}
		})
	}
}

func TestClassifySeveralLabels(t *testing.T) {
	m := fakeModel(&fake{})
	m.Problem = model.MultiLabel
	r := start(t, DefaultLimits(), m).ready()
	got := r.post(context.Background(), `{"input": "four"}`)
	want := `{"model":"fake","data":[{"index":0,"labels":["yes"],"scores":{"yes":0.96,"no":0.04},"truncated":false}],"usage":{"tokens":4}}`
	if strings.TrimSpace(got.body) != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	if none := (&m).likely([]float32{0.49999997, 0.1}); none == nil || len(none) != 0 {
		t.Errorf("labels below the threshold: got %#v, want an empty list, not null", none)
	}
	if got := (&m).likely([]float32{0.5, 1}); len(got) != 2 {
		t.Errorf("labels at the threshold and above: got %v, want both", got)
	}
}

// A client that reads a score as a double and rounds it to a float must have the very bits that the model gave.
func TestScoresKeepEveryBit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := []float32{0, 1, math.SmallestNonzeroFloat32, math.MaxFloat32, 1e-7, 0.1, 1.0 / 3, math.Nextafter32(1, 0)}
	for len(values) < 20000 {
		if v := math.Float32frombits(random.Uint32() &^ (1 << 31)); v <= math.MaxFloat32 {
			values = append(values, v, random.Float32())
		}
	}
	for _, v := range values {
		text, err := json.Marshal(scores{[]string{`a "<label>"`}, []float32{v}})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]float64
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if got := float32(back[`a "<label>"`]); math.Float32bits(got) != math.Float32bits(v) {
			t.Fatalf("%v was written as %s and read as %v", v, text, got)
		}
	}
}
