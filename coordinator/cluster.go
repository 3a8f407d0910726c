package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// Cluster is what a store offers, beside [Store], to several replicas of one
// coordinator that share it. docs/COORDINATOR.md says how they work together.
type Cluster interface {
	// Join gives this replica an identity.
	Join(ctx context.Context) error
	// Leave gives it back: the others take over at once.
	Leave(ctx context.Context) error
	// Beat says that the replica lives, with something about it for the others. It
	// returns [ledger.ErrNotFound] if they have given it up.
	Beat(ctx context.Context, state []byte) (ledger.View, error)
	// TakeOver makes leased jobs of replicas that are gone this one's.
	TakeOver(ctx context.Context) ([]*ledger.Job, error)
	// Adopt makes a leased job this one's, as the miner that holds the lease talks
	// to it, or returns [ledger.ErrNotAssigned]. An empty lease is any.
	Adopt(ctx context.Context, job common.Hash, miner common.Address, lease string) (*ledger.Job, error)
	// Briefs returns how the open jobs stand, or those of the ids.
	Briefs(ctx context.Context, ids []common.Hash) ([]ledger.Brief, error)
	// Load returns jobs.
	Load(ctx context.Context, ids []common.Hash) ([]*ledger.Job, error)
	// Publish tells the other replicas something; it may get lost.
	Publish(ctx context.Context, n ledger.Note) error
	// Listen calls fn with what the others tell, until ctx is done.
	Listen(ctx context.Context, fn func(ledger.Note)) error
	// PinNonce decides with which nonce a batch is sent, next being the account's
	// next one, and whether that is the same as before. It returns
	// [ledger.ErrNotLeader] to a replica that does not settle any more.
	PinNonce(ctx context.Context, batch, next uint64) (nonce uint64, same bool, err error)
}

const (
	beatEvery = time.Second
	// leadMargin is how much earlier than the others a leader believes its time to
	// be over.
	leadMargin = time.Second
	// syncEvery is how many beats lie between looks at all open jobs.
	syncEvery = 5
	// leaveWithin bounds the last word of a replica that stops.
	leaveWithin = 3 * time.Second
)

// minerState is what a replica tells the others about a miner that it serves.
type minerState struct {
	Miner    common.Address `json:"miner"`
	Running  int            `json:"running"`
	Draining bool           `json:"draining,omitempty"`
}

// leads reports whether this coordinator is the one that sends transactions.
func (s *Service) leads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cluster == nil || time.Now().Before(s.leadUntil)
}

// pin returns what fixes the nonce of a batch, so that two replicas that both
// believe to lead send it at most once; nil where there is only one.
func (s *Service) pin(b *ledger.Batch) func(context.Context, uint64) (uint64, error) {
	if s.cluster == nil {
		return nil
	}
	return func(ctx context.Context, next uint64) (uint64, error) {
		n, same, err := s.cluster.PinNonce(ctx, b.ID, next)
		if err != nil || same {
			return n, err
		}
		// The nonce that it had is used: by this very batch, perhaps.
		if _, found, err := s.cfg.Chain.FindSettlement(ctx, b.Root, b.FromBlock); err != nil {
			return 0, err
		} else if found {
			return 0, errors.New("another replica has sent it")
		}
		return n, nil
	}
}

// beat keeps this replica alive in the others' eyes, takes in what they say of
// themselves, and takes over from those that are gone.
func (s *Service) beat(ctx context.Context) {
	if err := s.beatOnce(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "this replica cannot say that it lives", "err", err)
	}
}

func (s *Service) beatOnce(ctx context.Context) error {
	before := time.Now()
	state, err := json.Marshal(s.served())
	if err != nil {
		return err
	}
	v, err := s.cluster.Beat(ctx, state)
	if errors.Is(err, ledger.ErrNotFound) {
		s.log.WarnContext(ctx, "the other replicas have given this one up: joining again")
		if err := s.cluster.Join(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		s.beats = syncEvery - 1 // what it held may be others' by now
		s.mu.Unlock()
		return s.beatOnce(ctx)
	}
	if err != nil {
		return err
	}
	told, err := s.told(ctx, v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	led := !s.leadUntil.IsZero()
	s.me, s.leadUntil = v.Me, time.Time{}
	if v.Leader {
		s.leadUntil = before.Add(v.For - leadMargin)
	}
	s.seeLocked(told)
	s.beats++
	full := s.beats%syncEvery == 0
	s.mu.Unlock()
	if v.Leader && !led {
		s.log.InfoContext(ctx, "this replica settles", "replica", v.Me)
	}
	taken, err := s.cluster.TakeOver(ctx)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		s.log.InfoContext(ctx, "jobs taken over", "jobs", len(taken))
	}
	for _, j := range taken {
		if err := s.know(ctx, j.Miner); err != nil {
			return err
		}
	}
	s.mu.Lock()
	for _, j := range taken {
		s.holdLocked(j, restartGrace)
	}
	s.mu.Unlock()
	if full {
		return s.sync(ctx, nil)
	}
	return nil
}

// served returns the miners that talk to this replica.
func (s *Service) served() []minerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []minerState{}
	for a, p := range s.miners {
		if p.online && !p.remote {
			out = append(out, minerState{a, s.sched.Running(a), p.drain})
		}
	}
	return out
}

