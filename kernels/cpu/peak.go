package cpu

// #include "run.h"
import "C"

import "atoll/kernels"

// Peak measures the floating-point operations a second that d's threads do on registers alone with the instructions that
// products of the precision use: what no kernel can pass; for kernels.I32 those on whole numbers that products of int8 use, with their loads.
// It takes about 20 ms. A closed device gives 0.
func (d *Device) Peak(precision kernels.DType) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.team == nil {
		return 0
	}
	return float64(C.atoll_peak(d.team, d.variant, C.uint32_t(precision)))
}

// Bandwidth measures the bytes a second that d's threads move when they read and write 200 MB in place. It takes about 0.1 s.
// A closed device, or one without so much memory, gives 0.
func (d *Device) Bandwidth() float64 { return d.bandwidth(0) }

// Reading is Bandwidth of memory that is only read: a processor may wait for what it reads while what it writes goes on by itself.
func (d *Device) Reading() float64 { return d.bandwidth(1) }

func (d *Device) bandwidth(reading C.int) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.team == nil {
		return 0
	}
	return float64(C.atoll_bandwidth(d.team, reading))
}
