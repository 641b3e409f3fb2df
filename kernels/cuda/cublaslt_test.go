//go:build gpu

package cuda

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/kernels/kerneltest"
)

// TestCublasLt runs the tests named TestByCublasLt on the emulated driver, whose library has a cublasLt too; on a device that fuses
// the GELU into products, and on one that does not.
func TestCublasLt(t *testing.T) {
	library := os.Getenv("ATOLL_LIBCUDA")
	if library == "" || os.Getenv("STANDIN") != "" || os.Getenv("ATOLL_LIBCUBLASLT") != "" {
		t.Skip("wants the emulated driver in ATOLL_LIBCUDA, and ATOLL_LIBCUBLASLT empty")
	}
	if d := open(t); d.info.Name != "emulated GPU" {
		t.Skipf("%s is no emulated GPU", d.Name())
	}
	again(t, "TestByCublasLt", "ATOLL_LIBCUBLASLT="+library)
	again(t, "TestByCublasLtKernels", "ATOLL_LIBCUBLASLT="+library, "DRIVER_FAIL=capability:8")
	again(t, "TestTF32", "ATOLL_LIBCUBLASLT="+library)
	again(t, "TestWithoutCublasLt", "ATOLL_LIBCUBLASLT=none")
}

// byCublasLt skips a test that TestCublasLt did not start.
func byCublasLt(t *testing.T) *Device {
	t.Helper()
	if library := os.Getenv("ATOLL_LIBCUBLASLT"); library == "" || library != os.Getenv("ATOLL_LIBCUDA") {
		t.Skip("TestCublasLt runs it with the emulated cublasLt")
	}
	return open(t)
}

// productsOf is how many products cublasLt made while work went on.
func productsOf(t *testing.T, d *Device, work func()) int64 {
	t.Helper()
	before, err := d.cublasltProducts()
	if err != nil {
		t.Fatal(err)
	}
	work()
	after, err := d.cublasltProducts()
	if err != nil {
		t.Fatal(err)
	}
	return after - before
}

func TestByCublasLtKernels(t *testing.T) {
	d := byCublasLt(t)
	for _, k := range []kernels.Kernel{kernels.Linear, kernels.LinearDX, kernels.LinearDW, kernels.HeadLoss} {
		if productsOf(t, d, func() { kerneltest.Run(t, d, kerneltest.Options{Only: []kernels.Kernel{k}}) }) < 100 {
			t.Errorf("cublasLt made fewer than 100 products in the cases of %v", k)
		}
	}
}

// A call of a training step, with the arguments that it lacks and the launches that it takes beside products in bf16.
type stepCall struct {
	kernel   kernels.Kernel
	dims     []int64
	absent   []string
	launches int
}

// stepCalls are the products of a block of GPT-2, forward and backward, and of its head with a smaller vocabulary.
func stepCalls() []stepCall {
	const N, C, F, V = 8, 768, 3072, 1001
	return []stepCall{
		{kernels.Linear, []int64{N, C, 3 * C, 0, 0}, []string{"pre", "res"}, 2},
		{kernels.Linear, []int64{N, C, C, 0, 0}, []string{"pre"}, 2},
		{kernels.Linear, []int64{N, C, F, 0, 1}, []string{"res"}, 2}, // weight and bias are cast, the GELU is fused
		{kernels.Linear, []int64{N, F, C, 0, 0}, []string{"pre"}, 2},
		{kernels.LinearDX, []int64{N, C, 3 * C, 0}, []string{"pre", "dres"}, 1},
		{kernels.LinearDX, []int64{N, C, C, 0}, []string{"pre", "dres"}, 1},
		{kernels.LinearDX, []int64{N, F, C, 0}, []string{"dres"}, 1}, // the weight is cast, gelu' is fused
		{kernels.LinearDX, []int64{N, C, F, 0}, []string{"pre", "dres"}, 1},
		{kernels.LinearDW, []int64{N, C, F, 0, kernels.Overwrite}, nil, 0}, // db comes with the product
		{kernels.LinearDW, []int64{N, C, F, 1, kernels.Overwrite}, nil, 0},
		{kernels.LinearDW, []int64{N, C, F, 0, kernels.ByStep}, []string{"db"}, 0},
		{kernels.HeadLoss, []int64{N, C, V, N, V, 0, kernels.ByStep}, nil, 3},
	}
}

// programOf puts the calls' arguments one after the other into a buffer of zeroes.
func programOf(t *testing.T, d *Device, precision kernels.DType, c stepCall) kernels.Program {
	t.Helper()
	call, size := kernels.Call{Kernel: c.kernel, Precision: precision}, int64(0)
	copy(call.Dims[:], c.dims)
	for i, arg := range kernels.SignatureOf(c.kernel).Args {
		n, err := call.Elements(i)
		if err != nil {
			t.Fatal(err)
		}
		if call.Args[i] = kernels.At(0, size); strings.Contains(" "+strings.Join(c.absent, " ")+" ", " "+arg.Name+" ") {
			call.Args[i] = kernels.None
		}
		size += (n*int64(call.DTypeOf(i).Size()) + 255) / 256 * 256
	}
	b, err := d.NewBuffer(size)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.NewProgram([]kernels.Call{call}, []kernels.Buffer{b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Free(); b.Free() })
	return p
}

