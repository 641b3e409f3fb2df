//go:build gpu

package cuda

// #include "run.h"
import "C"

import "fmt"

// Products says what makes the device's matrix products: cublasLt with its version, or why not.
func (d *Device) Products() (string, error) {
	var text *C.char
	var version C.int64_t
	err := d.run(jobFunc(func() error {
		version = C.gpu_cublaslt_version(d.gpu, &text)
		return nil
	}))
	if err != nil {
		return "", err
	}
	if version == 0 {
		return "kernels of atoll, without cublasLt: " + C.GoString(text), nil
	}
	return fmt.Sprintf("cublasLt %d.%d.%d (%s)", version/10000, version%10000/100, version%100, C.GoString(text)), nil
}

// cublasltProducts is how many products cublasLt has made on the device.
func (d *Device) cublasltProducts() (count int64, err error) {
	err = d.run(jobFunc(func() error {
		count = int64(C.gpu_cublaslt_products(d.gpu))
		return nil
	}))
	return count, err
}
