package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/wal"
)

// Orders, leases and results, of which there are thousands a second, do not go to
// the database one by one. Each is decided in memory, written to the log as one
// record, and answered when that is on the disk, with all that came meanwhile: one
// sync for many. The database gets them a moment later, in one transaction, each
// row once. What is not in it after a crash is in the log.

// linger is how long a record that nobody awaits stays before it is written.
const linger = 5 * time.Millisecond

// A group is records that go to the disk together.
type group struct {
	delta   *delta
	records []byte
	err     error
	done    chan struct{} // closed when they are on the disk, or err is set
}

func newGroup() *group { return &group{delta: newDelta(), done: make(chan struct{})} }

// wait says when an answer may be given.
type wait int

const (
	onDisk wait = iota
	soon        // at once: a crash may undo it
)

// decide runs a use case on memory, and writes what it changed. fn may be run
// several times, and must read before it does anything else. A nil change
// changes nothing, and is answered when what it read is on the disk.
func (s *Store) decide(ctx context.Context, w wait, fn func(view) (*change, error)) error {
	g, err := s.decision(ctx, fn)
	if err != nil {
		return err
	}
	if w == soon {
		s.nudge()
		return nil
	}
	return s.await(g)
}

// decision decides, and returns the group of records with what was changed.
func (s *Store) decision(ctx context.Context, fn func(view) (*change, error)) (*group, error) {
	var ended *ledger.Job
	for {
		g, err := s.decideOnce(ended, fn)
		need, ok := errors.AsType[missing](err)
		if !ok {
			return g, err
		}
		j, err := s.fetch(ctx, need)
		if err != nil {
			return nil, err
		}
		ended = cmp.Or(j, ended)
	}
}

// decideOnce runs fn, and returns the group that its change is in. The lock is
// held while fn signs: the next number depends on this one's end.
func (s *Store) decideOnce(ended *ledger.Job, fn func(view) (*change, error)) (*group, error) {
	s.run.Lock()
	defer s.run.Unlock()
	if s.failed != nil {
		return nil, s.failed
	}
	c, err := fn(view{&s.working, s.moves, ended})
	if err != nil || c == nil {
		return s.open, err
	}
	s.number++
	s.working.put(c.job)
	s.working.settle(c.session, c.miner)
	s.working.spend(c.budget)
	s.open.delta.add(s.number, c)
	s.open.records = wal.Append(s.open.records, s.epoch, s.number, c.encode)
	return s.open, nil
}

// await returns when a group is on the disk. Whoever finds nobody writing writes,
// and the others' records with its own.
func (s *Store) await(g *group) error {
	select {
	case <-g.done:
	case s.writing <- struct{}{}:
		runtime.Gosched() // who is about to decide comes along
		s.write()
		<-s.writing
		<-g.done
	}
	return g.err
}

// nudge has records written that nobody awaits, a little later: mostly others
// take them along.
func (s *Store) nudge() {
	if s.nudged.CompareAndSwap(false, true) {
		s.later.Reset(linger)
	}
}

// writeLate writes what [Store.nudge] was called for.
func (s *Store) writeLate() {
	s.nudged.Store(false)
	s.run.Lock()
	g := s.open
	s.run.Unlock()
	_ = s.await(g) // nobody waits for it: the next who does gets the error
}

// write brings the open group to the disk and opens another. The caller holds
// the token of s.writing.
func (s *Store) write() {
	s.run.Lock()
	g := s.open
	s.open = newGroup()
	s.run.Unlock()
	defer close(g.done)
	if len(g.records) == 0 {
		return
	}
	if err := s.log.Write(g.records); err != nil {
		// What of it is on the disk is not known, and memory is ahead of it.
		g.err = fmt.Errorf("%w: %w; restart the coordinator", ledger.ErrUnknown, err)
		s.fail(g.err)
		return
	}
	s.show(g.delta)
}

// fail has everything refused from now on.
func (s *Store) fail(err error) {
	s.run.Lock()
	defer s.run.Unlock()
	if s.failed == nil {
		s.failed = err
		close(s.broken)
	}
}

// Watch returns when the store can write no more, with the reason, or when ctx is
// done or the store closed, with nil. Only another process that reads what is on
// the disk can go on then.
func (s *Store) Watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.broken:
	}
	s.run.Lock()
	defer s.run.Unlock()
	if errors.Is(s.failed, ledger.ErrClosed) {
		return nil
	}
	return s.failed
}

// show lets readers see what is on the disk, and notes it for the database.
func (s *Store) show(d *delta) {
	s.shows.Lock()
	for _, r := range d.jobs {
		s.shown.put(r.job)
	}
	for _, b := range d.sessions {
		s.shown.settle(b, nil)
	}
	for _, e := range d.miners {
		s.shown.settle(nil, e)
	}
	for _, p := range d.budgets {
		s.shown.spend(p)
	}
	s.pending.merge(d)
	many := len(s.pending.jobs) >= flushJobs
	s.shows.Unlock()
	if many {
		select {
		case s.full <- struct{}{}:
		default: // told already
		}
	}
}
