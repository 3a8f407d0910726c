package storetest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

type file struct {
	ledger.File

	content []byte
}

// PutFile implements coordinator.Store.
func (m *Memory) PutFile(ctx context.Context, f ledger.File, content []byte, quota int64) error {
	return m.in(ctx, func() error {
		have := f.Bytes
		for _, old := range m.files {
			if old.Account == f.Account {
				have += old.Bytes
			}
		}
		if have > quota {
			return ledger.ErrQuota
		}
		m.files[f.ID] = file{f, content}
		return nil
	})
}

// Files implements coordinator.Store.
func (m *Memory) Files(ctx context.Context, account common.Address, limit int) (out []ledger.File, err error) {
	err = m.in(ctx, func() error {
		for _, f := range m.files {
			if f.Account == account {
				out = append(out, f.File)
			}
		}
		slices.SortFunc(out, func(a, b ledger.File) int { return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID)) })
		out = out[:min(limit, len(out))]
		return nil
	})
	return out, err
}

// File implements coordinator.Store.
func (m *Memory) File(ctx context.Context, id string) (f ledger.File, content []byte, err error) {
	err = m.in(ctx, func() error {
		x, err := get(m.files, id)
		f, content = x.File, x.content
		return err
	})
	return f, content, err
}

// RemoveFile implements coordinator.Store.
func (m *Memory) RemoveFile(ctx context.Context, account common.Address, id string) error {
	return m.in(ctx, func() error {
		f, err := get(m.files, id)
		if err != nil || f.Account != account {
			return ledger.ErrNotFound
		}
		for _, b := range m.bulks {
			if b.Open() && b.Input == id {
				return ledger.ErrInUse
			}
		}
		delete(m.files, id)
		return nil
	})
}

// InsertBulk implements coordinator.Store.
func (m *Memory) InsertBulk(ctx context.Context, b *ledger.Bulk) (existing *ledger.Bulk, err error) {
	err = m.in(ctx, func() error {
		for _, old := range m.bulks {
			if b.IdemKey != "" && old.Session == b.Session && old.IdemKey == b.IdemKey {
				if !bytes.Equal(old.IdemHash, b.IdemHash) {
					return ledger.ErrIdempotency
				}
				existing = &old
				return nil
			}
		}
		m.bulks[b.ID] = *b
		return nil
	})
	return existing, err
}

// SaveBulk implements coordinator.Store.
func (m *Memory) SaveBulk(ctx context.Context, b *ledger.Bulk, files map[string]ledger.File, content map[string][]byte) error {
	return m.in(ctx, func() error {
		old := m.bulks[b.ID]
		if !old.Open() {
			return nil
		}
		next := *b
		next.Cancel, next.IdemKey, next.IdemHash = old.Cancel, old.IdemKey, old.IdemHash
		m.bulks[b.ID] = next
		for id, f := range files {
			m.files[id] = file{f, content[id]}
		}
		return nil
	})
}

// CancelBulk implements coordinator.Store.
func (m *Memory) CancelBulk(ctx context.Context, account common.Address, id string, at int64) (out *ledger.Bulk, err error) {
	err = m.in(ctx, func() error {
		b, err := get(m.bulks, id)
		if err != nil || b.Account != account {
			return ledger.ErrNotFound
		}
		if b.Open() && b.Cancel == 0 {
			b.Cancel = at
			m.bulks[id] = b
		}
		out = &b
		return nil
	})
	return out, err
}

// Bulk implements coordinator.Store.
func (m *Memory) Bulk(ctx context.Context, id string) (out *ledger.Bulk, err error) {
	err = m.in(ctx, func() error {
		b, err := get(m.bulks, id)
		out = &b
		return err
	})
	return out, err
}

func (m *Memory) bulkList(ctx context.Context, which func(*ledger.Bulk) bool) (out []*ledger.Bulk, err error) {
	err = m.in(ctx, func() error {
		for b := range maps.Values(m.bulks) {
			if which(&b) {
				out = append(out, &b)
			}
		}
		slices.SortFunc(out, func(a, b *ledger.Bulk) int { return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.ID, b.ID)) })
		return nil
	})
	return out, err
}

// Bulks implements coordinator.Store.
func (m *Memory) Bulks(ctx context.Context, account common.Address, limit int) ([]*ledger.Bulk, error) {
	out, err := m.bulkList(ctx, func(b *ledger.Bulk) bool { return b.Account == account })
	slices.SortFunc(out, func(a, b *ledger.Bulk) int { return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID)) })
	return out[:min(limit, len(out))], err
}

// OpenBulks implements coordinator.Store.
func (m *Memory) OpenBulks(ctx context.Context) ([]*ledger.Bulk, error) {
	return m.bulkList(ctx, (*ledger.Bulk).Open)
}

// JobByIdem implements coordinator.Store.
func (m *Memory) JobByIdem(ctx context.Context, session uint64, key string) (out *ledger.Job, err error) {
	err = m.in(ctx, func() error {
		for _, j := range m.jobs {
			if j.Session == session && j.IdemKey == key {
				out = m.view(j)
				return nil
			}
		}
		return ledger.ErrNotFound
	})
	return out, err
}

// DropContent implements coordinator.Store.
func (m *Memory) DropContent(ctx context.Context, before int64, limit int) (n int, err error) {
	err = m.in(ctx, func() error {
		for id, j := range m.jobs {
			if j.Created < before && j.State.Terminal() && n < limit && (len(j.Request) > 0 || j.Output != "") {
				j.Request, j.Output = []byte{}, ""
				m.jobs[id] = j
				n++
			}
		}
		return nil
	})
	return n, err
}
