package checkpoint

import (
	"encoding/binary"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/model"
)

// TestForeignLayouts loads the two layouts of testdata/make.py: OpenAI's old names with masks and a copied head, and
// today's names in two files. Both hold value t + i/1024 at i of the tensor at place t in the sorted names.
func TestForeignLayouts(t *testing.T) {
	for _, layout := range []string{"old", "shards"} {
		values, c := load(t, filepath.Join("testdata", layout), Options{})
		if len(c.Warnings) != 0 {
			t.Errorf("%s: warnings %q", layout, c.Warnings)
		}
		for place, name := range slices.Sorted(maps.Keys(values)) {
			for i, v := range values[name] {
				if want := float32(place) + float32(i)/1024; v != want {
					t.Fatalf("%s: %s[%d] = %v, want %v", layout, name, i, v, want)
				}
			}
		}
	}
}

// stage writes a model directory of c with the given tensors and returns it.
func stage(t *testing.T, c model.Config, tensors map[string]Source) string {
	t.Helper()
	dir := t.TempDir()
	config, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, weightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(file, slices.Collect(maps.Values(tensors))); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), config, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tensors returns the parameters of c, all of the given value.
func tensors(c model.Config, value float32) map[string]Source {
	all := map[string]Source{}
	for _, p := range c.Params() {
		all[p.Name] = Float32(p.Name, p.Shape, constant(p.Len(), value))
	}
	return all
}

func TestLoadRefuses(t *testing.T) {
	const name = "transformer.h.1.mlp.c_fc.weight" // [4 16]
	nan := constant(64, 1)
	nan[17] = float32(math.NaN())
	infinite := constant(64, 1)
	infinite[63] = float32(math.Inf(-1))
	for _, test := range []struct {
		name   string
		change func(all map[string]Source)
		want   string
	}{
		{"missing", func(all map[string]Source) { delete(all, name) }, `tensor "transformer.h.1.mlp.c_fc.weight" is missing, want it of shape [4 16]`},
		{"unexpected", func(all map[string]Source) { all["x"] = Float32("transformer.h.2.ln_1.bias", nil, []float32{1}) }, `tensor "transformer.h.2.ln_1.bias" is unexpected`},
		{"shape", func(all map[string]Source) { all[name] = Float32(name, []int{16, 4}, constant(64, 1)) }, `tensor "transformer.h.1.mlp.c_fc.weight": got shape [16 4], want [4 16]`},
		{"dtype", func(all map[string]Source) { all[name] = Bytes(name, I32, []int{4, 16}, make([]byte, 256)) }, `got dtype I32, want F32, F16 or BF16`},
		{"NaN", func(all map[string]Source) { all[name] = Float32(name, []int{4, 16}, nan) }, `tensor "transformer.h.1.mlp.c_fc.weight": element 17 is NaN`},
		{"infinity", func(all map[string]Source) { all[name] = Float32(name, []int{4, 16}, infinite) }, `element 63 is -Inf`},
		{"both names", func(all map[string]Source) { all["x"] = Float32(name[len(bodyPrefix):], []int{4, 16}, nan) }, `remove one of them`},
	} {
		all := tensors(tiny(), 1)
		test.change(all)
		dir := stage(t, tiny(), all)
		for _, mapped := range []bool{false, true} {
			c, err := Open(dir, Options{})
			if err == nil && mapped {
				_, err = c.Map(c.Config.Params())
			} else if err == nil {
				_, err = c.Load(c.Config.Params(), nil, func(p model.Param) []float32 { return make([]float32, p.Len()) })
			}
			if c != nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s, mapped %v: %v, want %q and the path", test.name, mapped, err, test.want)
			}
		}
	}
}

// TestMap finds in the mapped file what Load copies from it.
func TestMap(t *testing.T) {
	dir := mustSave(t, t.TempDir(), filled(tiny(), 1, 0.25))
	values, c := load(t, dir, Options{})
	m, err := c.Map(c.Config.Params())
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	for name, want := range values {
		got := make([]float32, len(want))
		decodeSingles(m.Memory[4*m.First[name]:], got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is %v in the file, %v is read from it", name, got, want)
		}
	}
}

