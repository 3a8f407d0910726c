package sqlite

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// A database of the first version keeps its numbers and texts, and its debits count as paid.
func TestMigrationFromTheFirstVersion(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "c.db")
	second := common.Hash{2}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		migrations[0], "PRAGMA user_version = 1",
		`INSERT INTO sessions (id, client, spender, spender_n, deposit, reserved, charged, debited, expiry, due_at, fee_bps, state) VALUES (5, x'01', x'02', 1, '100', '0', '50', '40', 9, 9, 250, 1)`,
		`INSERT INTO jobs (id, session, number, client, model, spec, request, output, receipt, state, payment, max_price, price, created, expires) VALUES
			(randomblob(32), 5, 7, x'01', 'm', '{"max_tokens":7}', x'', '', '', 'completed', 'settled', '50', '40', 1, 1),
			(x'` + hex.EncodeToString(second[:]) + `', 5, 8, x'01', 'm', '{"max_tokens":8}', x'7b7d', 'said', '{"miner_total":"9","receipt":{"version":1}}', 'completed', 'charged', '50', '10', 1, 1)`,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.Job(ctx, second)
	if err != nil || j.Number != 8 || j.Spec.MaxTokens != 8 || string(j.Request) != "{}" || j.Output != "said" || j.Signed == nil || j.Signed.MinerTotal != market.Units(9) {
		t.Errorf("%+v, %v", j, err)
	}
	x, err := s.Session(ctx, 5)
	if err := errors.Join(err, s.Close()); err != nil || x.Number != 8 || x.Settled != market.Units(40) || x.SettledThrough != 7 {
		t.Fatalf("%+v, %v", x, err)
	}
}
