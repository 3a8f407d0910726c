// Package sched matches jobs to miners. It is a state machine without clock,
// lock or I/O: the coordinator feeds it events and carries out what it says.
//
// Jobs that any miner of a model may run wait in one queue per model; jobs that
// only some may run wait in a queue per such miner. Claiming looks at the heads
// of the miner's queues only, so its cost does not depend on how many wait.
package sched

import (
	"cmp"
	"container/list"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// A Job waits to be run.
type Job struct {
	ID          common.Hash
	Model       common.Hash // digest, never a name
	Class       common.Hash // zero for any
	Miners      []common.Address
	Excluded    []common.Address // miners that failed it
	PromptBound uint64           // no miner counts more prompt tokens
	MaxTokens   uint64
	MaxPrice    market.Amount
}

// An Offer is a model that a miner runs.
type Offer struct {
	Class common.Hash
	Rates market.Rates
}

// A Miner runs jobs.
type Miner struct {
	ID       common.Address
	Offers   map[common.Hash]Offer // by model digest
	Slots    int
	Draining bool
}

// A Reason says why a miner does not run a job now.
type Reason string

// The reasons.
const (
	Ready      Reason = "ready"
	Busy       Reason = "busy"
	Draining   Reason = "draining"
	NoModel    Reason = "model_not_offered"
	WrongClass Reason = "class"
	TooDear    Reason = "price"
	NotAllowed Reason = "not_a_candidate"
	Failed     Reason = "failed_this_job"
)

type entry struct {
	job      Job
	seq      uint64
	where    []*list.List // queues that hold it
	elements []*list.Element
}

type miner struct {
	Miner
	running map[common.Hash]bool
	own     *list.List // jobs that not every miner of the model may run
	waiting bool       // a claim is being held open
}

// Sched is the state. Use [New].
type Sched struct {
	seq    uint64
	jobs   map[common.Hash]*entry
	shared map[common.Hash]*list.List // by model
	miners map[common.Address]*miner
	// Jobs that only some miners may run: looked at again when a miner comes.
	restricted map[common.Hash]*entry
	assigned   map[common.Hash]common.Address
}

// New returns a scheduler without jobs or miners.
func New() *Sched {
	return &Sched{
		jobs: map[common.Hash]*entry{}, shared: map[common.Hash]*list.List{}, miners: map[common.Address]*miner{},
		restricted: map[common.Hash]*entry{}, assigned: map[common.Hash]common.Address{},
	}
}

func reason(m *miner, j *Job) Reason {
	o, ok := m.Offers[j.Model]
	switch {
	case !ok:
		return NoModel
	case j.Class != (common.Hash{}) && j.Class != o.Class:
		return WrongClass
	case len(j.Miners) > 0 && !slices.Contains(j.Miners, m.ID):
		return NotAllowed
	case slices.Contains(j.Excluded, m.ID):
		return Failed
	}
	if p, err := market.Price(o.Rates, market.Usage{PromptTokens: j.PromptBound, CompletionTokens: j.MaxTokens}); err != nil || p.Cmp(j.MaxPrice) > 0 {
		return TooDear
	}
	switch {
	case m.Draining:
		return Draining
	case len(m.running) >= m.Slots:
		return Busy
	}
	return Ready
}

func eligible(r Reason) bool { return r == Ready || r == Busy || r == Draining }

// PutMiner adds a miner or replaces its offers. Jobs that run on it go on. It
// returns true if a job may be waiting for it.
func (s *Sched) PutMiner(m Miner) bool {
	old := s.miners[m.ID]
	n := &miner{Miner: m, running: map[common.Hash]bool{}, own: list.New()}
	if old != nil {
		n.running, n.waiting = old.running, old.waiting
	}
	s.miners[m.ID] = n
	s.replan()
	_, ok := s.peek(n)
	return ok
}

// RemoveMiner takes a miner away. Its assigned jobs stay assigned until
// [Sched.Release] or [Sched.Remove].
func (s *Sched) RemoveMiner(id common.Address) {
	delete(s.miners, id)
	s.replan()
}

// replan places every restricted job, and every shared one whose terms no
// longer suit all miners of its model, into the right queues again.
func (s *Sched) replan() {
	all := make([]*entry, 0, len(s.jobs))
	for id, e := range s.jobs {
		if _, busy := s.assigned[id]; !busy {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range all {
		s.unplace(e)
	}
	for _, e := range all {
		s.place(e)
	}
}

func (s *Sched) place(e *entry) {
	var can []*miner
	general := len(e.job.Miners) == 0
	for _, m := range s.miners {
		r := reason(m, &e.job)
		if eligible(r) {
			can = append(can, m)
		} else if r != NoModel {
			general = false
		}
	}
	if general {
		q := s.shared[e.job.Model]
		if q == nil {
			q = list.New()
			s.shared[e.job.Model] = q
		}
		e.push(q)
		return
	}
	s.restricted[e.job.ID] = e
	for _, m := range can {
		e.push(m.own)
	}
}

// push keeps the queue in order of arrival: a job that comes back after a lost
// lease keeps its place.
func (e *entry) push(q *list.List) {
	at := q.Back()
	if front := q.Front(); front != nil && front.Value.(*entry).seq > e.seq {
		at = nil
	}
	for at != nil && at.Value.(*entry).seq > e.seq {
		at = at.Prev()
	}
	var el *list.Element
	if at == nil {
		el = q.PushFront(e)
	} else {
		el = q.InsertAfter(e, at)
	}
	e.where, e.elements = append(e.where, q), append(e.elements, el)
}

func (s *Sched) unplace(e *entry) {
	for i, q := range e.where {
		q.Remove(e.elements[i])
	}
	e.where, e.elements = nil, nil
	delete(s.restricted, e.job.ID)
}

// Enqueue adds a job at the end. It returns the cheapest waiting miner that can
// run it, to be woken, or false. A job that is known already is ignored.
func (s *Sched) Enqueue(j Job) (common.Address, bool) {
	if s.jobs[j.ID] != nil {
		return common.Address{}, false
	}
	s.seq++
	e := &entry{job: j, seq: s.seq}
	s.jobs[j.ID] = e
	s.place(e)
	return s.waiter(&e.job)
}

func (s *Sched) waiter(j *Job) (common.Address, bool) {
	var best *miner
	var bestPrice market.Amount
	for _, m := range s.miners {
		if !m.waiting || reason(m, j) != Ready {
			continue
		}
		p, err := market.Price(m.Offers[j.Model].Rates, market.Usage{PromptTokens: j.PromptBound, CompletionTokens: j.MaxTokens})
		if err != nil {
			continue
		}
		if best == nil || p.Cmp(bestPrice) < 0 || (p == bestPrice && m.ID.Cmp(best.ID) < 0) {
			best, bestPrice = m, p
		}
	}
	if best == nil {
		return common.Address{}, false
	}
	return best.ID, true
}

// peek returns the oldest job that m may start.
func (s *Sched) peek(m *miner) (*entry, bool) {
	if m.Draining || len(m.running) >= m.Slots {
		return nil, false
	}
	var best *entry
	look := func(q *list.List) {
		if q == nil || q.Front() == nil {
			return
		}
		if e := q.Front().Value.(*entry); best == nil || e.seq < best.seq {
			best = e
		}
	}
	look(m.own)
	for model := range m.Offers {
		look(s.shared[model])
	}
	return best, best != nil
}

// Claim assigns the oldest job that the miner may run, or returns false and
// remembers that the miner waits.
func (s *Sched) Claim(id common.Address) (Job, bool) {
	m := s.miners[id]
	if m == nil {
		return Job{}, false
	}
	e, ok := s.peek(m)
	m.waiting = !ok
	if !ok {
		return Job{}, false
	}
	s.unplace(e)
	m.running[e.job.ID] = true
	s.assigned[e.job.ID] = id
	return e.job, true
}

// StopWaiting says that the miner's claim is no longer held open.
func (s *Sched) StopWaiting(id common.Address) {
	if m := s.miners[id]; m != nil {
		m.waiting = false
	}
}

// Assign puts a job onto a miner without asking, as after a restart. The miner
// need not have come back yet.
func (s *Sched) Assign(j Job, id common.Address) {
	s.seq++
	s.jobs[j.ID] = &entry{job: j, seq: s.seq}
	s.assigned[j.ID] = id
	if m := s.miners[id]; m != nil {
		m.running[j.ID] = true
	}
}

// Release puts an assigned job back into its place in the queue; if exclude,
// the miner will not get it again. It returns a waiting miner to wake, or false.
func (s *Sched) Release(job common.Hash, exclude bool) (common.Address, bool) {
	e, id := s.jobs[job], s.assigned[job]
	if e == nil || id == (common.Address{}) {
		return common.Address{}, false
	}
	s.unassign(job)
	if exclude {
		e.job.Excluded = append(slices.Clone(e.job.Excluded), id)
	}
	s.place(e)
	return s.waiter(&e.job)
}

func (s *Sched) unassign(job common.Hash) {
	if m := s.miners[s.assigned[job]]; m != nil {
		delete(m.running, job)
	}
	delete(s.assigned, job)
}

// Remove forgets a job: it is done, cancelled or expired.
func (s *Sched) Remove(job common.Hash) {
	if e := s.jobs[job]; e != nil {
		s.unassign(job)
		s.unplace(e)
		delete(s.jobs, job)
	}
}

// Explain returns, for each miner, why it does not run the job.
func (s *Sched) Explain(job common.Hash) map[common.Address]Reason {
	e := s.jobs[job]
	if e == nil {
		return nil
	}
	out := make(map[common.Address]Reason, len(s.miners))
	for id, m := range s.miners {
		out[id] = reason(m, &e.job)
	}
	return out
}

// Running returns the number of jobs that a miner runs.
func (s *Sched) Running(id common.Address) int {
	if m := s.miners[id]; m != nil {
		return len(m.running)
	}
	return 0
}

// Queued returns the number of jobs that wait.
func (s *Sched) Queued() int { return len(s.jobs) - len(s.assigned) }
