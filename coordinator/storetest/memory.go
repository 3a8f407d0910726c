package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// Memory is a store in maps: what the others are compared with. It outlives
// Close, as a disk does; [Memory.Open] opens it again. Use [NewMemory].
type Memory struct {
	*disk
	closed bool // guarded by the disk's lock
}

// disk is what a memory holds, and its replicas share.
type disk struct {
	// mu guards what follows.
	mu       sync.Mutex
	spenders []spender
	sessions map[uint64]ledger.Session
	keys     map[common.Hash]ledger.KeyRow
	used     map[common.Hash]int64 // until
	log      []ledger.Record
	files    map[string]file
	bulks    map[string]ledger.Bulk
	miners   map[common.Address]ledger.Miner
	jobs     map[common.Hash]ledger.Job
	batches  []ledger.Batch
	mined    map[uint64]int64 // when batches were
	journal  []ledger.Entry
	meta     map[string]string
	vouchers map[uint64][]ledger.Voucher // by session, ascending
	cluster  cluster
}

type spender struct{ client, address common.Address }

var _ coordinator.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{disk: &disk{
		sessions: map[uint64]ledger.Session{}, keys: map[common.Hash]ledger.KeyRow{}, used: map[common.Hash]int64{}, files: map[string]file{}, mined: map[uint64]int64{}, bulks: map[string]ledger.Bulk{}, miners: map[common.Address]ledger.Miner{},
		jobs: map[common.Hash]ledger.Job{}, meta: map[string]string{}, vouchers: map[uint64][]ledger.Voucher{},
		cluster: cluster{alive: map[uint64]beaten{}, ears: map[chan ledger.Note]*Replica{}, nonces: map[uint64]uint64{}},
	}}
}

// Open opens a closed store again.
func (m *Memory) Open() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = false
	return m
}

// Close makes later calls fail.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// in runs fn alone. The first thing that fn changes must be the last that can fail.
func (m *Memory) in(ctx context.Context, fn func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ledger.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn()
}

// get returns what is under a key, or [ledger.ErrNotFound].
func get[K comparable, V any](of map[K]V, k K) (V, error) {
	v, ok := of[k]
	if !ok {
		return v, fmt.Errorf("%v: %w", k, ledger.ErrNotFound)
	}
	return v, nil
}

// NewSpender implements coordinator.Store.
func (m *Memory) NewSpender(ctx context.Context, client common.Address, _ int64, address func(n uint64) (common.Address, error)) (a common.Address, err error) {
	err = m.in(ctx, func() error {
		if a, err = address(uint64(len(m.spenders) + 1)); err == nil {
			m.spenders = append(m.spenders, spender{client, a})
		}
		return err
	})
	return a, err
}

// Spender implements coordinator.Store.
func (m *Memory) Spender(ctx context.Context, client, address common.Address) (n uint64, err error) {
	err = m.in(ctx, func() error {
		i := slices.Index(m.spenders, spender{client, address})
		if i < 0 {
			return ledger.ErrNotFound
		}
		n = uint64(i + 1)
		return nil
	})
	return n, err
}

// PutSession implements coordinator.Store.
func (m *Memory) PutSession(ctx context.Context, x ledger.Session) error {
	return m.in(ctx, func() error {
		if old, ok := m.sessions[x.ID]; ok {
			x = ledger.Merge(old, x)
		}
		m.sessions[x.ID] = x
		return nil
	})
}

// Session implements coordinator.Store.
func (m *Memory) Session(ctx context.Context, id uint64) (x ledger.Session, err error) {
	err = m.in(ctx, func() error { x, err = get(m.sessions, id); return err })
	return x, err
}

// Sessions implements coordinator.Store.
func (m *Memory) Sessions(ctx context.Context) (out []ledger.Session, err error) {
	err = m.in(ctx, func() error {
		out = slices.DeleteFunc(m.sessionsLocked(), func(x ledger.Session) bool { return x.State == ledger.SessionClosed })
		return nil
	})
	return out, err
}

func (m *Memory) sessionsLocked() []ledger.Session {
	return slices.SortedFunc(maps.Values(m.sessions), func(a, b ledger.Session) int { return cmp.Compare(a.ID, b.ID) })
}

// PutMiner implements coordinator.Store.
func (m *Memory) PutMiner(ctx context.Context, x ledger.Miner) error {
	return m.in(ctx, func() error {
		old := m.miners[x.Address]
		x.Total, x.Batched, x.Settled, x.Credited, x.Completed, x.Hold = old.Total, old.Batched, old.Settled, old.Credited, old.Completed, old.Hold
		m.miners[x.Address] = x
		return nil
	})
}

// SetCredited implements coordinator.Store.
func (m *Memory) SetCredited(ctx context.Context, miner common.Address, credited market.Amount) error {
	return m.in(ctx, func() error {
		if x, ok := m.miners[miner]; ok {
			x.Credited = credited
			m.miners[miner] = x
		}
		return nil
	})
}

