//go:build gpu

package cuda

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The cases of emulator/testdata, each in a process of its own: the calls that Go does not reach, and the language of the kernels.
func TestEmulatorCases(t *testing.T) {
	program := os.Getenv("ATOLL_EMULATED_CASES")
	if program == "" {
		t.Skip("ATOLL_EMULATED_CASES does not name build/emulated-cases: make test-emulated does")
	}
	names, err := exec.Command(program).Output()
	if err != nil || len(names) == 0 {
		t.Fatalf("%s lists %d bytes of cases, error %v", program, len(names), err)
	}
	for _, name := range strings.Fields(string(names)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := exec.Command(program, name).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, output)
			} else {
				t.Log(strings.TrimSpace(string(output)))
			}
		})
	}
}