// cublasLt makes the products of GPT-2 in every precision, also while they are captured in a graph, and what its epilogues do takes
// no launch.
func TestByCublasLtShapes(t *testing.T) {
	d := byCublasLt(t)
	for _, precision := range []kernels.DType{kernels.F32, kernels.BF16, kernels.F16} {
		for _, c := range stepCalls() {
			p, want, before := programOf(t, d, precision, c), int64(1), count(t, plainLaunches)
			if c.kernel == kernels.HeadLoss {
				want = 3
				if precision != kernels.F32 {
					want = 4 // the gradient of wte comes in two
				}
			}
			if c.kernel == kernels.Linear && precision == kernels.F32 {
				want = 0 // a row has the bits of the row alone
			}
			for run, made := range []int64{want, want, 0} { // plainly, captured, from the graph
				got := productsOf(t, d, func() {
					if err := p.Run(); err != nil {
						t.Fatal(err)
					}
				})
				if got != made {
					t.Errorf("%v %v %v, run %d: cublasLt made %d products, want %d", c.kernel, precision, c.dims, run, got, made)
				}
				if launches := count(t, plainLaunches) - before; run == 0 && precision != kernels.F32 && launches != c.launches {
					t.Errorf("%v %v %v: %d launches beside the products, want %d", c.kernel, precision, c.dims, launches, c.launches)
				}
			}
		}
	}
}

// What cublasLt refuses is made by our own kernels, and what it answers else is told.
func TestByCublasLtRefused(t *testing.T) {
	c := stepCall{kernels.LinearDW, []int64{8, 24, 16, 0, kernels.Overwrite}, nil, 0}
	for _, fail := range []string{"cublasLtMatmulAlgoGetHeuristic:15", "cublasLtMatmul:15", "cublasLtMatmul:7"} {
		d := byCublasLt(t)
		t.Setenv("DRIVER_FAIL", fail)
		p := programOf(t, d, kernels.BF16, c)
		made := productsOf(t, d, func() {
			if err := errors.Join(p.Run(), p.Run(), p.Run()); err != nil {
				t.Errorf("%s: %v", fail, err)
			}
		})
		if made != 0 {
			t.Errorf("%s: cublasLt made %d products", fail, made)
		}
	}
	d := byCublasLt(t)
	t.Setenv("DRIVER_FAIL", "cublasLtMatmul:14")
	if err := programOf(t, d, kernels.BF16, c).Run(); err == nil || !strings.Contains(err.Error(), "cublasLtMatmul answers CUBLAS_STATUS_INTERNAL_ERROR") {
		t.Errorf("cublasLtMatmul:14: error is %v, want one that names it", err)
	}
	t.Setenv("DRIVER_FAIL", "cublasLtCreate:1")
	d = open(t)
	if by, err := d.Products(); err != nil || !strings.Contains(by, "without cublasLt") || !strings.Contains(by, "cublasLtCreate answers CUBLAS_STATUS_NOT_INITIALIZED") {
		t.Errorf("cublasLtCreate:1: products are made by %q, error %v", by, err)
	}
}

// A device gives the handle back, and the descriptors of products.
func TestByCublasLtFreed(t *testing.T) {
	byCublasLt(t)
	before := count(t, unfreed)
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	if by, err := d.Products(); err != nil || !strings.HasPrefix(by, "cublasLt 13.0.0 (") {
		t.Errorf("products are made by %q, error %v, want cublasLt 13.0.0", by, err)
	}
	t.Run("products", func(t *testing.T) {
		if err := programOf(t, d, kernels.F16, stepCalls()[0]).Run(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Close(); err != nil || count(t, unfreed) != before {
		t.Errorf("Close: error %v, %d allocations are left, want %d", err, count(t, unfreed), before)
	}
}

// The rules of the emulated cublasLt, asked in C.
func TestByCublasLtRules(t *testing.T) {
	byCublasLt(t)
	compiler, rules := os.Getenv("CC"), filepath.Join(t.TempDir(), "rules")
	if compiler == "" {
		compiler = "cc"
	}
	build := exec.Command(compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", rules, "testdata/cublaslt_rules.c", "-ldl")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, output)
	}
	if output, err := exec.Command(rules, os.Getenv("ATOLL_LIBCUBLASLT")).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("error %v\n%s", err, output)
	}
}

func TestWithoutCublasLt(t *testing.T) {
	if os.Getenv("ATOLL_LIBCUBLASLT") != "none" {
		t.Skip("TestCublasLt runs it")
	}
	d := open(t)
	if by, err := d.Products(); err != nil || by != "kernels of atoll, without cublasLt: ATOLL_LIBCUBLASLT is none" {
		t.Errorf("products are made by %q, error %v", by, err)
	}
	if n := productsOf(t, d, func() { programOf(t, d, kernels.F32, stepCalls()[1]) }); n != 0 {
		t.Errorf("cublasLt made %d products", n)
	}
}
