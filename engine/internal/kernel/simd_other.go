//go:build !amd64 || purego

package kernel

// fast says that there is SIMD for this CPU.
const fast = false

func (m *Matrix) mulRowsFast(y, x *Batch, count, from, to int) { m.mulRowsPlain(y, x, count, from, to) }

func quantizeFast(v vector, x []float32, g Grain) { quantizePlain(v, x, g) }

func expFast([]float32, float32) int { return 0 }

func expDoublesFast([]float64) int { return 0 }

func gateFast(_, _ []float32) int { return 0 }

func scoresFast(scores, q, keys []float32, scale float32) { scoresPlain(scores, q, keys, scale) }

func weightedFast(out, weights, values []float32) { weightedPlain(out, weights, values) }
