package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// idemKey names a request of a session's.
type idemKey struct {
	session uint64
	key     string
}

// memory is what is known without the database. Of what is in it, it has the
// newest; what is not in it is in the database as it stands. Sessions and miners
// stay once they came, open jobs as long as there is room; a job that has ended
// leaves when the database has it.
type memory struct {
	sessions map[uint64]*ledger.Session
	miners   map[common.Address]*ledger.Miner
	jobs     map[common.Hash]*ledger.Job
	keys     map[idemKey]common.Hash        // of jobs that have one
	budgets  map[common.Hash]*ledger.KeyRow // of keys that have one; nil for those that are gone
}

func newMemory() memory {
	return memory{map[uint64]*ledger.Session{}, map[common.Address]*ledger.Miner{}, map[common.Hash]*ledger.Job{}, map[idemKey]common.Hash{}, map[common.Hash]*ledger.KeyRow{}}
}

// put takes in what a change made of a job.
func (m *memory) put(j *ledger.Job) {
	m.jobs[j.ID] = j
	if j.IdemKey != "" {
		m.keys[idemKey{j.Session, j.IdemKey}] = j.ID
	}
}

// drop forgets a job, if it is still this one.
func (m *memory) drop(j *ledger.Job) {
	if m.jobs[j.ID] != j {
		return
	}
	delete(m.jobs, j.ID)
	if j.IdemKey != "" {
		delete(m.keys, idemKey{j.Session, j.IdemKey})
	}
}

// settle takes in balances and earnings, of those that it knows.
func (m *memory) settle(b *balance, e *earnings) {
	if b != nil {
		if x := m.sessions[b.session]; x != nil {
			now := b.apply(*x)
			m.sessions[b.session] = &now
		}
	}
	if e != nil {
		if x := m.miners[e.miner]; x != nil {
			now := e.apply(*x)
			m.miners[e.miner] = &now
		}
	}
}

// spend takes in what a key with a budget has spent.
func (m *memory) spend(p *spending) {
	if p == nil {
		return
	}
	if k := m.budgets[p.key]; k != nil {
		now := p.apply(*k)
		m.budgets[p.key] = &now
	}
}

// missing is what a use case needs and memory does not hold.
type missing struct {
	job     common.Hash
	session uint64
	miner   common.Address
	key     common.Hash
}

func (missing) Error() string { return "not in memory" }

// view is what a use case may read.
type view struct {
	m     *memory
	moves uint64      // of the store
	ended *ledger.Job // read from the database for this use case
}

func (v view) job(id common.Hash) (*ledger.Job, error) {
	if j := v.m.jobs[id]; j != nil {
		return j, nil
	}
	if v.ended != nil && v.ended.ID == id {
		return v.ended, nil
	}
	return nil, missing{job: id}
}

func (v view) session(id uint64) (ledger.Session, error) {
	if x := v.m.sessions[id]; x != nil {
		return *x, nil
	}
	return ledger.Session{}, missing{session: id}
}

func (v view) miner(a common.Address) (ledger.Miner, error) {
	if m := v.m.miners[a]; m != nil {
		return *m, nil
	}
	return ledger.Miner{}, missing{miner: a}
}

// key returns a key with a budget, nil for none and for one that is gone.
func (v view) key(hash common.Hash) (*ledger.KeyRow, error) {
	if hash == (common.Hash{}) {
		return nil, nil
	}
	k, ok := v.m.budgets[hash]
	if !ok {
		return nil, missing{key: hash}
	}
	return k, nil
}

// moved counts how often things left memory, or changed beside it.
func (s *Store) moved() uint64 {
	s.run.Lock()
	defer s.run.Unlock()
	return s.moves
}

