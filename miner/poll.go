package miner

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
)

// poll takes jobs from the coordinator until ctx is done.
func (s *Service) poll(ctx, work context.Context, jobs *errgroup.Group) {
	b := newBackoff()
	for ctx.Err() == nil {
		if s.slots.wait(ctx) != nil || !s.mayWork(ctx) {
			return
		}
		if !s.tell(ctx) { // the coordinator would give jobs that cannot begin
			if b.wait(ctx) != nil {
				return
			}
			continue
		}
		a, err := s.next(ctx)
		if err != nil || a == nil {
			if err != nil && b.wait(ctx) != nil {
				return
			}
			continue
		}
		b.reset()
		gpus := s.byHash[a.Order.Model].GPUs // none of a model that is not on offer, which is refused
		if !s.slots.take(gpus) {             // another coordinator was quicker, or a GPU was held meanwhile
			jobs.Go(func() error {
				s.fail(work, refusedJob(a), &refusal{"busy", "the miner, or a GPU of the model, runs as many jobs as it may", true})
				return nil
			})
			continue
		}
		jobs.Go(func() error {
			defer s.slots.give(gpus)
			s.work(work, a)
			return nil
		})
	}
}

// next waits for a job, until the account forbids to take one or none may begin.
func (s *Service) next(ctx context.Context) (*api.Assignment, error) {
	ctx, cancel := s.slots.whileOpen(ctx)
	defer cancel()
	s.mu.Lock()
	s.hangUp = cancel
	forbidden := s.account.obstacle() != ""
	s.mu.Unlock()
	if forbidden {
		return nil, nil
	}
	a, err := s.link.next(ctx)
	s.mu.Lock()
	s.hangUp = nil
	s.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		return nil, nil //nolint:nilerr // ended by us
	}
	return a, err
}

// mayWork waits until the coordinator's debt is below its limit. It returns
// false when ctx is done.
func (s *Service) mayWork(ctx context.Context) bool {
	for {
		s.mu.Lock()
		reason := s.account.obstacle()
		s.noteLocked(reason)
		s.mu.Unlock()
		if reason == "" {
			return ctx.Err() == nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return false
		}
	}
}
