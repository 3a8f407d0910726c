package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

const fileCols = "id, account, name, purpose, bytes, created, expires"

func scanFile(r scanner) (f ledger.File, err error) {
	var account []byte
	err = r.Scan(&f.ID, &account, &f.Name, &f.Purpose, &f.Bytes, &f.Created, &f.Expires)
	f.Account = common.BytesToAddress(account)
	return f, err
}

func putFile(tx *txn, f ledger.File, content []byte) error {
	if content == nil {
		content = []byte{}
	}
	_, err := tx.Exec("INSERT INTO files ("+fileCols+", content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", f.ID, f.Account[:], f.Name, f.Purpose, f.Bytes, f.Created, f.Expires, content)
	return err
}

// PutFile implements coordinator.Store.
func (s *Store) PutFile(ctx context.Context, f ledger.File, content []byte, quota int64) error {
	return s.do(ctx, func(tx *txn) error {
		var have int64
		if err := tx.QueryRow("SELECT coalesce(sum(bytes), 0) FROM files WHERE account = ?", f.Account[:]).Scan(&have); err != nil {
			return err
		}
		if have+f.Bytes > quota {
			return ledger.ErrQuota
		}
		return putFile(tx, f, content)
	})
}

// Files implements coordinator.Store.
func (s *Store) Files(ctx context.Context, account common.Address, limit int) ([]ledger.File, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+fileCols+" FROM files WHERE account = ? ORDER BY created DESC, id LIMIT ?", account[:], limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanFile)
}

// File implements coordinator.Store.
func (s *Store) File(ctx context.Context, id string) (f ledger.File, content []byte, err error) {
	var account []byte
	err = s.read.QueryRowContext(ctx, "SELECT "+fileCols+", content FROM files WHERE id = ?", id).Scan(&f.ID, &account, &f.Name, &f.Purpose, &f.Bytes, &f.Created, &f.Expires, &content)
	if errors.Is(err, sql.ErrNoRows) {
		err = ledger.ErrNotFound
	}
	f.Account = common.BytesToAddress(account)
	return f, content, err
}

// RemoveFile implements coordinator.Store.
func (s *Store) RemoveFile(ctx context.Context, account common.Address, id string) error {
	return s.do(ctx, func(tx *txn) error {
		var used bool
		if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM bulks WHERE open <> 0 AND input = ? AND account = ?)", id, account[:]).Scan(&used); err != nil {
			return err
		}
		if used {
			return ledger.ErrInUse
		}
		res, err := tx.Exec("DELETE FROM files WHERE id = ? AND account = ?", id, account[:])
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ledger.ErrNotFound)
		}
		return nil
	})
}

const bulkCols = "doc, cancel, coalesce(idem_key, ''), idem_hash"

func scanBulk(r scanner) (*ledger.Bulk, error) {
	var b ledger.Bulk
	err := r.Scan(doc[ledger.Bulk]{&b}, &b.Cancel, &b.IdemKey, &b.IdemHash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ledger.ErrNotFound
	}
	return &b, err
}