// told reads what the peers say of their miners, and takes in those that are new here.
func (s *Service) told(ctx context.Context, v ledger.View) ([]minerState, error) {
	var out []minerState
	for _, peer := range v.Peers {
		var list []minerState
		if len(peer.State) == 0 {
			continue // it has just joined
		}
		if err := json.Unmarshal(peer.State, &list); err != nil {
			s.log.WarnContext(ctx, "a replica says what this one does not understand", "replica", peer.ID, "err", err)
			continue
		}
		out = append(out, list...)
	}
	for _, m := range out {
		if err := s.know(ctx, m.Miner); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// know makes sure that a miner's login is known here.
func (s *Service) know(ctx context.Context, a common.Address) error {
	s.mu.Lock()
	p := s.miners[a]
	s.mu.Unlock()
	if p != nil {
		return nil
	}
	return s.meet(ctx, a)
}

// meet reads a miner's login as it was last made, at whichever replica.
func (s *Service) meet(ctx context.Context, a common.Address) error {
	m, err := s.cfg.Store.Miner(ctx, a)
	if err != nil {
		return err
	}
	n, err := newPresence(m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.miners[a]; p != nil {
		n.wake, n.seen, n.online, n.drain, n.remote, n.running, n.limit = p.wake, p.seen, p.online, p.drain, p.remote, p.running, p.limit
		n.shut = p.shut
		n.measured, n.settled = p.measured, p.settled
	}
	s.miners[a] = n
	if n.online && !n.remote {
		s.wakeLocked(a, s.sched.PutMiner(n.schedMiner()))
	}
	return nil
}

// seeLocked takes in which miners the other replicas serve.
func (s *Service) seeLocked(told []minerState) {
	seen := map[common.Address]bool{}
	for _, m := range told {
		p := s.miners[m.Miner]
		if p == nil || p.online && !p.remote {
			continue
		}
		seen[m.Miner] = true
		p.remote, p.online, p.drain, p.running, p.seen = true, true, m.Draining, m.Running, time.Now()
	}
	for a, p := range s.miners {
		if p.remote && !seen[a] {
			p.remote, p.online = false, false
		}
	}
}

// here makes sure that a miner that talks to this replica counts as one of its
// own: it may have logged in at another.
func (s *Service) here(ctx context.Context, a common.Address) error {
	s.mu.Lock()
	p := s.miners[a]
	ok := s.cluster == nil || p != nil && p.online && !p.remote
	s.mu.Unlock()
	if ok {
		return nil
	}
	if err := s.meet(ctx, a); errors.Is(err, ledger.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.miners[a]
	p.remote, p.online, p.seen = false, true, time.Now()
	s.wakeLocked(a, s.sched.PutMiner(p.schedMiner()))
	return nil
}

// bonds looks after the bond that is to be reserved for each miner: the leader
// reserves it, the others learn that it was.
func (s *Service) bonds(ctx context.Context) {
	var low []common.Address
	s.mu.Lock()
	for a, p := range s.miners {
		if p.online && p.limit.Cmp(s.cfg.MinerLimit) < 0 {
			low = append(low, a)
		}
	}
	s.mu.Unlock()
	for _, a := range low {
		m, err := s.cfg.Chain.Miner(ctx, a)
		if err == nil && m.Limit.Cmp(s.cfg.MinerLimit) < 0 && s.leads() {
			if err = s.cfg.Chain.SetMinerLimit(ctx, a, s.cfg.MinerLimit); err == nil {
				m.Limit = s.cfg.MinerLimit
			}
		}
		if err != nil {
			s.log.WarnContext(ctx, "bond could not be reserved", "miner", a, "err", err)
			continue
		}
		s.mu.Lock()
		if p := s.miners[a]; p != nil {
			p.limit = m.Limit
		}
		s.mu.Unlock()
	}
}
