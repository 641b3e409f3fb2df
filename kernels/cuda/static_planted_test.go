//go:build gpu

package cuda

import (
	"bufio"
	"strings"
	"testing"
)

// What the compiler might tell of kernels that are not as they should be, and the machine code of them.
const (
	plantedPtxas = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'product_bf16' for 'sm_90a'
ptxas info    : Function properties for product_bf16
    16 bytes stack frame, 24 bytes spill stores, 40 bytes spill loads
ptxas info    : Function properties for slow_path
    8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 168 registers, used 1 barriers, 24 bytes cumulative stack size, 4096 bytes smem, 388 bytes cmem[0]
ptxas info    : Compiling entry function 'add_f32' for 'sm_90a'
ptxas info    : Function properties for add_f32
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
`
	plantedSASS = `	code for sm_90a
		Function : product_bf16
        /*0070*/                   LDG.E.128 R4, [R2.64] ;             /* 0x000000 */
        /*0080*/              @!P0 STL.64 [R1+0x8], R8 ;               /* 0x000000 */
        /*0090*/                   LDL R8, [R1+0x8] ;                  /* 0x000000 */
                                                                       /* 0x000fe4 LDL */
		Function : add_f32
        /*0110*/              @P0  HMMA.16816.F32.BF16 R4, R8, R12, R4 ; /* 0x000000 */
        /*0120*/                   HGMMA.64x128x16.F32.BF16 R24, R4, gdesc[UR4] ; /* 0x000000 */
`
)

func TestStaticProblems(t *testing.T) {
	compiled := parsePtxas("planted.cu", plantedPtxas)
	at := map[string]*compiledKernel{}
	for _, k := range compiled {
		at[k.name+" "+k.target] = k
	}
	if err := countInstructions(bufio.NewScanner(strings.NewReader(plantedSASS)), at); err != nil || len(compiled) != 2 {
		t.Fatalf("error %v, %d kernels, want 2", err, len(compiled))
	}
	product, add := *compiled[0], *compiled[1]
	if want := (compiledKernel{"planted.cu", "product_bf16", "sm_90a", 168, 64, 24, 4096, 0, 0, 2, true}); product != want {
		t.Errorf("%+v, want %+v", product, want)
	}
	if want := (compiledKernel{"planted.cu", "add_f32", "sm_90a", 32, 0, 0, 0, 1, 1, 0, true}); add != want {
		t.Errorf("%+v, want %+v", add, want)
	}
	if found := strings.Join(product.problems(), "\n"); !strings.Contains(found, "2 LDL and STL instructions, 64 bytes spilled") ||
		!strings.Contains(found, "4096 bytes of static shared memory") {
		t.Errorf("problems are %q", found)
	}
	if found := strings.Join(add.problems(), "\n"); !strings.Contains(found, "wantsTensorCores") {
		t.Errorf("problems are %q", found)
	}
	if err := countInstructions(bufio.NewScanner(strings.NewReader("code for sm_80\nFunction : add_f32\n")), at); err == nil {
		t.Error("a function that ptxas did not tell of gives no error")
	}
}