// Miner implements coordinator.Store.
func (m *Memory) Miner(ctx context.Context, a common.Address) (x ledger.Miner, err error) {
	err = m.in(ctx, func() error { x, err = get(m.miners, a); return err })
	return x, err
}

// Miners implements coordinator.Store.
func (m *Memory) Miners(ctx context.Context) (out []ledger.Miner, err error) {
	err = m.in(ctx, func() error { out = m.minersLocked(); return nil })
	return out, err
}

// SettledJobs implements coordinator.Store.
func (m *Memory) SettledJobs(ctx context.Context, batch uint64) (map[common.Address]uint64, error) {
	out := map[common.Address]uint64{}
	return out, m.in(ctx, func() error {
		for _, j := range m.jobs {
			if j.Payment == market.Settled && (batch == 0 || j.Batch == batch) {
				out[j.Miner]++
			}
		}
		return nil
	})
}

func (m *Memory) minersLocked() []ledger.Miner {
	return slices.SortedFunc(maps.Values(m.miners), func(a, b ledger.Miner) int { return a.Address.Cmp(b.Address) })
}

// InsertJob implements coordinator.Store.
func (m *Memory) InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error, decided func() (wait bool)) (existing *ledger.Job, err error) {
	err = m.in(ctx, func() error {
		for _, old := range m.jobs {
			if j.IdemKey != "" && old.Session == j.Session && old.IdemKey == j.IdemKey {
				if !bytes.Equal(old.IdemHash, j.IdemHash) {
					return ledger.ErrIdempotency
				}
				existing = m.view(old)
				return nil
			}
		}
		x, err := get(m.sessions, j.Session)
		if err != nil {
			return err
		}
		x, entries, err := ledger.Admit(x, j, sign)
		if err != nil {
			return err
		}
		if err := m.holdLocked(j); err != nil {
			return err
		}
		m.sessions[x.ID], m.jobs[j.ID] = x, *j
		m.journal = append(m.journal, entries...)
		return nil
	})
	if err == nil && existing == nil && decided != nil {
		decided()
	}
	return existing, err
}

// view returns a job with what its batch says.
func (m *Memory) view(j ledger.Job) *ledger.Job {
	if j.Batch != 0 {
		j.Block, j.Tx, j.SettledAt = m.batches[j.Batch-1].Block, m.batches[j.Batch-1].Tx, m.mined[j.Batch]
	}
	return &j
}

// Job implements coordinator.Store.
func (m *Memory) Job(ctx context.Context, id common.Hash) (out *ledger.Job, err error) {
	err = m.in(ctx, func() error {
		j, err := get(m.jobs, id)
		out = m.view(j)
		return err
	})
	return out, err
}

func (m *Memory) newest(ctx context.Context, limit int, which func(ledger.Job) bool) (out []*ledger.Job, err error) {
	err = m.in(ctx, func() error {
		for _, j := range m.jobs {
			if which(j) {
				out = append(out, m.view(j))
			}
		}
		slices.SortFunc(out, func(a, b *ledger.Job) int {
			return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.Number, a.Number))
		})
		out = out[:min(limit, len(out))]
		return nil
	})
	return out, err
}

// Jobs implements coordinator.Store.
func (m *Memory) Jobs(ctx context.Context, client common.Address, session uint64, limit int) ([]*ledger.Job, error) {
	return m.newest(ctx, limit, func(j ledger.Job) bool { return j.Session == session && j.Client == client })
}

// ReceiptJobs implements coordinator.Store.
func (m *Memory) ReceiptJobs(ctx context.Context, account common.Address, session uint64, limit int) ([]*ledger.Job, error) {
	return m.newest(ctx, limit, func(j ledger.Job) bool {
		return j.Signed != nil && (session == 0 && j.Miner == account || session != 0 && j.Session == session && j.Client == account)
	})
}

// JobByReceipt implements coordinator.Store.
func (m *Memory) JobByReceipt(ctx context.Context, id common.Hash) (out common.Hash, err error) {
	err = m.in(ctx, func() error {
		for _, j := range m.jobs {
			if j.Signed != nil && j.ReceiptID == id {
				out = j.ID
				return nil
			}
		}
		return ledger.ErrNotFound
	})
	return out, err
}

// OpenJobs implements coordinator.Store.
func (m *Memory) OpenJobs(ctx context.Context) ([]*ledger.Job, error) {
	out, err := m.newest(ctx, math.MaxInt, func(j ledger.Job) bool { return j.Payment == market.Reserved })
	slices.SortFunc(out, func(a, b *ledger.Job) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Number, b.Number))
	})
	return out, err
}

// Meta implements coordinator.Store.
func (m *Memory) Meta(ctx context.Context, key string) (v string, err error) {
	err = m.in(ctx, func() error { v = m.meta[key]; return nil })
	return v, err
}

// PutMeta implements coordinator.Store.
func (m *Memory) PutMeta(ctx context.Context, key, value string) error {
	return m.in(ctx, func() error { m.meta[key] = value; return nil })
}
