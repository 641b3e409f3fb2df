package kernels

import (
	"fmt"
	"unsafe"
)

// Float32s, Int32s and Uint16s view aligned memory as elements, without a copy.
func Float32s(b []byte) []float32 { return view[float32](b) }

// Int32s views b as int32.
func Int32s(b []byte) []int32 { return view[int32](b) }

// Uint16s views b as the bits of half-precision numbers.
func Uint16s(b []byte) []uint16 { return view[uint16](b) }

// BytesOf views elements as bytes in the machine's order.
func BytesOf[E float32 | int32 | uint16](s []E) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

func view[E float32 | int32 | uint16](b []byte) []E {
	if len(b) == 0 {
		return nil
	}
	var e E
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(e)))
}

// Widen copies memory of a floating type to dst as fp32. Both must have the same number of elements.
func Widen(dst []float32, src []byte, dtype DType) error {
	if dtype == I32 || len(src) != len(dst)*dtype.Size() {
		return fmt.Errorf("widen: %d bytes of %v to %d elements: want a floating type of as many", len(src), dtype, len(dst))
	}
	switch dtype {
	case F32:
		copy(dst, Float32s(src))
	case BF16:
		for i, x := range Uint16s(src) {
			dst[i] = FromBF16(x)
		}
	case F16:
		for i, x := range Uint16s(src) {
			dst[i] = FromF16(x)
		}
	}
	return nil
}

// Narrow rounds src to a floating type and stores it in dst. Both must have the same number of elements.
func Narrow(dst []byte, src []float32, dtype DType) error {
	if dtype == I32 || len(dst) != len(src)*dtype.Size() {
		return fmt.Errorf("narrow: %d elements to %d bytes of %v: want a floating type of as many", len(src), len(dst), dtype)
	}
	bits := Uint16s(dst)
	switch dtype {
	case F32:
		copy(Float32s(dst), src)
	case BF16:
		for i, x := range src {
			bits[i] = ToBF16(x)
		}
	case F16:
		for i, x := range src {
			bits[i] = ToF16(x)
		}
	}
	return nil
}
