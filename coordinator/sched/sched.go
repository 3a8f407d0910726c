// Package sched matches jobs to miners. It is a state machine without clock,
// lock or I/O: the coordinator feeds it events and carries out what it says.
//
// Waiting jobs with the same terms are of one kind; within it each client has a
// line, and the clients take turns. A claim looks at the next jobs of the kinds
// that suit the miner only, so its cost does not depend on how many wait.
package sched

import (
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

type miner struct {
	Miner
	running map[common.Hash]bool
	waiting bool // a claim is being held open
	woken   bool // and told that there is work
}

// reason says why a miner does not run a job now.
func (m *miner) reason(j *Job) Reason {
	if r := m.Suits(&j.Terms); r != Ready {
		return r
	}
	if r := m.takes(j); r != Ready {
		return r
	}
	switch {
	case m.Draining:
		return Draining
	case len(m.running) >= m.Slots, slices.Contains(m.Unavailable, j.Terms.Model):
		return Busy
	}
	return Ready
}

// account is what fairness needs to know of a client.
type account struct {
	finish uint64 // the tag after its last job
	jobs   int    // that wait or run
}

// Sched is the state. Use [New].
type Sched struct {
	seq      uint64
	virtual  uint64 // the tag of the last job that was started
	jobs     map[common.Hash]*entry
	assigned map[common.Hash]common.Address
	miners   map[common.Address]*miner
	clients  map[common.Address]*account

	open  map[common.Hash]map[string]*kind    // kinds for any miner, by model
	named map[common.Address]map[string]*kind // kinds for certain miners, by each of these
	idle  map[common.Hash]idle                // by model
}

// New returns a scheduler without jobs or miners.
func New() *Sched {
	return &Sched{
		jobs: map[common.Hash]*entry{}, assigned: map[common.Hash]common.Address{}, miners: map[common.Address]*miner{}, clients: map[common.Address]*account{},
		open: map[common.Hash]map[string]*kind{}, named: map[common.Address]map[string]*kind{}, idle: map[common.Hash]idle{},
	}
}

// PutMiner adds a miner or replaces its offers. Jobs that run on it go on. It
// returns true if a job may be waiting for it.
func (s *Sched) PutMiner(m Miner) bool {
	n := &miner{Miner: m, running: map[common.Hash]bool{}}
	if old := s.miners[m.ID]; old != nil {
		waited := old.waiting
		s.rest(old, false)
		n.running = old.running
		s.rest(n, waited)
	} else {
		for job, id := range s.assigned { // it is back
			if id == m.ID {
				n.running[job] = true
			}
		}
	}
	s.miners[m.ID] = n
	return s.peek(n) != nil
}

// RemoveMiner takes a miner away. Its assigned jobs stay assigned until
// [Sched.Release] or [Sched.Remove].
func (s *Sched) RemoveMiner(id common.Address) {
	if m := s.miners[id]; m != nil {
		s.rest(m, false)
		delete(s.miners, id)
	}
}

// homes are the maps that hold the kind of such terms.
func (s *Sched) homes(t *Terms) []map[string]*kind {
	if len(t.Miners) == 0 {
		if s.open[t.Model] == nil {
			s.open[t.Model] = map[string]*kind{}
		}
		return []map[string]*kind{s.open[t.Model]}
	}
	out := make([]map[string]*kind, 0, len(t.Miners))
	for _, id := range t.Miners {
		if s.named[id] == nil {
			s.named[id] = map[string]*kind{}
		}
		out = append(out, s.named[id])
	}
	return out
}

func (s *Sched) place(e *entry, front bool) {
	key := e.job.Terms.key()
	homes := s.homes(&e.job.Terms)
	k := homes[0][key]
	if k == nil {
		k = &kind{key: key, terms: e.job.Terms, lines: map[common.Address]*line{}}
		for _, h := range homes {
			h[key] = k
		}
	}
	k.put(e, front)
}

func (s *Sched) unplace(e *entry) {
	if e.line == nil {
		return
	}
	k := e.line.kind
	if k.take(e); len(k.order) > 0 {
		return
	}
	if t := k.terms; len(t.Miners) == 0 {
		if delete(s.open[t.Model], k.key); len(s.open[t.Model]) == 0 {
			delete(s.open, t.Model)
		}
	}
	for _, id := range k.terms.Miners {
		if delete(s.named[id], k.key); len(s.named[id]) == 0 {
			delete(s.named, id)
		}
	}
}

// Enqueue adds a job behind its client's others. It returns a waiting miner that
// can run it, to be woken, or false. A job that is known already is ignored.
func (s *Sched) Enqueue(j Job) (common.Address, bool) {
	if s.jobs[j.ID] != nil {
		return common.Address{}, false
	}
	e := s.add(j)
	s.place(e, false)
	return s.wake(&e.job)
}

func (s *Sched) add(j Job) *entry {
	s.seq++
	c := s.clients[j.Client]
	if c == nil {
		c = &account{}
		s.clients[j.Client] = c
	}
	e := &entry{job: j, seq: s.seq, tag: max(s.virtual, c.finish)}
	c.finish = e.tag + j.work()
	c.jobs++
	s.jobs[j.ID] = e
	return e
}

// peek returns the job that m should start next, or nil.
func (s *Sched) peek(m *miner) *entry {
	if m.Draining || len(m.running) >= m.Slots {
		return nil
	}
	var best *entry
	look := func(kinds map[string]*kind) {
		for _, k := range kinds {
			if m.Suits(&k.terms) != Ready || slices.Contains(m.Unavailable, k.terms.Model) {
				continue
			}
			if e := k.first(&m.Miner); e != nil && (best == nil || before(e, best)) {
				best = e
			}
		}
	}
	look(s.named[m.ID])
	for model := range m.Offers {
		look(s.open[model])
	}
	return best
}

// Claim assigns the job whose turn it is among those that the miner may run, or
// returns false and remembers that the miner waits.
func (s *Sched) Claim(id common.Address) (Job, bool) {
	m := s.miners[id]
	if m == nil {
		return Job{}, false
	}
	e := s.peek(m)
	if s.rest(m, e == nil); e == nil {
		m.woken = false
		return Job{}, false
	}
	s.unplace(e)
	s.virtual = max(s.virtual, e.tag)
	m.running[e.job.ID] = true
	s.assigned[e.job.ID] = id
	return e.job, true
}

// StopWaiting says that the miner's claim is no longer held open.
func (s *Sched) StopWaiting(id common.Address) {
	if m := s.miners[id]; m != nil {
		s.rest(m, false)
	}
}

// Overlooked returns waiting miners to be woken for jobs that wait although they
// could run, at most one for each kind of job: miners that were woken for them
// have gone. It is to be called now and then.
func (s *Sched) Overlooked() []common.Address {
	var out []common.Address
	for _, kinds := range s.open {
		for k := range maps.Values(kinds) {
			out = s.nudge(out, k)
		}
	}
	for id, kinds := range s.named {
		for k := range maps.Values(kinds) {
			if k.terms.Miners[0] == id { // once for each kind
				out = s.nudge(out, k)
			}
		}
	}
	return out
}

func (s *Sched) nudge(to []common.Address, k *kind) []common.Address {
	l := k.order[0]
	for e := range l.next {
		if id, ok := s.wake(&e.job); ok {
			return append(to, id)
		}
	}
	if len(s.idle[k.terms.Model]) > 0 {
		l.turn() // an idle miner may do for those that lie further back
	}
	return to
}

// Assign puts a job onto a miner without asking, as after a restart. The miner
// need not have come back yet.
func (s *Sched) Assign(j Job, id common.Address) {
	s.add(j)
	s.assigned[j.ID] = id
	if m := s.miners[id]; m != nil {
		m.running[j.ID] = true
	}
}

// Release puts an assigned job back in front of its client's line; if exclude,
// the miner will not get it again. It returns a waiting miner to wake, or false.
func (s *Sched) Release(job common.Hash, exclude bool) (common.Address, bool) {
	e, id := s.jobs[job], s.assigned[job]
	if e == nil || id == (common.Address{}) {
		return common.Address{}, false
	}
	s.unassign(job)
	if exclude {
		e.job.Excluded = append(slices.Clip(e.job.Excluded), id)
	}
	s.place(e, true)
	return s.wake(&e.job)
}

func (s *Sched) unassign(job common.Hash) {
	if m := s.miners[s.assigned[job]]; m != nil {
		delete(m.running, job)
	}
	delete(s.assigned, job)
}

// Remove forgets a job: it is done, cancelled or expired.
func (s *Sched) Remove(job common.Hash) {
	e := s.jobs[job]
	if e == nil {
		return
	}
	s.unassign(job)
	s.unplace(e)
	delete(s.jobs, job)
	c := s.clients[e.job.Client]
	if c.jobs--; c.jobs == 0 {
		// Whoever comes back later begins anew; that it was served more than others until now gives it nothing to pay.
		delete(s.clients, e.job.Client)
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
		out[id] = m.reason(&e.job)
	}
	return out
}

// Knows reports whether a job waits or runs.
func (s *Sched) Knows(job common.Hash) bool { return s.jobs[job] != nil }

// Judge returns why a miner that is not the scheduler's own, and runs so many
// jobs, does not run one of its jobs.
func (s *Sched) Judge(job common.Hash, m Miner, running int) (Reason, bool) {
	e := s.jobs[job]
	if e == nil {
		return "", false
	}
	r := (&miner{Miner: m}).reason(&e.job)
	if r == Ready && running >= m.Slots {
		r = Busy
	}
	return r, true
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
