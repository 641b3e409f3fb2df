package cpu

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// usableProcessors is how many threads can compute at one time: GOMAXPROCS, for which Go has asked the machine, the affinity and
// the cgroup, but which Go lets no cgroup bring below 2. Under a limit of one processor two threads that wait for each other would
// spend it on waiting, so the limit is read here, too, below the root of the file system.
func usableProcessors(root string) int {
	return int(min(float64(runtime.GOMAXPROCS(0)), max(1, math.Ceil(cgroupLimit(root)))))
}

// cgroupLimit is the processor time a second that the cgroup of this process and those above it allow; infinite where none is set
// or none can be found.
func cgroupLimit(root string) float64 {
	limit := math.Inf(1)
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(groups)) {
		field := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(field) != 3 {
			continue
		}
		read, mount := quotaV1, "sys/fs/cgroup/cpu"
		switch {
		case field[1] == "": // version 2 has one hierarchy for all
			read, mount = quotaV2, "sys/fs/cgroup"
		case !strings.Contains(","+field[1]+",", ",cpu,"):
			continue
		}
		for group := path.Clean("/" + field[2]); ; group = path.Dir(group) {
			limit = min(limit, read(filepath.Join(root, mount, group)))
			if group == "/" {
				break
			}
		}
	}
	return limit
}

// quotaV2 reads "max 100000" or "150000 100000": microseconds of processor time in each period.
func quotaV2(group string) float64 {
	text, _ := os.ReadFile(filepath.Join(group, "cpu.max"))
	quota, period, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return quotient(quota, period)
}

// quotaV1 reads the same from two files; a quota of -1 is none.
func quotaV1(group string) float64 {
	quota, _ := os.ReadFile(filepath.Join(group, "cpu.cfs_quota_us"))
	period, _ := os.ReadFile(filepath.Join(group, "cpu.cfs_period_us"))
	return quotient(string(quota), string(period))
}

// quotient is infinite unless both are positive numbers.
func quotient(quota, period string) float64 {
	q, errQuota := strconv.ParseFloat(strings.TrimSpace(quota), 64)
	p, errPeriod := strconv.ParseFloat(strings.TrimSpace(period), 64)
	if errQuota != nil || errPeriod != nil || !(q > 0 && p > 0) {
		return math.Inf(1)
	}
	return q / p
}
