package atoll

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the module's path; every package of ours begins with it.
const module = "atoll"

// layers is the import table: a package may import only packages that stand in
// a strictly lower row. Where an import does not fit, mend the import, not the
// table. "." is the root package.
var layers = [][]string{
	0: {"kernels", "model", "model/bpe", "trainer/data", "trainer/metric", "trainer/baseline", "."},
	1: {"kernels/ref", "kernels/cpu", "kernels/cuda", "engine/ir", "model/checkpoint"},
	// engine/op evaluates its nodes with kernels/ref, so that a graph also
	// runs on gorgonia's own machine: one row above it.
	2: {"engine/op", "kernels/kerneltest"},
	// kernels/selftest runs the case table outside of tests, on devices that users have.
	3: {"engine/lower", "engine/plan", "engine/collective", "trainer/optim", "model/gpt2", "kernels/selftest"},
	4: {"engine"},
	5: {"model/predict"},
	// The trainer scores its validation documents and writes its samples with
	// model/predict: one row above it.
	6: {"trainer", "trainer/reference"},
	7: {"cmd/atoll/server", "bench"},
	8: {"cmd/atoll"},
}

// testsMayImport lists what a test file may import whatever its layer: the case
// table of the kernels and the plain loops that specify them.
var testsMayImport = []string{"kernels/kerneltest", "kernels/ref", "kernels/cpu"}

// codeFolders are the only top-level folders that hold Go code.
var codeFolders = []string{"engine", "kernels", "model", "trainer", "cmd", "bench"}

// restrictions name imports that only some packages may have. An import is
// meant when it equals path or lies below it; a package of the list that ends
// in "/..." stands for everything below that folder, itself included.
var restrictions = []struct {
	path string
	only []string
}{
	{"gorgonia.org/gorgonia", []string{"model/gpt2", "engine", "engine/op", "engine/lower"}},
	{"gorgonia.org/cu", []string{"kernels/cuda"}},
	{"unsafe", []string{"kernels/..."}},
	{"C", []string{"kernels/..."}},
}

// unlinked says what a package must not reach by any chain of imports: a
// program that only answers carries no training code.
var unlinked = []struct{ from, to string }{
	{"model/predict", "trainer"},
	{"cmd/atoll/server", "trainer"},
}

// notSource are folders at the top that builds and runs fill (see .gitignore).
var notSource = []string{"bin", "build", "runs", "cuda-toolchain"}

// source is one Go file: its path and its package's, both relative to the root
// and with forward slashes, and the import paths in it.
type source struct {
	file, pkg string
	test      bool
	imports   []string
}

func TestImportsKeepToTheTable(t *testing.T) {
	sources, err := readSources(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 2 {
		t.Fatalf("read %d Go files, want at least this test and doc.go: is the test run in the root of the module?", len(sources))
	}
	for _, v := range violations(sources) {
		t.Error(v)
	}
}

// readSources parses the imports of every Go file below root, whatever its
// build tags: a rule holds for the GPU build and for macOS too. Folders that Go
// does not build are left out.
func readSources(root string) ([]source, error) {
	var sources []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel != "." && isSkipped(rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		imports, err := readImports(name)
		if err != nil {
			return fmt.Errorf("reading imports: %w", err)
		}
		sources = append(sources, source{rel, path.Dir(rel), strings.HasSuffix(rel, "_test.go"), imports})
		return nil
	})
	return sources, err
}

// isSkipped reports whether a folder, relative to the root, holds no source.
func isSkipped(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || base[0] == '.' || base[0] == '_' || slices.Contains(notSource, dir)
}

// readImports returns the import paths of one file.
func readImports(name string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		imports = append(imports, path)
	}
	return imports, nil
}

// violations returns one line for each way in which the sources break the
// table: the file, the import, the layers, and what is allowed instead.
func violations(sources []source) []string {
	var found []string
	for _, s := range sources {
		if v := placeViolation(s); v != "" {
			found = append(found, v)
			continue
		}
		for _, path := range s.imports {
			if v := layerViolation(s, path); v != "" {
				found = append(found, v)
			}
			if v := restrictionViolation(s, path); v != "" {
				found = append(found, v)
			}
		}
	}
	return append(found, linkViolations(sources)...)
}

