//go:build gpu

package cuda

import (
	"errors"
	"os"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/kernels/kerneltest"
)

// Every kernel of the device is held against kernels/ref: on the driver that ATOLL_LIBCUDA names, or on a GPU. Each is a test of its own, so that
// bench/gpu.sh can have several of them at a time under compute-sanitizer.
func TestKernels(t *testing.T) {
	d := open(t)
	options := present(t, d)
	for _, k := range options.Only {
		t.Run(k.String(), func(t *testing.T) {
			one := options
			one.Only = []kernels.Kernel{k}
			kerneltest.Run(t, d, one)
		})
	}
}

// TestHopper: the attention of sm_90a is what a GPU of compute capability 9.0 takes: with its tensor map refused, a call that it suits
// fails, so those of TestKernels did go through it. Dropout is not for its gradient.
func TestHopper(t *testing.T) {
	emulated(t)
	d := open(t)
	t.Setenv("DRIVER_FAIL", "cuTensorMapEncodeTiled:1")
	for _, c := range []struct {
		kernel  kernels.Kernel
		D       int64
		dropout float32
		fails   bool
	}{
		{kernels.Attention, 64, 0.1, true}, {kernels.Attention, 128, 0, true}, {kernels.Attention, 96, 0, false},
		{kernels.AttentionBackward, 64, 0, true}, {kernels.AttentionBackward, 64, 0.1, false}, {kernels.AttentionBackward, 128, 0, false},
	} {
		call := callOf(c.kernel, map[string]int64{"B": 2, "T": 130, "C": 2 * c.D, "H": 2, "salt": 1})
		call.Precision, call.Scalars[0] = kernels.BF16, c.dropout
		if err := runUnaligned(d, call, 0); (err != nil) != c.fails {
			t.Errorf("%v with heads of %d and dropout %v: error is %v, want one: %v", c.kernel, c.D, c.dropout, err, c.fails)
		}
	}
}

// TestBeforeHopper is the table for the attention of GPUs before sm_90a, and of those after it.
func TestBeforeHopper(t *testing.T) {
	emulated(t)
	t.Setenv("DRIVER_FAIL", "capability:8")
	kerneltest.Run(t, open(t), kerneltest.Options{Only: []kernels.Kernel{kernels.Attention, kernels.AttentionBackward}})
}

// The same where no argument may be read 16 bytes at a time.
func TestShifted(t *testing.T) {
	d := open(t)
	options := present(t, d)
	options.Shift = 1
	kerneltest.Run(t, d, options)
}

// Two devices, and so two runs, give the same bits. On the emulated driver, which runs blocks in one order, TestKernels' two runs of each
// case show that on one device, and here are the kernels whose blocks meet in memory that the device holds.
func TestSameBits(t *testing.T) {
	a, b := open(t), open(t)
	options := present(t, a)
	if a.info.Name == "emulated GPU" {
		options.Only = []kernels.Kernel{kernels.GradNorm, kernels.LayerNormBackward, kernels.EmbedBackward, kernels.HeadLoss}
	}
	kerneltest.SameBits(t, a, b, options)
}

func TestFaults(t *testing.T) {
	d := open(t)
	options := present(t, d)
	// The program of each case begins with a grad.norm.
	if !d.Has(kernels.GradNorm) {
		t.Skip("the device has no grad.norm yet")
	}
	kerneltest.Faults(t, d, options)
}

func TestPadding(t *testing.T) {
	d := open(t)
	kerneltest.Padding(t, d, present(t, d))
}

func TestRoundingIsUnbiased(t *testing.T) {
	d := open(t)
	kerneltest.Unbiased(t, d, present(t, d))
}

// present are the kernels that the device has; those that it lacks are named in the log. NVIDIA's GELU has bounds, the emulated
// library's has none.
func present(t *testing.T, d *Device) kerneltest.Options {
	t.Helper()
	by, err := d.Products()
	if err != nil {
		t.Fatal(err)
	}
	options := kerneltest.Options{FusedGELU: strings.HasPrefix(by, "cublasLt") && d.info.Name != "emulated GPU"}
	for k := range kernels.Count {
		if d.Has(k) {
			options.Only = append(options.Only, k)
		} else {
			t.Logf("%s has no %v yet", d.Name(), k)
		}
	}
	return options
}

// open is the first device; without one the test is skipped, unless a driver was named.
func open(t testing.TB) *Device {
	t.Helper()
	d, err := Open(0)
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) && os.Getenv("ATOLL_LIBCUDA") == "" {
		t.Skip(err)
	}
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
