package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// expireLeases takes jobs from miners that fell silent, and ends jobs whose
// deadline has passed.
func (s *Service) expireLeases(ctx context.Context) {
	now := time.Now()
	var lost []*lease
	var late []common.Hash
	s.mu.Lock()
	for id, p := range s.miners {
		if p.online && !p.remote && now.Sub(p.seen) > s.leaseTime() {
			p.online = false
			clear(s.menus)
			s.sched.RemoveMiner(id)
			s.log.WarnContext(ctx, "miner lost", "miner", id)
		}
	}
	for id, st := range s.over {
		if st.isOver(now) {
			delete(s.over, id)
		}
	}
	for _, id := range s.sched.Overlooked() {
		s.wakeLocked(id, true)
	}
	for _, l := range s.leases {
		if now.After(l.expires) {
			lost = append(lost, l)
		}
	}
	for id, t := range s.expires {
		if now.After(t) {
			late = append(late, id)
		}
	}
	s.mu.Unlock()
	for _, id := range late {
		if err := s.end(ctx, ledger.Ending{Job: id, Anyhow: true, State: market.Expired, Code: "deadline", Message: "the job was not done by its deadline"}); err != nil {
			s.log.ErrorContext(ctx, "expire job", "job", id, "err", err)
		}
	}
	for _, l := range lost {
		if err := s.lose(ctx, l, loss{code: "miner_lost", message: "the miner fell silent"}); err != nil {
			s.log.ErrorContext(ctx, "requeue job", "job", l.job.ID, "err", err)
		}
	}
}

// loss is why a lease is taken away.
type loss struct {
	code, message string
	exclude       bool // the miner does not get the job again
	unheard       bool // the miner never heard of the lease
}

// lose takes a lease away: the job goes back into the queue, or fails when it
// has been tried often enough or was to be stopped anyway.
func (s *Service) lose(ctx context.Context, l *lease, why loss) error {
	s.mu.Lock()
	if s.leases[l.job.ID] != l {
		s.mu.Unlock()
		return nil
	}
	cancel := l.cancel
	s.mu.Unlock()
	if cancel {
		return s.endLease(ctx, l, market.Canceled, "", "")
	}
	j, err := s.cfg.Store.Job(ctx, l.job.ID)
	if err != nil {
		return err
	}
	if j.Attempts >= s.cfg.MaxAttempts && !why.unheard {
		return s.endLease(ctx, l, market.Failed, why.code, why.message)
	}
	err = s.cfg.Store.Requeue(ctx, l.job.ID, l.id, why.unheard)
	if errors.Is(err, ledger.ErrNotAssigned) {
		return nil
	}
	if te := (*market.TransitionError)(nil); errors.As(err, &te) {
		return nil // it was completed in the meantime
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[l.job.ID] == l {
		delete(s.leases, l.job.ID)
		s.stopped[l.miner] = append(s.stopped[l.miner], l.job.ID)
		if st := s.streams[l.job.ID]; st != nil {
			st.restart()
		}
		s.wakeLocked(s.sched.Release(l.job.ID, why.exclude))
		s.ended(l.job, l, why.code)
	}
	s.log.InfoContext(ctx, "job requeued", "job", l.job.ID, "miner", l.miner, "reason", why.code)
	return nil
}

// end finishes a job without payment and tells whoever runs it to stop.
// It returns [ledger.ErrNotAssigned] if somebody else than e says runs it.
func (s *Service) end(ctx context.Context, e ledger.Ending) error {
	e.At = time.Now().UnixMilli()
	j, err := s.cfg.Store.End(ctx, e)
	if err != nil {
		return err
	}
	id := e.Job
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[id]
	if l != nil {
		s.stopped[l.miner] = append(s.stopped[l.miner], id)
	}
	if _, open := s.expires[id]; open { // else it had ended before
		s.ended(j, l, e.Code)
	}
	s.forgetLocked(j)
	return nil
}

// endLease finishes a leased job without payment, unless the lease is over.
func (s *Service) endLease(ctx context.Context, l *lease, state market.JobState, code, message string) error {
	err := s.end(ctx, ledger.Ending{Job: l.job.ID, Lease: l.id, State: state, Code: code, Message: message})
	if errors.Is(err, ledger.ErrNotAssigned) {
		return nil
	}
	return err
}

// held returns the lease of a job if the caller holds it, else not_assigned or
// lease_lost: only the assignee may stream, complete or fail a job.
func (s *Service) held(ctx context.Context, c Caller, job common.Hash, id string) (*lease, *stream, error) {
	l, st, err := s.heldHere(c, job, id)
	if err == nil || s.cluster == nil {
		return l, st, err
	}
	switch adopted := s.adopt(ctx, c.Account, job, id); {
	case adopted == nil:
		return s.heldHere(c, job, id)
	case errors.Is(adopted, ledger.ErrNotAssigned):
		return nil, nil, err
	default:
		return nil, nil, apierr.Wrap(adopted, apierr.Unavailable, "the ledger does not answer: try again")
	}
}

func (s *Service) heldHere(c Caller, job common.Hash, id string) (*lease, *stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[job]
	switch {
	case l == nil:
		return nil, nil, apierr.New(apierr.LeaseLost, "the job is not leased any more")
	case l.miner != c.Account:
		return nil, nil, apierr.New(apierr.NotAssigned, "the job is leased to another miner")
	case l.id != id:
		return nil, nil, apierr.New(apierr.LeaseLost, "the lease was given up: the job was leased again")
	}
	return l, s.streams[job], nil
}