// TestMapDeclines leaves to Load what no program can read where it lies.
func TestMapDeclines(t *testing.T) {
	const name = "transformer.ln_f.bias" // [4]
	half := tensors(tiny(), 1)
	half[name] = Bytes(name, BF16, []int{4}, make([]byte, 8))
	odd := stage(t, tiny(), tensors(tiny(), 1))
	path := filepath.Join(odd, weightsFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	length := binary.LittleEndian.Uint64(content)
	shifted := binary.LittleEndian.AppendUint64(nil, length+1) // one more space behind the header
	shifted = append(append(append(shifted, content[8:8+length]...), ' '), content[8+length:]...)
	overwrite(t, path, shifted)
	for what, dir := range map[string]string{"a tensor in bf16": stage(t, tiny(), half), "values at an odd byte": odd, "two files": filepath.Join("testdata", "shards")} {
		values, c := load(t, dir, Options{})
		if m, err := c.Map(c.Config.Params()); m != nil || err != nil || len(values) == 0 {
			t.Errorf("%s: got %v, %v, want neither, and %d tensors read", what, m, err, len(values))
		}
	}
}

// TestLoadLarge loads a tensor that several goroutines convert, and finds the one bad value in it.
func TestLoadLarge(t *testing.T) {
	c := tiny()
	c.Vocab = 200_001
	n := 4 * c.Vocab
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i)
	}
	all := tensors(c, 1)
	all[embedding] = Float32(embedding, []int{c.Vocab, 4}, values)
	got, _ := load(t, stage(t, c, all), Options{})
	if !slices.Equal(got[embedding], values) {
		t.Error("the values differ")
	}
	values[n-70_001] = float32(math.NaN())
	broken, err := Open(stage(t, c, all), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	_, err = broken.Load(c.Params(), nil, func(p model.Param) []float32 { return make([]float32, p.Len()) })
	if err == nil || !strings.Contains(err.Error(), "element 730003 is NaN") {
		t.Errorf("%v, want element 730003 named", err)
	}
}

