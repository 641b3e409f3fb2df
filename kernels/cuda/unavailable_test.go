package cuda

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"atoll/kernels"
)

// Without a driver, and in a build without CUDA, a device is refused with what to do.
func TestWithoutDriver(t *testing.T) {
	if os.Getenv("ATOLL_LIBCUDA") == "nowhere/libcuda.so" {
		var unavailable *UnavailableError
		_, err := Open(0)
		if !errors.As(err, &unavailable) || unavailable.Missing == "" || !strings.Contains(unavailable.Remedy, "or use the CPU") {
			t.Errorf("Open gives %v, want an UnavailableError that says what is missing and what to do", err)
		}
		if _, again := Found(); again == nil || again.Error() != err.Error() {
			t.Errorf("Found gives %v, want what Open gave: %v", again, err)
		}
		return
	}
	again(t, "TestWithoutDriver", "ATOLL_LIBCUDA=nowhere/libcuda.so")
}

// again runs tests in a process of their own, since a process has one driver, and gives what they print.
func again(t *testing.T, tests string, environment ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts itself, which a test binary under qemu-user cannot")
	}
	c := exec.Command(os.Args[0], "-test.run=^"+tests, "-test.v")
	c.Env = append(os.Environ(), environment...)
	output, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: "+tests) {
		t.Errorf("%s: %v\n%s", strings.Join(environment, " "), err, output)
	}
	return string(output)
}

func TestErrors(t *testing.T) {
	tests := []struct {
		err  error
		want []string
	}{
		{&Error{Device: "cuda:1", Index: 3, Kernel: kernels.Linear, Doing: "launching linear_bf16", Code: 700, Name: "CUDA_ERROR_ILLEGAL_ADDRESS",
			Message: "bad"}, []string{"cuda:1: instruction 3, linear: launching linear_bf16: CUDA_ERROR_ILLEGAL_ADDRESS (700, bad)", "report"}},
		{&Error{Device: "cuda:0", Index: -1, Calls: 7, Code: 719, Name: "CUDA_ERROR_LAUNCH_FAILED"},
			[]string{"one of 7 instructions", "CUDA_LAUNCH_BLOCKING=1"}},
		{&Error{Device: "cuda:0", Index: -1, Code: 222}, []string{"update NVIDIA's driver"}},
		{&OutOfMemoryError{"cuda:0", 3 << 30, 1 << 30, 2 << 30}, []string{"3221225472 bytes (3.0 GiB)", "(1.0 GiB) of", "(2.0 GiB)", "smaller batch"}},
	}
	for _, test := range tests {
		for _, want := range test.want {
			if !strings.Contains(test.err.Error(), want) {
				t.Errorf("%q does not contain %q", test.err, want)
			}
		}
	}
}