// fetch reads what is missing from the database into memory. What came into
// memory, or left it, in the meantime makes what was read worth nothing: it is
// read again. A job that has ended does not change here any more, though with its
// settlement: it is returned and not kept.
func (s *Store) fetch(ctx context.Context, want missing) (ended *ledger.Job, err error) {
	for {
		at := s.moved()
		var put func(*memory)
		switch {
		case want.job != (common.Hash{}):
			j, err := scanJob(s.read.QueryRowContext(ctx, "SELECT "+jobCols+jobFrom+"WHERE j.id = ?", want.job[:]))
			if err != nil {
				return nil, fmt.Errorf("job %s: %w", want.job, err)
			}
			if j.Payment != market.Reserved {
				return j, nil
			}
			put = func(m *memory) { m.put(j) }
		case want.key != (common.Hash{}):
			k, err := scanKey(s.read.QueryRowContext(ctx, "SELECT "+keyCols+" FROM api_keys WHERE hash = ?", want.key[:]))
			if err != nil && !errors.Is(err, ledger.ErrNotFound) {
				return nil, fmt.Errorf("key %s: %w", want.key, err)
			}
			row := &k
			if err != nil {
				row = nil
			}
			put = func(m *memory) { m.budgets[want.key] = row }
		case want.miner != (common.Address{}):
			w, err := scanMiner(s.read.QueryRowContext(ctx, "SELECT "+minerCols+" FROM miners WHERE address = ?", want.miner[:]))
			if err != nil {
				return nil, fmt.Errorf("account of miner %s: %w", want.miner, err)
			}
			put = func(m *memory) { m.miners[want.miner] = &w }
		default:
			x, err := scanSession(s.read.QueryRowContext(ctx, "SELECT "+sessionCols+" FROM sessions WHERE id = ?", want.session))
			if err != nil {
				return nil, fmt.Errorf("session %d: %w", want.session, err)
			}
			put = func(m *memory) { m.sessions[want.session] = &x }
		}
		s.run.Lock()
		same := s.moves == at && !s.working.has(want)
		if same {
			put(&s.working)
			s.shows.Lock()
			put(&s.shown)
			s.shows.Unlock()
		}
		known := s.working.has(want)
		s.run.Unlock()
		if known {
			return nil, nil
		}
	}
}

func (m *memory) has(want missing) bool {
	switch {
	case want.job != (common.Hash{}):
		return m.jobs[want.job] != nil
	case want.miner != (common.Address{}):
		return m.miners[want.miner] != nil
	case want.key != (common.Hash{}):
		_, ok := m.budgets[want.key]
		return ok
	default:
		return m.sessions[want.session] != nil
	}
}

// Session returns a session as it is on the disk.
func (s *Store) Session(ctx context.Context, id uint64) (ledger.Session, error) {
	return shown(ctx, s, missing{session: id}, func(m *memory) (ledger.Session, bool) {
		if x := m.sessions[id]; x != nil {
			return *x, true
		}
		return ledger.Session{}, false
	})
}

// Miner implements coordinator.Store.
func (s *Store) Miner(ctx context.Context, a common.Address) (ledger.Miner, error) {
	return shown(ctx, s, missing{miner: a}, func(m *memory) (ledger.Miner, bool) {
		if x := m.miners[a]; x != nil {
			return *x, true
		}
		return ledger.Miner{}, false
	})
}

// shown reads what is on the disk, through memory.
func shown[T any](ctx context.Context, s *Store, want missing, from func(*memory) (T, bool)) (T, error) {
	for {
		s.shows.RLock()
		v, ok := from(&s.shown)
		s.shows.RUnlock()
		if ok {
			return v, nil
		}
		if _, err := s.fetch(ctx, want); errors.Is(err, ledger.ErrNotFound) {
			return v, ledger.ErrNotFound
		} else if err != nil {
			return v, err
		}
	}
}

// Job implements coordinator.Store. A job that is on its way to the disk it waits
// for.
func (s *Store) Job(ctx context.Context, id common.Hash) (*ledger.Job, error) {
	j := s.shownJob(id)
	if j == nil {
		s.run.Lock()
		coming, g := s.working.jobs[id] != nil, s.open
		s.run.Unlock()
		if coming {
			if err := s.await(g); err != nil {
				return nil, err
			}
			j = s.shownJob(id)
		}
	}
	if j != nil {
		own := *j
		return &own, nil
	}
	return scanJob(s.read.QueryRowContext(ctx, "SELECT "+jobCols+jobFrom+"WHERE j.id = ?", id[:]))
}

func (s *Store) shownJob(id common.Hash) *ledger.Job {
	s.shows.RLock()
	defer s.shows.RUnlock()
	return s.shown.jobs[id]
}
