package kernel

import "math"

// lanes is the number of partial sums of a floating-point reduction.
const lanes = 8

// tree adds the lanes in their fixed order.
func tree(l *[lanes]float32) float32 {
	return ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]))
}

// Dot returns the sum of a[i]·b[i]: element i goes to lane i mod 8.
func Dot(a, b []float32) float32 {
	if fast && len(a) >= lanes && len(a)%lanes == 0 {
		var out [1]float32
		scoresFast(out[:], a, b[:len(a)], 1)
		return out[0]
	}
	return dotPlain(a, b)
}

func dotPlain(a, b []float32) float32 {
	var l [lanes]float32
	b = b[:len(a)]
	for len(a) >= lanes && len(b) >= lanes {
		l[0] += float32(a[0] * b[0])
		l[1] += float32(a[1] * b[1])
		l[2] += float32(a[2] * b[2])
		l[3] += float32(a[3] * b[3])
		l[4] += float32(a[4] * b[4])
		l[5] += float32(a[5] * b[5])
		l[6] += float32(a[6] * b[6])
		l[7] += float32(a[7] * b[7])
		a, b = a[lanes:], b[lanes:]
	}
	for i := range a {
		l[i] += float32(a[i] * b[i])
	}
	return tree(&l)
}

// Add adds x to y.
func Add(y, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

// Norm writes x, scaled to a mean square of one and by weight, to y.
func Norm(y, x, weight []float32, eps float32) {
	mean := Dot(x, x) / float32(len(x))
	scale := 1 / float32(math.Sqrt(float64(mean+eps)))
	for i := range y {
		y[i] = float32(float32(x[i]*scale) * weight[i])
	}
}

// Softmax turns scores into weights that sum to one.
func Softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	exponentials(x, top)
	var sum float32
	for _, v := range x {
		sum += v
	}
	scale := 1 / sum
	for i := range x {
		x[i] = float32(x[i] * scale)
	}
}

// Exps replaces each x by [Exp] of it.
func Exps(x []float64) {
	for i := 0; i < len(x); {
		if fast {
			i += expDoublesFast(x[i:])
		}
		for end := min(i+16, len(x)); i < end; i++ {
			x[i] = Exp(x[i])
		}
	}
}

// exponentials replaces each x by e^(x-top).
func exponentials(x []float32, top float32) {
	for i := 0; i < len(x); {
		if fast {
			i += expFast(x[i:], top)
		}
		for end := min(i+16, len(x)); i < end; i++ {
			x[i] = float32(Exp(float64(x[i] - top)))
		}
	}
}

// Gate writes silu(gate)·up to gate, where silu(v) = v/(1+e^-v).
func Gate(gate, up []float32) {
	up = up[:len(gate)]
	for i := 0; i < len(gate); {
		if fast {
			i += gateFast(gate[i:], up[i:])
		}
		for end := min(i+16, len(gate)); i < end; i++ {
			v := gate[i]
			gate[i] = float32(float32(float64(v)/(1+Exp(-float64(v)))) * up[i])
		}
	}
}

// Scores writes the dot products of q with each key, times scale, to scores. Keys
// stand one after another.
func Scores(scores, q, keys []float32, scale float32) {
	keys = keys[:len(scores)*len(q)]
	if fast && len(q)%lanes == 0 && len(scores) > 0 {
		scoresFast(scores, q, keys, scale)
		return
	}
	scoresPlain(scores, q, keys, scale)
}

func scoresPlain(scores, q, keys []float32, scale float32) {
	for t := range scores {
		scores[t] = float32(dotPlain(q, keys[t*len(q):(t+1)*len(q)]) * scale)
	}
}

// AddWeighted adds each value times its weight to out, one after another.
func AddWeighted(out, weights, values []float32) {
	values = values[:len(weights)*len(out)]
	if fast && len(out)%lanes == 0 && len(weights) > 0 {
		weightedFast(out, weights, values)
		return
	}
	weightedPlain(out, weights, values)
}

func weightedPlain(out, weights, values []float32) {
	for t, w := range weights {
		for i, v := range values[t*len(out) : (t+1)*len(out)] {
			out[i] += float32(w * v)
		}
	}
}

// Rotate turns the pairs (2i, 2i+1) of x by the angles whose sines and cosines are
// given.
func Rotate(x, sin, cos []float32) {
	for i, s := range sin {
		a, b, c := x[2*i], x[2*i+1], cos[i]
		x[2*i] = float32(a*c) - float32(b*s)
		x[2*i+1] = float32(a*s) + float32(b*c)
	}
}

// RotateHalves is [Rotate] for the pairs (i, i+n/2).
func RotateHalves(x, sin, cos []float32) {
	low, high := x[:len(sin)], x[len(sin):]
	for i, s := range sin {
		a, b, c := low[i], high[i], cos[i]
		low[i] = float32(a*c) - float32(b*s)
		high[i] = float32(a*s) + float32(b*c)
	}
}