// TestHeads covers every way in which the stored head and the wanted one differ.
func TestHeads(t *testing.T) {
	lm, two, three := tiny(), tiny("a", "b"), tiny("a", "b", "c")
	tied := tensors(lm, 1)
	tied[tiedHead] = Float32(tiedHead, []int{11, 4}, constant(44, 1))
	untied := tensors(lm, 1)
	untied[tiedHead] = Float32(tiedHead, []int{11, 4}, constant(44, 2))
	renamed := tensors(lm, 1)
	delete(renamed, embedding)
	renamed[tiedHead] = Float32(tiedHead, []int{11, 4}, constant(44, 1))
	for _, test := range []struct {
		name     string
		stored   map[string]Source
		wanted   model.Config
		optional []string
		absent   []string
		ignored  []string
		err      string
	}{
		{"language model to classifier", tensors(lm, 1), two, []string{scoreHead}, []string{scoreHead}, nil, ""},
		{"not asked for", tensors(lm, 1), two, nil, nil, nil, `tensor "score.weight" is missing`},
		{"same labels", tensors(two, 1), two, []string{scoreHead}, nil, nil, ""},
		{"other labels", tensors(two, 1), three, []string{scoreHead}, []string{scoreHead}, nil, ""},
		{"other labels, not asked for", tensors(two, 1), three, nil, nil, nil, "got shape [2 4], want [3 4]"},
		{"classifier to language model", tensors(two, 1), lm, nil, nil, []string{scoreHead}, ""},
		{"tied head", tied, lm, nil, nil, nil, ""},
		{"head that is not the embedding", untied, lm, nil, nil, []string{tiedHead}, ""},
		{"embedding under the head's name", renamed, lm, nil, nil, nil, ""},
	} {
		c, err := Open(stage(t, lm, test.stored), Options{})
		if err != nil {
			t.Fatal(err)
		}
		filled := 0
		loaded, err := c.Load(test.wanted.Params(), test.optional, func(p model.Param) []float32 {
			filled++
			return make([]float32, p.Len())
		})
		c.Close()
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || filled != 0 {
				t.Errorf("%s: %v after %d tensors, want %q before the first", test.name, err, filled, test.err)
			}
			continue
		}
		if err != nil || !slices.Equal(loaded.Absent, test.absent) || !slices.Equal(loaded.Ignored, test.ignored) {
			t.Errorf("%s: %+v, %v", test.name, loaded, err)
		}
		if want := len(test.wanted.Params()) - len(test.absent); filled != want {
			t.Errorf("%s: %d tensors were filled, want %d", test.name, filled, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, "no complete checkpoint"},
		{"no weights", map[string]string{configFile: "{}"}, "got no model.safetensors"},
		{"pickle only", map[string]string{configFile: "{}", pickleFile: ""}, "save_pretrained"},
		{"config", map[string]string{configFile: `{"n_layer": 0}`}, "config.json: n_layer: got 0"},
		{"config version", map[string]string{configFile: `{"atoll_version": 9}`}, "atoll_version: got 9, want 1"},
		{"index", map[string]string{configFile: "{}", indexFile: "{}"}, "got no weight_map"},
		{"index out of the directory", map[string]string{configFile: "{}", indexFile: `{"weight_map": {"a": "../b"}}`}, `got file name "../b"`},
		{"index of nothing", map[string]string{configFile: "{}", indexFile: `{"weight_map": {"a": "b.safetensors"}}`}, "b.safetensors: no such file"},
		{"state without manifest", map[string]string{configFile: "{}", weightsFile: "", stateFile: "{}"}, "incomplete"},
		{"manifest version", map[string]string{configFile: "{}", manifestFile: `{"version": 2}`}, "manifest.json: got version 2, want 1"},
		{"manifest", map[string]string{configFile: "{}", manifestFile: `{"version": `}, "damaged"},
		{"manifest out of the directory", map[string]string{configFile: "{}", manifestFile: `{"version": 1, "files": {"../x": {}}}`}, `got file name "../x"`},
	} {
		dir := t.TempDir()
		for name, content := range test.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v, want %q", test.name, c, err, test.want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Options{}); err == nil || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Open(filepath.Join("testdata", "dtypes.safetensors"), Options{}); err == nil || !strings.Contains(err.Error(), "want a directory") {
		t.Errorf("a file: %v", err)
	}
}

// TestVerify damages each file of a checkpoint in turn: another size is always seen, another content with checksums.
func TestVerify(t *testing.T) {
	for _, name := range []string{configFile, weightsFile, optimizerFile, stateFile, generationFile, "tokenizer.json"} {
		dir := mustSave(t, t.TempDir(), filled(tiny(), 1, 1))
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[len(content)/2] ^= 1
		overwrite(t, path, content)
		if err := Verify(dir, false); err != nil {
			t.Errorf("%s, one bit, sizes: %v", name, err)
		}
		if err := Verify(dir, true); err == nil || !strings.Contains(err.Error(), path+": got CRC-32C") {
			t.Errorf("%s, one bit, checksums: %v", name, err)
		}
		overwrite(t, path, content[:len(content)-1])
		if err := Verify(dir, false); err == nil || !strings.Contains(err.Error(), path+": got ") {
			t.Errorf("%s, cut: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := Verify(dir, false); err == nil || !strings.Contains(err.Error(), "incomplete") {
			t.Errorf("%s, gone: %v", name, err)
		}
	}
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestFirstNotFinite(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 4096, 4097, 9000} {
		values := constant(n, math.MaxFloat32)
		if got := firstNotFinite(values); got != -1 {
			t.Errorf("%d finite values: %d", n, got)
		}
		for _, at := range []int{0, n / 2, n - 1} {
			if n == 0 {
				continue
			}
			values[at] = float32(math.Inf(1))
			if got := firstNotFinite(values); got != at {
				t.Errorf("infinity at %d of %d: %d", at, n, got)
			}
			values[at] = -math.MaxFloat32
		}
	}
}
