package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/postgres"
	"github.com/aitbc/aitbc/coordinator/storetest"
	"github.com/aitbc/aitbc/internal/pgtest"
	"github.com/aitbc/aitbc/market"
)

func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.WithoutCancel(t.Context()), url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	t.Run("Suite", func(t *testing.T) {
		storetest.Run(t, storetest.Options{Shared: true}, func(t testing.TB) func() storetest.Store {
			url := server.URL()
			return func() storetest.Store { return open(t, url) }
		})
	})
}

// Replicas that start at once bring an empty database up to date once.
func TestManyOpenAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).URL()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A newer program's database is left alone; a server that does not sync is refused.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://localhost:1/x?connect_timeout=1", "postgres://%zz"} {
		if s, err := postgres.Open(t.Context(), url); err == nil {
			t.Errorf("%s was opened", url)
			_ = s.Close()
		}
	}
}

// While the server is away, callers are told to come again; then it goes on.
func TestServerAway(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := open(t, server.URL())
	defer func() { _ = s.Close() }()
	server.Crash()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Session(ctx, 1); !apierr.HasCode(err, apierr.Unavailable) {
		t.Errorf("read: %v", err)
	}
	if err := s.PutMeta(t.Context(), "a", "b"); !apierr.HasCode(err, apierr.Unavailable) {
		t.Errorf("write: %v", err)
	}
	server.Run(t)
	if err := s.PutMeta(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Meta(t.Context(), "a"); err != nil || v != "b" {
		t.Fatalf("%q, %v", v, err)
	}
}

// The server crashes again and again under load. What was acknowledged is there
// afterwards, once; what was refused is not; the store goes on by itself.
func TestServerCrashLosesNothing(t *testing.T) {
	t.Parallel()
	const clients, rounds = 8, 3
	ctx := t.Context()
	server := pgtest.Start(t)
	s := open(t, server.URL())
	defer func() { _ = s.Close() }()
	deposit := market.Units(1_000_000)
	if err := s.PutSession(ctx, ledger.Session{ID: 1, Client: common.Address{1}, SpenderN: 1, Account: market.SessionAccount{Deposit: deposit}, FeeBps: 250, State: ledger.SessionOpen}); err != nil {
		t.Fatal(err)
	}
	stop, acknowledged := make(chan struct{}), make(chan common.Hash, 100_000)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				j := &ledger.Job{Session: 1, Client: common.Address{1}, Model: "m", MaxPrice: market.Units(1), Request: []byte("{}"), IdemKey: fmt.Sprint(c, "/", n), IdemHash: []byte{1}}
				old, err := s.InsertJob(ctx, j, func(j *ledger.Job) error {
					j.ID = common.Hash{30: byte(j.Number >> 8), 31: byte(j.Number), 29: byte(j.Number >> 16)}
					return nil
				}, nil)
				switch {
				case err == nil && old == nil:
					acknowledged <- j.ID
				case err == nil:
					t.Errorf("key %s was there already", j.IdemKey)
				case errors.Is(err, market.ErrInsufficient):
					return
				}
			}
		})
	}
	took := 0
	for range rounds {
		for range 50 { // at least so many between two crashes
			id := <-acknowledged
			if _, err := s.Job(ctx, id); err != nil {
				t.Errorf("acknowledged job %s: %v", id, err)
			}
			took++
		}
		server.Crash()
		server.Run(t)
	}
	close(stop)
	wg.Wait()
	close(acknowledged)
	for id := range acknowledged {
		if _, err := s.Job(ctx, id); err != nil {
			t.Errorf("acknowledged job %s: %v", id, err)
		}
		took++
	}
	a, err := s.Audit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if bad := a.Check(); len(bad) > 0 {
		t.Fatalf("the books do not balance: %+v", bad)
	}
	if a.Sessions[0].Account.Reserved != market.Units(uint64(took)) || a.Sessions[0].Number != uint64(took) {
		t.Fatalf("%d jobs were acknowledged, the session has %+v", took, a.Sessions[0])
	}
}
