package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// groupMax bounds how many callers share one commit.
const groupMax = 256

// patience is how long a group waits for a server that is away.
const patience = 10 * time.Second

// op is one use case. fn runs on what needs names, loaded and locked; what it
// changes it changes last, so that an error leaves the set as it was. It may run
// again on a new set.
type op struct {
	need need
	fn   func(*set) error
	err  error
	done chan struct{}
}

// lane commits ops in groups, on a connection of its own.
type lane struct {
	store *Store
	ops   chan *op
	conn  *pgx.Conn // nil while there is none; the loop's
	soon  bool      // a commit need not be on the disk
}

func newLane(s *Store) *lane { return &lane{store: s, ops: make(chan *op, groupMax)} }

// do runs an op and returns its error. A nil return means: committed.
func (l *lane) do(ctx context.Context, need need, fn func(*set) error) error {
	o := &op{need: need, fn: fn, done: make(chan struct{})}
	if err := l.store.open(); err != nil {
		return err
	}
	select {
	case l.ops <- o:
	case <-l.store.closing:
		return ledger.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	// From here the outcome is the database's: a caller that goes away must not
	// believe that nothing happened.
	select {
	case <-o.done:
		return o.err
	case <-l.store.closing:
		l.store.wg.Wait()
		select {
		case <-o.done:
			return o.err
		default:
			return ledger.ErrClosed
		}
	}
}

// run commits groups until the store closes.
func (l *lane) run() {
	ctx := context.Background()
	defer func() {
		if l.conn != nil {
			_ = l.conn.Close(ctx) // nothing is under way
		}
	}()
	for {
		select {
		case o := <-l.ops:
			l.commit(ctx, l.gather(o))
		case <-l.store.closing:
			for {
				select {
				case o := <-l.ops:
					l.commit(ctx, l.gather(o))
				default:
					return
				}
			}
		}
	}
}

// gather returns an op and those that wait behind it.
func (l *lane) gather(first *op) []*op {
	group := []*op{first}
	for len(group) < groupMax {
		select {
		case o := <-l.ops:
			group = append(group, o)
		default:
			return group
		}
	}
	return group
}

// commit brings a group to its end. Where one op's data is refused, the others
// are committed without it.
func (l *lane) commit(ctx context.Context, group []*op) {
	err := l.try(ctx, group)
	if err != nil && len(group) > 1 && !l.away() && !again(err) && !errors.Is(err, ledger.ErrUnknown) {
		for _, o := range group {
			l.commit(ctx, []*op{o})
		}
		return
	}
	for _, o := range group {
		if err != nil {
			o.err = err
		}
		close(o.done)
	}
}

// try makes a group's transaction, again and again while the server is away or
// others are in the way.
func (l *lane) try(ctx context.Context, group []*op) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for n := 0; ; n++ {
		err := l.once(ctx, group)
		if err == nil || errors.Is(err, ledger.ErrUnknown) || (!again(err) && !l.away()) || (again(err) && n >= tries) {
			return err
		}
		select {
		case <-l.store.closing:
			return told(err)
		default:
		}
		if pause(ctx, n) != nil {
			return told(err)
		}
	}
}

// pause waits a little, longer each time, and no two the same.
func pause(ctx context.Context, n int) error {
	most := min(5*time.Millisecond<<min(n, 8), time.Second)
	t := time.NewTimer(time.Duration(rand.Int64N(int64(most)) + 1)) //nolint:gosec // spreads load
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once makes a group's transaction.
func (l *lane) once(ctx context.Context, group []*op) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	x, err := l.load(ctx, group)
	if err != nil {
		return l.undo(ctx, err)
	}
	for _, o := range group {
		o.err = o.fn(x)
	}
	b, err := x.writes(l.store)
	if err != nil {
		return l.undo(ctx, err)
	}
	if b.Len() == 0 {
		return l.undo(ctx, nil)
	}
	b.Queue("COMMIT")
	switch err := l.conn.SendBatch(ctx, b).Close(); {
	case err == nil:
		return nil
	case l.conn.IsClosed() || ctx.Err() != nil:
		return l.outcome(ctx, x.xid, err)
	default:
		return l.undo(ctx, err)
	}
}

// away reports whether there is no connection.
func (l *lane) away() bool { return l.conn == nil || l.conn.IsClosed() }

func (l *lane) connect(ctx context.Context) error {
	if !l.away() {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, l.store.config.ConnConfig)
	if err != nil {
		return err
	}
	if err := settings(ctx, conn); err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	l.conn = conn
	return nil
}

// undo leaves the transaction and returns cause.
func (l *lane) undo(ctx context.Context, cause error) error {
	if l.conn.IsClosed() {
		return cause
	}
	if _, err := l.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = l.conn.Close(ctx) // a new one begins afresh; the server rolls back
		return errors.Join(cause, err)
	}
	return cause
}

// outcome asks the server, once it is back, whether a transaction whose commit
// was under way when the connection broke was committed. A nil return means that
// it was; cause, that it was not and may be made again.
func (l *lane) outcome(ctx context.Context, xid string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for n := 0; ; n++ {
		var status string
		err := l.connect(ctx)
		if err == nil {
			err = l.conn.QueryRow(ctx, "SELECT coalesce(pg_xact_status($1::text::xid8), '')", xid).Scan(&status)
		}
		switch {
		case err == nil && status == "committed":
			return nil
		case err == nil && status == "aborted":
			return fmt.Errorf("%w: %w", errAborted, cause)
		}
		if pause(ctx, n) != nil {
			return fmt.Errorf("%w (transaction %s): %w", ledger.ErrUnknown, xid, errors.Join(cause, err))
		}
	}
}
