package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/indextest"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/internal/pgtest"
)

// Variables by which the test runs itself as the process to kill.
const (
	childPath = "AITBC_TEST_INDEX"
	childNode = "AITBC_TEST_NODE"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := follow(context.Background(), path, os.Getenv(childNode), ^uint64(0)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// follow indexes a node until the store has a block, or all that there are.
func follow(ctx context.Context, path, url string, until uint64) (err error) {
	s, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	node, err := index.NewNode(url)
	if err != nil {
		return err
	}
	f := index.Follower{Source: node, Store: s, Log: slog.New(slog.DiscardHandler)}
	return f.CatchUp(ctx, until)
}

func serve(t testing.TB, n *indextest.Node) string {
	t.Helper()
	s := httptest.NewServer(n)
	t.Cleanup(s.Close)
	return s.URL
}

// everywhere runs a test with each kind of database; fresh names one that is empty.
func everywhere(t *testing.T, test func(t *testing.T, fresh func() string)) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, func() string { return filepath.Join(t.TempDir(), "i.db") })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := pgtest.Start(t)
		test(t, server.URL)
	})
}

// dump writes all tables in the order of their keys.
func dump(t *testing.T, where string) string {
	t.Helper()
	driver, dsn := "sqlite", "file:"+where
	if store.IsURL(where) {
		driver, dsn = "pgx", where
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	var b strings.Builder
	for _, table := range []struct{ name, key string }{
		{"position", "1"}, {"blocks", "1"}, {"txs", "1, 2"}, {"touched", "1, 2, 3"}, {"events", "1, 2"}, {"subjects", "1, 2, 3, 4"}, {"holdings", "1, 2"},
	} {
		if err := dumpTable(&b, db, table.name, table.key); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func dumpTable(b *strings.Builder, db *sql.DB, table, key string) error {
	rows, err := db.Query(`SELECT * FROM ` + table + ` ORDER BY ` + key)
	if err != nil {
		return err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(cols))
		into := make([]any, len(cols))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		fmt.Fprintf(b, "%s %v\n", table, values)
	}
	return rows.Err()
}

// killer kills a process when it has asked the node for a number of blocks.
type killer struct {
	node http.Handler

	mu    sync.Mutex
	after int // questions from now on; 0: never
	kill  func()
}

func (k *killer) arm(after int, kill func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.after, k.kill = after, kill
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.after--
	if k.after == 0 {
		k.kill()
	}
	k.mu.Unlock()
	k.node.ServeHTTP(w, r)
}

// A process that is killed at any time leaves an index that the next one
// completes to what an undisturbed one makes.
func TestKilledIndexingEndsAsAnUndisturbedOne(t *testing.T) { everywhere(t, killedIndexing) }

func killedIndexing(t *testing.T, place func() string) {
	const head = 900
	node := &killer{node: indextest.New(head, 8)}
	server := httptest.NewServer(node)
	t.Cleanup(server.Close)
	fresh, torn := place(), place()
	if err := follow(t.Context(), fresh, server.URL, head); err != nil {
		t.Fatal(err)
	}
	killed := 0
	// Two questions a block and 128 blocks a range: the kills come while the first
	// range is written, then ever later, until the process gets to the end before.
	for after := 258; ; after += 26 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childPath+"="+torn, childNode+"="+server.URL)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		node.arm(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		node.arm(0, nil)
		if err == nil {
			break
		}
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Exited() {
			t.Fatal(err)
		}
		killed++
	}
	if killed < 3 {
		t.Fatalf("killed only %d times", killed)
	}
	if err := follow(t.Context(), torn, server.URL, head); err != nil {
		t.Fatal(err)
	}
	if want, have := dump(t, fresh), dump(t, torn); want != have {
		t.Errorf("after %d kills the index differs from an undisturbed one: %d and %d bytes", killed, len(have), len(want))
	}
	t.Logf("killed %d times", killed)
}

// An index of one chain takes no block of another.
func TestNodeOfAnotherChainIsRefused(t *testing.T) { everywhere(t, anotherChain) }

func anotherChain(t *testing.T, place func() string) {
	path := place()
	if err := follow(t.Context(), path, serve(t, indextest.New(20, 3)), 20); err != nil {
		t.Fatal(err)
	}
	other := indextest.New(40, 3)
	other.Seed = 9
	if err := follow(t.Context(), path, serve(t, other), 40); !errors.Is(err, index.ErrOtherChain) {
		t.Errorf("another genesis: %v", err)
	}
	pruned := indextest.New(90, 3)
	pruned.First = 50
	if err := follow(t.Context(), path, serve(t, pruned), 90); !errors.Is(err, index.ErrPruned) {
		t.Errorf("a node without the next block: %v", err)
	}
	late := place()
	if err := follow(t.Context(), late, serve(t, pruned), 90); err != nil {
		t.Errorf("a new index of a node that lacks the oldest: %v", err)
	}
}

func open(t testing.TB, path string, n *indextest.Node) *store.Store {
	t.Helper()
	if err := follow(context.Background(), path, serve(t, n), n.Head.Load()); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestWhatWasIndexedIsFound(t *testing.T) { everywhere(t, whatWasIndexed) }

func whatWasIndexed(t *testing.T, place func() string) {
	n := indextest.New(100, 10)
	s := open(t, place(), n)
	ctx := t.Context()
	sum, err := s.Totals(ctx)
	if err != nil || sum.Txs != 1000 || sum.Failed != 100 || sum.Next != 101 || sum.Burned.String() != "147000000" {
		t.Errorf("%+v, %v", sum, err)
	}
	b, err := s.BlockByHash(ctx, n.Hash(42))
	if err != nil || b.Height != 42 || b.Parent != n.Hash(41) || b.Txs != 10 {
		t.Errorf("%+v, %v", b, err)
	}
	x, err := s.Tx(ctx, n.Tx(42, 5))
	if err != nil || x.Height != 42 || x.Index != 5 || x.Time != b.Time || x.From != n.Account(425) || fmt.Sprintf("%x", x.Method) != "55667788" {
		t.Errorf("%+v, %v", x, err)
	}
	said, err := s.EventsOfTx(ctx, 42, 5)
	if err != nil || len(said) != 3 || said[2].Name != "Settled" || !strings.Contains(string(said[2].Args), `"batch":"425"`) || *said[2].TxHash != x.Hash {
		t.Errorf("%+v, %v", said, err)
	}
	system, err := s.EventsOfTx(ctx, 35, index.System)
	if err != nil || len(system) != 2 || system[0].Name != "Distributed" || system[1].Name != "CallRefused" || system[0].TxHash != nil {
		t.Errorf("%+v, %v", system, err)
	}
	// Page by page, an account's transactions are those of one great page.
	whole, err := s.TxsBy(ctx, n.Account(1), store.Newest, 10_000)
	if err != nil || len(whole) < 200 {
		t.Fatalf("%d, %v", len(whole), err)
	}
	var paged []store.Tx
	for at := store.Newest; ; {
		page, err := s.TxsBy(ctx, n.Account(1), at, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		at = store.Place{Height: page[len(page)-1].Height, Seq: page[len(page)-1].Index}
	}
	if fmt.Sprint(paged) != fmt.Sprint(whole) {
		t.Errorf("%d transactions in pages, %d at once", len(paged), len(whole))
	}
	about, err := s.EventsAbout(ctx, index.Subject{Kind: index.KindSession, Key: "\x00\x00\x00\x00\x00\x00\x00\x2b"}, store.Newest, 10)
	if err != nil || len(about) != 2 || about[0].Name != "SessionOpened" && about[1].Name != "SessionOpened" {
		t.Errorf("%+v, %v", about, err)
	}
	moved, err := s.EventsOfTx(ctx, 42, 2)
	if err != nil || len(moved) != 1 || moved[0].Contract != index.ERC20 || !strings.Contains(string(moved[0].Args), `"value":"422"`) {
		t.Errorf("%+v, %v", moved, err)
	}
	held, err := s.Tokens(ctx, n.Account(422), common.Address{}, 10)
	if err != nil || len(held) != 1 || held[0] != indextest.Token {
		t.Errorf("%v, %v", held, err)
	}
	if held, err = s.Tokens(ctx, n.Account(422), indextest.Token, 10); err != nil || len(held) != 0 {
		t.Errorf("after the last: %v, %v", held, err)
	}
	if _, err := s.Tx(ctx, n.Hash(1)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a block's hash as a transaction: %v", err)
	}
}

// Two explorers that follow the chain into one database write each block once.
func TestTwoExplorersShareADatabase(t *testing.T) {
	everywhere(t, func(t *testing.T, place func() string) {
		const head = 400
		url := serve(t, indextest.New(head, 8))
		alone, shared := place(), place()
		if err := follow(t.Context(), alone, url, head); err != nil {
			t.Fatal(err)
		}
		var g errgroup.Group
		for range 2 {
			g.Go(func() error { return follow(t.Context(), shared, url, head) })
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if dump(t, alone) != dump(t, shared) {
			t.Error("the index of two differs from that of one")
		}
	})
}

// A database that is another program's is left as it is.
func TestAnotherProgramsDatabaseIsLeftAlone(t *testing.T) {
	everywhere(t, func(t *testing.T, place func() string) {
		where := place()
		driver, dsn := "sqlite", "file:"+where
		if store.IsURL(where) {
			driver, dsn = "pgx", where
		}
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // a test's
		if store.IsURL(where) {
			if _, err := db.Exec(`DO $$ BEGIN EXECUTE 'CREATE SCHEMA ' || current_setting('search_path'); END $$`); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Exec(`CREATE TABLE events (theirs TEXT)`); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Open(t.Context(), where); err == nil || !strings.Contains(err.Error(), "another program's") {
			t.Fatalf("%v, %v", s, err)
		}
		if _, err := db.Exec(`INSERT INTO events VALUES ('still there')`); err != nil {
			t.Error(err)
		}
	})
}

func TestAPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"postgres://me:planted@db/x", "postgres://db/x?user=me&password=planted", "postgres://me:planted@[bad"} {
		if got := store.Redacted(where); strings.Contains(got, "planted") {
			t.Errorf("%s is shown as %s", where, got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := store.Open(ctx, where); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", where, err)
		}
		cancel()
	}
}

// BenchmarkIndex tells how many blocks of ten transactions are indexed, the
// node's answers included, and how long the slower half of searches takes then at
// least; AITBC_LONG=1 makes it 10^5 blocks.
func BenchmarkIndex(b *testing.B) {
	blocks := uint64(2_000)
	if os.Getenv("AITBC_LONG") != "" {
		blocks = 100_000
	}
	n := indextest.New(blocks, 10)
	url := serve(b, n)
	measure := func(b *testing.B, place func() string) {
		for b.Loop() {
			path := place()
			start := time.Now()
			if err := follow(context.Background(), path, url, blocks); err != nil {
				b.Fatal(err)
			}
			took := time.Since(start).Seconds()
			b.ReportMetric(float64(blocks)/took, "blocks/s")
			b.ReportMetric(float64(blocks*10)/took, "txs/s")
			b.ReportMetric(float64(median(b, n, path).Microseconds()), "search-p50-µs")
		}
	}
	b.Run("SQLite", func(b *testing.B) { measure(b, func() string { return filepath.Join(b.TempDir(), "i.db") }) })
	b.Run("PostgreSQL", func(b *testing.B) { measure(b, pgtest.Start(b).URL) })
}

// median measures what a search and the pages it leads to read.
func median(b *testing.B, n *indextest.Node, path string) time.Duration {
	b.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // it was read
	head := n.Head.Load()
	took := make([]time.Duration, 0, 1000)
	for i := range uint64(1000) {
		height := 1 + i*7919%head
		start := time.Now()
		if _, err := s.Tx(ctx, n.Tx(height, 3)); err != nil {
			b.Fatal(err)
		}
		if _, err := s.BlockByHash(ctx, n.Hash(height)); err != nil {
			b.Fatal(err)
		}
		if _, err := s.TxsBy(ctx, n.Account(int(i)), store.Newest, 25); err != nil {
			b.Fatal(err)
		}
		if _, err := s.EventsAbout(ctx, index.Subject{Kind: index.KindName, Key: "Market.Settled"}, store.Newest, 25); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
