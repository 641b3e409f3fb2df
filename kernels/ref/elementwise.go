package ref

// Add gives out = a + b.
func Add(out, a, b []float32) {
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

// Dropout gives y = x*mask/(1-p) + res, with the mask of Keep over the element's index. res may be nil. The gradient
// is the same call with dy for x.
func Dropout(y, x, res []float32, seed []int32, salt int, p float32) {
	for i, v := range x {
		value := float64(v) * dropoutFactor(seed, salt, uint64(i), p)
		if res != nil {
			value += float64(res[i])
		}
		y[i] = float32(value)
	}
}

func runAdd(a *arguments) error {
	Add(a.float("out"), a.float("a"), a.float("b"))
	return nil
}

func runDropout(a *arguments) error {
	Dropout(a.float("y"), a.float("x"), a.float("res"), a.int("seed"), a.dim("salt"), a.scalar("dropout"))
	return nil
}
