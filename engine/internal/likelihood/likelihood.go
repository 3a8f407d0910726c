// Package likelihood says how likely tokens were by the logits of a model.
package likelihood

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine"
)

// Of is the logarithm of the probability of a token by the logits, before temperature and the like, and those of
// the top likeliest tokens; bytes is what a token stands for. It is told beside an answer and is no part of it: it need not be the same to the last bit.
func Of(logits []float32, id uint32, top int, bytes func(id uint32) []byte) *engine.Logprob {
	most := float64(slices.Max(logits))
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	norm := most + math.Log(sum)
	out := &engine.Logprob{Value: float64(logits[id]) - norm}
	if top == 0 {
		return out
	}
	ids := make([]uint32, 0, top+1)
	for i, x := range logits {
		if len(ids) == top && x <= logits[ids[top-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(ids, x, func(have uint32, x float32) int {
			if c := cmp.Compare(x, logits[have]); c != 0 {
				return c
			}
			return -1 // equal ones in their own order
		})
		ids = slices.Insert(ids, at, uint32(i))
		ids = ids[:min(len(ids), top)]
	}
	for _, i := range ids {
		text := strings.ToValidUTF8(string(bytes(i)), string(utf8.RuneError))
		out.Top = append(out.Top, engine.Candidate{ID: i, Text: text, Value: float64(logits[i]) - norm})
	}
	return out
}
