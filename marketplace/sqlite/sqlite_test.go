package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/marketplace/history"
	"github.com/aitbc/aitbc/marketplace/sqlite"
)

func TestWhatWasSeenIsKeptOverARestart(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "new", "h.db")
	begin := time.UnixMilli(1_800_000_000_000).Truncate(time.Hour)
	a, b := common.Address{1}, common.Address{2}
	big, err := market.ParseAmount("340282366920938463463374607431768211455") // does not fit SQLite's integers
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		s, err := sqlite.Open(ctx, path) // again and again
		if err != nil {
			t.Fatal(err)
		}
		at := begin.Add(time.Duration(i) * time.Minute)
		l := history.Look{At: at, All: []common.Address{a}, Models: map[string]history.Point{"m": {At: at.UnixMilli(), Miners: i, Rates: market.Rates{Completion: big}}}}
		if i%4 == 0 {
			l.Online = []common.Address{a}
		}
		if i >= 100 {
			l.All, l.Online = append(l.All, b), append(l.Online, b)
		}
		if i == 119 {
			l.All, l.Online = nil, nil // the coordinator has forgotten both: they are not there
		}
		if err := s.Add(ctx, l); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test's
	points, err := s.Points(ctx, "m", begin.Add(30*time.Minute), 10*time.Minute)
	if err != nil || len(points) != 9 || points[0].Miners != 39 || points[8].Miners != 119 || points[8].Completion.Cmp(big) != 0 {
		t.Errorf("%+v, %v", points, err)
	}
	seen, err := s.Presences(ctx)
	if err != nil || len(seen) != 2 || seen[0] != (history.Presence{Miner: a, Since: begin.UnixMilli(), Looks: 120, Up: 30}) ||
		seen[1] != (history.Presence{Miner: b, Since: begin.Add(100 * time.Minute).UnixMilli(), Looks: 20, Up: 19}) {
		t.Errorf("%+v, %v", seen, err)
	}
	if err := s.Forget(ctx, begin.Add(110*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if points, err = s.Points(ctx, "m", time.Time{}, time.Millisecond); err != nil || len(points) != 10 {
		t.Errorf("%d points, %v", len(points), err)
	}
	if err := s.Forget(ctx, begin.Add(300*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if seen, err = s.Presences(ctx); err != nil || len(seen) != 0 {
		t.Errorf("%+v, %v", seen, err)
	}
}
