package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run saves one checkpoint for each step below a new run and returns the run and its checkpoints folder.
func run(t *testing.T, best int, steps ...int) (string, string) {
	t.Helper()
	run := t.TempDir()
	dir := filepath.Join(run, runFolder)
	for _, step := range steps {
		s := filled(tiny(), step, float32(step))
		s.Best = step == best
		if _, err := failing(budget{1 << 30, 1 << 30, 1 << 30}).save(dir, s); err != nil { // never fails: Save without syncs
			t.Fatal(err)
		}
	}
	return run, dir
}

func TestResolve(t *testing.T) {
	run, dir := run(t, 20, 10, 20, 30)
	for _, test := range []struct {
		path  string
		which Which
		want  string
	}{
		{run, Best, stepName(20)}, {run, Newest, stepName(30)}, {dir, Best, stepName(20)}, {dir, Newest, stepName(30)},
		{filepath.Join(dir, stepName(10)), Best, stepName(10)},
		{filepath.Join(dir, "best"), Newest, "best"}, {filepath.Join(dir, "latest"), Best, "latest"},
	} {
		got, warnings, err := Resolve(test.path, test.which)
		if err != nil || len(warnings) != 0 || got != filepath.Join(dir, test.want) {
			t.Errorf("%s, %v: %s, %q, %v, want %s", test.path, test.which, got, warnings, err, test.want)
		}
	}
	holds(t, filepath.Join(dir, "best"), 20)
	holds(t, filepath.Join(dir, "latest"), 30)
}

