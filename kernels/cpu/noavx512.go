//go:build noavx512

package cpu

// The tag leaves the AVX-512 variants out: for the sanitizers and the race detector, whose builds compile every kernel once
// more, at several times the cost, on machines that could not run them.

// #cgo CFLAGS: -DATOLL_NO_AVX512
import "C"
