package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"atoll/kernels/cpu"
	"atoll/kernels/cuda"
)

// version and commit are set by the linker: see the Makefile.
var (
	version = "dev"
	commit  = "unknown"
)

// versionInfo is what atoll version prints.
type versionInfo struct {
	Version  string   `json:"version"`
	Commit   string   `json:"commit"`
	Go       string   `json:"go"`
	Compiler string   `json:"c_compiler"`
	CUDA     string   `json:"cuda"`
	Platform string   `json:"platform"`
	Variants []string `json:"cpu_variants"` // that this machine runs, the one in use first
}

func newVersion(s streams) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the compilers, and the instruction sets that this machine runs",
		Example: "  atoll version --json",
		Args:    exactly(0, "flags only"),
		RunE: func(*cobra.Command, []string) error {
			v := versionInfo{Version: version, Commit: commit, Go: runtime.Version(), Compiler: cpu.Compiler(), CUDA: cuda.Build(),
				Platform: runtime.GOOS + "/" + runtime.GOARCH, Variants: cpu.Variants()}
			if asJSON {
				return writeJSON(s.out, v)
			}
			_, err := fmt.Fprintf(s.out, "atoll %s (%s)\n%s, %s, CUDA %s\n%s, instruction sets: %s (the first is used)\n", v.Version, v.Commit,
				v.Go, v.Compiler, v.CUDA, v.Platform, strings.Join(v.Variants, ", "))
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