// placeViolation says why a file may not stand where it stands, or "".
func placeViolation(s source) string {
	top, _, _ := strings.Cut(s.pkg, "/")
	switch {
	case s.pkg == "." && (s.test || s.file == "doc.go"):
		return ""
	case s.pkg == ".":
		return fmt.Sprintf("%s: the root holds doc.go and tests only: move the code into one of %s", s.file, strings.Join(codeFolders, ", "))
	case !slices.Contains(codeFolders, top):
		return fmt.Sprintf("%s: top-level folder %s holds Go code: allowed are %s", s.file, top, strings.Join(codeFolders, ", "))
	case layerOf(s.pkg) < 0:
		return fmt.Sprintf("%s: package %s has no layer: give it its row in deps_test.go, or move the code", s.file, s.pkg)
	}
	return ""
}

// layerViolation holds one import of a file against the table.
func layerViolation(s source, path string) string {
	target, ours := relative(path)
	if !ours || s.test && (target == s.pkg || slices.Contains(testsMayImport, target)) {
		return ""
	}
	layer, targetLayer := layerOf(s.pkg), layerOf(target)
	if targetLayer < 0 {
		return fmt.Sprintf("%s imports %q, which has no layer in deps_test.go; %s (layer %d) is allowed: %s", s.file, path, s.pkg, layer, allowed(layer))
	}
	if targetLayer < layer {
		return ""
	}
	return fmt.Sprintf("%s imports %q: %s is layer %d, %s layer %d; allowed: %s", s.file, path, s.pkg, layer, target, targetLayer, allowed(layer))
}

// restrictionViolation holds one import of a file against the restrictions.
func restrictionViolation(s source, path string) string {
	for _, r := range restrictions {
		if isBelow(path, r.path) && !slices.ContainsFunc(r.only, func(pattern string) bool { return matches(s.pkg, pattern) }) {
			return fmt.Sprintf("%s imports %q: %s may not; allowed in: %s", s.file, path, s.pkg, strings.Join(r.only, ", "))
		}
	}
	return ""
}

// linkViolations follows the imports of code (not of tests) from each package
// that must not reach another, and gives the shortest chain that does.
func linkViolations(sources []source) []string {
	imports := map[string][]source{} // package -> its files
	for _, s := range sources {
		if !s.test {
			imports[s.pkg] = append(imports[s.pkg], s)
		}
	}
	var found []string
	for _, u := range unlinked {
		if chain, file := shortestChain(imports, u.from, u.to); chain != nil {
			found = append(found, fmt.Sprintf("%s links %s through %s (%s): allowed: no package at or below %s",
				u.from, u.to, strings.Join(chain, " -> "), file, u.to))
		}
	}
	return found
}

// shortestChain returns the packages from one to the first that stands at or
// below another, and the file with the last import; nil if there is none.
func shortestChain(files map[string][]source, from, to string) (chain []string, file string) {
	queue, seen := [][]string{{from}}, map[string]bool{from: true}
	for len(queue) > 0 {
		chain, queue = queue[0], queue[1:]
		for _, s := range files[chain[len(chain)-1]] {
			for _, path := range s.imports {
				target, ours := relative(path)
				if !ours || seen[target] {
					continue
				}
				seen[target] = true
				next := append(slices.Clone(chain), target)
				if isBelow(target, to) {
					return next, s.file
				}
				queue = append(queue, next)
			}
		}
	}
	return nil, ""
}

// layerOf returns the row of a package in the table, or -1.
func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(row []string) bool { return slices.Contains(row, pkg) })
}

// allowed lists the packages of ours that a layer may import.
func allowed(layer int) string {
	below := slices.Concat(layers[:max(layer, 0)]...)
	below = slices.DeleteFunc(below, func(pkg string) bool { return pkg == "." })
	if len(below) == 0 {
		return "none"
	}
	return strings.Join(below, ", ")
}

// relative strips the module from an import path of ours.
func relative(path string) (pkg string, ours bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// isBelow reports whether path is folder or lies below it.
func isBelow(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// matches reports whether a package is the pattern, or below "folder/...".
func matches(pkg, pattern string) bool {
	folder, all := strings.CutSuffix(pattern, "/...")
	return pkg == pattern || all && isBelow(pkg, folder)
}
