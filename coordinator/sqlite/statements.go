package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// statements compiles each query once. All queries are constants of this
// package, so there are few. It is safe for concurrent use.
type statements struct {
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)

	mu     sync.Mutex // guards byText
	byText map[string]*sql.Stmt
}

func newStatements(prepare func(context.Context, string) (*sql.Stmt, error)) *statements {
	return &statements{prepare: prepare, byText: map[string]*sql.Stmt{}}
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	st := s.byText[query]
	s.mu.Unlock()
	if st != nil {
		return st, nil
	}
	st, err := s.prepare(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byText[query]; old != nil { // another was faster
		return old, st.Close() //nolint:sqlclosecheck // at once
	}
	s.byText[query] = st
	return st, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for query, st := range s.byText {
		errs = append(errs, st.Close())
		delete(s.byText, query)
	}
	return errors.Join(errs...)
}

// failed is a row that could not be asked for.
type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

// reader asks on any of the reading connections.
type reader struct {
	db    *sql.DB
	stmts *statements
}

func newReader(db *sql.DB) *reader { return &reader{db, newStatements(db.PrepareContext)} }

func (r *reader) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := r.stmts.get(ctx, query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (r *reader) QueryRowContext(ctx context.Context, query string, args ...any) scanner {
	st, err := r.stmts.get(ctx, query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return failed{err}
	}
	return st.QueryRowContext(ctx, args...)
}

// snapshot runs fn on a view of the database at one moment.
func (r *reader) snapshot(ctx context.Context, fn func(*sql.Tx) error) error {
	// A plain BEGIN takes no lock on this connection: it can only read.
	tx, err := r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(fn(tx), tx.Rollback())
}

func (r *reader) close() error { return errors.Join(r.stmts.close(), r.db.Close()) }

// txn is the one writing connection, within a transaction. It belongs to the
// commit loop.
type txn struct {
	conn    *sql.Conn
	stmts   *statements
	touched touched
	// receipts are those of jobs that were charged lately and are not settled.
	receipts map[common.Hash]*ledger.Signed
}

func newTxn(ctx context.Context, db *sql.DB) (*txn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("writing connection: %w", err)
	}
	return &txn{conn: conn, stmts: newStatements(conn.PrepareContext), receipts: map[common.Hash]*ledger.Signed{}}, nil
}

func (t *txn) Exec(query string, args ...any) (sql.Result, error) {
	st, err := t.stmts.get(context.Background(), query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return nil, err
	}
	return st.Exec(args...)
}

func (t *txn) Query(query string, args ...any) (*sql.Rows, error) {
	st, err := t.stmts.get(context.Background(), query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return nil, err
	}
	return st.Query(args...)
}

func (t *txn) QueryRow(query string, args ...any) scanner {
	st, err := t.stmts.get(context.Background(), query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return failed{err}
	}
	return st.QueryRow(args...)
}

// run runs one op: what it did is undone if it fails, and only that.
func (t *txn) run(o *op) error {
	if _, err := t.Exec("SAVEPOINT one"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	if o.err = o.fn(t); o.err != nil {
		if _, err := t.Exec("ROLLBACK TO one"); err != nil {
			return fmt.Errorf("undo: %w", err)
		}
	}
	if _, err := t.Exec("RELEASE one"); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}

// undo ends the transaction without its changes, and returns cause with what
// went wrong with that.
func (t *txn) undo(cause error) error {
	_, err := t.Exec("ROLLBACK")
	return errors.Join(cause, err)
}

func (t *txn) close() error { return errors.Join(t.stmts.close(), t.conn.Close()) }
