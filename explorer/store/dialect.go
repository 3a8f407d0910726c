package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver
)

// readers is how many connections read at a time.
const readers = 4

// dialect is where one database's SQL is not the other's. Queries are written for
// SQLite.
type dialect struct {
	words      *strings.Replacer // in the schema
	numbered   bool              // parameters are $1, $2 and not ?
	lock       string            // ends a SELECT of what is to be written
	atOnce     int               // rows that one statement writes
	version    func(ctx context.Context, tx *sql.Tx) (int, error)
	setVersion func(ctx context.Context, tx *sql.Tx) error
	// What no node can tell again is on the disk when it is acknowledged: durable begins a
	// transaction that is, settle follows one. Either may be nil.
	durable func(ctx context.Context, tx *sql.Tx) error
	settle  func(ctx context.Context, db *sql.DB) error
}

// bind is a query with the database's own parameters.
func (d *dialect) bind(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(query, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}

// IsURL reports whether an index lies in PostgreSQL, not in a file.
func IsURL(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// Redacted is where an index lies, without a password.
func Redacted(where string) string {
	if !IsURL(where) {
		return where
	}
	u, err := url.Parse(where)
	if err != nil {
		return "in PostgreSQL"
	}
	query := u.Query()
	if query.Has("password") {
		query.Set("password", "xxxxx")
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}

func openFile(path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// What a crash of the machine may take back, the node still has: no sync for each commit.
	dsn := "file:" + filepath.ToSlash(path) + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
	w, err := sql.Open("sqlite", dsn+"&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(8000)")
	if err != nil {
		return nil, err
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	r.SetMaxOpenConns(readers)
	r.SetMaxIdleConns(readers)
	return &Store{dialect{words: strings.NewReplacer(), atOnce: 50, version: fileVersion, setVersion: setFileVersion, settle: settleFile}, w, r}, nil
}

// settleFile has SQLite sync its log, which it does before it copies out of it.
func settleFile(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`)
	return err
}

func fileVersion(ctx context.Context, tx *sql.Tx) (have int, err error) {
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&have); err != nil || have > 0 {
		return have, err
	}
	var others int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&others); err != nil {
		return 0, err
	}
	if others > 0 {
		return 0, errors.New("the file is another program's: name one of the explorer's own")
	}
	return 0, nil
}

func setFileVersion(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version))
	return err
}

func openURL(where string) (*Store, error) {
	c, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	if c.RuntimeParams["search_path"] == "" {
		c.RuntimeParams["search_path"] = "explorer"
	}
	c.RuntimeParams["application_name"] = "aitbc explorer"
	c.RuntimeParams["synchronous_commit"] = "off" // as in a file
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(readers + 1)
	db.SetMaxIdleConns(readers + 1)
	return &Store{dialect{
		words:    strings.NewReplacer("BLOB", "BYTEA", "INTEGER", "BIGINT", " WITHOUT ROWID", ""),
		numbered: true, lock: " FOR UPDATE", atOnce: 500, version: urlVersion, setVersion: setURLVersion, durable: durableURL,
	}, db, db}, nil
}

func durableURL(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SET LOCAL synchronous_commit = on`)
	return err
}

func urlVersion(ctx context.Context, tx *sql.Tx) (have int, err error) {
	// Whoever else starts at the same time waits here.
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('aitbc/explorer', 0))`); err != nil {
		return 0, err
	}
	var path string
	if err := tx.QueryRowContext(ctx, `SELECT split_part(current_setting('search_path'), ',', 1)`).Scan(&path); err != nil {
		return 0, err
	}
	var there bool
	if err := tx.QueryRowContext(ctx, `SELECT current_schema() IS NOT NULL`).Scan(&there); err != nil {
		return 0, err
	}
	if !there {
		if _, err := tx.ExecContext(ctx, `CREATE SCHEMA `+pgx.Identifier{strings.Trim(path, `" `)}.Sanitize()); err != nil {
			return 0, err
		}
	}
	var ours, others bool
	if err := tx.QueryRowContext(ctx, `SELECT to_regclass(quote_ident(current_schema()) || '.explorer_version') IS NOT NULL,
		EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ANY ($1))`, append([]string{"verified"}, tables...)).Scan(&ours, &others); err != nil {
		return 0, err
	}
	if !ours && others {
		return 0, errors.New("the schema has another program's tables: name one of the explorer's own in search_path")
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS explorer_version (version BIGINT NOT NULL)`); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT version FROM explorer_version`).Scan(&have)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return have, err
}

func setURLVersion(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM explorer_version`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO explorer_version VALUES ($1)`, version)
	return err
}