// InsertBulk implements coordinator.Store.
func (s *Store) InsertBulk(ctx context.Context, b *ledger.Bulk) (existing *ledger.Bulk, err error) {
	err = s.do(ctx, func(tx *txn) error {
		existing = nil
		var key any
		if b.IdemKey != "" {
			key = b.IdemKey
			old, err := scanBulk(tx.QueryRow("SELECT "+bulkCols+" FROM bulks WHERE session = ? AND idem_key = ?", b.Session, b.IdemKey))
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
		_, err := tx.Exec("INSERT INTO bulks (id, account, session, input, open, created, keep, idem_key, idem_hash, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			b.ID, b.Account[:], b.Session, b.Input, b.Open(), b.Created, b.Keep, key, b.IdemHash, doc[ledger.Bulk]{b})
		return err
	})
	return existing, err
}

// SaveBulk implements coordinator.Store.
func (s *Store) SaveBulk(ctx context.Context, b *ledger.Bulk, files map[string]ledger.File, content map[string][]byte) error {
	return s.do(ctx, func(tx *txn) error {
		res, err := tx.Exec("UPDATE bulks SET doc = ?, open = ? WHERE id = ? AND open <> 0", doc[ledger.Bulk]{b}, b.Open(), b.ID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err // it has ended, with its files
		}
		for id, f := range files {
			if err := putFile(tx, f, content[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

// CancelBulk implements coordinator.Store.
func (s *Store) CancelBulk(ctx context.Context, account common.Address, id string, at int64) (b *ledger.Bulk, err error) {
	err = s.do(ctx, func(tx *txn) error {
		if _, err := tx.Exec("UPDATE bulks SET cancel = ? WHERE id = ? AND account = ? AND open <> 0 AND cancel = 0", at, id, account[:]); err != nil {
			return err
		}
		b, err = scanBulk(tx.QueryRow("SELECT "+bulkCols+" FROM bulks WHERE id = ? AND account = ?", id, account[:]))
		return err
	})
	return b, err
}

// Bulk implements coordinator.Store.
func (s *Store) Bulk(ctx context.Context, id string) (*ledger.Bulk, error) {
	return scanBulk(s.read.QueryRowContext(ctx, "SELECT "+bulkCols+" FROM bulks WHERE id = ?", id))
}

// Bulks implements coordinator.Store.
func (s *Store) Bulks(ctx context.Context, account common.Address, limit int) ([]*ledger.Bulk, error) {
	return s.bulks(ctx, "WHERE account = ? ORDER BY created DESC, id LIMIT ?", account[:], limit)
}

// OpenBulks implements coordinator.Store.
func (s *Store) OpenBulks(ctx context.Context) ([]*ledger.Bulk, error) {
	return s.bulks(ctx, "WHERE open <> 0 ORDER BY created, id")
}

func (s *Store) bulks(ctx context.Context, where string, args ...any) ([]*ledger.Bulk, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+bulkCols+" FROM bulks "+where, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanBulk)
}

// JobByIdem implements coordinator.Store.
func (s *Store) JobByIdem(ctx context.Context, session uint64, key string) (*ledger.Job, error) {
	s.shows.RLock()
	id, ok := s.shown.keys[idemKey{session, key}]
	s.shows.RUnlock()
	if ok {
		return s.Job(ctx, id)
	}
	// What is not in memory is in the database, or not on the disk.
	return scanJob(s.read.QueryRowContext(ctx, "SELECT "+jobCols+jobFrom+"WHERE j.session = ? AND j.idem_key = ?", session, key))
}

// DropContent implements coordinator.Store. Rows are in the order in which they were made, so a mark says how far it came.
func (s *Store) DropContent(ctx context.Context, before int64, limit int) (n int, err error) {
	const mark = "content dropped"
	err = s.do(ctx, func(tx *txn) error {
		var text string
		if err := tx.QueryRow("SELECT coalesce((SELECT value FROM meta WHERE key = ?), '0')", mark).Scan(&text); err != nil {
			return err
		}
		from, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("mark of dropped content: %w", err)
		}
		var to sql.NullInt64
		// Clocks of restarts may step back: what looks newer than a row behind it is left for later, with those behind.
		if err := tx.QueryRow(`SELECT max(id), count(*) FROM (SELECT rowid AS id, created FROM jobs WHERE rowid > ? ORDER BY rowid LIMIT ?)
			WHERE id < coalesce((SELECT min(rowid) FROM (SELECT rowid, created FROM jobs WHERE rowid > ? ORDER BY rowid LIMIT ?) WHERE created >= ?), 9223372036854775807)`, from, limit, from, limit, before).Scan(&to, &n); err != nil || n == 0 {
			return err
		}
		if _, err := tx.Exec("UPDATE texts SET request = x'', output = '' WHERE n IN (SELECT texts FROM jobs WHERE rowid > ? AND rowid <= ?)", from, to.Int64); err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", mark, strconv.FormatInt(to.Int64, 10))
		return err
	})
	return n, err
}
