package vocab

import (
	"container/heap"
	"strings"
	"unicode/utf8"
)

// encodePieces joins the neighbours that make the best-scored token, the leftmost
// first.
func (v *Vocab) encodePieces(ids []uint32, text string) []uint32 {
	text = strings.ReplaceAll(text, " ", space)
	symbols := make([]symbol, 0, len(text))
	for rest := text; rest != ""; {
		_, n := utf8.DecodeRuneInString(rest)
		symbols = append(symbols, symbol{text: rest[:n], prev: len(symbols) - 1, next: len(symbols) + 1})
		rest = rest[n:]
	}
	var q queue
	pair := func(i int) {
		j := symbols[i].next
		if j >= len(symbols) {
			return
		}
		joined := symbols[i].text + symbols[j].text
		if len(joined) > v.longest {
			return
		}
		if id, ok := v.ids[joined]; ok {
			heap.Push(&q, merge{left: i, right: j, text: joined, score: v.scores[id]})
		}
	}
	for i := range symbols {
		pair(i)
	}
	for q.Len() > 0 {
		m := heap.Pop(&q).(merge)
		left, right := &symbols[m.left], &symbols[m.right]
		// A merge whose parts have since become something else is stale.
		if left.text == "" || right.text == "" || left.next != m.right || len(left.text)+len(right.text) != len(m.text) {
			continue
		}
		left.text, right.text = m.text, ""
		left.next = right.next
		if left.next < len(symbols) {
			symbols[left.next].prev = m.left
		}
		pair(m.left)
		if left.prev >= 0 {
			pair(left.prev)
		}
	}
	for _, s := range symbols {
		if s.text != "" {
			ids = v.spell(ids, s.text)
		}
	}
	return ids
}

// spell appends the token of a symbol, or its bytes.
func (v *Vocab) spell(ids []uint32, text string) []uint32 {
	if id, ok := v.ids[text]; ok {
		return append(ids, id)
	}
	if text == space {
		text = " "
	}
	for i := range len(text) {
		if id := v.bytes[text[i]]; id >= 0 {
			ids = append(ids, uint32(id)) //nolint:gosec // not negative, below the number of tokens
		} else {
			ids = append(ids, v.unknown)
		}
	}
	return ids
}

// symbol is a run of text that may still grow; those that were swallowed are empty.
type symbol struct {
	text       string
	prev, next int
}

// merge is a pair of neighbours that make a token.
type merge struct {
	left, right int
	text        string
	score       float32
}

// queue orders merges by score, then from the left.
type queue []merge

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].score != q[j].score {
		return q[i].score > q[j].score
	}
	return q[i].left < q[j].left
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(merge)) }
func (q *queue) Pop() any {
	old := *q
	m := old[len(old)-1]
	*q = old[:len(old)-1]
	return m
}
