package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// ttl is how long a replica that says nothing counts as alive, and how long the
// leader leads.
const ttl = 4 * time.Second

// notes bounds what a replica has not heard yet; of more it is told that it lost some.
const notes = 256

// cluster is what replicas know of each other. The memory's lock guards it.
type cluster struct {
	last   uint64 // identity given
	alive  map[uint64]beaten
	ears   map[chan ledger.Note]*Replica
	leader uint64
	token  uint64 // grows with each change of the leader
	until  time.Time
	nonces map[uint64]uint64 // by batch
}

type beaten struct {
	at    time.Time
	state []byte
}

// Replica is the store of one of several coordinators that share a [Memory]. It
// may be closed at any moment, as by a crash.
type Replica struct {
	*Memory
	me, token uint64 // guarded by the memory's lock
}

var (
	_ coordinator.Store   = (*Replica)(nil)
	_ coordinator.Cluster = (*Replica)(nil)
)

// Replica opens the memory for one of several coordinators.
// What it holds, others go on with after this one's Close.
func (m *Memory) Replica() *Replica { return &Replica{Memory: &Memory{disk: m.disk}} }

// by returns who this replica is.
func (r *Replica) by() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.me
}

// Join implements coordinator.Cluster.
func (r *Replica) Join(ctx context.Context) error {
	return r.in(ctx, func() error {
		r.cluster.last++
		r.me, r.token = r.cluster.last, 0
		r.cluster.alive[r.me] = beaten{at: time.Now()}
		return nil
	})
}

// Leave implements coordinator.Cluster.
func (r *Replica) Leave(ctx context.Context) error {
	return r.in(ctx, func() error {
		delete(r.cluster.alive, r.me)
		if r.cluster.leader == r.me {
			r.cluster.until = time.Now()
		}
		r.me, r.token = 0, 0
		return nil
	})
}

// Beat implements coordinator.Cluster.
func (r *Replica) Beat(ctx context.Context, state []byte) (v ledger.View, err error) {
	err = r.in(ctx, func() error {
		c, now := &r.cluster, time.Now()
		if _, ok := c.alive[r.me]; !ok {
			return ledger.ErrNotFound
		}
		c.alive[r.me] = beaten{now, slices.Clone(state)}
		v = ledger.View{Me: r.me, For: ttl, Leader: c.leader == r.me || c.until.Before(now)}
		r.token = 0
		if v.Leader {
			if c.leader != r.me {
				c.token++
			}
			c.leader, c.until, r.token = r.me, now.Add(ttl), c.token
		}
		for _, id := range slices.Sorted(maps.Keys(c.alive)) {
			if b := c.alive[id]; id != r.me && now.Sub(b.at) < ttl {
				v.Peers = append(v.Peers, ledger.Peer{ID: id, State: b.state})
			}
		}
		return nil
	})
	return v, err
}

// leadsLocked returns [ledger.ErrNotLeader] unless this replica settles.
func (r *Replica) leadsLocked() error {
	if c := &r.cluster; r.me != 0 && (c.leader != r.me || c.token != r.token || !c.until.After(time.Now())) {
		return ledger.ErrNotLeader
	}
	return nil
}

// PinNonce implements coordinator.Cluster.
func (r *Replica) PinNonce(ctx context.Context, batch, next uint64) (nonce uint64, same bool, err error) {
	err = r.in(ctx, func() error {
		if err := r.leadsLocked(); err != nil {
			return err
		}
		old, ok := r.cluster.nonces[batch]
		if nonce, same = old, true; !ok || old < next {
			nonce, same = next, !ok
			r.cluster.nonces[batch] = next
		}
		return nil
	})
	return nonce, same, err
}

// TakeOver implements coordinator.Cluster.
func (r *Replica) TakeOver(ctx context.Context) (out []*ledger.Job, err error) {
	err = r.in(ctx, func() error {
		now := time.Now()
		maps.DeleteFunc(r.cluster.alive, func(_ uint64, b beaten) bool { return now.Sub(b.at) > ttl })
		for id, j := range r.jobs {
			if _, ok := r.cluster.alive[j.Owner]; ok || j.Payment != market.Reserved || j.State == market.Queued {
				continue
			}
			j.Owner = r.me
			r.jobs[id] = j
			out = append(out, r.view(j))
		}
		slices.SortFunc(out, func(a, b *ledger.Job) int { return a.ID.Cmp(b.ID) })
		for _, j := range out {
			r.tellLocked(ledger.Note{Kind: ledger.NoteJobs, Jobs: []common.Hash{j.ID}})
		}
		return nil
	})
	return out, err
}

// Adopt implements coordinator.Cluster.
func (r *Replica) Adopt(ctx context.Context, id common.Hash, miner common.Address, lease string) (out *ledger.Job, err error) {
	err = r.in(ctx, func() error {
		j, ok := r.jobs[id]
		if !ok || j.Miner != miner || j.Payment != market.Reserved || j.State == market.Queued || lease != "" && j.Lease != lease {
			return ledger.ErrNotAssigned
		}
		j.Owner = r.me
		r.jobs[id] = j
		out = r.view(j)
		r.tellLocked(ledger.Note{Kind: ledger.NoteJobs, Jobs: []common.Hash{id}})
		return nil
	})
	return out, err
}

// Briefs implements coordinator.Cluster.
func (r *Replica) Briefs(ctx context.Context, ids []common.Hash) (out []ledger.Brief, err error) {
	err = r.in(ctx, func() error {
		for _, j := range r.chosenLocked(ids) {
			out = append(out, ledger.Brief{
				ID: j.ID, Session: j.Session, Client: j.Client, State: j.State, Payment: j.Payment, Owner: j.Owner, Miner: j.Miner, Lease: j.Lease, Cancel: j.Cancel, Expires: j.Expires,
			})
		}
		return nil
	})
	return out, err
}

// Load implements coordinator.Cluster.
func (r *Replica) Load(ctx context.Context, ids []common.Hash) (out []*ledger.Job, err error) {
	err = r.in(ctx, func() error {
		if ids != nil {
			out = r.chosenLocked(ids)
		}
		return nil
	})
	return out, err
}

// chosenLocked returns the jobs of the ids, or the open ones, by age.
func (r *Replica) chosenLocked(ids []common.Hash) (out []*ledger.Job) {
	if ids == nil {
		for _, j := range r.jobs {
			if j.Payment == market.Reserved {
				out = append(out, r.view(j))
			}
		}
	}
	for _, id := range ids {
		if j, ok := r.jobs[id]; ok {
			out = append(out, r.view(j))
		}
	}
	slices.SortFunc(out, func(a, b *ledger.Job) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Number, b.Number))
	})
	return out
}
