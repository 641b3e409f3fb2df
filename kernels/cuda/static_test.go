//go:build gpu

package cuda

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/ptxas.txt anew")

const ptxasGolden = "testdata/ptxas.txt"

// TestStatic holds what the compiler made of every kernel, for every target, against testdata/ptxas.txt, and looks into the
// machine code for tensor cores and for memory that should have been registers. No GPU is needed; make check-cuda compiles first.
func TestStatic(t *testing.T) {
	home := os.Getenv("ATOLL_CUDA_HOME")
	if home == "" {
		t.Skip("make check-cuda runs it: ATOLL_CUDA_HOME names no CUDA toolkit")
	}
	compiled := readPtxas(t, "../../build/ptxas")
	readSASS(t, filepath.Join(home, "bin", "cuobjdump"), compiled)
	started := launches(t)
	for name := range started {
		if !slices.ContainsFunc(compiled, func(k *compiledKernel) bool { return k.name == name }) {
			t.Errorf("a launcher starts %s, and no .cu has it", name)
		}
	}
	for _, k := range compiled {
		for _, problem := range k.problems() {
			t.Errorf("%s, %s for %s: %s", k.file, k.name, k.target, problem)
		}
	}
	compareGolden(t, toolkitVersion(t, home), describeKernels(compiled, started))
}

// compiledKernel is a kernel as compiled for one target.
type compiledKernel struct {
	file, name, target       string
	registers, spilled       int // bytes a thread: stores and loads
	stack, shared            int // bytes a thread, and of static shared memory a block
	tensor, wgmma, localMove int // instructions of the machine code
	disassembled             bool
}

// wantsTensorCores are the kernels that are written with mma. Those of other kernels are found too: a kernel that uses tensor
// cores and is not named here is reported.
var wantsTensorCores = []string{
	"attention_[0-9]*_bf16", "attention_[0-9]*_f16", "attention_backward_keys_[0-9]*_*f16", "attention_backward_queries_[0-9]*_*f16",
	"product_[0-9]*x*_*f16", "product_[0-9]*x*_tf32", "product_guarded_*",
}

// wantsWarpgroups are those written with wgmma: for sm_90a only, and empty for other targets.
const wantsWarpgroups, warpgroupTarget = "attention_hopper_*", "sm_90a"

// problems are what must not be in any kernel.
func (k *compiledKernel) problems() []string {
	var all []string
	matches := func(pattern string) bool {
		ok, _ := filepath.Match(pattern, k.name)
		return ok
	}
	wanted, warpgroups := slices.ContainsFunc(wantsTensorCores, matches), k.target == warpgroupTarget && matches(wantsWarpgroups)
	switch {
	case warpgroups && k.wgmma == 0:
		all = append(all, "it has no HGMMA: want products of warpgroups")
	case wanted && k.tensor+k.wgmma == 0:
		all = append(all, "it has no HMMA and no HGMMA: want tensor cores")
	case !wanted && !warpgroups && k.tensor+k.wgmma > 0:
		all = append(all, "it uses tensor cores: name it in wantsTensorCores")
	}
	if k.localMove > 0 || k.spilled > 0 {
		all = append(all, fmt.Sprintf("%d LDL and STL instructions, %d bytes spilled: want registers alone", k.localMove, k.spilled))
	}
	if k.shared > 0 {
		all = append(all, fmt.Sprintf("%d bytes of static shared memory: want it dynamic, by SHARED", k.shared))
	}
	return all
}

// describeKernels is a line for each kernel, target and way to start it.
func describeKernels(compiled []*compiledKernel, started map[string][]launch) string {
	slices.SortFunc(compiled, func(a, b *compiledKernel) int {
		return cmp.Or(strings.Compare(a.file, b.file), strings.Compare(a.name, b.name), targetNumber(a.target)-targetNumber(b.target))
	})
	var b strings.Builder
	file := ""
	for _, k := range compiled {
		if k.file != file {
			file = k.file
			fmt.Fprintf(&b, "\n%s\n", file)
		}
		ways := started[k.name]
		if len(ways) == 0 {
			fmt.Fprintf(&b, "%s  not started by the calls of TestRecordLaunches\n", k)
		}
		for _, way := range ways {
			fmt.Fprintf(&b, "%s  %4d threads %6d shared  %s\n", k, way.threads, way.shared, occupancy(k.target, k.registers, way))
		}
	}
	return b.String()
}

func (k *compiledKernel) String() string {
	tensor := "-"
	switch {
	case k.wgmma > 0:
		tensor = "HGMMA"
	case k.tensor > 0:
		tensor = "HMMA"
	}
	return fmt.Sprintf("  %-38s %-7s %3d registers %3d spilled %3d stack %5s", k.name, k.target, k.registers, k.spilled, k.stack, tensor)
}

// compareGolden holds the text against the file, or writes it. What another compiler makes is not comparable.
func compareGolden(t *testing.T, version, text string) {
	t.Helper()
	text = "Every kernel as compiled by nvcc " + version + ": registers and bytes of local memory a thread, tensor cores, and, as launchers start it, threads and\n" +
		"bytes of dynamic shared memory of a block, and how much of a processor is then in use. Written by make check-cuda UPDATE=1.\n" + text
	if *update {
		if err := os.WriteFile(ptxasGolden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	golden, err := os.ReadFile(ptxasGolden)
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(golden), ":"); !strings.HasSuffix(first, " "+version) {
		t.Skipf("%s is of another compiler (%s), this is %s: only the rules were checked", ptxasGolden, first, version)
	}
	was, is := lineSet(string(golden)), lineSet(text)
	for _, line := range slices.Sorted(maps.Keys(was)) {
		if !is[line] {
			t.Errorf("no more: %s", line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(is)) {
		if !was[line] {
			t.Errorf("new:     %s", line)
		}
	}
	if t.Failed() {
		t.Error("where that is meant: make check-cuda UPDATE=1")
	}
}

func lineSet(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		set[strings.TrimSpace(line)] = true
	}
	return set
}
