package atoll

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestViolationsAreFound plants one violation of each kind in a tree of its own
// and wants exactly one message for it, with the words given.
func TestViolationsAreFound(t *testing.T) {
	cases := []struct {
		name  string
		files map[string]string // file -> what it imports, separated by spaces
		want  []string          // words of the one message; none: no message
	}{
		{"downwards", map[string]string{"engine/engine.go": "fmt atoll/engine/op atoll/kernels gorgonia.org/gorgonia"}, nil},
		{"upwards", map[string]string{"kernels/device.go": "atoll/engine"},
			[]string{"kernels/device.go", `"atoll/engine"`, "layer 0", "layer 4", "allowed: none"}},
		{"sideways", map[string]string{"engine/ir/verify.go": "atoll/kernels/ref"},
			[]string{"engine/ir/verify.go", `"atoll/kernels/ref"`, "layer 1", "allowed: kernels, model, model/bpe"}},
		{"a test may run the case table", map[string]string{"kernels/cpu/gemm_test.go": "atoll/kernels/kerneltest atoll/kernels/cpu"}, nil},
		{"code may not", map[string]string{"kernels/cpu/gemm.go": "atoll/kernels/kerneltest"},
			[]string{"kernels/cpu/gemm.go", `"atoll/kernels/kerneltest"`}},
		{"a test keeps to the rest", map[string]string{"kernels/ref/gemm_test.go": "atoll/engine"},
			[]string{"kernels/ref/gemm_test.go", `"atoll/engine"`}},
		{"a package without a row", map[string]string{"trainer/misc/misc.go": "fmt"},
			[]string{"trainer/misc/misc.go", "has no layer"}},
		{"an import without a row", map[string]string{"engine/run.go": "atoll/kernels/misc"},
			[]string{"engine/run.go", `"atoll/kernels/misc"`, "has no layer"}},
		{"a seventh folder", map[string]string{"internal/x/x.go": "fmt"},
			[]string{"internal/x/x.go", "engine, kernels, model, trainer, cmd, bench"}},
		{"code in the root", map[string]string{"train.go": "os"},
			[]string{"train.go", "doc.go"}},
		{"gorgonia", map[string]string{"trainer/loop.go": "gorgonia.org/gorgonia"},
			[]string{"trainer/loop.go", `"gorgonia.org/gorgonia"`, "model/gpt2, engine, engine/op, engine/lower"}},
		{"below gorgonia", map[string]string{"trainer/loop_test.go": "gorgonia.org/gorgonia/encoding/dot"},
			[]string{"trainer/loop_test.go", `"gorgonia.org/gorgonia/encoding/dot"`}},
		{"tensor is not restricted", map[string]string{"trainer/loop.go": "gorgonia.org/tensor"}, nil},
		{"cu", map[string]string{"engine/device.go": "gorgonia.org/cu"},
			[]string{"engine/device.go", `"gorgonia.org/cu"`, "kernels/cuda"}},
		{"unsafe", map[string]string{"model/checkpoint/map.go": "unsafe"},
			[]string{"model/checkpoint/map.go", `"unsafe"`, "kernels/..."}},
		{"cgo", map[string]string{"engine/call.go": "C"}, []string{"engine/call.go", `"C"`, "kernels/..."}},
		{"unsafe in a kernel", map[string]string{"kernels/cpu/call.go": "C unsafe"}, nil},
		{"the server trains", map[string]string{"cmd/atoll/server/server.go": "atoll/trainer/metric"},
			[]string{"cmd/atoll/server -> trainer/metric", "cmd/atoll/server/server.go"}},
		{"predict trains behind another", map[string]string{
			"model/predict/predict.go": "atoll/engine", "engine/engine.go": "atoll/trainer/optim"},
			[]string{"model/predict -> engine -> trainer/optim", "engine/engine.go"}},
		{"a test may use trainer", map[string]string{"model/predict/predict_test.go": "atoll/trainer/metric"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for file, imports := range c.files {
				plant(t, root, file, strings.Fields(imports))
			}
			sources, err := readSources(root)
			if err != nil {
				t.Fatal(err)
			}
			got := violations(sources)
			if len(c.want) == 0 {
				if len(got) != 0 {
					t.Errorf("got %q, want no violation", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got %d violations %q, want one", len(got), got)
			}
			for _, word := range c.want {
				if !strings.Contains(got[0], word) {
					t.Errorf("got %q, want %q in it", got[0], word)
				}
			}
		})
	}
}

// TestReadSourcesSkips wants what Go itself does not build left alone, and a
// file that does not parse named.
func TestReadSourcesSkips(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"engine/testdata/a.go", ".venv/b.go", "engine/_c/c.go", "build/d.go"} {
		plant(t, root, file, []string{"unsafe"})
	}
	sources, err := readSources(root)
	if err != nil || len(sources) != 0 {
		t.Errorf("got %v, %v, want no source and no error", sources, err)
	}
	plant(t, root, "engine/broken.go", []string{"two words\"\n"})
	if _, err := readSources(root); err == nil || !strings.Contains(err.Error(), "broken.go") {
		t.Errorf("got error %v, want one that names broken.go", err)
	}
}

// TestTableNamesEachPackageOnce guards the table itself.
func TestTableNamesEachPackageOnce(t *testing.T) {
	seen := map[string]int{}
	for layer, row := range layers {
		for _, pkg := range row {
			if other, twice := seen[pkg]; twice {
				t.Errorf("%s stands in layers %d and %d, want one", pkg, other, layer)
			}
			seen[pkg] = layer
		}
	}
}

// plant writes a Go file with the given imports below root.
func plant(t *testing.T, root, file string, imports []string) {
	t.Helper()
	name := filepath.Join(root, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "package p\n\n"
	for _, path := range imports {
		text += "import \"" + path + "\"\n"
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
