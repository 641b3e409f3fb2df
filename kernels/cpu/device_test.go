package cpu

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/kernels"
)

// The kernels are numbered twice, in kernels.go and in program.h.
func TestKernelNumbers(t *testing.T) {
	header, err := os.ReadFile("program.h")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)enum atoll_kernel \{(.*?)\}`).FindSubmatch(header)
	names := regexp.MustCompile(`K_\w+`).FindAllString(string(list[1]), -1)
	if len(names) != int(kernels.Count)+1 {
		t.Fatalf("program.h has %d kernels, kernels.go has %d", len(names)-1, kernels.Count)
	}
	for k := range kernels.Count {
		want := "K_" + strings.ToUpper(strings.ReplaceAll(k.String(), ".", "_"))
		if names[k] != want {
			t.Errorf("kernel %d is %s in program.h, want %s", k, names[k], want)
		}
	}
}

func TestVariants(t *testing.T) {
	names := Variants()
	if len(names) == 0 || names[len(names)-1] != "portable" {
		t.Fatalf("variants are %q, want portable last", names)
	}
	for _, name := range names {
		d := open(t, Options{Threads: 1, Variant: name})
		if d.Variant() != name {
			t.Errorf("asked for %s, got %s", name, d.Variant())
		}
	}
	var unsupported *UnsupportedError
	_, err := New(Options{Variant: "mmx"})
	if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "portable") {
		t.Errorf("variant mmx: error is %v, want an UnsupportedError that names what there is", err)
	}
	for _, threads := range []int{-1, MaxThreads + 1} {
		if _, err := New(Options{Threads: threads}); err == nil {
			t.Errorf("%d threads: no error", threads)
		}
	}
}

func TestBuffer(t *testing.T) {
	d := open(t, Options{Threads: 1})
	for _, size := range []int64{0, 1, 100, 2 << 20, 5<<20 + 3} {
		b, err := d.NewBuffer(size)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range b.Bytes() {
			if x != 0 {
				t.Fatalf("size %d: byte %d is %d, want 0", size, i, x)
			}
		}
		if err := b.Write(size-1, []byte{1, 2}); err == nil {
			t.Errorf("size %d: a write past the end gives no error", size)
		}
		if err := b.Read(make([]byte, size), 0); err != nil {
			t.Errorf("size %d: read of everything: %v", size, err)
		}
		b.Free()
		b.Free()
		if err := b.Read(make([]byte, 1), 0); err == nil {
			t.Errorf("size %d: a read after Free gives no error", size)
		}
	}
	if _, err := d.NewBuffer(1 << 60); err == nil || !strings.Contains(err.Error(), "1152921504606846976") {
		t.Errorf("2^60 bytes: error is %v, want one that says the bytes", err)
	}
}

// Memory that is lent is read where it lies and never written, by the host at least.
func TestLend(t *testing.T) {
	d := open(t, Options{Threads: 1})
	own, err := d.NewBuffer(64)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Free()
	lent, err := d.Lend(own.Bytes()[4:36])
	if err != nil {
		t.Fatal(err)
	}
	kernels.Float32s(own.Bytes())[1] = 7
	if lent.Size() != 32 || kernels.Float32s(lent.Bytes())[0] != 7 {
		t.Errorf("%d bytes that begin with %v, want the 32 that were lent", lent.Size(), kernels.Float32s(lent.Bytes())[0])
	}
	if err := lent.Write(0, []byte{1}); err == nil || !strings.Contains(err.Error(), "lent to be read") {
		t.Errorf("a write gives %v", err)
	}
	lent.Free()
	if kernels.Float32s(own.Bytes())[1] != 7 || lent.Bytes() != nil {
		t.Error("freed memory is still there, or its owner lost it")
	}
	if _, err := d.Lend(nil); err == nil {
		t.Error("no memory: no error")
	}
}

func TestProgramChecks(t *testing.T) {
	d := open(t, Options{Threads: 1})
	b, err := d.NewBuffer(64)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	call := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{17}}
	if _, err := d.NewProgram([]kernels.Call{call}, []kernels.Buffer{b}); err == nil || !strings.Contains(err.Error(), "add") {
		t.Errorf("17 floats in 64 bytes: error is %v, want one that names the kernel", err)
	}
	p, err := d.NewProgram(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(); err != nil {
		t.Errorf("an empty program: %v", err)
	}
	if n := testing.AllocsPerRun(10, func() { _ = p.Run() }); n != 0 {
		t.Errorf("a run allocates %v times, want 0", n)
	}
	p.Free()
	p.Free()
	if err := p.Run(); err == nil {
		t.Error("a program that was freed runs")
	}
}

// A timed run does the same work, and the times of its calls fill the run.
func TestRunTimed(t *testing.T) {
	d := open(t, Options{Threads: 2})
	const rows, width = 64, 768
	b, err := d.NewBuffer(4 * rows * width * 3)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	small := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{width}}
	large := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{rows * width}}
	for i := range 3 {
		small.Args[i], large.Args[i] = kernels.At(0, int64(i)*4*rows*width), kernels.At(0, int64(i)*4*rows*width)
	}
	kernels.Float32s(b.Bytes())[rows*width] = 2
	p, err := d.NewProgram([]kernels.Call{small, large, small}, []kernels.Buffer{b})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Free()
	took := make([]float64, 3)
	if err := p.(kernels.TimedProgram).RunTimed(took); err != nil || kernels.Float32s(b.Bytes())[0] != 2 {
		t.Errorf("a timed run gives %v, and 2+0 = %v", err, kernels.Float32s(b.Bytes())[0])
	}
	best := 0.0 // another process may come between the clock's readings here and in C
	for range 50 {
		began := time.Now()
		if err := p.(kernels.TimedProgram).RunTimed(took); err != nil {
			t.Fatal(err)
		}
		if took[0] <= 0 || took[1] <= 0 || took[2] <= 0 {
			t.Fatalf("calls took %v s, want some time each", took)
		}
		best = max(best, (took[0]+took[1]+took[2])/time.Since(began).Seconds())
	}
	if best < 0.5 || best > 1 {
		t.Errorf("the calls are %.0f %% of the run, want nearly all of it", 100*best)
	}
	if err := p.(kernels.TimedProgram).RunTimed(took[:2]); err == nil || !strings.Contains(err.Error(), "the program has 3") {
		t.Errorf("room for 2 times of 3 calls: %v", err)
	}
}

// Two goroutines on one device take turns, with more threads than the machine has.
func TestConcurrentRuns(t *testing.T) {
	d := open(t, Options{Threads: 7})
	const n = 1000
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			b, err := d.NewBuffer(3 * 4096)
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Free()
			call := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{n}}
			for i := range 3 {
				call.Args[i] = kernels.At(0, int64(i)*4096)
			}
			x := kernels.Float32s(b.Bytes())
			for i := range n {
				x[1024+i], x[2048+i] = float32(i), 1
			}
			p, err := d.NewProgram([]kernels.Call{call, call, call}, []kernels.Buffer{b})
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Free()
			for range 200 {
				if err := p.Run(); err != nil {
					t.Error(err)
					return
				}
			}
			if x[n-1] != n {
				t.Errorf("%v + 1 = %v", n-1, x[n-1])
			}
		})
	}
	wg.Wait()
}

func open(t testing.TB, o Options) *Device {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
	return d
}

// What computes in bf16 by itself is what bf16 is chosen for where nobody says otherwise.
func TestNativeBF16(t *testing.T) {
	native := map[string]bool{"amx": true, "avx512bf16": true, "avx512": false, "avx2": false, "portable": false}
	for _, variant := range Variants() {
		if got := open(t, Options{Threads: 1, Variant: variant}).NativeBF16(); got != native[variant] {
			t.Errorf("%s: native is %v, want %v", variant, got, native[variant])
		}
	}
}
