package kerneltest

import (
	"testing"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// A self-test has some cases of every kernel, with its options on and off, and ref passes them.
func TestSmall(t *testing.T) {
	for k := range kernels.Count {
		cases := Small(k)
		if len(cases) == 0 || len(cases) > smallCases || len(cases) < min(len(Cases(k)), smallCases-1) {
			t.Errorf("%v has %d small cases of %d", k, len(cases), len(Cases(k)))
		}
		for i := 1; i < len(cases); i++ {
			first, _ := cases[0].work()
			before, _ := cases[i-1].work()
			if work, _ := cases[i].work(); work > 0 && work < first || i > 1 && work > before {
				t.Errorf("%v: case %d has work %g, behind %g, and the first %g: want the smallest first, then the most work", k, i, work, before, first)
			}
		}
		for i, arg := range kernels.SignatureOf(k).Args {
			absent := 0
			for _, c := range cases {
				if c.absent(arg.Name) {
					absent++
				}
			}
			if arg.Optional && (absent == 0 || absent == len(cases)) {
				t.Errorf("%v: argument %d, %s, is absent in %d of %d small cases", k, i, arg.Name, absent, len(cases))
			}
		}
		for _, c := range cases {
			for _, precision := range c.Precisions() {
				for _, problem := range Check(ref.New(), c, precision) {
					t.Errorf("%s: %v", c.Name(precision), problem)
				}
			}
		}
	}
}
