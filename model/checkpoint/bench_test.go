package checkpoint

import (
	"testing"

	"atoll/model"
)

// large returns a model of 213 MB: GPT-2 small with two of its twelve blocks, and a snapshot of its weights.
func large(b *testing.B) Snapshot {
	b.Helper()
	c, err := model.Named("gpt2")
	if err != nil {
		b.Fatal(err)
	}
	c.Layers = 2
	s := Snapshot{Config: c}
	for _, p := range c.Params() {
		s.Weights = append(s.Weights, Float32(p.Name, p.Shape, constant(p.Len(), 0.5)))
	}
	b.SetBytes(int64(4 * c.ParamCount()))
	return s
}

// BenchmarkLoad reads a model from the page cache into memory that is there already.
func BenchmarkLoad(b *testing.B) {
	s := large(b)
	dir, err := Save(b.TempDir(), s)
	if err != nil {
		b.Fatal(err)
	}
	values := map[string][]float32{}
	for _, p := range s.Config.Params() {
		values[p.Name] = make([]float32, p.Len())
	}
	for b.Loop() {
		c, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Load(s.Config.Params(), nil, func(p model.Param) []float32 { return values[p.Name] }); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSave includes the sync to the disk; BenchmarkSaveUnsynced is the work around it.
func BenchmarkSave(b *testing.B) { benchmarkSave(b, realDisk()) }
func BenchmarkSaveUnsynced(b *testing.B) {
	benchmarkSave(b, failing(budget{1 << 62, 1 << 30, 1 << 30}))
}

func benchmarkSave(b *testing.B, d disk) {
	s, dir := large(b), b.TempDir()
	for b.Loop() {
		if _, err := d.save(dir, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyChecksums(b *testing.B) {
	dir, err := Save(b.TempDir(), large(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Verify(dir, true); err != nil {
			b.Fatal(err)
		}
	}
}
