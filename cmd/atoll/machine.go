package main

import (
	"fmt"

	"atoll/kernels"
)

// machineInfo is what a measured figure is held against.
type machineInfo struct {
	Device    string  `json:"device"`
	Precision string  `json:"precision"`
	Threads   int     `json:"threads"`
	Peak      float64 `json:"peak_flops"`     // operations a second in the precision
	Bandwidth float64 `json:"peak_bandwidth"` // bytes a second
}

// measureMachine measures a few times and takes the best, since another process can only make the figures smaller. It
// takes about half a second and, while it runs, 192 MB.
func measureMachine(d processor, precision kernels.DType) machineInfo {
	m := machineInfo{Device: d.Describe(), Precision: precision.String(), Threads: d.Threads()}
	for range 3 {
		m.Peak = max(m.Peak, d.Peak(precision))
		m.Bandwidth = max(m.Bandwidth, d.Bandwidth())
	}
	return m
}

func (m machineInfo) String() string {
	if m.Peak == 0 {
		return fmt.Sprintf("%s, %s: its peaks are not measured", m.Device, m.Precision)
	}
	return fmt.Sprintf("%s, %s: peak %.1f GFLOP/s, memory %.1f GB/s", m.Device, m.Precision, m.Peak/1e9, m.Bandwidth/1e9)
}

// share is value/peak, or 0 where the peak is not known.
func share(value, peak float64) float64 {
	if !(peak > 0) {
		return 0
	}
	return value / peak
}
