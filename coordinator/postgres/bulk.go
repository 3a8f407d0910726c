package postgres

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

const fileCols = "id, account, name, purpose, bytes, created, expires"

func scanFile(r pgx.CollectableRow) (f ledger.File, err error) {
	var account, name, purpose []byte
	err = r.Scan(&f.ID, &account, &name, &purpose, &f.Bytes, &f.Created, &f.Expires)
	f.Account, f.Name, f.Purpose = common.BytesToAddress(account), string(name), string(purpose)
	return f, err
}

func putFile(ctx context.Context, tx pgx.Tx, f ledger.File, content []byte) error {
	if content == nil {
		content = []byte{}
	}
	_, err := tx.Exec(ctx, "INSERT INTO files ("+fileCols+", content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", f.ID, f.Account[:], []byte(f.Name), []byte(f.Purpose), f.Bytes, f.Created, f.Expires, content)
	return err
}

// PutFile implements coordinator.Store.
func (s *Store) PutFile(ctx context.Context, f ledger.File, content []byte, quota int64) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		// One of an account's at a time, so that two do not both fit.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('aitbc/files/' || encode($1, 'hex'), 0))", f.Account[:]); err != nil {
			return err
		}
		var have int64
		if err := tx.QueryRow(ctx, "SELECT coalesce(sum(bytes), 0)::bigint FROM files WHERE account = $1", f.Account[:]).Scan(&have); err != nil {
			return err
		}
		if have+f.Bytes > quota {
			return ledger.ErrQuota
		}
		return putFile(ctx, tx, f, content)
	})
}

// Files implements coordinator.Store.
func (s *Store) Files(ctx context.Context, account common.Address, limit int) ([]ledger.File, error) {
	return query(ctx, s, scanFile, "SELECT "+fileCols+" FROM files WHERE account = $1 ORDER BY created DESC, id LIMIT $2", account[:], limit)
}

// File implements coordinator.Store.
func (s *Store) File(ctx context.Context, id string) (ledger.File, []byte, error) {
	f, err := one(ctx, s, scanFile, "SELECT "+fileCols+" FROM files WHERE id = $1", id)
	if err != nil {
		return f, nil, err
	}
	content, err := one(ctx, s, pgx.RowTo[[]byte], "SELECT content FROM files WHERE id = $1", id)
	return f, content, err
}

// RemoveFile implements coordinator.Store.
func (s *Store) RemoveFile(ctx context.Context, account common.Address, id string) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		// Whoever makes a bulk of the file locks it, too.
		if err := lockFile(ctx, tx, account, id); err != nil {
			return err
		}
		var used bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM bulks WHERE open AND input = $1 AND account = $2)", id, account[:]).Scan(&used); err != nil {
			return err
		}
		if used {
			return ledger.ErrInUse
		}
		_, err := tx.Exec(ctx, "DELETE FROM files WHERE id = $1", id)
		return err
	})
}

// lockFile keeps a file of an account's from being deleted, or returns [ledger.ErrNotFound].
func lockFile(ctx context.Context, tx pgx.Tx, account common.Address, id string) error {
	var found string
	err := tx.QueryRow(ctx, "SELECT id FROM files WHERE id = $1 AND account = $2 FOR UPDATE", id, account[:]).Scan(&found)
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.ErrNotFound
	}
	return err
}

const bulkCols = "doc, cancel, idem_key, idem_hash"

func scanBulk(r pgx.CollectableRow) (*ledger.Bulk, error) {
	var text, key, hash []byte
	var cancel int64
	if err := r.Scan(&text, &cancel, &key, &hash); err != nil {
		return nil, err
	}
	b, err := decode[ledger.Bulk](text)
	b.Cancel, b.IdemKey, b.IdemHash = cancel, string(key), hash
	return &b, err
}

// bulkIn returns the bulk of a query within a transaction, or [ledger.ErrNotFound].
func bulkIn(ctx context.Context, tx pgx.Tx, where string, args ...any) (b *ledger.Bulk, err error) {
	err = rows(ctx, tx, scanBulk, func(x *ledger.Bulk) { b = x }, "SELECT "+bulkCols+" FROM bulks "+where, args...)
	if err == nil && b == nil {
		err = ledger.ErrNotFound
	}
	return b, err
}

