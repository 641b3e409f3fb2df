//go:build gpu

package cuda

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every kernel of own_product, on products that fill several of its tiles and take more pieces of K than fit in shared memory:
// right, whole in the gaps of c, and with the same bits by every tile.
func TestOwnProducts(t *testing.T) {
	if os.Getenv("STANDIN") != "" {
		t.Skip("the driver of testdata has no products")
	}
	if os.Getenv("CGO_CFLAGS") == "" {
		t.Skip("CGO_CFLAGS does not say where cuda.h is: eval \"export $(make -s gpu-env)\"")
	}
	open(t)
	arguments := append([]string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", filepath.Join(t.TempDir(), "products"), "testdata/products.c",
		"launch.c", "own_product.c", "product_plan.c", "cast.c"}, strings.Fields(os.Getenv("CGO_CFLAGS"))...)
	arguments = append(append(arguments, strings.Fields(os.Getenv("CGO_LDFLAGS"))...), "-lcuda", "-ldl", "-lm")
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	if output, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", compiler, arguments, err, output)
	}
	output, err := exec.Command(arguments[6], moduleFiles(t)...).Output()
	var wrong []string
	used := map[string]bool{}
	for line := range strings.Lines(string(output)) {
		if kernel, ok := strings.CutPrefix(strings.TrimSpace(line), "used "); ok {
			used[kernel] = true
		} else {
			wrong = append(wrong, line)
		}
	}
	if err != nil || len(wrong) > 0 {
		t.Fatalf("%v\n%s", err, strings.Join(wrong, ""))
	}
	for _, kernel := range productKernels() {
		if !used[kernel] {
			t.Errorf("no product took %s", kernel)
		}
	}
}

// moduleFiles are the modules of this build in files.
func moduleFiles(t *testing.T) []string {
	t.Helper()
	directory := t.TempDir()
	contents := map[string][]byte{"placeholder": []byte(placeholder)}
	for _, name := range images() {
		image, err := fatbin.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		delete(contents, "placeholder")
		contents[filepath.Base(name)] = image
	}
	var files []string
	for name, content := range contents {
		files = append(files, filepath.Join(directory, name))
		if err := os.WriteFile(files[len(files)-1], content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(files)
	return files
}

// productKernels are the kernels that must have been used: those of every tile, and one for each precision that takes K in slices.
func productKernels() []string {
	tiles := map[string][]string{
		"bf16": {"128x256", "128x128", "64x64", "16x32", "guarded"}, "f16": {"128x256", "128x128", "64x64", "16x32", "guarded"},
		"tf32": {"128x128", "64x64", "16x32"}, "f32": {"128x128", "64x64", "16x32"},
	}
	var names []string
	for suffix, of := range tiles {
		for _, tile := range of {
			for _, layout := range []string{"nn", "nt", "tn"} {
				if tile != "16x32" || layout != "tn" {
					names = append(names, fmt.Sprintf("product_%s_%s_%s", tile, layout, suffix))
				}
			}
		}
		names = append(names, fmt.Sprintf("product_64x64_tn_%s in slices", suffix))
	}
	return names
}
