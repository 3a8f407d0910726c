package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// maxWait bounds how long a miner's claim is held open.
const maxWait = 30 * time.Second

// Register takes a miner in: its signing key must be the one that the chain has
// for it, and it must have its stake there.
func (s *Service) Register(ctx context.Context, r api.RegisterRequest) (api.RegisterResponse, error) {
	if err := fresh(r.IssuedAt); err != nil {
		return api.RegisterResponse{}, err
	}
	offers, err := r.Offers()
	if err != nil {
		return api.RegisterResponse{}, apierr.Wrap(err, apierr.Invalid, "offers_json: "+err.Error())
	}
	if err := checkOffers(offers, r.Slots); err != nil {
		return api.RegisterResponse{}, err
	}
	signer, err := receipt.Recover(s.cfg.Domain, r.Login(s.cfg.Account), r.Signature)
	if err != nil {
		return api.RegisterResponse{}, apierr.Wrap(err, apierr.Forbidden, "the login's signature does not verify (check chain id, market and coordinator address)")
	}
	standing, err := s.cfg.Chain.Miner(ctx, r.Miner)
	if err != nil {
		return api.RegisterResponse{}, apierr.Wrap(err, apierr.Unavailable, "the chain cannot be asked about the miner")
	}
	var hold string
	valid, err := s.cfg.Chain.MinerSigner(ctx, r.Miner, signer)
	if err != nil {
		return api.RegisterResponse{}, apierr.Wrap(err, apierr.Unavailable, "the chain cannot be asked about the miner")
	}
	switch {
	case !standing.Registered:
		return api.RegisterResponse{}, apierr.New(apierr.Forbidden, "miner %s is not registered on the chain: stake first", r.Miner)
	case standing.Jailed:
		return api.RegisterResponse{}, apierr.New(apierr.Forbidden, "miner %s is jailed", r.Miner)
	case !valid:
		return api.RegisterResponse{}, apierr.New(apierr.Forbidden, "%s is not the signing key that the chain has for miner %s", signer, r.Miner)
	}
	if old, err := s.cfg.Store.Miner(ctx, r.Miner); err == nil && old.Hold == ledger.HoldBlock {
		return api.RegisterResponse{}, blockedError(r.Miner)
	} else if err == nil {
		hold = old.Hold
	} else if !errors.Is(err, ledger.ErrNotFound) {
		return api.RegisterResponse{}, err
	}
	if err := s.once(ctx, r.Login(s.cfg.Account), r.IssuedAt); err != nil {
		return api.RegisterResponse{}, err
	}
	m := ledger.Miner{Hold: hold, Address: r.Miner, Signer: signer, Offers: []byte(r.OffersJSON), Slots: r.Slots, Seen: time.Now().UnixMilli()}
	if err := s.cfg.Store.PutMiner(ctx, m); err != nil {
		return api.RegisterResponse{}, err
	}
	if err := s.cfg.Store.SetCredited(ctx, r.Miner, standing.Credited); err != nil {
		return api.RegisterResponse{}, err
	}
	limit := standing.Limit
	if limit.Cmp(s.cfg.MinerLimit) < 0 && s.leads() {
		if err := s.cfg.Chain.SetMinerLimit(ctx, r.Miner, s.cfg.MinerLimit); err != nil {
			s.log.WarnContext(ctx, "bond could not be reserved", "miner", r.Miner, "err", err)
		} else {
			limit = s.cfg.MinerLimit
		}
	}
	now := time.Now()
	key, _, err := s.issueKey(ctx, ledger.Key{Scope: ledger.ScopeMiner, Account: r.Miner, Expires: now.Add(minerKeyLife).UnixMilli()},
		ledger.Event{At: now.UnixMilli(), Actor: signer, Via: "wallet", Action: ledger.EventMinerLogin})
	if err != nil {
		return api.RegisterResponse{}, err
	}
	p, err := newPresence(m)
	if err != nil {
		return api.RegisterResponse{}, err
	}
	if s.cluster != nil {
		if err := s.cluster.Publish(ctx, ledger.Note{Kind: ledger.NoteMiner, Miner: r.Miner}); err != nil {
			return api.RegisterResponse{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.miners[r.Miner]; old != nil {
		p.wake, p.measured, p.settled = old.wake, old.measured, old.settled
	}
	p.seen, p.online, p.limit = time.Now(), true, limit
	s.miners[r.Miner] = p
	clear(s.menus)
	s.wakeLocked(r.Miner, s.sched.PutMiner(p.schedMiner()))
	s.log.InfoContext(ctx, "miner joined", "miner", r.Miner, "offers", len(offers), "slots", r.Slots)
	return api.RegisterResponse{
		APIKey: key, HeartbeatSeconds: max(1, int(s.cfg.Heartbeat.Seconds())), LeaseSeconds: max(1, int(s.leaseTime().Seconds())),
		Coordinator: s.cfg.Account, ChainID: s.cfg.Domain.ChainID, Market: s.cfg.Domain.Market,
	}, nil
}

func checkOffers(offers []api.Offer, slots int) error {
	if slots < 1 || slots > 1024 {
		return apierr.New(apierr.Invalid, "slots must be from 1 to 1024")
	}
	if len(offers) > 256 {
		return apierr.New(apierr.Invalid, "more than 256 offers")
	}
	seen := map[common.Hash]bool{}
	for i, o := range offers {
		switch {
		case o.Model == "" || len(o.Model) > 200 || o.Class == "" || len(o.Class) > 500 || o.MaxTokens == 0 || o.MaxTokens > 1<<20:
			return apierr.New(apierr.Invalid, "offers[%d]: model, class and max_tokens are required", i)
		case o.Claimed != (o.Digest == receipt.ClaimedModel(o.Model)):
			return apierr.New(apierr.Invalid, "offers[%d]: claimed says one thing and the digest another", i)
		case o.Kind != "" && o.Kind != api.KindContainer || o.Kind == api.KindContainer && (o.Embeddings || o.Claimed || !o.Prompt.IsZero() || !o.Completion.IsZero() || o.Second.IsZero() || o.MaxSeconds == 0):
			return apierr.New(apierr.Invalid, "offers[%d]: kind is empty or %q; images are named by digest, make no embeddings, and have a second_rate, max_seconds and no rates by tokens", i, api.KindContainer)
		case len(o.GPU) > 100 || len(o.Region) > 32 || o.VRAMGB > 1<<12 || o.Measured != nil:
			return apierr.New(apierr.Invalid, "offers[%d]: gpu has at most 100 bytes, region 32, vram_gb is at most %d, and what is measured is not the miner's to say", i, 1<<12)
		case o.Benchmark != nil && (o.Benchmark.TokensPerSecond < 0 || o.Benchmark.TokensPerSecond > 1e9 || o.Benchmark.At < 0):
			return apierr.New(apierr.Invalid, "offers[%d]: no model is measured like that", i)
		case o.Verification > maxLevel:
			return apierr.New(apierr.Invalid, "offers[%d]: receipts of level %d are not verified here: at most %d", i, o.Verification, maxLevel)
		case seen[o.Digest]:
			return apierr.New(apierr.Invalid, "offers[%d]: the same model twice", i)
		}
		if err := checkSealingKey(o.SealingKey); err != nil {
			return err
		}
		seen[o.Digest] = true
	}
	return nil
}

// Heartbeat keeps a miner's leases alive, and tells it what to stop.
func (s *Service) Heartbeat(ctx context.Context, c Caller, r api.HeartbeatRequest) (api.HeartbeatResponse, error) {
	m, err := s.cfg.Store.Miner(ctx, c.Account)
	if err != nil {
		return api.HeartbeatResponse{}, err
	}
	if s.cluster != nil {
		if err := errors.Join(s.here(ctx, c.Account), s.adoptRunning(ctx, c.Account, r.Running)); err != nil {
			return api.HeartbeatResponse{}, err
		}
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.miners[c.Account]
	if p == nil {
		return api.HeartbeatResponse{}, apierr.New(apierr.Unauthorized, "register again")
	}
	if shut := p.offered(r.Unavailable); !p.online || p.drain != r.Draining || !slices.Equal(p.shut, shut) {
		if !p.online || p.drain != r.Draining {
			clear(s.menus)
		}
		p.online, p.drain, p.shut = true, r.Draining, shut
		s.wakeLocked(c.Account, s.sched.PutMiner(p.schedMiner()))
	}
	p.seen = now
	out := api.HeartbeatResponse{Cancel: s.stopped[c.Account], MinerTotal: m.Total, Credited: m.Credited, Limit: p.limit}
	// What was given up at one replica may have been leased to it again at another.
	out.Cancel = slices.DeleteFunc(out.Cancel, func(id common.Hash) bool {
		l := s.leases[id]
		return l != nil && l.miner == c.Account
	})
	if out.Cancel == nil {
		out.Cancel = []common.Hash{}
	}
	delete(s.stopped, c.Account)
	for _, l := range s.leases {
		if l.miner != c.Account {
			continue
		}
		// A lease that the miner does not name was lost on the way to it.
		if slices.Contains(r.Running, l.job.ID) || now.Sub(l.since) < 2*s.cfg.Heartbeat {
			l.expires = now.Add(s.leaseTime())
		}
		if l.cancel {
			out.Cancel = append(out.Cancel, l.job.ID)
		}
	}
	return out, nil
}

// offered returns those of the models, by digest, that the miner has on offer.
func (p *presence) offered(models []common.Hash) []common.Hash {
	var out []common.Hash
	for _, m := range models {
		if _, ok := p.offers[m]; ok && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// Drain stops giving a miner work.
func (s *Service) Drain(c Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.miners[c.Account]; p != nil && !p.remote { // else its heartbeats say so where they come
		p.drain = true
		s.sched.PutMiner(p.schedMiner())
	}
}

// Claim leases the oldest job that the miner may run, waiting for one up to
// wait. It returns nil if there was none.
func (s *Service) Claim(ctx context.Context, c Caller, wait time.Duration) (*api.Assignment, error) {
	ctx, cancel := context.WithTimeout(ctx, min(wait, maxWait))
	defer cancel()
	if err := s.here(ctx, c.Account); err != nil {
		return nil, err
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sched.StopWaiting(c.Account)
	}()
	for {
		s.mu.Lock()
		p := s.miners[c.Account]
		if p == nil || !p.online {
			s.mu.Unlock()
			return nil, apierr.New(apierr.Unauthorized, "register again")
		}
		job, ok := s.sched.Claim(c.Account)
		wake := p.wake
		s.mu.Unlock()
		if ok {
			if a, err := s.assign(context.WithoutCancel(ctx), p, job.ID); a != nil || err != nil {
				return a, err
			}
			continue // it was cancelled, or another replica was faster
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (s *Service) assign(ctx context.Context, p *presence, id common.Hash) (*api.Assignment, error) {
	var b [16]byte
	_, _ = rand.Read(b[:])
	l := &lease{id: hex.EncodeToString(b[:]), miner: p.account, leased: time.Now()}
	l.since, l.expires = l.leased, l.leased.Add(s.leaseTime())
	j, err := s.cfg.Store.Assign(ctx, id, p.account, l.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if te := (*market.TransitionError)(nil); errors.As(err, &te) { // cancelled or leased meanwhile
			s.sched.Remove(id)
			return nil, nil
		}
		s.wakeLocked(s.sched.Release(id, false))
		return nil, err
	}
	// A stop for an earlier lease of the same job is not for this one.
	s.stopped[p.account] = slices.DeleteFunc(s.stopped[p.account], func(h common.Hash) bool { return h == id })
	l.job, l.held = j, time.Now()
	l.offer, l.cancel = p.offers[j.Spec.Order.Model], j.Cancel || s.cancels[id]
	s.leased(j, l)
	s.leases[id] = l
	if st := s.streams[id]; st != nil {
		st.setState(market.Assigned)
	}
	a := &api.Assignment{
		JobID: id, Lease: l.id, LeaseExpiresMS: l.expires.UnixMilli(), Order: j.Spec.Order, OrderSignature: j.Spec.Signature, Salt: j.Spec.Salt, Request: j.Request,
		Client: j.Client, FeeBps: s.params.FeeBps, MarginBps: s.cfg.MarginBps, Rates: l.offer.Rates, Class: l.offer.Class, Trace: l.trace.String(),
	}
	if j.Spec.Sealed {
		err = hide(a, p.account)
	}
	return a, err
}

// Miners lists the miners, for anyone.
func (s *Service) Miners(ctx context.Context) (api.MinerList, error) {
	all, err := s.cfg.Store.Miners(ctx)
	if err != nil {
		return api.MinerList{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := api.MinerList{Miners: []api.Miner{}}
	for _, m := range all {
		e := api.Miner{Miner: m.Address, State: "offline", Slots: m.Slots, LastSeen: m.Seen, Completed: m.Completed, Offers: []api.Offer{}}
		if p := s.miners[m.Address]; p != nil {
			e.Offers, e.Reputation = p.offersOf(), p.reputation()
			if p.online {
				running := s.sched.Running(m.Address)
				if p.remote {
					running = p.running
				}
				e.State, e.FreeSlots = "online", max(0, p.slots-running)
				if p.drain {
					e.State = "draining"
				}
			}
			if !p.seen.IsZero() {
				e.LastSeen = p.seen.UnixMilli()
			}
		}
		out.Miners = append(out.Miners, e)
	}
	return out, nil
}

// Models lists the models that miners offer now, for anyone.
func (s *Service) Models() api.ModelList {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := map[string][]api.Offer{}
	for _, p := range s.miners {
		if p.online {
			for _, o := range p.offersOf() {
				by[o.Model] = append(by[o.Model], o)
			}
		}
	}
	out := api.ModelList{Object: "list", Data: []api.Model{}}
	for name, offers := range by {
		out.Data = append(out.Data, api.Model{ID: name, Object: "model", OwnedBy: "aitbc", Offers: offers})
	}
	slices.SortFunc(out.Data, func(a, b api.Model) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}