// InsertBulk implements coordinator.Store.
func (s *Store) InsertBulk(ctx context.Context, b *ledger.Bulk) (existing *ledger.Bulk, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		existing = nil
		if b.IdemKey != "" {
			// The session's row orders those who use one key at once.
			if _, err := tx.Exec(ctx, "SELECT id FROM sessions WHERE id = $1 FOR UPDATE", b.Session); err != nil {
				return err
			}
			old, err := bulkIn(ctx, tx, "WHERE session = $1 AND idem_key = $2", b.Session, []byte(b.IdemKey))
			if err == nil {
				if !bytes.Equal(old.IdemHash, b.IdemHash) {
					return ledger.ErrIdempotency
				}
				existing = old
				return nil
			}
			if !errors.Is(err, ledger.ErrNotFound) {
				return err
			}
		}
		if err := lockFile(ctx, tx, b.Account, b.Input); err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err // that it is gone shows when it is read
		}
		text, err := encode(b)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO bulks (id, account, session, input, open, created, keep, idem_key, idem_hash, doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
			b.ID, b.Account[:], b.Session, b.Input, b.Open(), b.Created, b.Keep, optional([]byte(b.IdemKey)), optional(b.IdemHash), text)
		return err
	})
	return existing, err
}

// SaveBulk implements coordinator.Store.
func (s *Store) SaveBulk(ctx context.Context, b *ledger.Bulk, files map[string]ledger.File, content map[string][]byte) error {
	text, err := encode(b)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE bulks SET doc = $2, open = $3 WHERE id = $1 AND open", b.ID, text, b.Open())
		if err != nil || tag.RowsAffected() == 0 {
			return err // it has ended, with its files
		}
		for id, f := range files {
			if err := putFile(ctx, tx, f, content[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

// CancelBulk implements coordinator.Store.
func (s *Store) CancelBulk(ctx context.Context, account common.Address, id string, at int64) (b *ledger.Bulk, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE bulks SET cancel = $3 WHERE id = $1 AND account = $2 AND open AND cancel = 0", id, account[:], at); err != nil {
			return err
		}
		b, err = bulkIn(ctx, tx, "WHERE id = $1 AND account = $2", id, account[:])
		return err
	})
	return b, err
}

// Bulk implements coordinator.Store.
func (s *Store) Bulk(ctx context.Context, id string) (*ledger.Bulk, error) {
	return one(ctx, s, scanBulk, "SELECT "+bulkCols+" FROM bulks WHERE id = $1", id)
}

// Bulks implements coordinator.Store.
func (s *Store) Bulks(ctx context.Context, account common.Address, limit int) ([]*ledger.Bulk, error) {
	return query(ctx, s, scanBulk, "SELECT "+bulkCols+" FROM bulks WHERE account = $1 ORDER BY created DESC, id LIMIT $2", account[:], limit)
}

// OpenBulks implements coordinator.Store.
func (s *Store) OpenBulks(ctx context.Context) ([]*ledger.Bulk, error) {
	return query(ctx, s, scanBulk, "SELECT "+bulkCols+" FROM bulks WHERE open ORDER BY created, id")
}

// JobByIdem implements coordinator.Store.
func (s *Store) JobByIdem(ctx context.Context, session uint64, key string) (*ledger.Job, error) {
	return one(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.session = $1 AND j.idem_key = $2", session, []byte(key))
}

// DropContent implements coordinator.Store. A mark says up to which time of making nothing is left.
func (s *Store) DropContent(ctx context.Context, before int64, limit int) (n int, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		const mark = "content dropped"
		var from int64
		if err := tx.QueryRow(ctx, "SELECT coalesce((SELECT value::bigint FROM meta WHERE key = $1), 0)", mark).Scan(&from); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE jobs SET request = '', output = '' WHERE id IN (
			SELECT id FROM jobs WHERE created >= $1 AND created < $2 AND payment <> 'reserved' AND (request <> '' OR output <> '') LIMIT $3 FOR UPDATE SKIP LOCKED)`, from, before, limit)
		if n = int(tag.RowsAffected()); err != nil || n > 0 {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", mark, strconv.FormatInt(max(from, before), 10))
		return err
	})
	return n, err
}
