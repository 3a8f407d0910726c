// Package sqlite keeps what a marketplace saw of its market in one SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	_ "modernc.org/sqlite" // the driver

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/marketplace/history"
)

// migrations are applied in order; the file's user_version counts those it has.
var migrations = []string{`
CREATE TABLE points (
	model      TEXT NOT NULL,
	at         INTEGER NOT NULL,
	miners     INTEGER NOT NULL,
	prompt     TEXT NOT NULL,
	completion TEXT NOT NULL,
	second     TEXT NOT NULL,
	item       TEXT NOT NULL,
	measured   INTEGER NOT NULL,
	speed      INTEGER NOT NULL,
	first      INTEGER NOT NULL,
	PRIMARY KEY (model, at)
) WITHOUT ROWID;
CREATE INDEX points_at ON points (at);
CREATE TABLE miners (
	miner BLOB PRIMARY KEY,
	since INTEGER NOT NULL,
	seen  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE days (
	day   INTEGER NOT NULL,
	miner BLOB NOT NULL,
	looks INTEGER NOT NULL,
	up    INTEGER NOT NULL,
	PRIMARY KEY (day, miner)
) WITHOUT ROWID;
`}

// Store is an open file. It is safe for concurrent use.
type Store struct{ db *sql.DB }

// Open opens or makes the file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	// What a crash of the machine takes back are the last minutes of a chart.
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open history %s: %w", path, err)
	}
	s := &Store{db}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open history %s: %w", path, err), s.Close())
	}
	return s, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) migrate(ctx context.Context) error {
	return s.in(ctx, func(tx *sql.Tx) error {
		var have int
		if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&have); err != nil {
			return err
		}
		if have > len(migrations) {
			return fmt.Errorf("the file is of a newer program: version %d, and this one knows %d", have, len(migrations))
		}
		for _, m := range migrations[have:] {
			if _, err := tx.ExecContext(ctx, m); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)))
		return err
	})
}

// in runs fn in a transaction that is written whole or not at all.
func (s *Store) in(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

const dayMS = 24 * 60 * 60 * 1000

// Add implements [history.Store].
func (s *Store) Add(ctx context.Context, l history.Look) error {
	at := l.At.UnixMilli()
	err := s.in(ctx, func(tx *sql.Tx) error {
		for model, p := range l.Models {
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				model, at, p.Miners, p.Prompt.String(), p.Completion.String(), p.Second.String(), p.Item.String(), p.Measured, p.Speed, int64(p.FirstToken)); err != nil { //nolint:gosec // milliseconds
				return err
			}
		}
		for _, m := range l.All {
			if _, err := tx.ExecContext(ctx, `INSERT INTO miners VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen`, m[:], at, at); err != nil {
				return err
			}
		}
		// Whom the coordinator has forgotten is not there, either.
		if _, err := tx.ExecContext(ctx, `INSERT INTO days SELECT ?, miner, 1, 0 FROM miners WHERE true ON CONFLICT DO UPDATE SET looks = looks + 1`, at/dayMS); err != nil {
			return err
		}
		for _, m := range l.Online {
			if _, err := tx.ExecContext(ctx, `UPDATE days SET up = up + 1 WHERE day = ? AND miner = ?`, at/dayMS, m[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what was seen: %w", err)
	}
	return nil
}

// Forget implements [history.Store].
func (s *Store) Forget(ctx context.Context, before time.Time) error {
	at := before.UnixMilli()
	err := s.in(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{`DELETE FROM points WHERE at < ?1`, `DELETE FROM days WHERE (day + 1) * 86400000 < ?1`, `DELETE FROM miners WHERE seen < ?1`} {
			if _, err := tx.ExecContext(ctx, q, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget what was seen: %w", err)
	}
	return nil
}

// Points returns what was seen of a model since a time, oldest first: the last look of each step.
func (s *Store) Points(ctx context.Context, model string, since time.Time, step time.Duration) ([]history.Point, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT at, miners, prompt, completion, second, item, measured, speed, first FROM points
		WHERE model = ?1 AND at IN (SELECT max(at) FROM points WHERE model = ?1 AND at >= ?2 GROUP BY at / ?3) ORDER BY at`,
		model, since.UnixMilli(), max(step.Milliseconds(), 1))
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer rows.Close() // Err tells
	out := []history.Point{}
	for rows.Next() {
		var p history.Point
		if err := rows.Scan(&p.At, &p.Miners, amount{&p.Prompt}, amount{&p.Completion}, amount{&p.Second}, amount{&p.Item}, &p.Measured, &p.Speed, &p.FirstToken); err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Presences returns how often each miner was there of those that are still known.
func (s *Store) Presences(ctx context.Context) ([]history.Presence, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT miner, since, sum(looks), sum(up) FROM miners JOIN days USING (miner) GROUP BY miner ORDER BY miner`)
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	defer rows.Close() // Err tells
	out := []history.Presence{}
	for rows.Next() {
		var p history.Presence
		var miner []byte
		if err := rows.Scan(&miner, &p.Since, &p.Looks, &p.Up); err != nil {
			return nil, fmt.Errorf("read presence: %w", err)
		}
		p.Miner = common.BytesToAddress(miner)
		out = append(out, p)
	}
	return out, rows.Err()
}

// amount reads a column of decimal text: amounts do not fit SQLite's integers.
type amount struct{ into *market.Amount }

// Scan implements sql.Scanner.
func (a amount) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("%T is no amount", v)
	}
	n, err := market.ParseAmount(text)
	*a.into = n
	return err
}
