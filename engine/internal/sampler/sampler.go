// Package sampler chooses the next token from a model's logits, so that the same
// logits, settings and seed give the same token everywhere.
//
// At temperature zero it takes the largest logit, of equals the first. Otherwise
// tokens are ordered by logit, those of equal logit by id; the first top-k stay;
// their weights are e^((logit-largest)/temperature), and those below 2^-30 are
// dropped; of the rest the first stay whose sum reaches top-p of the whole sum;
// and one is drawn with the next number of a PCG generator (math/rand/v2) seeded
// with the request's seed. Tokens that the caller forbids are left out before
// top-k; if all likely ones are, the likeliest of the others is taken. All sums run in that order in float64.
package sampler

import (
	"cmp"
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/aitbc/aitbc/engine/internal/kernel"
)

// stream is the second half of the generator's seed; the first is the request's.
const stream = 0x61697462632f3031 // "aitbc/01"

// leastWeight is 2^-30.
const leastWeight = 1.0 / (1 << 30)

// Settings say how to choose. The zero value is greedy.
type Settings struct {
	TemperatureMilli uint32
	TopPMilli        uint32 // 0 and from 1000 on: all
	TopK             uint32 // 0: all
	Seed             uint64
}

// A Sampler chooses the tokens of one answer. It belongs to one goroutine.
type Sampler struct {
	set    Settings
	random *rand.PCG

	kept, spare []candidate
	weights     []float64
}

type candidate struct {
	id     uint32
	logit  float32
	weight float64
}

// New returns a sampler at the beginning of its random sequence.
func New(s Settings) *Sampler {
	return &Sampler{set: s, random: rand.NewPCG(s.Seed, stream)}
}

// Next chooses a token among those that allowed accepts; nil accepts all. It asks
// for few tokens, the likeliest first. ok is false if none is accepted. Logits
// that are not numbers are never chosen.
func (s *Sampler) Next(logits []float32, allowed func(id uint32) bool) (id uint32, ok bool) {
	if s.set.TemperatureMilli == 0 {
		return greedy(logits, allowed)
	}
	s.order(logits)
	s.filter(allowed)
	if len(s.kept) == 0 {
		return greedy(logits, allowed)
	}
	s.weigh()
	return s.draw()
}

func greedy(logits []float32, allowed func(uint32) bool) (uint32, bool) {
	best := -1
	for i, v := range logits {
		if v == v && (best < 0 || v > logits[best]) {
			best = i
		}
	}
	if best < 0 || allowed == nil || allowed(uint32(best)) {
		return uint32(max(best, 0)), best >= 0
	}
	q := likeliest{logits: logits}
	for i, v := range logits {
		if v == v && i != best {
			q.ids = append(q.ids, uint32(i))
		}
	}
	heap.Init(&q)
	for q.Len() > 0 {
		if id := heap.Pop(&q).(uint32); allowed(id) {
			return id, true
		}
	}
	return 0, false
}

// likeliest is a heap of tokens, those of the largest logit first, of equals the first.
type likeliest struct {
	logits []float32
	ids    []uint32
}

func (q *likeliest) Len() int { return len(q.ids) }
func (q *likeliest) Less(i, j int) bool {
	a, b := q.ids[i], q.ids[j]
	return q.logits[a] > q.logits[b] || q.logits[a] == q.logits[b] && a < b
}
func (q *likeliest) Swap(i, j int) { q.ids[i], q.ids[j] = q.ids[j], q.ids[i] }
func (q *likeliest) Push(x any)    { q.ids = append(q.ids, x.(uint32)) }
func (q *likeliest) Pop() any {
	last := q.ids[len(q.ids)-1]
	q.ids = q.ids[:len(q.ids)-1]
	return last
}

// order keeps the tokens that can have a weight of 2^-30 or more, sorted.
func (s *Sampler) order(logits []float32) {
	s.kept = s.kept[:0]
	top, found := float32(0), false
	for _, v := range logits {
		if v == v && (!found || v > top) {
			top, found = v, true
		}
	}
	// e^-21 < 2^-30; the margin covers rounding.
	floor := float64(top) - float64(21*float64(s.set.TemperatureMilli)/1000)
	for i, v := range logits {
		if v == v && float64(v) >= floor {
			s.kept = append(s.kept, candidate{id: uint32(i), logit: v})
		}
	}
	s.sort()
}

// few is the number of candidates up to which comparing is faster than counting.
const few = 256

// sort orders the candidates, which come in the order of their ids. Many are sorted by
// the digits of their logits, the lowest first, which keeps equal ones in order.
func (s *Sampler) sort() {
	if len(s.kept) <= few {
		slices.SortFunc(s.kept, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
		})
		return
	}
	const bits, passes = 11, 3
	var count [passes][1 << bits]int
	for _, c := range s.kept {
		key := descending(c.logit)
		for p := range count {
			count[p][key>>(p*bits)&(1<<bits-1)]++
		}
	}
	s.spare = slices.Grow(s.spare[:0], len(s.kept))[:len(s.kept)]
	for p := range count {
		at := 0
		for d, n := range count[p] {
			count[p][d], at = at, at+n
		}
		for _, c := range s.kept {
			d := descending(c.logit) >> (p * bits) & (1<<bits - 1)
			s.spare[count[p][d]] = c
			count[p][d]++
		}
		s.kept, s.spare = s.spare, s.kept
	}
}

// descending is a number that is the smaller, the larger the logit is.
func descending(logit float32) uint32 {
	bits := math.Float32bits(logit + 0) // no number is -0
	if bits>>31 != 0 {
		return bits
	}
	return ^bits &^ (1 << 31)
}

func (s *Sampler) filter(allowed func(uint32) bool) {
	if allowed != nil {
		s.kept = slices.DeleteFunc(s.kept, func(c candidate) bool { return !allowed(c.id) })
	}
	if k := int(min(s.set.TopK, 1<<30)); k > 0 && len(s.kept) > k {
		s.kept = s.kept[:k]
	}
}

// weigh sets the weights and cuts off the tail.
func (s *Sampler) weigh() {
	s.weights = s.weights[:0]
	for _, c := range s.kept {
		distance := float64(c.logit) - float64(s.kept[0].logit)
		s.weights = append(s.weights, float64(distance*1000)/float64(s.set.TemperatureMilli))
	}
	kernel.Exps(s.weights)
	var sum float64
	for i := range s.kept {
		c := &s.kept[i]
		c.weight = s.weights[i]
		if c.weight < leastWeight {
			s.kept = s.kept[:i]
			break
		}
		sum += c.weight
	}
	if s.set.TopPMilli == 0 || s.set.TopPMilli >= 1000 {
		return
	}
	limit := float64(sum*float64(s.set.TopPMilli)) / 1000
	var part float64
	for i, c := range s.kept {
		if part += c.weight; part >= limit {
			s.kept = s.kept[:i+1]
			return
		}
	}
}

func (s *Sampler) draw() (uint32, bool) {
	var sum float64
	for _, c := range s.kept {
		sum += c.weight
	}
	// 53 random bits as a number in [0, 1).
	at := float64(float64(s.random.Uint64()>>11) / (1 << 53) * sum)
	var part float64
	for _, c := range s.kept {
		if part += c.weight; part > at {
			return c.id, true
		}
	}
	return s.kept[len(s.kept)-1].id, true
}
