package miner

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
)

// pulse sends heartbeats until ctx is done.
func (s *Service) pulse(ctx context.Context) {
	for {
		t := time.NewTimer(s.link.interval())
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		s.beat(ctx)
	}
}

// beat tells the coordinator what runs here, stops what it wants stopped, and
// learns how the account stands.
func (s *Service) beat(ctx context.Context) {
	s.mu.Lock()
	r := api.HeartbeatRequest{Running: []common.Hash{}, Draining: s.draining || s.account.drained}
	running := maps.Clone(s.jobs) // what an answer can be about: not a run that begins meanwhile
	s.mu.Unlock()
	r.Running = slices.AppendSeq(r.Running, maps.Keys(running))
	slices.SortFunc(r.Running, common.Hash.Cmp)
	r.FreeSlots = max(0, min(s.slots.available(), s.cfg.Slots-len(r.Running)))
	answer, err := s.link.heartbeat(ctx, r)
	if err != nil {
		s.cfg.Log.DebugContext(ctx, "heartbeat not answered", "err", err)
		return
	}
	standing := Standing{Credited: answer.Credited, Limit: answer.Limit}
	if s.cfg.Chain != nil {
		_, coordinator, _ := s.link.parties()
		own, err := s.cfg.Chain.Standing(ctx, coordinator)
		if err != nil {
			// Better no news than the coordinator's own.
			s.cfg.Log.DebugContext(ctx, "chain not asked about the account", "err", err)
			s.stop(running, answer.Cancel)
			return
		}
		standing = own
	}
	s.stop(running, answer.Cancel)
	s.book(func(a *account) {
		a.owed(answer.MinerTotal)
		a.standing(standing)
	})
}

// stop ends those of the running jobs that the coordinator wants stopped. A job
// that was named to it for the first time is let be: the word may be about an
// earlier lease of it. If it is about this one it comes again.
func (s *Service) stop(running map[common.Hash]*job, unwanted []common.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range unwanted {
		if j := running[id]; j != nil && j.cancel != nil && j.named {
			j.cancel(errCanceled)
		}
	}
	for _, j := range running {
		j.named = true
	}
}
