package checkpoint

import (
	"errors"
	"testing"
)

// stopped is what a stopping disk panics with. Nothing in the package recovers from it, so that the files stay as they are
// at that moment: a kill -9, but at every moment in turn.
type stopped struct{}

// stopping returns a disk that panics before its n-th creation, sync or rename and counts n down.
func stopping(n *int) disk {
	d := realDisk()
	create, rename := d.create, d.rename
	step := func() {
		if *n--; *n < 0 {
			panic(stopped{})
		}
	}
	d.create = func(path string) (syncWriter, error) {
		step()
		file, err := create(path)
		return stoppingFile{file, step}, err
	}
	d.sync = func(string) error { step(); return nil }
	d.rename = func(from, to string) error {
		step()
		return rename(from, to)
	}
	return d
}

type stoppingFile struct {
	syncWriter
	step func()
}

func (f stoppingFile) Sync() error { // not passed on: a stop of the process, not of the machine
	f.step()
	return nil
}

// survives runs change on a disk that stops at its n-th change, and reports whether it came to its end.
func survives(t *testing.T, n int, change func(d disk) error) (ended bool) {
	t.Helper()
	defer func() {
		if cause := recover(); cause != nil && cause != any(stopped{}) {
			panic(cause)
		}
	}()
	if err := change(stopping(&n)); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestStopAnywhere stops a save of a new step, a save of a step that exists, and a reaping at every change they make. Each
// time the newest checkpoint is whole, the old or the new one, and the next save puts everything in order.
func TestStopAnywhere(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(d disk, dir string) error
		steps  [2]int // that may be the newest, by their values
	}{
		{"new step", func(d disk, dir string) error { return saved(d.save(dir, filled(tiny(), 30, 30))) }, [2]int{20, 30}},
		{"same step", func(d disk, dir string) error { return saved(d.save(dir, filled(tiny(), 20, 21))) }, [2]int{20, 21}},
		{"reaping", func(d disk, dir string) error { _, err := d.reap(dir, 1); return err }, [2]int{20, 20}},
	} {
		for n, ended := 0, false; !ended; n++ {
			_, dir := run(t, 0, 10, 20)
			ended = survives(t, n, func(d disk) error { return test.change(d, dir) })
			newest, warnings, err := Latest(dir)
			if err != nil || len(warnings) != 0 {
				t.Fatalf("%s, stopped at %d: %q, %v", test.name, n, warnings, err)
			}
			values, _ := load(t, newest, Options{VerifyChecksums: true})
			if got := int(values[embedding][0]); got != test.steps[0] && got != test.steps[1] {
				t.Errorf("%s, stopped at %d: the newest holds %d, want one of %v", test.name, n, got, test.steps)
			}
			noHalves(t, dir)
			quick := budget{1 << 30, 1 << 30, 1 << 30}
			if _, err := failing(quick).save(dir, filled(tiny(), 40, 40)); err != nil {
				t.Fatalf("%s, stopped at %d: the next save: %v", test.name, n, err)
			}
			for _, name := range listing(t, dir) {
				if _, ok := stepOf(name); !ok && name != "latest" {
					t.Errorf("%s, stopped at %d: %s is left", test.name, n, name)
				}
			}
		}
	}
}

// saved drops the path that a save returned.
func saved(path string, err error) error {
	if path == "" && err == nil {
		return errors.New("no path")
	}
	return err
}
