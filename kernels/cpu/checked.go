//go:build checked

package cpu

// The tag is for builds with sanitizers or the race detector: they compile every kernel once more, with checks in it, and
// take minutes for it with full optimization.

// #cgo CFLAGS: -O1
import "C"
