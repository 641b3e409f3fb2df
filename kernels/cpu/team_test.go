package cpu

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A team runs every index of every job once. The program is C, since a job is a function of C.
func TestTeam(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program for this machine, which a test binary under qemu-user cannot start")
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	program := filepath.Join(t.TempDir(), "team")
	arguments := []string{"-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/team.c", "team.c", "-lpthread"}
	if output, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", compiler, arguments, err, output)
	}
	if output, err := exec.Command(program).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("%v\n%s", err, output)
	}
}
