//go:build checked

package cpu

// The tag is for builds with sanitizers or the race detector: they compile every kernel once more, with checks in it, and
// take minutes for it with full optimization and the AVX-512 variants.

// #cgo CFLAGS: -O1 -DATOLL_NO_AVX512
import "C"
