//go:build gpu

package cuda

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	entryLine     = regexp.MustCompile(`Compiling entry function '(\w+)' for '(\w+)'`)
	spillLine     = regexp.MustCompile(`(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads`)
	registersLine = regexp.MustCompile(`Used (\d+) registers`)
	sharedLine    = regexp.MustCompile(`(\d+) bytes smem`)
	codeLine      = regexp.MustCompile(`code for (\w+)`)
	functionLine  = regexp.MustCompile(`Function : (\w+)`)
	opcodeLine    = regexp.MustCompile(`^\s+/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?(HMMA|HGMMA|LDL|STL)\b`)
)

// readPtxas gives the kernels that ptxas told of when make compiled each .cu.
func readPtxas(t *testing.T, dir string) []*compiledKernel {
	t.Helper()
	sources, err := filepath.Glob("source/*.cu")
	if err != nil || len(sources) == 0 {
		t.Fatalf("error %v, %d .cu files", err, len(sources))
	}
	var compiled []*compiledKernel
	for _, source := range sources {
		file := filepath.Base(source)
		text, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(file, ".cu")+".txt"))
		if err != nil {
			t.Fatalf("%v: make check-cuda compiles first", err)
		}
		found := parsePtxas(file, string(text))
		if len(found) == 0 {
			t.Errorf("%s: ptxas told of no kernel", file)
		}
		compiled = append(compiled, found...)
	}
	return compiled
}

func parsePtxas(file, text string) []*compiledKernel {
	var compiled []*compiledKernel
	k := &compiledKernel{} // what stands before the first kernel
	for line := range strings.Lines(text) {
		if m := entryLine.FindStringSubmatch(line); m != nil {
			k = &compiledKernel{file: file, name: m[1], target: m[2]}
			compiled = append(compiled, k)
		}
		if m := spillLine.FindStringSubmatch(line); m != nil { // once for the kernel, and for each function that it calls
			k.stack += number(m[1])
			k.spilled += number(m[2]) + number(m[3])
		}
		if m := registersLine.FindStringSubmatch(line); m != nil {
			k.registers = number(m[1])
		}
		if m := sharedLine.FindStringSubmatch(line); m != nil {
			k.shared = number(m[1])
		}
	}
	return compiled
}

// number is the value of digits that a pattern matched.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// readSASS counts the instructions of interest in the machine code of all fatbins.
func readSASS(t *testing.T, cuobjdump string, compiled []*compiledKernel) {
	t.Helper()
	if _, err := os.Stat(cuobjdump); err != nil {
		t.Fatalf("%v: it shows the machine code; the toolkit has it, or the wheel nvidia-cuda-cuobjdump", err)
	}
	at := map[string]*compiledKernel{}
	for _, k := range compiled {
		at[k.name+" "+k.target] = k
	}
	for _, name := range images() {
		if _, err := os.Stat("source/" + strings.TrimSuffix(filepath.Base(name), ".fatbin") + ".cu"); err != nil {
			t.Errorf("%s has no source: remove it", name)
			continue
		}
		c := exec.Command(cuobjdump, "-sass", name)
		output, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		problem := countInstructions(bufio.NewScanner(output), at)
		if err := c.Wait(); err != nil || problem != nil {
			t.Fatalf("%v: %v %v", c.Args, err, problem)
		}
	}
	for _, k := range compiled {
		if !k.disassembled {
			t.Errorf("%s for %s is not in the machine code", k.name, k.target)
		}
	}
}

func countInstructions(lines *bufio.Scanner, at map[string]*compiledKernel) error {
	target, k := "", &compiledKernel{}
	for lines.Scan() {
		line := lines.Text()
		if m := codeLine.FindStringSubmatch(line); m != nil {
			target = m[1]
		} else if m := functionLine.FindStringSubmatch(line); m != nil {
			if k = at[m[1]+" "+target]; k == nil {
				return fmt.Errorf("function %s for %s is in the machine code, and ptxas told nothing of it", m[1], target)
			}
			k.disassembled = true
		} else if m := opcodeLine.FindStringSubmatch(line); m != nil {
			switch m[1] {
			case "HMMA":
				k.tensor++
			case "HGMMA":
				k.wgmma++
			default:
				k.localMove++
			}
		}
	}
	return lines.Err()
}

// toolkitVersion is nvcc's, such as 13.5.37.
func toolkitVersion(t *testing.T, home string) string {
	t.Helper()
	output, err := exec.Command(filepath.Join(home, "bin", "nvcc"), "--version").Output()
	m := regexp.MustCompile(`V(\d+\.\d+\.\d+)`).FindSubmatch(output)
	if err != nil || m == nil {
		t.Fatalf("nvcc --version: error %v, %q", err, output)
	}
	return string(m[1])
}
