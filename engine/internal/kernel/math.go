// Package kernel has the arithmetic of the exact engine: a fixed order of
// operations, so that results are the same bits on every CPU and with any number
// of threads.
//
// Two rules make it so. Integer sums have no order, so weights and activations
// are multiplied as bytes into 32-bit integers; the few floating-point sums that
// remain go over eight lanes that are added as a fixed tree. And no product may be
// fused with an addition: Go allows that on some CPUs unless the product is
// converted explicitly, so every product here reads float32(a*b) or float64(a*b).
// Nothing of package math is used that may differ (only Sqrt, which IEEE 754
// fixes, and bit conversions).
package kernel

import "math"

const (
	ln2Hi  = 6.93147180369123816490e-01
	ln2Lo  = 1.90821492927058770002e-10
	log2E  = 1.44269504088896338700e+00
	halfPi = 1.57079632679489661923
	// The upper 33 bits of pi/2, the next 33, and the rest.
	halfPi1 = 1.57079632673412561417e+00
	halfPi2 = 6.07710050630396597660e-11
	halfPi3 = 2.02226624879595063154e-21
)

// round returns the integer nearest to x, for |x| < 2^51; halves go to even.
func round(x float64) float64 {
	const magic = 3 << 51
	return float64(x+magic) - magic
}

// Exp returns e^x, correctly rounded to float32 but for rare last bits, which are
// the same everywhere.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709:
		return math.Inf(1)
	case x < -700:
		return 0
	}
	k := round(float64(x * log2E))
	r := x - float64(k*ln2Hi)
	r -= float64(k * ln2Lo)
	// Taylor to r^13; |r| < 0.35, so the rest is below 2^-53.
	sum := 1.0
	for n := 13; n >= 1; n-- {
		sum = 1 + float64(float64(r*sum)*inverse[n])
	}
	return float64(sum * math.Float64frombits(uint64(int64(k)+1023)<<52)) //nolint:gosec // k is between -1010 and 1023
}

// inverse[n] is 1/n.
var inverse = func() (t [32]float64) {
	for n := 1; n < len(t); n++ {
		t[n] = 1 / float64(n)
	}
	return t
}()

// Log returns the natural logarithm of a positive normal number.
func Log(x float64) float64 {
	bits := math.Float64bits(x)
	k := int64(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52) // in [1, 2)
	if m > math.Sqrt2 {
		m /= 2
		k++
	}
	// ln m = 2 artanh s, s = (m-1)/(m+1), |s| < 0.18.
	s := (m - 1) / (m + 1)
	square := float64(s * s)
	sum := 0.0
	for n := 25; n >= 1; n -= 2 {
		sum = inverse[n] + float64(square*sum)
	}
	return float64(float64(k)*ln2Hi) + (float64(float64(2*s)*sum) + float64(float64(k)*ln2Lo))
}

// SinCos returns sine and cosine of x, for |x| < 2^20.
func SinCos(x float64) (sin, cos float64) {
	k := round(x / halfPi)
	r := x - float64(k*halfPi1)
	r -= float64(k * halfPi2)
	r -= float64(k * halfPi3)
	square := float64(r * r)
	sin, cos = 1, 1
	for n := 18; n >= 2; n -= 2 {
		// 1 - r²/(n(n+1)) · … and 1 - r²/((n-1)n) · …
		sin = 1 - float64(float64(square*sin)*float64(inverse[n]*inverse[n+1]))
		cos = 1 - float64(float64(square*cos)*float64(inverse[n-1]*inverse[n]))
	}
	sin = float64(sin * r)
	switch int64(k) & 3 {
	case 1:
		return cos, -sin
	case 2:
		return -sin, -cos
	case 3:
		return -cos, sin
	}
	return sin, cos
}
