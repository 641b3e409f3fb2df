//go:build !gpu

package cuda

import "atoll/kernels"

// Device is a GPU. This build has none.
type Device struct{ kernels.Device }

// Built says whether this build has CUDA.
const Built = false

// Has is false.
func (*Device) Has(kernels.Kernel) bool { return false }

// Info is empty.
func (*Device) Info() Info { return Info{} }

// Memory is 0.
func (*Device) Memory() (free, total int64, err error) { return 0, 0, nil }

// Withhold does nothing.
func (*Device) Withhold(kernels.Kernel, string) {}

// SetTF32 does nothing.
func (*Device) SetTF32(bool) error { return nil }

// Products is never asked.
func (*Device) Products() (string, error) { return "", nil }

// Build says that there is no CUDA in this build.
func Build() string { return "not in this build" }

// Found is always an *UnavailableError in this build.
func Found() ([]Info, error) {
	return nil, &UnavailableError{"this build of atoll has no CUDA", "build it with make gpu (make cuda-toolchain fetches the compiler), or use the CPU"}
}

// Open is always an *UnavailableError in this build.
func Open(int) (*Device, error) {
	_, err := Found()
	return nil, err
}
