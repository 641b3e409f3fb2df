package cpu

import (
	"os"
	"runtime"
	"strings"
)

// processorModel is the model's name as the system gives it, or the architecture's where it gives none (ARM64).
func processorModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH + " processor"
}
