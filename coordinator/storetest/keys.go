package storetest

import (
	"errors"
	"iter"
	"reflect"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

func recordsOf(all []ledger.Record) iter.Seq2[ledger.Record, error] {
	return func(yield func(ledger.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func keys(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	e := ledger.Event{At: 1, Account: address(4), Actor: address(4), Via: "wallet", Action: ledger.EventKeyMade}
	k := ledger.Key{
		Scope: ledger.ScopeClient, Account: address(4), Session: 5, Name: "ci\x00", Made: true, Expires: 90, Rate: 7,
		Budget: ledger.Budget{Total: huge(t), Day: market.Units(2), Month: market.Units(3)},
	}
	ok(t, s.PutKey(ctx, common.Hash{1}, k, 0, e))
	if s.PutKey(ctx, common.Hash{1}, ledger.Key{Scope: ledger.ScopeRead}, 0, e) == nil {
		t.Fatal("a key was made twice")
	}
	if got, err := s.Key(ctx, common.Hash{1}); err != nil || got != k {
		t.Fatalf("%+v, %v", got, err)
	}
	plain := ledger.Key{Scope: ledger.ScopeRead, Account: k.Account}
	ok(t, s.PutKey(ctx, common.Hash{2}, plain, 7, e))
	ok(t, s.PutKey(ctx, common.Hash{3}, ledger.Key{Scope: ledger.ScopeMiner, Account: k.Account}, 8, e))
	ok(t, s.PutKey(ctx, common.Hash{4}, ledger.Key{Scope: ledger.ScopeClient, Account: address(5), Expires: 95}, 9, e))
	list := []ledger.KeyRow{{Hash: common.Hash{2}, Key: plain, Created: 7}, {Hash: common.Hash{1}, Key: k}}
	for _, x := range []struct {
		q    ledger.KeyQuery
		want []ledger.KeyRow
	}{{ledger.KeyQuery{Account: k.Account, Limit: 9}, list}, {ledger.KeyQuery{Account: k.Account, Limit: 1}, list[:1]}} {
		if got, err := s.Keys(ctx, x.q); err != nil || !reflect.DeepEqual(got, x.want) {
			t.Fatalf("%+v: %+v, %v", x.q, got, err)
		}
	}
	for q, want := range map[ledger.KeyQuery]int{{Limit: 9}: 3, {Limit: 9, Miners: true}: 4, {Account: k.Account, Miners: true, Limit: 9}: 3} {
		if got, err := s.Keys(ctx, q); err != nil || len(got) != want {
			t.Fatalf("%+v: %+v, %v", q, got, err)
		}
	}
	if err := s.RemoveKey(ctx, address(5), common.Hash{1}, e); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("another's key: %v", err)
	}
	ok(t, s.RemoveKey(ctx, k.Account, common.Hash{1}, e))
	ok(t, s.RemoveKey(ctx, common.Address{}, common.Hash{2}, e))
	ok(t, s.Sweep(ctx, 95))
	if _, err := s.Key(ctx, common.Hash{4}); err != nil {
		t.Fatalf("a key that is not over yet: %v", err)
	}
	ok(t, s.Sweep(ctx, 96))
	for _, gone := range []common.Hash{{1}, {2}, {4}} {
		if _, err := s.Key(ctx, gone); !errors.Is(err, ledger.ErrNotFound) {
			t.Fatalf("a key that is gone: %v", err)
		}
	}
	if err := s.RemoveKey(ctx, k.Account, common.Hash{1}, e); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("a key that is gone: %v", err)
	}
	if log, err := s.Records(ctx, common.Address{}, 0, 99); err != nil || len(log) != 6 {
		t.Fatalf("%d records of 4 keys made and 2 revoked: %v", len(log), err)
	}
	seed(t, s, 1, 2, market.Units(10))
	ok(t, s.HoldMiner(ctx, address(2), ledger.HoldBlock, e))
	ok(t, s.PutMiner(ctx, ledger.Miner{Address: address(2), Offers: []byte("[]"), Slots: 1})) // a new login changes nothing
	if m, err := s.Miner(ctx, address(2)); err != nil || m.Hold != ledger.HoldBlock {
		t.Fatalf("%+v, %v", m, err)
	}
}

// budgeted inserts a job of the key with hash 1, or returns why not.
func budgeted(t *testing.T, s Store, at time.Time, most uint64) (*ledger.Job, error) {
	j := draft(1, market.Units(most))
	j.Key, j.Created = common.Hash{1}, at.UnixMilli()
	_, err := s.InsertJob(t.Context(), j, sign, nil)
	return j, err
}

func spent(t *testing.T, s Store) ledger.Spent {
	t.Helper()
	rows, err := s.Keys(t.Context(), ledger.KeyQuery{Account: address(100), Limit: 1})
	ok(t, err)
	return rows[0].Spent
}

func budget(t *testing.T, back New) {
	ctx, open := t.Context(), back(t)
	s := open()
	seed(t, s, 1, 2, market.Units(1000))
	ok(t, s.PutKey(ctx, common.Hash{1}, ledger.Key{Scope: ledger.ScopeClient, Account: address(100), Session: 1, Budget: ledger.Budget{Total: market.Units(100)}}, 1, ledger.Event{}))
	now := time.UnixMilli(1)
	first, err := budgeted(t, s, now, 60)
	ok(t, err)
	refused := (*ledger.BudgetError)(nil)
	if _, err := budgeted(t, s, now, 41); !errors.As(err, &refused) || refused.What != "total" || refused.Spent != market.Units(60) {
		t.Fatalf("more than the budget: %v", err)
	}
	if x, err := s.Session(ctx, 1); err != nil || x.Number != 1 || x.Account.Reserved != market.Units(60) {
		t.Fatalf("a refused job left something: %+v, %v", x, err)
	}
	second, err := budgeted(t, s, now, 40)
	ok(t, err)
	charge(t, s, first, 2, market.Units(25)) // 35 come back
	if got := spent(t, s).Total; got != market.Units(65) {
		t.Fatalf("spent %s", got)
	}
	_, err = s.End(ctx, ledger.Ending{Job: second.ID, State: market.Failed})
	ok(t, err)
	_, err = s.End(ctx, ledger.Ending{Job: second.ID, State: market.Failed}) // once more gives nothing back
	ok(t, err)
	if got := spent(t, s).Total; got != market.Units(25) {
		t.Fatalf("spent %s", got)
	}
	ok(t, s.Close())
	s = open()
	t.Cleanup(func() { _ = s.Close() })
	if _, err := budgeted(t, s, now, 76); !errors.As(err, &refused) {
		t.Fatalf("after a restart: %v", err)
	}
	last, err := budgeted(t, s, now, 75)
	ok(t, err)
	balanced(t, s)
	ok(t, s.RemoveKey(ctx, address(100), common.Hash{1}, ledger.Event{}))
	if _, err := budgeted(t, s, now, 1); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("with a revoked key: %v", err)
	}
	charge(t, s, last, 2, market.Units(75)) // what it ordered goes on
	balanced(t, s)
}

func windows(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	ok(t, s.PutKey(ctx, common.Hash{1}, ledger.Key{Scope: ledger.ScopeClient, Account: address(100), Budget: ledger.Budget{Day: market.Units(10), Month: market.Units(25)}}, 1, ledger.Event{}))
	day := func(d, hour int) time.Time { return time.Date(2026, 1, d, hour, 0, 0, 0, time.UTC) }
	refused := func(at time.Time, most uint64, what string) {
		t.Helper()
		var e *ledger.BudgetError
		if _, err := budgeted(t, s, at, most); !errors.As(err, &e) || e.What != what {
			t.Fatalf("%v, want the %s budget", err, what)
		}
	}
	first, err := budgeted(t, s, day(1, 23), 10)
	ok(t, err)
	refused(day(1, 23), 1, "day")
	_, err = budgeted(t, s, day(2, 0), 10)
	ok(t, err)
	refused(day(1, 23), 1, "day") // by a clock that is behind
	refused(day(3, 0), 6, "month")
	charge(t, s, first, 2, market.Units(4)) // its day is over, its month is not
	refused(day(2, 1), 1, "day")
	_, err = budgeted(t, s, day(3, 0), 10)
	ok(t, err)
	refused(day(31, 23), 2, "month")
	_, err = budgeted(t, s, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), 10)
	ok(t, err)
	if got := spent(t, s); got.Total != market.Units(34) || got.Month.Amount != market.Units(10) {
		t.Fatalf("%+v", got)
	}
	balanced(t, s)
}

