//go:build gpu

package cuda

import (
	"fmt"
	"strings"
	"testing"
)

// processorLimits are those of a streaming multiprocessor (CUDA C++ Programming Guide, technical specifications by compute
// capability): warps and blocks that it holds, and bytes of shared memory of all blocks and of one.
type processorLimits struct{ warps, blocks, shared, blockShared int }

func limitsOf(target string) processorLimits {
	switch targetNumber(target) {
	case 80:
		return processorLimits{64, 32, 164 << 10, 163 << 10}
	case 89:
		return processorLimits{48, 24, 100 << 10, 99 << 10}
	}
	return processorLimits{64, 32, 228 << 10, 227 << 10} // 9.0, 10.0
}

// targetNumber is 90 for sm_90a.
func targetNumber(target string) int {
	return number(strings.Trim(target, "sm_af"))
}

// What all of these generations share: registers of one of a processor's four parts, which are given to warps by 256, and the
// shared memory that the system keeps of each block.
const (
	partRegisters = 16384
	registerUnit  = 256
	sharedUnit    = 128
	systemShared  = 1 << 10
)

// occupancy says how many blocks of a kernel a processor holds at once.
func occupancy(target string, registers int, way launch) string {
	blocks, limit := residentBlocks(target, registers, way)
	most := limitsOf(target).warps * 32
	if blocks == 0 {
		return "does not start: too much " + limit
	}
	return fmt.Sprintf("%2d blocks, %4d of %4d threads (%s)", blocks, blocks*way.threads, most, limit)
}

func residentBlocks(target string, registers int, way launch) (blocks int, limit string) {
	l := limitsOf(target)
	warps := (way.threads + 31) / 32
	perWarp := (registers*32 + registerUnit - 1) / registerUnit * registerUnit
	shared := (way.shared+sharedUnit-1)/sharedUnit*sharedUnit + systemShared
	blocks, limit = l.blocks, "blocks"
	for _, other := range []struct {
		blocks int
		limit  string
	}{{l.warps / warps, "threads"}, {partRegisters / max(perWarp, 1) * 4 / warps, "registers"}, {l.shared / shared, "shared memory"}} {
		if other.blocks < blocks {
			blocks, limit = other.blocks, other.limit
		}
	}
	if way.shared > l.blockShared {
		return 0, "shared memory"
	}
	return blocks, limit
}

// The figures are those of NVIDIA's occupancy calculator.
func TestOccupancy(t *testing.T) {
	tests := []struct {
		target    string
		registers int
		way       launch
		blocks    int
		limit     string
	}{
		{"sm_80", 32, launch{256, 0}, 8, "threads"},
		{"sm_80", 33, launch{256, 0}, 6, "registers"},
		{"sm_80", 168, launch{128, 0}, 3, "registers"},
		{"sm_80", 255, launch{128, 0}, 2, "registers"},
		{"sm_80", 32, launch{128, 48 << 10}, 3, "shared memory"},
		{"sm_80", 32, launch{32, 0}, 32, "blocks"},
		{"sm_89", 32, launch{256, 0}, 6, "threads"},
		{"sm_89", 32, launch{128, 100 << 10}, 0, "shared memory"},
		{"sm_90a", 128, launch{256, 0}, 2, "registers"},
		{"sm_90a", 128, launch{256, 227 << 10}, 1, "shared memory"},
		{"sm_100", 40, launch{256, 0}, 6, "registers"},
	}
	for _, test := range tests {
		if blocks, limit := residentBlocks(test.target, test.registers, test.way); blocks != test.blocks || limit != test.limit {
			t.Errorf("%+v: %d blocks by %s", test, blocks, limit)
		}
	}
}
