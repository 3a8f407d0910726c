package kernel

// dotBytes multiplies two vectors of quantised blocks. Within a block, lane l sums
// the products 2l, 2l+1, 16+2l and 17+2l as integers (the order that suits 128-bit
// halves); each lane's sum is then converted, scaled and added to the lane.
func dotBytes(w []int8, ws []float32, x []int8, xs []float32) float32 {
	var o [lanes]float32
	xs = xs[:len(ws)]
	for k, scale := range ws {
		a, b := (*[Block]int8)(w[k*Block:]), (*[Block]int8)(x[k*Block:])
		scale = float32(scale * xs[k])
		for l := range o {
			s := int32(a[2*l])*int32(b[2*l]) + int32(a[2*l+1])*int32(b[2*l+1]) +
				int32(a[16+2*l])*int32(b[16+2*l]) + int32(a[17+2*l])*int32(b[17+2*l])
			o[l] += float32(float32(s) * scale)
		}
	}
	return tree(&o)
}
