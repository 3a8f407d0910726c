package cli

import (
	"testing"

	"github.com/aitbc/aitbc/market"
)

func TestABlockBelongsToOneDay(t *testing.T) {
	t.Parallel()
	first := []uint64{5, 9, 9, 12} // the second day has no block
	for block, want := range map[uint64]int{5: 0, 8: 0, 9: 2, 11: 2, 12: 3, 1000: 3} {
		if got := dayOf(first, block); got != want {
			t.Errorf("block %d is of day %d, not %d", block, got, want)
		}
	}
}

func TestEarningsAreDrawn(t *testing.T) {
	t.Parallel()
	var days []day
	for _, units := range []uint64{0, 1, 50, 100, 99} {
		days = append(days, day{Earned: market.Units(units)})
	}
	if got := sparkline(days); got != " ▁▄█▇" {
		t.Errorf("%q", got)
	}
	if got := sparkline(days[:1]); got != " " {
		t.Errorf("%q", got)
	}
}
