//go:build !linux

package cpu

import "runtime"

func processorModel() string { return runtime.GOARCH + " processor" }
