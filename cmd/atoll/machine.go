package main

import (
	"fmt"

	"atoll/engine/lower"
	"atoll/kernels"
)

// machineInfo is what a measured figure is held against.
type machineInfo struct {
	Device    string  `json:"device"`
	Precision string  `json:"precision"`
	Threads   int     `json:"threads"`
	Peak      float64 `json:"peak_flops"`     // operations a second in the precision
	Peaks     peaks   `json:"peaks_flops"`    // of a processor, which is measured
	Bandwidth float64 `json:"peak_bandwidth"` // bytes a second, of reading and writing in place
	Reading   float64 `json:"peak_reading"`   // bytes a second
	Rated     bool    `json:"rated"`          // the two are its maker's figures, not measured
}

// peaks are operations a second on registers, by what the products are in.
type peaks struct {
	FP32 float64 `json:"fp32"`
	BF16 float64 `json:"bf16"`
	Int8 float64 `json:"int8"`
}

// measureMachine measures a few times and takes the best, since another process can only make the figures smaller. It
// takes about half a second and, while it runs, 192 MB.
func measureMachine(d processor, precision kernels.DType) machineInfo {
	m := machineInfo{Device: d.Describe(), Precision: nameOf(precision, d), Threads: d.Threads()}
	if _, m.Rated = d.(onGPU); m.Rated {
		m.Peak, m.Bandwidth, m.Reading = d.Peak(precision), d.Bandwidth(), d.Reading()
		return m
	}
	for range 3 {
		p := &m.Peaks
		p.FP32, p.BF16, p.Int8 = max(p.FP32, d.Peak(kernels.F32)), max(p.BF16, d.Peak(kernels.BF16)), max(p.Int8, d.Peak(kernels.I32))
		m.Bandwidth, m.Reading = max(m.Bandwidth, d.Bandwidth()), max(m.Reading, d.Reading())
	}
	if m.Peak = m.Peaks.FP32; precision == kernels.BF16 {
		m.Peak = m.Peaks.BF16
	}
	return m
}

func (m machineInfo) String() string {
	switch {
	case m.Peak == 0:
		return fmt.Sprintf("%s, %s: its peaks are not known", m.Device, m.Precision)
	case m.Rated:
		return fmt.Sprintf("%s, %s: rated at %.1f TFLOP/s, memory %.0f GB/s", m.Device, m.Precision, m.Peak/1e12, m.Bandwidth/1e9)
	}
	return fmt.Sprintf("%s, %s: peak %.1f GFLOP/s (in fp32 %.1f, bf16 %.1f, int8 %.1f), memory %.1f GB/s, reading %.1f", m.Device, m.Precision, m.Peak/1e9, m.Peaks.FP32/1e9,
		m.Peaks.BF16/1e9, m.Peaks.Int8/1e9, m.Bandwidth/1e9, m.Reading/1e9)
}

// answerPeak is the peak of products with weights packed so: that of int8 where they are.
func (m machineInfo) answerPeak(packing lower.Packing) float64 {
	if packing == lower.PackInt8 {
		return m.Peaks.Int8
	}
	return m.Peak
}

// share is value/peak, or 0 where the peak is not known.
func share(value, peak float64) float64 {
	if !(peak > 0) {
		return 0
	}
	return value / peak
}
