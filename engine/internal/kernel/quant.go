package kernel

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/aitbc/aitbc/engine/gguf"
)

// A Grain is how many values of a vector share a scale where it meets a matrix.
type Grain int

// The grains.
const (
	Whole  Grain = iota // floating-point weights: the vector as it is
	Fine                // Q8_0 and Q4_0: 32 values
	Coarse              // Q4_K and Q6_K: 256 values
)

func grain(t gguf.Type) Grain {
	switch t {
	case gguf.Q8_0, gguf.Q4_0:
		return Fine
	case gguf.Q4K, gguf.Q6K:
		return Coarse
	default:
		return Whole
	}
}

// A row is one row of quantised weights taken apart: weight i is words[i] times the
// scale of its block, less minima[i/Block] where the type has minima. Words of coarse
// grain are already multiplied by the integers that parts of a block share.
type row struct {
	grain          Grain
	words          []int16
	scales, minima []float32
}

// computed says whether the package computes with weights of that type.
func computed(t gguf.Type) bool {
	return grain(t) != Whole || t == gguf.F32 || t == gguf.F16 || t == gguf.BF16
}

func newRow(g Grain, cols int) row {
	w := row{grain: g, words: make([]int16, cols), minima: make([]float32, cols/Block)}
	w.scales = make([]float32, cols/g.block())
	return w
}

// unpack takes a row of the type apart.
func (w *row) unpack(t gguf.Type, src []byte) {
	size := w.grain.block()
	for k := range w.scales {
		words := w.words[k*size : (k+1)*size]
		switch t {
		case gguf.Q8_0:
			raw := src[k*34 : (k+1)*34]
			w.scales[k] = half(binary.LittleEndian.Uint16(raw))
			for i, v := range raw[2:] {
				words[i] = int16(int8(v)) //nolint:gosec // the byte is a signed number
			}
		case gguf.Q4_0:
			raw := src[k*18 : (k+1)*18]
			w.scales[k] = half(binary.LittleEndian.Uint16(raw))
			for i, v := range raw[2:] {
				words[i], words[16+i] = int16(v&15)-8, int16(v>>4)-8
			}
		case gguf.Q4K:
			raw := src[k*144 : (k+1)*144]
			w.scales[k] = half(binary.LittleEndian.Uint16(raw))
			unpackQ4KPlain(words, w.minima[8*k:8*k+8], raw)
		case gguf.Q6K:
			raw := src[k*210 : (k+1)*210]
			w.scales[k] = half(binary.LittleEndian.Uint16(raw[208:]))
			unpackQ6KPlain(words, raw)
		default: // has no integers
		}
	}
}

func unpackQ4KPlain(words []int16, minima []float32, raw []byte) {
	least, packed := half(binary.LittleEndian.Uint16(raw[2:])), raw[4:16]
	for j := range minima {
		var scale, minimum byte // of six bits each
		if j < 4 {
			scale, minimum = packed[j]&63, packed[j+4]&63
		} else {
			scale, minimum = packed[j+4]&15|packed[j-4]>>6<<4, packed[j+4]>>4|packed[j]>>6<<4
		}
		minima[j] = float32(least * float32(minimum))
		quants := raw[16+j/2*Block:]
		for i := range Block {
			words[j*Block+i] = int16(quants[i]>>(j%2*4)&15) * int16(scale)
		}
	}
}

func unpackQ6KPlain(words []int16, raw []byte) {
	for j := range 8 {
		part := j / 4 // of 128 weights
		low, high, scales := raw[part*64+j%2*32:], raw[128+part*32:], raw[192+2*j:]
		for i := range Block {
			q := int16(low[i]>>(j%4/2*4)&15 | high[i]>>(j%4*2)&3<<4)
			words[j*Block+i] = (q - 32) * int16(int8(scales[i/16])) //nolint:gosec // the byte is a signed number
		}
	}
}

// dot multiplies the row with a quantised vector. Within 32 weights of fine grain, lane
// l sums the products 2l, 2l+1, 16+2l and 17+2l as integers (the order that suits
// 128-bit halves), of coarse grain those from 4l to 4l+3 of all 32 in the block (the
// order that suits bytes). Each lane's sum is then converted, scaled and added to the
// lane. Minima count as many times as the 32 values add up to.
func (w *row) dot(minima bool, x vector) float32 {
	var o [lanes]float32
	size := w.grain.block()
	for k, scale := range w.scales {
		a, b := w.words[k*size:(k+1)*size], x.values[k*size:(k+1)*size]
		scale = float32(scale * x.scales[k])
		for l := range o {
			s := int32(0)
			if w.grain == Fine {
				s = int32(a[2*l])*int32(b[2*l]) + int32(a[2*l+1])*int32(b[2*l+1]) +
					int32(a[16+2*l])*int32(b[16+2*l]) + int32(a[17+2*l])*int32(b[17+2*l])
			} else {
				for i := 4 * l; i < len(a); i += Block {
					s += int32(a[i])*int32(b[i]) + int32(a[i+1])*int32(b[i+1]) + int32(a[i+2])*int32(b[i+2]) + int32(a[i+3])*int32(b[i+3])
				}
			}
			o[l] += float32(float32(s) * scale)
		}
	}
	if !minima {
		return tree(&o)
	}
	return tree(&o) - Dot(w.minima, x.sums[:len(w.minima)])
}

// checkScales refuses quantised weights that are not finite.
func checkScales(t gguf.Tensor) error {
	size, offsets := 34, []int{0}
	switch t.Type {
	case gguf.Q4_0:
		size = 18
	case gguf.Q4K:
		size, offsets = 144, []int{0, 2}
	case gguf.Q6K:
		size, offsets = 210, []int{208}
	default: // Q8_0
	}
	for at := 0; at < len(t.Data); at += size {
		for _, o := range offsets {
			if t.Data[at+o+1]&0x7c == 0x7c { // the exponent of infinities and of what is no number
				return fmt.Errorf("tensor %q: the scale of block %d is not finite", t.Name, at/size)
			}
		}
	}
	return nil
}

// Floats returns the elements of an F32, F16 or BF16 tensor. Weights that are not
// finite are refused.
func Floats(t gguf.Tensor) ([]float32, error) {
	if grain(t.Type) != Whole || !computed(t.Type) {
		return nil, fmt.Errorf("tensor %q is %s, not f32, f16 or bf16", t.Name, t.Type)
	}
	out := make([]float32, t.Elements())
	widen(t.Type, out, t.Data)
	for i, v := range out {
		if !finite(v) {
			return nil, fmt.Errorf("tensor %q: element %d is not finite", t.Name, i)
		}
	}
	return out, nil
}

// widen writes elements of F32, F16 or BF16 as float32, exactly.
func widen(t gguf.Type, out []float32, in []byte) {
	switch t {
	case gguf.F16:
		for i := range out {
			out[i] = half(binary.LittleEndian.Uint16(in[2*i:]))
		}
	case gguf.BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(in[2*i:])) << 16)
		}
	default:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(in[4*i:]))
		}
	}
}

func finite(v float32) bool { return v-v == 0 }

// half converts IEEE 754 binary16.
func half(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(frac)/(1<<24)))
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
