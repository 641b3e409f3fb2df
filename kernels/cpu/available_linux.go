package cpu

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is how many bytes can be had without swapping, and how many there are: the least that the system and the control groups
// of the process leave. What they keep of files counts as free, since it makes way. The error is errors.ErrUnsupported where the
// system does not say.
func (d *Device) Memory() (free, total int64, err error) { return memoryBelow("/") }

// memoryBelow reads proc and sys/fs/cgroup below root.
func memoryBelow(root string) (free, total int64, err error) {
	system := numbersIn(filepath.Join(root, "proc/meminfo"))
	free, total = system["MemAvailable"]<<10, system["MemTotal"]<<10
	if free == 0 || total == 0 {
		return 0, 0, fmt.Errorf("/proc/meminfo does not say how much memory there is: %w", errors.ErrUnsupported)
	}
	for _, g := range controlGroups(root) {
		left, limit, ok := g.memory()
		if ok {
			free, total = min(free, max(left, 0)), min(total, limit)
		}
	}
	return free, total, nil
}

// controlGroup is a folder below sys/fs/cgroup with the names that its version has for the limit, what is used of it, and what
// of that is kept of files.
type controlGroup struct {
	folder, limit, used string
	files               []string
}

// controlGroups are the process's group and those that it lies in, of version 2 or of version 1's memory controller. In a
// container the folders of the outer groups may not be there.
func controlGroups(root string) []controlGroup {
	text, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	var groups []controlGroup
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		g, top := controlGroup{}, filepath.Join(root, "sys/fs/cgroup")
		switch {
		case fields[0] == "0" && fields[1] == "":
			g = controlGroup{limit: "memory.max", used: "memory.current", files: []string{"inactive_file", "active_file"}}
		case fields[1] == "memory":
			top = filepath.Join(top, "memory")
			g = controlGroup{limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", files: []string{"total_inactive_file", "total_active_file"}}
		default:
			continue
		}
		for at := path.Clean("/" + fields[2]); ; at = path.Dir(at) {
			g.folder = filepath.Join(top, at)
			groups = append(groups, g)
			if at == "/" {
				break
			}
		}
	}
	return groups
}

// memory is what the group leaves of its limit, if it has one.
func (g controlGroup) memory() (left, limit int64, ok bool) {
	limit, limited := numberIn(filepath.Join(g.folder, g.limit))
	used, known := numberIn(filepath.Join(g.folder, g.used))
	if !limited || !known {
		return 0, 0, false
	}
	of := numbersIn(filepath.Join(g.folder, "memory.stat"))
	for _, name := range g.files {
		used -= of[name]
	}
	// Read after what is used, files may be more than that; a limit that is none has no room for the rest.
	return limit - max(used, 0), limit, true
}

// numberIn is the number that a file holds; "max" is none.
func numberIn(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// numbersIn reads lines of a name and a number, with or without a colon between them and a unit behind.
func numbersIn(path string) map[string]int64 {
	text, _ := os.ReadFile(path)
	numbers := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				numbers[strings.TrimSuffix(fields[0], ":")] = n
			}
		}
	}
	return numbers
}
