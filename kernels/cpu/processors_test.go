package cpu

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A team is as large as the processors that the process may use, which a container may limit.
func TestUsableProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	const v1 = "3:cpuset:/\n2:cpu,cpuacct:/docker/a\n0::/\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int
	}{
		"no cgroups":             {nil, 8},
		"no limit":               {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 8},
		"one processor":          {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1},
		"half of one":            {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1},
		"one and a half":         {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2},
		"more than there are":    {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 8},
		"the limit of a parent":  {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 3},
		"version 1":              {map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us": "200000\n", "sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us": "100000\n"}, 2},
		"version 1, seen inside": {map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 1},
		"version 1, no limit":    {map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 8},
		"nonsense":               {map[string]string{"proc/self/cgroup": "x\n0::/../..\n", "sys/fs/cgroup/cpu.max": "0 0 0\n"}, 8},
	} {
		root := t.TempDir()
		for file, content := range c.files {
			file = filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := usableProcessors(root); got != c.want {
			t.Errorf("%s: %d processors, want %d", name, got, c.want)
		}
	}
	if d := open(t, Options{}); d.Threads() != usableProcessors("/") {
		t.Errorf("a device has %d threads, want %d", d.Threads(), usableProcessors("/"))
	}
	runtime.GOMAXPROCS(1)
	if d := open(t, Options{}); d.Threads() != 1 {
		t.Errorf("a device has %d threads under GOMAXPROCS=1, want 1", d.Threads())
	}
}
