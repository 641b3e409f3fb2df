package model

import (
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"sync"
)

// initChunk is how many values one goroutine makes at a time: large enough that starting it costs nothing.
const initChunk = 1 << 18

// Initialize fills dst with the initial values of p. Value i depends on seed, p.Name, p.Init and i only: it is the same
// on every platform, for any order of calls and any number of threads. dst must have p.Len() elements.
//
// Each value is the normal quantile of one word of a counter-based generator (splitmix64 keyed by seed and name). Two
// things make that portable: no math.Log or math.Exp, whose assembly differs between platforms, and every product is
// converted to float64 before it is added, which by the language's rules forbids fused multiply-add.
func Initialize(p Param, seed uint64, dst []float32) error {
	if len(dst) != p.Len() {
		return fmt.Errorf("%s: got %d values to initialize, want %d for shape %v: allocate them by Params", p.Name, len(dst), p.Len(), p.Shape)
	}
	name := fnv.New64a()
	name.Write([]byte(p.Name)) // a hash's Write never fails
	key := mix(mix(seed) ^ name.Sum64())

	var wait sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for start := 0; start < len(dst); start += initChunk {
		slots <- struct{}{}
		wait.Go(func() {
			fill(p.Init, key, start, dst[start:min(start+initChunk, len(dst))])
			<-slots
		})
	}
	wait.Wait()
	return nil
}

// fill writes values start, start+1, ... of the stream named key.
func fill(init Init, key uint64, start int, dst []float32) {
	mean, std := float64(init.Mean), float64(init.Std)
	for i := range dst {
		if std == 0 {
			dst[i] = init.Mean
			continue
		}
		word := mix(key + uint64(start+i+1)*0x9e3779b97f4a7c15)
		uniform := (float64(word>>12) + 0.5) / (1 << 52) // never 0 nor 1
		dst[i] = float32(mean + float64(std*quantile(uniform)))
	}
}

// mix is the finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// quantile returns the x with P(X <= x) = p for a standard normal X and p in (0, 1), to about seven digits:
// PPND7 of Wichura, Algorithm AS 241, Applied Statistics 37 (1988).
func quantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return q * horner(r, 3.3871327179, 50.434271938, 159.29113202, 59.109374720) /
			horner(r, 1, 17.895169469, 78.757757664, 67.187563600)
	}
	tail := p
	if q > 0 {
		tail = 1 - p
	}
	var x float64
	if r := math.Sqrt(-logarithm(tail)); r <= 5 {
		x = horner(r-1.6, 1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103) /
			horner(r-1.6, 1, 0.73700164250, 0.12021132975, 0)
	} else {
		x = horner(r-5, 6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997) /
			horner(r-5, 1, 0.24197894225, 0.012258202635, 0)
	}
	return math.Copysign(x, q)
}

// horner returns c0 + c1 x + c2 x^2 + c3 x^3, each product rounded before its sum.
func horner(x, c0, c1, c2, c3 float64) float64 {
	s := float64(c3*x) + c2
	s = float64(s*x) + c1
	return float64(s*x) + c0
}

// logarithm returns the natural logarithm of x, for x in (0, 1), by 2 artanh((m-1)/(m+1)) on the mantissa m.
func logarithm(x float64) float64 {
	m, exponent := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, exponent = 2*m, exponent-1
	}
	s := (m - 1) / (m + 1) // |s| < 0.172, so s^21/21 is below 1e-17
	square := float64(s * s)
	sum := 0.0
	for k := 19; k >= 1; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	return float64(float64(2*s)*sum) + float64(float64(exponent)*math.Ln2)
}
