package sched

import (
	"container/heap"
	"container/list"

	"github.com/ethereum/go-ethereum/common"
)

// How far a claim looks for a job that the miner is not too dear for. What lies behind is not forgotten: see line.turn.
const (
	looksOver = 16 // clients of one kind
	looksDeep = 16 // jobs of one client
)

// entry is a job that waits or runs.
type entry struct {
	job Job
	seq uint64
	// tag is when the job's turn is, in the work done for others before: start-time fair queueing (Goyal, Vin and Cheng,
	// SIGCOMM 1996). A client that has sent a thousand jobs waits behind the first job of one that has sent none.
	tag  uint64
	line *line // nil while it runs
	at   *list.Element
}

// line is the waiting jobs of one client and kind, in their order.
type line struct {
	kind   *kind
	client common.Address
	jobs   *list.List // of *entry
	index  int        // in the kind's heap
}

func (l *line) head() *entry { return l.jobs.Front().Value.(*entry) }

// next are a line's next jobs, as far as a claim looks.
func (l *line) next(yield func(*entry) bool) {
	at := l.jobs.Front()
	for i := 0; i < looksDeep && at != nil && yield(at.Value.(*entry)); i++ {
		at = at.Next()
	}
}

// find returns the first of a line's next jobs that the miner takes, or nil.
func (l *line) find(m *Miner) *entry {
	for e := range l.next {
		if m.takes(&e.job) == Ready {
			return e
		}
	}
	return nil
}

// turn moves the line's first job behind its others, so that jobs that this miner does not take hide those behind them
// for a while only.
func (l *line) turn() {
	if l.jobs.Len() > looksDeep {
		l.jobs.MoveToBack(l.jobs.Front())
		heap.Fix(&l.kind.order, l.index)
	}
}

// kind is the waiting jobs with the same terms.
type kind struct {
	key   string
	terms Terms
	lines map[common.Address]*line // by client
	order lines
}

// first returns the job whose turn is soonest among those that the miner takes, or nil. The miner suits the kind.
func (k *kind) first(m *Miner) *entry {
	if e := k.order[0].find(m); e != nil {
		return e
	}
	var aside []*line
	var found *entry
	for found == nil && len(k.order) > 0 && len(aside) < looksOver {
		l := heap.Pop(&k.order).(*line)
		aside = append(aside, l)
		found = l.find(m)
	}
	if found == nil && len(k.order) > 0 {
		// So that those behind these are looked at, too, one by one.
		aside[0].head().tag = aside[len(aside)-1].head().tag + 1
	}
	for _, l := range aside {
		heap.Push(&k.order, l)
	}
	if found == nil {
		aside[0].turn()
	}
	return found
}

// lines is a heap by whose turn it is. It is never kept empty.
type lines []*line

// Len implements heap.Interface, as do the others.
func (h lines) Len() int { return len(h) }

// Less compares turns.
func (h lines) Less(i, j int) bool { return before(h[i].head(), h[j].head()) }

// Swap exchanges two lines.
func (h lines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds a line at the end.
func (h *lines) Push(x any) {
	l := x.(*line)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop removes the last line.
func (h *lines) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}

func before(a, b *entry) bool { return a.tag < b.tag || a.tag == b.tag && a.seq < b.seq }

// put adds a waiting job to its client's line: at the end, or in front if it came back.
func (k *kind) put(e *entry, front bool) {
	l := k.lines[e.job.Client]
	fresh := l == nil
	if fresh {
		l = &line{kind: k, client: e.job.Client, jobs: list.New()}
		k.lines[e.job.Client] = l
	}
	if e.line = l; front {
		e.at = l.jobs.PushFront(e)
	} else {
		e.at = l.jobs.PushBack(e)
	}
	if fresh {
		heap.Push(&k.order, l)
	} else {
		heap.Fix(&k.order, l.index)
	}
}

// take removes a waiting job, and its line with the last.
func (k *kind) take(e *entry) {
	l := e.line
	if e.line = nil; l.jobs.Len() == 1 {
		heap.Remove(&k.order, l.index) // while it has a head to be compared by
		delete(k.lines, l.client)
		return
	}
	l.jobs.Remove(e.at)
	heap.Fix(&k.order, l.index)
}
