package miner

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
)

// pulse sends heartbeats until ctx is done: now and then, and when a model takes no more jobs or takes jobs again.
func (s *Service) pulse(ctx context.Context) {
	t := time.NewTimer(s.link.interval())
	defer t.Stop()
	for {
		changed := s.slots.change()
		s.tell(ctx)
		select {
		case <-changed:
		case <-t.C:
			s.beat(ctx)
			t.Reset(s.link.interval())
		case <-ctx.Done():
			return
		}
	}
}

// told is what the coordinator was told of the models that take no jobs.
type told struct {
	login       int // of which it was told: after another it has forgotten
	unavailable []common.Hash
}

// tell has the coordinator know which models take no jobs now, and returns whether it does.
func (s *Service) tell(ctx context.Context) bool {
	if s.knows() {
		return true
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return false
	}
	if s.knows() { // by the heartbeat before
		return true
	}
	_, err := s.heartbeat(ctx)
	return err == nil
}

// knows says whether the coordinator knows which models take no jobs now. While none does it need not: it is not asked for
// any, and a claim that is being withdrawn must not be let have what was kept from it.
func (s *Service) knows() bool {
	login := s.link.loginsNow()
	s.mu.Lock()
	known := s.told
	s.mu.Unlock()
	if known.login != login {
		known.unavailable = nil
	}
	now, open := s.unavailable()
	return !open || slices.Equal(known.unavailable, now)
}

// unavailable returns the models, by digest, whose GPUs are full or held, and whether a job of any model may begin.
func (s *Service) unavailable() (models []common.Hash, open bool) {
	shut, open := s.slots.shut()
	for _, i := range shut {
		models = append(models, s.offers[i])
	}
	return models, open
}

// heartbeat tells the coordinator what runs here, and stops what it wants stopped. The caller has the turn.
func (s *Service) heartbeat(ctx context.Context) (api.HeartbeatResponse, error) {
	now := told{login: s.link.loginsNow()}
	now.unavailable, _ = s.unavailable()
	s.mu.Lock()
	r := api.HeartbeatRequest{Running: []common.Hash{}, Draining: s.draining || s.account.drained, Unavailable: now.unavailable}
	running := maps.Clone(s.jobs) // what an answer can be about: not a run that begins meanwhile
	s.mu.Unlock()
	r.Running = slices.AppendSeq(r.Running, maps.Keys(running))
	slices.SortFunc(r.Running, common.Hash.Cmp)
	r.FreeSlots = max(0, min(s.slots.available(), s.cfg.Slots-len(r.Running)))
	answer, err := s.link.heartbeat(ctx, r)
	if err != nil {
		s.cfg.Log.DebugContext(ctx, "heartbeat not answered", "err", err)
		return answer, err
	}
	s.stop(running, answer.Cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = now
	return answer, nil
}

// beat sends a heartbeat, and learns how the account stands.
func (s *Service) beat(ctx context.Context) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	answer, err := s.heartbeat(ctx)
	<-s.turn
	if err != nil {
		return
	}
	standing := Standing{Credited: answer.Credited, Limit: answer.Limit}
	if s.cfg.Chain != nil {
		_, coordinator, _ := s.link.parties()
		own, err := s.cfg.Chain.Standing(ctx, coordinator)
		if err != nil {
			// Better no news than the coordinator's own.
			s.cfg.Log.DebugContext(ctx, "chain not asked about the account", "err", err)
			return
		}
		standing = own
	}
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
