package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"atoll/kernels/cpu"
	"atoll/model/checkpoint"
	"atoll/model/predict"
)

// diskVariable, in the environment of this test binary, holds the folder on which the child of TestFullDisk mounts a small
// disk.
const diskVariable = "ATOLL_TEST_SMALL_DISK"

// TestFullDisk pretrains, saving each step, onto a tmpfs that has room for a few checkpoints. The child has a mount
// namespace of its own, which any user may have on most systems; where not, a limit on the size of a file stands for
// the full disk (the second child, everywhere).
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(diskVariable); dir != "" {
		fillDisk(workshop{t, filepath.Dir(dir)}, dir)
		return
	}
	w := newWorkshop(t)
	w.data()
	w.config()
	for _, mount := range []bool{true, false} {
		dir := w.path("file-limit")
		if mount {
			dir = w.path("small-disk")
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
		c.Env = append(os.Environ(), diskVariable+"="+dir)
		if mount {
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
		}
		out, err := c.CombinedOutput()
		switch {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSPC), strings.Contains(string(out), "no mount here"):
			t.Logf("this system gives no mount namespace (%v): only the file limit is tested", err)
		case err != nil:
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// fillDisk is the child: the run must stop with an error that names the checkpoint and the cause, and the newest
// checkpoint must load. It leaves the process limited, as it ends after it.
func fillDisk(w workshop, dir string) {
	out, cause := filepath.Join(dir, "run"), "no space left on device"
	args := w.training("pretrain", w.path("lm"), out, "--save-every", "1", "--keep-last", "50", "--eval-every", "0", "--sample-tokens", "0")
	if filepath.Base(dir) == "file-limit" {
		cause = "file too large"
		w.must(append(args, "--steps", "3")...)
		args = append(args, "--resume")
		limit := unix.Rlimit{Cur: 60000, Max: 60000} // below model.safetensors, above what else a run writes
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			w.Fatal(err)
		}
	} else if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		w.Fatalf("no mount here: %v", err)
	}
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
	line := w.errorLine("full disk", stderr.String())
	if code != exitFailed || !strings.Contains(line, cause) || !strings.Contains(line, "checkpoint") || !strings.Contains(line, "step ") {
		w.Errorf("exit %d, %q; want 1 and an error that names the checkpoint, the step and %q", code, line, cause)
	}
	newest, _, err := checkpoint.Latest(out)
	if err != nil {
		w.Fatalf("no checkpoint is left: %v", err)
	}
	if err := checkpoint.Verify(newest, true); err != nil {
		w.Error(err)
	}
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		w.Fatal(err)
	}
	defer d.Close()
	m, err := predict.Load(newest, d, predict.Options{VerifyChecksums: true})
	if err != nil {
		w.Fatalf("the newest checkpoint does not load: %v", err)
	}
	m.Close()
}
