package storetest

import (
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

func files(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	f := ledger.File{ID: "file-1", Account: address(4), Name: "a\x00b.jsonl", Purpose: "batch", Bytes: 4, Created: 5, Expires: 50}
	content := []byte("\x00\xff{}")
	ok(t, s.PutFile(ctx, f, content, 10))
	if got, raw, err := s.File(ctx, "file-1"); err != nil || got != f || string(raw) != string(content) {
		t.Fatalf("%+v, %q, %v", got, raw, err)
	}
	second := f
	second.ID, second.Created, second.Bytes = "file-2", 6, 7
	if err := s.PutFile(ctx, second, content, 10); !errors.Is(err, ledger.ErrQuota) {
		t.Fatalf("more than the quota: %v", err)
	}
	second.Bytes = 6
	ok(t, s.PutFile(ctx, second, nil, 10))
	if list, err := s.Files(ctx, f.Account, 9); err != nil || !reflect.DeepEqual(list, []ledger.File{second, f}) {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err := s.Files(ctx, address(5), 9); err != nil || len(list) != 0 {
		t.Fatalf("another's: %+v, %v", list, err)
	}
	if err := s.RemoveFile(ctx, address(5), f.ID); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("another's: %v", err)
	}
	b := &ledger.Bulk{ID: "batch_1", Account: f.Account, Session: 1, Input: f.ID, State: ledger.BulkValidating, Keep: 50}
	_, err := s.InsertBulk(ctx, b)
	ok(t, err)
	if err := s.RemoveFile(ctx, f.Account, f.ID); !errors.Is(err, ledger.ErrInUse) {
		t.Fatalf("the input of an open batch: %v", err)
	}
	b.Ended = 7
	ok(t, s.SaveBulk(ctx, b, nil, nil))
	ok(t, s.RemoveFile(ctx, f.Account, f.ID))
	ok(t, s.Sweep(ctx, 51))
	for _, id := range []string{f.ID, second.ID, "file-3"} {
		if _, _, err := s.File(ctx, id); !errors.Is(err, ledger.ErrNotFound) {
			t.Fatalf("%s: %v", id, err)
		}
	}
	if _, err := s.Bulk(ctx, b.ID); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("a batch whose time is over: %v", err)
	}
}

func bulks(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	b := &ledger.Bulk{
		ID: "batch_1", Account: address(4), Session: 3, Key: common.Hash{5}, Endpoint: "/v1/embeddings", Input: "file-1", Window: "24h", Metadata: map[string]string{"a": "b"},
		State: ledger.BulkValidating, Created: 5, Expires: 9, Keep: 99, IdemKey: "k", IdemHash: []byte{1},
	}
	if old, err := s.InsertBulk(ctx, b); err != nil || old != nil {
		t.Fatalf("%+v, %v", old, err)
	}
	again := *b
	again.ID = "batch_2"
	if old, err := s.InsertBulk(ctx, &again); err != nil || old == nil || old.ID != b.ID {
		t.Fatalf("%+v, %v", old, err)
	}
	again.IdemHash = []byte{2}
	if _, err := s.InsertBulk(ctx, &again); !errors.Is(err, ledger.ErrIdempotency) {
		t.Fatalf("with another request: %v", err)
	}
	again.Session, again.Created = 4, 6
	if old, err := s.InsertBulk(ctx, &again); err != nil || old != nil {
		t.Fatalf("in another session: %+v, %v", old, err)
	}
	if got, err := s.Bulk(ctx, b.ID); err != nil || !reflect.DeepEqual(got, b) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := s.CancelBulk(ctx, address(5), b.ID, 7); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("another's: %v", err)
	}
	for range 2 { // the first time counts
		if got, err := s.CancelBulk(ctx, b.Account, b.ID, 7); err != nil || got.Cancel != 7 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if open, err := s.OpenBulks(ctx); err != nil || len(open) != 2 || open[0].ID != b.ID || open[0].Cancel != 7 {
		t.Fatalf("%+v, %v", open, err)
	}
	b.State, b.Ended, b.Completed, b.Output = ledger.BulkCancelled, 8, 3, "file-9"
	out := ledger.File{ID: "file-9", Account: b.Account, Purpose: "batch_output", Bytes: 2, Expires: 99}
	for range 2 { // what has ended stays, and its files are made once
		ok(t, s.SaveBulk(ctx, b, map[string]ledger.File{out.ID: out}, map[string][]byte{out.ID: []byte("{}")}))
		b.Completed = 9
	}
	b.Completed = 3
	b.Cancel = 7
	if got, err := s.Bulk(ctx, b.ID); err != nil || !reflect.DeepEqual(got, b) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, raw, err := s.File(ctx, out.ID); err != nil || string(raw) != "{}" {
		t.Fatalf("%q, %v", raw, err)
	}
	if got, err := s.CancelBulk(ctx, b.Account, b.ID, 9); err != nil || got.Cancel != 7 || got.State != ledger.BulkCancelled {
		t.Fatalf("%+v, %v", got, err)
	}
	if list, err := s.Bulks(ctx, b.Account, 9); err != nil || len(list) != 2 || list[0].ID != again.ID {
		t.Fatalf("%+v, %v", list, err)
	}
	if open, err := s.OpenBulks(ctx); err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
}

func contentDropped(t *testing.T, back New) {
	ctx, s := t.Context(), fresh(t, back)
	seed(t, s, 1, 2, market.Units(1000))
	var jobs []*ledger.Job
	for n := range 5 {
		j := draft(1, market.Units(10))
		j.Created, j.IdemKey, j.IdemHash = int64(10*n), string(rune('a'+n)), []byte{1}
		_, err := s.InsertJob(ctx, j, sign, nil)
		ok(t, err)
		charge(t, s, j, 2, market.Units(4))
		jobs = append(jobs, j)
	}
	for range 3 {
		_, err := s.DropContent(ctx, 25, 2)
		ok(t, err)
	}
	for n, j := range jobs {
		got, err := s.JobByIdem(ctx, 1, j.IdemKey)
		ok(t, err)
		if gone := len(got.Request) == 0 && got.Output == ""; gone != (n < 3) || got.ID != j.ID || got.Signed == nil || got.Price != market.Units(4) {
			t.Fatalf("job %d: %+v", n, got)
		}
	}
	if n, err := s.DropContent(ctx, 25, 9); err != nil || n != 0 {
		t.Fatalf("%d again, %v", n, err)
	}
	if _, err := s.JobByIdem(ctx, 2, "a"); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("in another session: %v", err)
	}
	balanced(t, s)
}

func oneBulk(t *testing.T, stores []Store) {
	seed(t, stores[0], 1, 2, market.Units(10))
	var made atomic.Int32
	many(20, stores, func(n int, s Store) {
		b := &ledger.Bulk{ID: string(rune('a' + n)), Account: address(4), Session: 1, Input: "f", IdemKey: "key", IdemHash: []byte{1}}
		if old, err := s.InsertBulk(t.Context(), b); err != nil {
			t.Error(err)
		} else if old == nil {
			made.Add(1)
		}
	})
	if made.Load() != 1 {
		t.Fatalf("%d batches under one key", made.Load())
	}
}
