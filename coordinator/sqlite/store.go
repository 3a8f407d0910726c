package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	_ "modernc.org/sqlite" // the driver

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/wal"
)

// Options of [Open].
type Options struct {
	Path string // database file, made if missing
	// Volatile skips the sync of each commit: a benchmark's twin, never a service.
	Volatile bool
	// Beside opens a database that another process may be serving, to look at it:
	// what that has not brought into the database yet is not seen, and writes are
	// refused. If nobody serves it, it is opened as ever.
	Beside bool

	flushEvery time.Duration // of a test
}

// writerCache, in KiB, holds the index of a hundred thousand job ids.
const writerCache = "16384"

// readers is how many connections read at a time.
const readers = 4

// groupMax bounds how many callers share one commit.
const groupMax = 256

type op struct {
	fn     func(*txn) error
	behind bool // it can do without what the log has for the database
	err    error
	done   chan struct{}
}

// Store is the open database with its log. Its methods may be called
// concurrently.
type Store struct {
	db        *sql.DB
	tx        *txn // of db's only connection; the commit loop's
	read      *reader
	ops       chan *op
	full      chan struct{} // much waits for the database
	closing   chan struct{}
	broken    chan struct{} // closed when nothing can be written any more
	closeOnce sync.Once
	wg        sync.WaitGroup

	writing chan struct{} // holds a token while somebody writes the log, or has it switch files
	log     *wal.Log
	spare   bool // the database has all that the log's other file holds
	nudged  atomic.Bool
	later   *time.Timer

	// run guards what follows.
	run     sync.Mutex
	working memory // newest, perhaps not on the disk yet
	open    *group
	epoch   uint64
	number  uint64 // of the newest record
	moves   uint64
	failed  error // why nothing can be written any more

	// shows guards what follows; whoever needs both takes run first.
	shows    sync.RWMutex
	shown    memory // on the disk
	pending  *delta // on the disk, and not yet in the database
	flushing bool   // some of it is on its way
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
	s := &Store{
		db: w, read: newReader(r), ops: make(chan *op, groupMax), full: make(chan struct{}, 1), closing: make(chan struct{}), broken: make(chan struct{}), writing: make(chan struct{}, 1), spare: true,
		working: newMemory(), shown: newMemory(), open: newGroup(), pending: newDelta(),
	}
	err = s.start(ctx, o)
	switch {
	case errors.Is(err, wal.ErrHeld) && o.Beside:
		s.fail(errBeside)
		s.closeOnce.Do(func() { close(s.closing) })
		return s, nil
	case errors.Is(err, wal.ErrHeld):
		err = errors.New("another process has it open: is a coordinator running on it?")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), s.release())
	}
	s.later = time.AfterFunc(linger, s.writeLate)
	s.wg.Go(func() { s.commitLoop(cmp.Or(o.flushEvery, flushEvery)) })
	return s, nil
}

var errBeside = errors.New("the database is another process's to write: this one only looks")

// start brings the database up to date, first its tables, then what the log has.
func (s *Store) start(ctx context.Context, o Options) (err error) {
	if s.log, err = wal.Open(o.Path+"-log", wal.Options{Volatile: o.Volatile}); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if s.tx, err = newTxn(ctx, s.db); err != nil {
		return err
	}
	return s.recover()
}