// TestPointerFiles reads and replaces pointers as they are where a file system has no links.
func TestPointerFiles(t *testing.T) {
	run, dir := run(t, 10, 10, 20)
	best := filepath.Join(dir, "best")
	if err := os.Remove(best); err != nil {
		t.Fatal(err)
	}
	if err := realDisk().writePointerFile(best, stepName(10)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{run, best} {
		if got, _, err := Resolve(path, Best); err != nil || got != filepath.Join(dir, stepName(10)) {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
	if err := Point(filepath.Join(dir, stepName(20)), Best); err != nil {
		t.Fatal(err)
	}
	if got, _, err := Resolve(run, Best); err != nil || got != filepath.Join(dir, stepName(20)) {
		t.Errorf("after Point: %s, %v", got, err)
	}
	if err := Point(filepath.Join(dir, "best"), Best); err == nil {
		t.Error("a pointer was pointed to a pointer")
	}
}

// TestLatestPassesOverDamage damages the newest checkpoints one way each: the newest whole one is found, with a warning
// for each of the others.
func TestLatestPassesOverDamage(t *testing.T) {
	run, dir := run(t, 10, 10, 20, 30, 40, 50)
	truncate := func(step int, file string, size int64) {
		if err := os.Truncate(filepath.Join(dir, stepName(step), file), size); err != nil {
			t.Fatal(err)
		}
	}
	truncate(50, weightsFile, 100)
	truncate(40, manifestFile, 10)
	if err := os.Remove(filepath.Join(dir, stepName(30), optimizerFile)); err != nil {
		t.Fatal(err)
	}
	got, warnings, err := Latest(run)
	if err != nil || got != filepath.Join(dir, stepName(20)) || len(warnings) != 3 {
		t.Fatalf("%s, %q, %v, want %s and 3 warnings", got, warnings, err, stepName(20))
	}
	for i, step := range []int{50, 40, 30} {
		if !strings.Contains(warnings[i], stepName(step)) {
			t.Errorf("warning %d: %s, want %s named", i, warnings[i], stepName(step))
		}
	}
	c, err := Open(run, Options{Which: Newest})
	if err != nil || len(c.Warnings) != 3 {
		t.Fatalf("Open: %v", err)
	}
	c.Close()
	truncate(10, weightsFile, 100)
	if _, _, err := Resolve(run, Best); err == nil || !strings.Contains(err.Error(), "best is damaged") {
		t.Errorf("a damaged best: %v", err)
	}
	truncate(20, configFile, 1)
	if _, _, err := Latest(run); !errors.Is(err, ErrNone) {
		t.Errorf("all damaged: %v, want ErrNone", err)
	}
}

// TestLatestIgnoresStalePointer stages a kill between the rename of a checkpoint and that of `latest`.
func TestLatestIgnoresStalePointer(t *testing.T) {
	run, dir := run(t, 0, 10, 20)
	if err := realDisk().point(dir, Newest, stepName(10)); err != nil {
		t.Fatal(err)
	}
	if got, warnings, err := Latest(run); err != nil || len(warnings) != 0 || got != filepath.Join(dir, stepName(20)) {
		t.Errorf("%s, %q, %v", got, warnings, err)
	}
	if err := os.Remove(filepath.Join(dir, "latest")); err != nil {
		t.Fatal(err)
	}
	if got, _, err := Latest(run); err != nil || got != filepath.Join(dir, stepName(20)) {
		t.Errorf("without a pointer: %s, %v", got, err)
	}
}

func TestBadPointer(t *testing.T) {
	for _, target := range []string{"../elsewhere", "step-1", "step-0000000x", ""} {
		run, dir := run(t, 0, 10)
		overwrite(t, filepath.Join(dir, "best"), []byte(target))
		if _, _, err := Resolve(run, Best); err == nil || !strings.Contains(err.Error(), "best: points to") {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestReap(t *testing.T) {
	for _, test := range []struct {
		name    string
		keep    int
		damaged int
		removed []int
		left    []int
	}{
		{"all", 0, 0, nil, []int{10, 20, 30, 40, 50}},
		{"one", 1, 0, []int{40, 30, 20}, []int{10, 50}},
		{"two", 2, 0, []int{30, 20}, []int{10, 40, 50}},
		{"more than there are", 9, 0, nil, []int{10, 20, 30, 40, 50}},
		{"a damaged one neither counts nor goes", 2, 40, []int{20}, []int{10, 30, 40, 50}},
	} {
		_, dir := run(t, 10, 10, 20, 30, 40, 50)
		if test.damaged != 0 {
			if err := os.Truncate(filepath.Join(dir, stepName(test.damaged), weightsFile), 1); err != nil {
				t.Fatal(err)
			}
		}
		removed, err := Reap(dir, test.keep)
		if err != nil || !slices.Equal(removed, names(test.removed)) {
			t.Errorf("%s: removed %q, %v, want %v", test.name, removed, err, test.removed)
		}
		if got, want := listing(t, dir), append([]string{"best", "latest"}, names(test.left)...); !slices.Equal(got, want) {
			t.Errorf("%s: left %q, want %q", test.name, got, want)
		}
	}
}

func names(steps []int) []string {
	var names []string
	for _, step := range steps {
		names = append(names, stepName(step))
	}
	return names
}

// TestReapKeepsLatest reaps while `latest` names an older checkpoint than the newest.
func TestReapKeepsLatest(t *testing.T) {
	_, dir := run(t, 0, 10, 20, 30)
	if err := realDisk().point(dir, Newest, stepName(10)); err != nil {
		t.Fatal(err)
	}
	if removed, err := Reap(dir, 1); err != nil || !slices.Equal(removed, names([]int{20})) {
		t.Errorf("removed %q, %v", removed, err)
	}
}

func TestStepNames(t *testing.T) {
	for name, want := range map[string]int{
		"step-00000000": 0, "step-00000100": 100, "step-123456789": 123456789,
		"step-000000100": -1, "step-100": -1, "step--0000100": -1, "step-+0000100": -1, "best": -1, "xstep-00000100": -1,
	} {
		if step, ok := stepOf(name); ok != (want >= 0) || ok && step != want {
			t.Errorf("%s: %d, %v, want %d", name, step, ok, want)
		}
	}
}
