//go:build !checked

package cpu

// #cgo CFLAGS: -O3
import "C"
