package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// connections is how many serve reads and rare writes.
const connections = 8

// Store is the open database. Its methods may be called concurrently.
type Store struct {
	config *pgxpool.Config
	pool   *pgxpool.Pool
	groups *lane // money
	leases *lane // what a crash may undo

	channel string // of notes between replicas
	me      atomic.Pointer[identity]

	closing   chan struct{}
	closeOnce sync.Once
	wg        sync.WaitGroup
}

// Open connects to the database that a URL names and brings its tables up to
// date. They lie in the first schema of search_path, which is made if it is
// missing and the URL names it.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database_url: %w", err) // pgx leaves the password out
	}
	config.MaxConns = connections
	config.ConnConfig.RuntimeParams["application_name"] = "aitbc coordinator"
	config.ConnConfig.ConnectTimeout = 10 * time.Second
	config.AfterConnect = settings
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{config: config, pool: pool, closing: make(chan struct{})}
	if err := s.check(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.migrate(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	s.me.Store(&identity{})
	if err := pool.QueryRow(ctx, "SELECT 'aitbc/' || current_schema()").Scan(&s.channel); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.groups, s.leases = newLane(s), newLane(s)
	s.leases.soon = true
	s.wg.Go(s.groups.run)
	s.wg.Go(s.leases.run)
	return s, nil
}

// settings makes a commit mean: on the disk, whatever the server's default.
func settings(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
	return err
}

// check refuses a server that acknowledges before the disk does.
func (s *Store) check(ctx context.Context) error {
	var fsync string
	if err := s.pool.QueryRow(ctx, "SHOW fsync").Scan(&fsync); err != nil {
		return err
	}
	if fsync != "on" {
		return errors.New("the server runs with fsync = off and would lose money in a crash: turn it on")
	}
	return nil
}

// migrate applies the numbered files that the database has not seen, each once,
// whoever else starts at the same time.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(files)
	return s.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('aitbc/migrate', 0))"); err != nil {
			return err
		}
		if path := s.config.ConnConfig.RuntimeParams["search_path"]; path != "" {
			name, _, _ := strings.Cut(path, ",")
			if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{strings.TrimSpace(name)}.Sanitize()); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)"); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&version); err != nil {
			return err
		}
		if version > len(files) {
			return fmt.Errorf("the database is of version %d, this program knows %d: use a newer program", version, len(files))
		}
		for i := version; i < len(files); i++ {
			text, err := migrations.ReadFile(files[i])
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", files[i], err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO schema_version (version) VALUES ($1)", i+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close waits for writes under way and closes the database. Later calls get
// [ledger.ErrClosed].
func (s *Store) Close() error {
	s.closeOnce.Do(func() { close(s.closing) })
	s.wg.Wait()
	s.pool.Close()
	return nil
}

func (s *Store) open() error {
	select {
	case <-s.closing:
		return ledger.ErrClosed
	default:
		return nil
	}
}

// tries bounds how often a transaction is made anew.
const tries = 8

// tx runs fn in a transaction of its own, again if it got in another's way.
func (s *Store) tx(ctx context.Context, fn func(pgx.Tx) error) error {
	if err := s.open(); err != nil {
		return err
	}
	var err error
	for n := range tries {
		err = pgx.BeginFunc(ctx, s.pool, fn)
		if !again(err) && !pgconn.SafeToRetry(err) {
			return told(err)
		}
		if err := pause(ctx, n); err != nil {
			return err
		}
	}
	return told(err)
}

// snapshot runs fn on a view of the database at one moment.
func (s *Store) snapshot(ctx context.Context, fn func(pgx.Tx) error) error {
	return s.reading(ctx, func() error {
		return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
	})
}

// errAborted says that a transaction was certainly not committed.
var errAborted = errors.New("the server went away before the commit")

// again reports whether an error says that nothing was done and the same
// transaction may succeed now.
func again(err error) bool {
	if errors.Is(err, errAborted) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01") // serialization_failure, deadlock_detected
}

// down reports whether an error says that the server is away, or going.
func down(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "08") || e.Code == "53300" // shutdown, connection, too many connections
	}
	c, ok := errors.AsType[*pgconn.ConnectError](err)
	n, lost := errors.AsType[net.Error](err)
	return ok && c != nil || lost && n != nil || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF)
}

// told makes an error that says that the server is away one that users may see.
func told(err error) error {
	if err == nil || !down(err) {
		return err
	}
	return apierr.Wrap(err, apierr.Unavailable, "the ledger's database does not answer: try again in a few seconds")
}

// reading runs fn, which only reads, again while the server is away.
func (s *Store) reading(ctx context.Context, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for n := 0; ; n++ {
		if err := s.open(); err != nil {
			return err
		}
		err := fn()
		if err == nil || !down(err) || pause(ctx, n) != nil {
			return told(err)
		}
	}
}
