package spool_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt"
)

func open(t *testing.T, dir string) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestResultsSurviveAndAreDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := spool.Result{
		Coordinator: common.Address{1}, Job: common.Hash{2}, Deadline: 3, Earned: market.Units(4), OwedBefore: market.Units(5),
		Request: api.ResultRequest{Lease: "l", Receipt: receipt.Receipt{Version: 1, Seed: 1 << 63, Price: market.MaxAmount()}, Signature: receipt.Signature{64: 27}, FinishReason: "stop"},
	}
	if err := open(t, dir).PutResult(r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "results", ".x.tmp-1"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	got, err := again.Results()
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], r) {
		t.Fatalf("%+v, %v", got, err)
	}
	for range 2 {
		if err := again.DropResult(r.Job, r.Request.Lease); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := again.Results(); err != nil || len(got) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestOnlyTheLargestIOUIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	a, b := common.Address{1}, common.Address{2}
	for _, n := range []uint64{5, 9, 7} {
		if err := s.PutIOU(spool.IOU{Coordinator: a, Total: market.Units(n), Receipt: receipt.Receipt{Version: 1, Session: n}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.IOU(a); err != nil || got.Total != market.Units(9) || got.Receipt.Session != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.IOU(b); err != nil || !got.Total.IsZero() || got.Coordinator != b {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDamagedResultIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "results", "x.json"), []byte(`{"job":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Results(); err == nil {
		t.Fatal("a damaged result was passed over")
	}
}
