package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// orphanAfter is how many looks in a row find a job leased by this replica that
// it does not remember to have leased, before it minds it.
const orphanAfter = 2

// hear takes in what another replica tells.
func (s *Service) hear(ctx context.Context, n ledger.Note) {
	var err error
	switch n.Kind {
	case ledger.NoteLost:
		s.forgetKeys()
		err = s.sync(ctx, nil)
	case ledger.NoteKeys:
		s.forgetKeys(n.Jobs...)
	case ledger.NoteJobs:
		err = s.sync(ctx, n.Jobs)
	case ledger.NoteMiner:
		err = s.meet(ctx, n.Miner)
	case ledger.NoteFollow:
		s.shareFrom(n)
	case ledger.NotePieces:
		err = s.mirror(n)
	}
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "another replica's news were not taken in", "kind", n.Kind, "err", err)
	}
}

// sync brings what memory holds of jobs up to what the database says: of all
// open jobs, or of those of the ids. It is what makes a queued job known to every
// replica, and what takes a lease from one that minds it no more.
func (s *Service) sync(ctx context.Context, ids []common.Hash) error {
	at := time.Now()
	briefs, err := s.cluster.Briefs(ctx, ids)
	if err != nil {
		return err
	}
	var load []common.Hash
	var cancel []*lease
	s.mu.Lock()
	open := map[common.Hash]bool{}
	for _, b := range briefs {
		if b.Payment == market.Reserved {
			open[b.ID] = true
		}
		whole, stop := s.briefLocked(b, at, ids == nil)
		if whole {
			load = append(load, b.ID)
		}
		if stop != nil {
			cancel = append(cancel, stop)
		}
	}
	if ids == nil {
		for id, st := range s.streams {
			if !open[id] && st.made.Before(at) {
				load = append(load, id) // it has ended
			}
		}
	}
	s.mu.Unlock()
	for _, l := range cancel {
		if err := s.endLease(ctx, l, market.Canceled, "", ""); err != nil {
			return err
		}
	}
	if len(load) == 0 {
		return nil
	}
	jobs, err := s.cluster.Load(ctx, load)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		s.takeInLocked(j)
	}
	return nil
}

// briefLocked compares what memory holds of a job with how it stood at a time. It
// says whether the whole job is needed, and which lease to end as its client
// wants the job stopped.
func (s *Service) briefLocked(b ledger.Brief, at time.Time, full bool) (whole bool, cancel *lease) {
	l, st := s.leases[b.ID], s.streams[b.ID]
	if l != nil && !l.held.Before(at) {
		return false, nil // it was leased after that
	}
	switch {
	case b.Payment != market.Reserved:
		return st != nil, nil
	case b.State == market.Queued:
		if l != nil { // somebody else took the lease away
			s.dropLocked(l)
			s.stopped[l.miner] = append(s.stopped[l.miner], b.ID)
		}
		if st != nil {
			st.restart()
		}
		return !s.sched.Knows(b.ID), nil
	case b.Owner == s.me && l == nil:
		if full { // a lease whose making was interrupted
			s.orphans[b.ID]++
		}
		return s.orphans[b.ID] >= orphanAfter, nil
	case b.Owner == s.me:
		if b.Cancel && !l.cancel {
			if l.cancel = true; st.len() == 0 {
				return false, l
			}
		}
		return false, nil
	}
	// Another replica minds it.
	if l != nil {
		s.dropLocked(l)
	}
	s.sched.Remove(b.ID)
	if st == nil {
		st = newStream(&ledger.Job{Client: b.Client, Session: b.Session, State: b.State})
		s.streams[b.ID] = st
		s.expires[b.ID] = time.UnixMilli(b.Expires)
	}
	st.setState(market.Assigned)
	return false, nil
}

// dropLocked forgets a lease that is not this replica's to mind.
func (s *Service) dropLocked(l *lease) {
	wake := s.sched.Running(l.miner) > 0
	delete(s.leases, l.job.ID)
	s.sched.Remove(l.job.ID)
	s.wakeLocked(l.miner, wake)
}

// takeInLocked takes in a job as the database has it.
func (s *Service) takeInLocked(j *ledger.Job) {
	l := s.leases[j.ID]
	switch {
	case j.Payment != market.Reserved:
		if l != nil {
			s.stopped[l.miner] = append(s.stopped[l.miner], j.ID)
		}
		if s.streams[j.ID] != nil {
			s.forgetLocked(j)
		}
	case l != nil:
	case j.State == market.Queued:
		if s.streams[j.ID] == nil {
			s.streams[j.ID] = newStream(j)
			s.expires[j.ID] = time.UnixMilli(j.Expires)
		}
		s.wakeLocked(s.sched.Enqueue(schedJob(j)))
	case j.Owner == s.me && s.orphans[j.ID] >= orphanAfter:
		s.holdLocked(j, restartGrace)
	}
}

// holdLocked makes a leased job one that this replica minds.
func (s *Service) holdLocked(j *ledger.Job, grace time.Duration) {
	now := time.Now()
	l := &lease{job: j, id: j.Lease, miner: j.Miner, since: now, leased: time.UnixMilli(j.Created), held: now, expires: now.Add(grace), cancel: j.Cancel || s.cancels[j.ID]}
	if p := s.miners[j.Miner]; p != nil {
		l.offer = p.offers[j.Spec.Order.Model]
	}
	if s.streams[j.ID] == nil {
		s.streams[j.ID] = newStream(j)
		s.expires[j.ID] = time.UnixMilli(j.Expires)
	}
	s.streams[j.ID].setState(market.Assigned)
	s.sched.Remove(j.ID)
	s.sched.Assign(schedJob(j), j.Miner)
	s.leases[j.ID] = l
	delete(s.orphans, j.ID)
}

// adopt makes a job whose lease a miner holds one that this replica minds, as the
// miner talks to it. It returns [ledger.ErrNotAssigned] if the miner does not.
func (s *Service) adopt(ctx context.Context, miner common.Address, job common.Hash, leaseID string) error {
	if err := s.here(ctx, miner); err != nil {
		return err
	}
	j, err := s.cluster.Adopt(ctx, job, miner, leaseID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leases[job]; l == nil || l.id != j.Lease {
		s.holdLocked(j, s.leaseTime())
	}
	return nil
}

// adoptRunning adopts what a miner says that it runs and this replica does not mind.
func (s *Service) adoptRunning(ctx context.Context, miner common.Address, running []common.Hash) error {
	var missing []common.Hash
	s.mu.Lock()
	for _, id := range running {
		if l := s.leases[id]; l == nil {
			missing = append(missing, id)
		}
	}
	s.mu.Unlock()
	for _, id := range missing {
		if err := s.adopt(ctx, miner, id, ""); err != nil && !errors.Is(err, ledger.ErrNotAssigned) {
			return err
		}
	}
	return nil
}