// release closes what is open.
func (s *Store) release() error {
	var errs []error
	if s.tx != nil {
		errs = append(errs, s.tx.close())
	}
	errs = append(errs, s.db.Close(), s.read.close())
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

func (s *Store) migrate(ctx context.Context) error {
	var version int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the database is of version %d, this program knows %d: use a newer program", version, len(migrations))
	}
	for i := version; i < len(migrations); i++ {
		tx, err := s.db.BeginTx(ctx, nil)
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

// Close waits for writes under way, brings them into the database and closes it.
// Later writes get [ledger.ErrClosed].
func (s *Store) Close() error {
	s.closeOnce.Do(func() { close(s.closing) })
	s.wg.Wait()
	if s.later != nil {
		s.later.Stop()
	}
	return s.release()
}

// do runs fn in a transaction of the database that it shares with other callers,
// after all that readers see. fn's error undoes what fn did, and only that. A nil
// return means: on disk. What fn changes of sessions and miners it tells to
// txn.touched; it must not change what orders and results do, see [balance].
func (s *Store) do(ctx context.Context, fn func(*txn) error) error {
	return s.have(ctx, &op{fn: fn, done: make(chan struct{})})
}

// doBehind is do for what neither reads nor writes what orders and results change: the
// database is not brought up to date for it, which would write many pages for a few jobs.
func (s *Store) doBehind(ctx context.Context, fn func(*txn) error) error {
	return s.have(ctx, &op{fn: fn, behind: true, done: make(chan struct{})})
}

func (s *Store) have(ctx context.Context, o *op) error {
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

func (s *Store) commitLoop(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case o := <-s.ops:
			s.commit(o)
		case <-t.C:
			s.commit(nil)
		case <-s.full:
			s.commit(nil)
		case <-s.closing:
			s.finish()
			return
		}
	}
}

// finish does what was asked for before the store was closed.
func (s *Store) finish() {
	for {
		select {
		case o := <-s.ops:
			s.commit(o)
			continue
		default:
		}
		break
	}
	s.fail(ledger.ErrClosed)
	s.run.Lock()
	last := s.open
	s.run.Unlock()
	_ = s.await(last) // who waits for it is told
	s.commit(nil)     // else it is in the log
}

// commit brings an op to the database, others with it, and before each what the
// log has; or only that, if first is nil.
func (s *Store) commit(first *op) {
	if first == nil && !s.behind() {
		return
	}
	group, d, took, err := s.transact(first)
	if err != nil {
		s.giveBack(d)
		if errors.Is(err, errUndone) {
			err = nil // but the op's own
		}
	} else {
		s.spare = s.spare || took
		if err = s.saved(d, &s.tx.touched); err != nil {
			err = fmt.Errorf("%w: %w", ledger.ErrUnknown, err)
			s.fail(err) // memory does not follow the database any more
		}
	}
	for _, o := range group {
		if err != nil {
			o.err = err
		}
		close(o.done)
	}
}

// errUndone says that the first op of a transaction failed, and that nothing was done.
var errUndone = errors.New("undone")

// transact runs ops in one transaction and commits it. It returns those that it
// ran, what of the log went with them, and whether the log was asked.
func (s *Store) transact(first *op) (group []*op, d *delta, took bool, err error) {
	d = newDelta()
	if first != nil {
		group = []*op{first}
	}
	if _, err := s.tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return group, d, false, fmt.Errorf("begin: %w", err)
	}
	s.tx.touched = touched{map[uint64]bool{}, map[common.Address]bool{}, map[common.Hash]bool{}}
	for o := first; ; {
		if o == nil || !o.behind {
			more := s.take()
			took = true
			err := more.save(s.tx)
			s.tx.keep(more)
			d.merge(more)
			if err != nil {
				return group, d, took, s.tx.undo(fmt.Errorf("take over from the log: %w", err))
			}
		}
		if o == nil {
			break
		}
		if o == first {
			// It mostly is the only one, and a savepoint would have SQLite copy every page that it changes.
			if o.err = o.fn(s.tx); o.err != nil {
				return group, d, took, cmp.Or(s.tx.undo(nil), errUndone)
			}
		} else if err := s.tx.run(o); err != nil {
			return group, d, took, s.tx.undo(err)
		}
		if o = s.next(len(group)); o == nil {
			break
		}
		group = append(group, o)
	}
	if _, err := s.tx.Exec("COMMIT"); err != nil {
		return group, d, took, s.tx.undo(fmt.Errorf("commit: %w", err))
	}
	return group, d, took, nil
}

// next returns another op for a transaction of n, nil for none.
func (s *Store) next(n int) *op {
	if n < groupMax {
		select {
		case o := <-s.ops:
			return o
		default:
		}
	}
	return nil
}
