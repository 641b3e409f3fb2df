package cpu

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A team runs every index of every job once.
func TestTeam(t *testing.T) { runProgram(t, "testdata/team.c") }

// Workers of unequal speed get unequal shares, and products cut by them the bits of one worker.
func TestShares(t *testing.T) { runProgram(t, "testdata/shares.c") }

// runProgram compiles a program in C with the team, since a job is a function of C, and runs it: it prints what is wrong.
// ATOLL_EMULATOR starts it where CC compiles for another machine: a test binary under qemu-user cannot start another of its kind by
// itself.
func runProgram(t *testing.T, source string) {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	program := filepath.Join(t.TempDir(), "program")
	arguments := []string{"-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-Wno-unused-function", "-o", program, source, "team.c", "-lpthread", "-lm"}
	if output, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", compiler, arguments, err, output)
	}
	command := append(strings.Fields(os.Getenv("ATOLL_EMULATOR")), program)
	if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("%v: %v\n%s", command, err, output)
	}
}
