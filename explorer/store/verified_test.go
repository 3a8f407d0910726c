package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/explorer/indextest"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/explorer/verify"
)

func contract(n byte, match verify.Match) store.Contract {
	return store.Contract{
		Address: common.Address{n}, Time: time.Unix(1_790_000_000, 7).UTC(), Code: common.Hash{n},
		Result: verify.Result{
			Match: match, Path: "a.sol", Name: fmt.Sprintf("C%d", n), Compiler: "0.8.37+commit.f401782d", ABI: json.RawMessage(`[]`), Created: true,
			Input: json.RawMessage(`{"sources":{"a.sol":{"content":"` + strings.Repeat("x", 1000) + `"}}}`), Arguments: []byte{1, 2}, Libraries: map[string]common.Address{"a.sol:L": {9}},
		},
	}
}

// What was verified is kept as it was, a match becomes better and never worse, and
// two explorers number each contract once.
func TestVerifiedContractsAreKept(t *testing.T) { everywhere(t, verifiedKept) }

func verifiedKept(t *testing.T, place func() string) {
	where := place()
	s := open(t, where, indextest.New(3, 2))
	ctx := t.Context()
	if _, err := s.Contract(ctx, common.Address{1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before any: %v", err)
	}
	first, err := s.SaveContract(ctx, contract(1, verify.Partial))
	if err != nil {
		t.Fatal(err)
	}
	want := contract(1, verify.Partial)
	want.Seq = 1
	got, err := s.Contract(ctx, common.Address{1})
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || fmt.Sprintf("%+v", first) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	change := func(match verify.Match, name string, code byte) string {
		t.Helper()
		c := contract(1, match)
		c.Name, c.Code = name, common.Hash{code}
		kept, err := s.SaveContract(ctx, c)
		if err != nil || kept.Seq != 1 {
			t.Fatalf("%+v, %v", kept, err)
		}
		got, err := s.Contract(ctx, common.Address{1})
		if err != nil || got.Name != kept.Name {
			t.Fatalf("%+v, %v", got, err)
		}
		return got.Match.String() + " " + got.Name
	}
	for _, c := range []struct {
		match verify.Match
		name  string
		code  byte
		want  string
	}{
		{verify.Partial, "Another", 1, "partial C1"},
		{verify.Full, "Better", 1, "full Better"},
		{verify.Partial, "Worse", 1, "full Better"},
		{verify.Full, "Again", 1, "full Better"},
		{verify.Partial, "NewCode", 2, "partial NewCode"},
	} {
		if got := change(c.match, c.name, c.code); got != c.want {
			t.Errorf("after %s %s: %s, want %s", c.match, c.name, got, c.want)
		}
	}
	other, err := store.Open(ctx, where)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // a test's
	var g errgroup.Group
	for n := byte(2); n < 10; n++ {
		for _, by := range []*store.Store{s, other} {
			g.Go(func() error { _, err := by.SaveContract(ctx, contract(n, verify.Full)); return err })
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	seen := map[common.Address]bool{}
	for before := uint64(1 << 62); ; {
		page, err := s.Contracts(ctx, before, 4)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if c.Seq >= before || seen[c.Address] || c.Input != nil {
				t.Errorf("%+v before %d", c, before)
			}
			seen[c.Address], before = true, c.Seq
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d contracts, want 9", len(seen))
	}
}

// A newer program empties the index and leaves the contracts; another network's are
// not shown.
func TestVerifiedContractsOutliveTheIndex(t *testing.T) { everywhere(t, verifiedOutlive) }

func verifiedOutlive(t *testing.T, place func() string) {
	where := place()
	n := indextest.New(5, 2)
	s := open(t, where, n)
	if _, err := s.SaveContract(t.Context(), contract(1, verify.Full)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	forget := func() {
		t.Helper()
		driver, dsn, statement := "sqlite", "file:"+where, `PRAGMA user_version = 1`
		if store.IsURL(where) {
			driver, dsn, statement = "pgx", where, `UPDATE explorer_version SET version = 1`
		}
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // a test's
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	again, err := store.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Totals(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the index of another version is still there: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, where, n).Contract(t.Context(), common.Address{1}); err != nil || got.Match != verify.Full {
		t.Errorf("%+v, %v", got, err)
	}
	forget()
	other := indextest.New(5, 2)
	other.Seed = 9
	if got, err := open(t, where, other).Contract(t.Context(), common.Address{1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another network's contract is shown: %+v, %v", got, err)
	}
}

func TestWhatMadeAContractIsFound(t *testing.T) { everywhere(t, creationFound) }

func creationFound(t *testing.T, place func() string) {
	n := indextest.New(20, 10)
	n.Contract = &indextest.Contract{Creation: []byte{1}, Logs: "[]"}
	s := open(t, place(), n)
	x, err := s.CreationOf(t.Context(), n.Made())
	if err != nil || x.Hash != n.Tx(indextest.MadeAt, 8) || x.To != nil || x.Created == nil {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := s.CreationOf(t.Context(), n.Account(1)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an account was made: %v", err)
	}
}
