package cpu

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A team runs every index of every job once. The program is C, since a job is a function of C. ATOLL_EMULATOR starts it where CC
// compiles for another machine: a test binary under qemu-user cannot start another of its kind by itself.
func TestTeam(t *testing.T) {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	program := filepath.Join(t.TempDir(), "team")
	arguments := []string{"-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/team.c", "team.c", "-lpthread"}
	if output, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", compiler, arguments, err, output)
	}
	command := append(strings.Fields(os.Getenv("ATOLL_EMULATOR")), program)
	if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("%v: %v\n%s", command, err, output)
	}
}
