package cpu

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const meminfo = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\nHugePages_Total:       0\n"

// TestMemoryIsTheLeastThatIsLeft by the system and by each group of either version; what is kept of files is free.
func TestMemoryIsTheLeastThatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		free, total int64
	}{
		"the system": {map[string]string{"proc/meminfo": meminfo}, 600 << 10, 1000 << 10},
		"no limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
			"sys/fs/cgroup/a/b/memory.current": "5\n"}, 600 << 10, 1000 << 10},
		"version 2": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "100000\n",
			"sys/fs/cgroup/a/b/memory.current": "70000\n", "sys/fs/cgroup/a/b/memory.stat": "anon 40000\nfile 30000\ninactive_file 15000\nactive_file 5000\n"}, 50000, 100000},
		"an outer group": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "100000\n",
			"sys/fs/cgroup/a/b/memory.current": "0\n", "sys/fs/cgroup/a/memory.max": "90000\n", "sys/fs/cgroup/a/memory.current": "80000\n"}, 10000, 90000},
		"the root of a container": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/docker/x\n", "sys/fs/cgroup/memory.max": "30000\n",
			"sys/fs/cgroup/memory.current": "40000\n"}, 0, 30000},
		"version 1": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory2:/x\n3:memory:/x\n0::/\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "100000\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "70000\n",
			"sys/fs/cgroup/memory/x/memory.stat":         "inactive_file 1\ntotal_inactive_file 20000\ntotal_active_file 1000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n"}, 51000, 100000},
		// The two are not read at once, and a limit that is none is nearly the largest number there is.
		"more of files than is used": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "3:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "70000\n",
			"sys/fs/cgroup/memory/memory.stat": "total_inactive_file 90000\n"}, 600 << 10, 1000 << 10},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if free, total, err := memoryBelow(root); free != c.free || total != c.total || err != nil {
			t.Errorf("%s: %d of %d, %v; want %d of %d", name, free, total, err, c.free, c.total)
		}
	}
	if _, _, err := memoryBelow(t.TempDir()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a system that says nothing: %v, want errors.ErrUnsupported", err)
	}
}

func TestMemoryOfThisMachine(t *testing.T) {
	free, total, err := open(t, Options{Threads: 1}).Memory()
	if err != nil || free <= 0 || total < free {
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
}
