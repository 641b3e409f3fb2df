package checkpoint

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// limitVariable makes the child limit the size of its files instead of mounting a small disk.
const limitVariable = "ATOLL_CHECKPOINT_TEST_LIMIT"

// TestFullDisk saves until a tmpfs of 256 KiB is full, in a child with a mount namespace of its own, which any user may
// have on most systems. Where not, and beside it, a child with a limit on the size of a file stands for the full disk.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		fillDisk(t, dir)
		return
	}
	limited := child("TestFullDisk", t.TempDir())
	limited.Env = append(limited.Env, limitVariable+"=1")
	runChild(t, limited)

	mounting := child("TestFullDisk", t.TempDir())
	mounting.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	runChild(t, mounting)
}

func runChild(t *testing.T, command *exec.Cmd) {
	t.Helper()
	out, err := command.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || strings.Contains(string(out), "no mount here") {
		t.Logf("this system gives no mount namespace (%v %s): only the file limit was tested", err, out)
		return
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillDisk is the child. It leaves the process limited, as it ends after it.
func fillDisk(t *testing.T, dir string) {
	want := error(unix.ENOSPC)
	if os.Getenv(limitVariable) != "" {
		want = unix.EFBIG
	} else if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("no mount here: %v", err)
	}
	mustSave(t, dir, filled(tiny(), 1, 1))
	if want == unix.EFBIG {
		limit := unix.Rlimit{Cur: 3000, Max: 3000} // between the small files and model.safetensors
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	step, before := 1, listing(t, dir)
	for {
		_, err := Save(dir, filled(tiny(), step+1, float32(step+1)))
		if err != nil {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "earlier checkpoints are untouched") {
				t.Fatalf("step %d: %v, want %v with the path", step+1, err, want)
			}
			break
		}
		if step++; step > 50 {
			t.Fatal("the disk never filled")
		}
		before = listing(t, dir)
	}
	if after := listing(t, dir); !slices.Equal(after, before) {
		t.Errorf("%q left, want %q", after, before)
	}
	holds(t, dir, float32(step))
	if want == unix.EFBIG {
		return
	}
	if _, err := Reap(dir, 1); err != nil { // room again: saving goes on
		t.Fatal(err)
	}
	mustSave(t, dir, filled(tiny(), step+1, float32(step+1)))
	holds(t, dir, float32(step+1))
}
