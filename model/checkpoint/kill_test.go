package checkpoint

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how many saving processes TestKill ends. `go test ./model/checkpoint -run TestKill -kills 200` is the long form.
var kills = flag.Int("kills", 25, "processes that TestKill kills while they save")

// childVariable, in the environment of this test binary, makes a test play the child of its parent run; it holds the
// folder to save into.
const childVariable = "ATOLL_CHECKPOINT_TEST_CHILD"

// child returns a command that runs the named test as a child.
func child(test, dir string) *exec.Cmd {
	command := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	command.Env = append(os.Environ(), childVariable+"="+dir)
	return command
}

// saveForever saves one step after another into dir, as a trainer does that keeps two, from the step after
// the newest one on. It prints each step once Save has returned.
func saveForever(dir string) error {
	step := 0
	if newest, _, err := Latest(dir); err == nil {
		step, _ = stepOf(strings.TrimPrefix(filepath.Base(newest), replacedPrefix))
	}
	for {
		step++
		s := filled(tiny("a", "b"), step, float32(step))
		s.Best = step%3 == 0
		if _, err := Save(dir, s); err != nil {
			return err
		}
		fmt.Println(step)
		if step%5 == 0 { // the same step again, as after a resume
			if _, err := Save(dir, s); err != nil {
				return err
			}
		}
		if _, err := Reap(dir, 2); err != nil {
			return err
		}
	}
}

// TestKill kills processes that save in a loop at random moments. After each, the newest complete checkpoint must load,
// with the values of its step throughout, and be no older than the last step that was reported as saved.
func TestKill(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		t.Fatal(saveForever(dir))
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	reported := 0
	for range *kills {
		reported = max(reported, killOne(t, dir, time.Duration(random.IntN(120))*time.Millisecond))
		if reported == 0 {
			continue // killed before the first save returned
		}
		newest, warnings, err := Latest(dir)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("after step %d: %s, %q, %v", reported, newest, warnings, err)
		}
		step := stepOfState(t, newest)
		if step < reported {
			t.Fatalf("step %d was reported saved, the newest is %d", reported, step)
		}
		holds(t, newest, float32(step))
		noHalves(t, dir)
	}
	if reported < *kills/2 {
		t.Errorf("%d processes saved %d steps: they were killed too early to test anything", *kills, reported)
	}
}

// noHalves fails if a directory under the name of a checkpoint is not a whole one.
func noHalves(t *testing.T, dir string) {
	t.Helper()
	found, err := candidates(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found {
		if err := complete(c.path); err != nil {
			t.Fatal(err)
		}
	}
}

// killOne starts a child, kills it after its first output and the delay, and returns the last step it reported.
func killOne(t *testing.T, dir string, delay time.Duration) int {
	t.Helper()
	saving := child("TestKill", dir)
	saving.Stderr = os.Stderr
	out, err := saving.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := saving.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the child ended by itself: %v", err)
	}
	time.Sleep(delay)
	if err := saving.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	saving.Wait() // its error is the kill
	last := 0
	for word := range strings.FieldsSeq(first + string(rest)) {
		if step, err := strconv.Atoi(word); err == nil {
			last = step
		}
	}
	return last
}

// stepOfState returns the step that state.json of a checkpoint holds, and checks that the directory's name says the same.
func stepOfState(t *testing.T, dir string) int {
	t.Helper()
	_, c := load(t, dir, Options{})
	state, err := c.State()
	if err != nil {
		t.Fatal(err)
	}
	var step int
	if _, err := fmt.Sscanf(string(state), `{"step": %d}`, &step); err != nil {
		t.Fatalf("%s: state %q", dir, state)
	}
	return step
}
