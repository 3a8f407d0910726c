package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// Options of [Open].
type Options struct {
	Path string // database file, made if missing
	// Volatile skips the sync of each commit: a benchmark's twin, never a service.
	Volatile bool
}

// writerCache, in KiB, holds the index of a hundred thousand job ids.
const writerCache = "16384"

// readers is how many connections read at a time.
const readers = 4

// groupMax bounds how many callers share one commit.
const groupMax = 256

// linger is how long a transaction that nobody awaits stays open for more.
const linger = 5 * time.Millisecond

type op struct {
	fn   func(*txn) error
	soon bool // done once it has run, not when it is on disk
	ran  bool
	err  error
	done chan struct{}
}

// Store is the open database. Its methods may be called concurrently.
type Store struct {
	write     *sql.DB
	tx        *txn // of write's only connection; the commit loop's
	read      *reader
	ops       chan *op
	closing   chan struct{}
	closeOnce sync.Once
	wg        sync.WaitGroup
}

// Open opens or makes the database and brings its schema up to date.
func Open(ctx context.Context, o Options) (*Store, error) {
	sync := "FULL"
	if o.Volatile {
		sync = "OFF"
	}
	dsn := "file:" + filepath.ToSlash(o.Path) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(" + sync + ")&_pragma=wal_autocheckpoint(4000)&_txlock=immediate"
	w, err := sql.Open("sqlite", dsn+"&_pragma=cache_size(-"+writerCache+")")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), w.Close())
	}
	r.SetMaxOpenConns(readers)
	r.SetMaxIdleConns(readers)
	s := &Store{write: w, read: newReader(r), ops: make(chan *op, groupMax), closing: make(chan struct{})}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate %s: %w", o.Path, err), w.Close(), r.Close())
	}
	if s.tx, err = newTxn(ctx, w); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), w.Close(), r.Close())
	}
	s.wg.Go(s.commitLoop)
	return s, nil
}

func (s *Store) migrate(ctx context.Context) error {
	var version int
	if err := s.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the database is of version %d, this program knows %d: use a newer program", version, len(migrations))
	}
	for i := version; i < len(migrations); i++ {
		tx, err := s.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, migrations[i]); err == nil {
			_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", i+1))
		}
		if err != nil {
			return errors.Join(fmt.Errorf("step %d: %w", i+1, err), tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for writes under way and closes the database. Later writes get
// [ledger.ErrClosed].
func (s *Store) Close() error {
	s.closeOnce.Do(func() { close(s.closing) })
	s.wg.Wait()
	return errors.Join(s.tx.close(), s.write.Close(), s.read.close())
}

// do runs fn in a transaction that it shares with other callers. fn's error
// undoes what fn did, and only that. A nil return means: on disk.
func (s *Store) do(ctx context.Context, fn func(*txn) error) error {
	return s.enqueue(ctx, &op{fn: fn, done: make(chan struct{})})
}

// doSoon is do for what may be lost in a crash: a nil return means that later
// writes see it.
func (s *Store) doSoon(ctx context.Context, fn func(*txn) error) error {
	return s.enqueue(ctx, &op{fn: fn, soon: true, done: make(chan struct{})})
}

func (s *Store) enqueue(ctx context.Context, o *op) error {
	select {
	case s.ops <- o:
	case <-s.closing:
		return ledger.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	// From here the outcome is the database's: a caller that goes away must not
	// believe that nothing happened.
	select {
	case <-o.done:
		return o.err
	case <-s.closing:
		s.wg.Wait()
		select {
		case <-o.done:
			return o.err
		default:
			return ledger.ErrClosed
		}
	}
}

func (s *Store) commitLoop() {
	for {
		select {
		case o := <-s.ops:
			s.commit(o)
		case <-s.closing:
			for {
				select {
				case o := <-s.ops:
					s.commit(o)
				default:
					return
				}
			}
		}
	}
}

// commit brings an op to disk, and others with it.
func (s *Store) commit(first *op) {
	group, err := s.run(first)
	for _, o := range group {
		if o.soon && o.ran {
			continue // answered already
		}
		if err != nil {
			o.err = err
		}
		close(o.done)
	}
}

// run runs ops in one transaction and commits it. It returns those that it took.
func (s *Store) run(first *op) (group []*op, err error) {
	if _, err := s.tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return []*op{first}, fmt.Errorf("begin: %w", err)
	}
	awaited := false
	for o := first; o != nil; o = s.next(len(group), awaited) {
		group = append(group, o)
		if err := s.tx.run(o); err != nil {
			return group, s.tx.undo(err)
		}
		awaited = awaited || !o.soon
	}
	if _, err := s.tx.Exec("COMMIT"); err != nil {
		return group, s.tx.undo(fmt.Errorf("commit: %w", err))
	}
	return group, nil
}

// next returns another op for a transaction of n, nil for none. While nobody
// awaits the disk it waits a little: one commit is cheaper than two.
func (s *Store) next(n int, awaited bool) *op {
	if n >= groupMax {
		return nil
	}
	select {
	case o := <-s.ops:
		return o
	default:
	}
	if awaited {
		return nil
	}
	t := time.NewTimer(linger)
	defer t.Stop()
	select {
	case o := <-s.ops:
		return o
	case <-s.closing:
	case <-t.C:
	}
	return nil
}
