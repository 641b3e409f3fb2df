//go:build gpu

package cuda

import (
	"embed"
	"path"
)

// fatbin holds what make gpu compiled: one file of machine code for several generations of GPUs for each file of kernels.
//
//go:embed fatbin
var fatbin embed.FS

// placeholder is what a build without fatbins loads: only the emulated driver, which has the kernels in it, accepts it.
const placeholder = "// this build of atoll has no CUDA kernels\n"

// images are the names of the compiled modules, sorted.
func images() []string {
	var names []string
	entries, err := fatbin.ReadDir("fatbin")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".fatbin" {
			names = append(names, path.Join("fatbin", e.Name()))
		}
	}
	return names
}
