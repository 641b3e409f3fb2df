package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// listing returns the names in dir, sorted.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// holds fails unless the model at path has the given step's values.
func holds(t *testing.T, path string, value float32) {
	t.Helper()
	values, _ := load(t, path, Options{Which: Newest, VerifyChecksums: true})
	for name, v := range values {
		if !slices.Equal(v, constant(len(v), value)) {
			t.Fatalf("%s: %s is not %v throughout", path, name, value)
		}
	}
}

// errInjected is what failingFile fails with.
var errInjected = fmt.Errorf("injected: %w", syscall.ENOSPC)

// budget is how many bytes and calls succeed before everything fails.
type budget struct{ bytes, syncs, creates int }

// failingFile writes to a real file until the budget is spent.
type failingFile struct {
	syncWriter
	left *budget
}

func (f failingFile) Write(p []byte) (int, error) {
	if len(p) > f.left.bytes {
		n, err := f.syncWriter.Write(p[:f.left.bytes])
		f.left.bytes = 0
		return n, errors.Join(err, errInjected)
	}
	f.left.bytes -= len(p)
	return f.syncWriter.Write(p)
}

func (f failingFile) Sync() error { return f.left.sync() }

// sync does not sync: the tests look at names and contents, and a real one takes most of their time.
func (b *budget) sync() error {
	if b.syncs--; b.syncs < 0 {
		return errInjected
	}
	return nil
}

func failing(b budget) disk {
	d := realDisk()
	create := d.create
	d.sync = func(string) error { return b.sync() }
	d.create = func(path string) (syncWriter, error) {
		if b.creates--; b.creates < 0 {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errInjected}
		}
		file, err := create(path)
		return failingFile{file, &b}, err
	}
	return d
}

// TestSaveFails makes each write, sync and creation fail in turn: the error says where and what to do, nothing is left
// behind, and the earlier checkpoint loads.
func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	mustSave(t, dir, filled(tiny(), 1, 1))
	before := listing(t, dir)
	const plenty = 1 << 20
	var budgets []budget
	for n := 0; n < 16000; n += 151 {
		budgets = append(budgets, budget{n, plenty, plenty})
	}
	for n := range 7 {
		budgets = append(budgets, budget{plenty, n, plenty}, budget{plenty, plenty, n})
	}
	failures := 0
	for _, b := range budgets {
		path, err := failing(b).save(dir, filled(tiny(), 2, 2))
		if err == nil {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := realDisk().point(dir, Newest, stepName(1)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		failures++
		for _, want := range []string{filepath.Join(dir, ".saving-step-00000002"), "free some space", "earlier checkpoints are untouched"} {
			if !strings.Contains(err.Error(), want) {
				t.Fatalf("%+v: %v, want %q in it", b, err, want)
			}
		}
		if after := listing(t, dir); path != "" || !slices.Equal(after, before) {
			t.Fatalf("%+v: %q left, want %q", b, after, before)
		}
	}
	if failures < 80 || failures == len(budgets) {
		t.Errorf("%d of %d saves failed: the budgets do not cover a save", failures, len(budgets))
	}
	holds(t, dir, 1)
}

func TestSaveRefuses(t *testing.T) {
	config := tiny()
	for _, test := range []struct {
		name   string
		change func(s *Snapshot)
		want   string
	}{
		{"negative step", func(s *Snapshot) { s.Step = -1 }, "got step -1"},
		{"config", func(s *Snapshot) { s.Config.Epsilon = 0 }, "layer_norm_epsilon"},
		{"weight missing", func(s *Snapshot) { s.Weights = s.Weights[1:] }, `"transformer.wte.weight" is missing`},
		{"weight too many", func(s *Snapshot) { s.Weights = append(s.Weights, Float32("x", nil, nil)) }, "leave out the others"},
		{"weight shape", func(s *Snapshot) { s.Weights[0].Shape = []int{4, 11} }, "got F32 [4 11], want F32, F16 or BF16 of shape [11 4]"},
		{"weight type", func(s *Snapshot) { s.Weights[0].DType = I32 }, "got I32"},
		{"state", func(s *Snapshot) { s.State = []byte("{") }, "state.json"},
		{"file of its own", func(s *Snapshot) { s.Files["manifest.json"] = nil }, `got file name "manifest.json"`},
		{"file elsewhere", func(s *Snapshot) { s.Files["../x"] = nil }, `got file name "../x"`},
	} {
		s := filled(config, 3, 3)
		test.change(&s)
		dir := t.TempDir()
		if _, err := Save(dir, s); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if left := listing(t, dir); len(left) != 0 {
			t.Errorf("%s: %q left", test.name, left)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	overwrite(t, file, nil)
	if _, err := Save(filepath.Join(file, "checkpoints"), filled(config, 1, 1)); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("below a file: %v", err)
	}
}

// TestSaveAgain saves a step that exists, also after a kill between the two renames, which leaves only the old one, aside.
func TestSaveAgain(t *testing.T) {
	dir := t.TempDir()
	path := mustSave(t, dir, filled(tiny(), 4, 1))
	mustSave(t, dir, filled(tiny(), 4, 2))
	holds(t, dir, 2)
	if err := os.Rename(path, filepath.Join(dir, replacedPrefix+stepName(4))); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, 2)
	mustSave(t, dir, filled(tiny(), 3, 3))
	holds(t, path, 2)
	if got, want := listing(t, dir), []string{"latest", stepName(3), stepName(4)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSaveCleans leaves behind what a kill leaves and expects the next save to remove it, and nothing else.
func TestSaveCleans(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{savingPrefix + stepName(1), removingPrefix + stepName(2), "notes", ".hidden"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "x"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(stepName(1), filepath.Join(dir, savingPrefix+"latest")); err != nil {
		t.Fatal(err)
	}
	mustSave(t, dir, filled(tiny(), 5, 5))
	if got, want := listing(t, dir), []string{".hidden", "latest", "notes", stepName(5)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "model")
	if err := os.MkdirAll(filepath.Join(dir, "..", savingPrefix+"model", "x"), 0o777); err != nil { // of a killed one
		t.Fatal(err)
	}
	s := filled(tiny(), 0, 9)
	s.Optimizer, s.State = nil, nil
	if err := Export(dir, s); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, 9)
	want := []string{configFile, generationFile, manifestFile, weightsFile, "tokenizer.json"}
	if got := listing(t, dir); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := listing(t, filepath.Dir(dir)); !slices.Equal(got, []string{"model"}) {
		t.Errorf("%q beside it", got)
	}
	if err := Export(dir, s); err == nil || !strings.Contains(err.Error(), "remove it or choose another") {
		t.Errorf("over itself: %v", err)
	}
}