func usedOnce(t *testing.T, back New) {
	ctx, open := t.Context(), back(t)
	s := open()
	ok(t, s.Use(ctx, common.Hash{1}, 10))
	ok(t, s.Use(ctx, common.Hash{2}, 20))
	ok(t, s.Close())
	s = open()
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Use(ctx, common.Hash{1}, 10); !errors.Is(err, ledger.ErrUsed) {
		t.Fatalf("used twice: %v", err)
	}
	ok(t, s.Sweep(ctx, 11))
	ok(t, s.Use(ctx, common.Hash{1}, 10)) // whoever asks must know that its time is over
	if err := s.Use(ctx, common.Hash{2}, 10); !errors.Is(err, ledger.ErrUsed) {
		t.Fatalf("used twice: %v", err)
	}
}

func auditLog(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	for n := range 5 {
		ok(t, s.Log(ctx, ledger.Event{At: int64(n), Account: address(byte(n % 2)), Actor: address(9), Via: "wallet", Action: ledger.EventLogin, Subject: "s\x00", Detail: "d"}))
	}
	all, err := s.Records(ctx, common.Address{}, 0, 9)
	if err != nil || len(all) != 5 || all[0].N != 5 || all[4].N != 1 || all[0].Subject != "s\x00" || all[0].Actor != address(9) || all[0].At != 4 {
		t.Fatalf("%+v, %v", all, err)
	}
	if n, err := ledger.CheckChain(recordsOf(all)); err != nil || n != 5 {
		t.Fatalf("%d, %v", n, err)
	}
	mine, err := s.Records(ctx, address(1), 4, 9)
	if err != nil || len(mine) != 1 || mine[0].N != 2 {
		t.Fatalf("%+v, %v", mine, err)
	}
	for what, change := range map[string]func([]ledger.Record) []ledger.Record{
		"altered":  func(r []ledger.Record) []ledger.Record { r[2].Detail = "another"; return r },
		"dropped":  func(r []ledger.Record) []ledger.Record { return append(r[:2], r[3:]...) },
		"cut":      func(r []ledger.Record) []ledger.Record { return r[:4] },
		"replaced": func(r []ledger.Record) []ledger.Record { r[2].Detail = "another"; r[2].Hash = r[2].Sum(); return r },
	} {
		r := append([]ledger.Record{}, all...)
		if _, err := ledger.CheckChain(recordsOf(change(r))); err == nil {
			t.Errorf("%s and not noticed", what)
		}
	}
}
