package abci

import (
	"sort"
	"time"

	"github.com/aitbc/aitbc/chain/exec"
)

// Retention says which old blocks may go. The zero value keeps all.
type Retention struct {
	// Blocks is how many of the last blocks stay; 0 keeps all.
	Blocks uint64
	// EvidenceBlocks and EvidenceAge are how long somebody may still prove that a validator voted twice: what it takes
	// stays until both have passed.
	EvidenceBlocks uint64
	EvidenceAge    time.Duration
}

// retainEvery is the number of blocks between two looks for what may go.
const retainEvery = 64

// retain is the oldest height that must stay, 0 for all. Beside the retention, the blocks after the oldest snapshot
// stay: whoever restores it needs them.
func (a *App) retain(res *exec.Result) uint64 {
	height, r := res.Block.NumberU64(), a.cfg.Retention
	if r.Blocks == 0 || height%retainEvery != 0 || height <= max(r.Blocks, r.EvidenceBlocks) {
		return 0
	}
	keep := height - max(r.Blocks-1, r.EvidenceBlocks)
	if s := a.cfg.Snapshots.Store; s != nil {
		if oldest, ok := s.Oldest(); ok {
			keep = min(keep, oldest)
		}
	}
	bc := a.cfg.Chain.BlockChain()
	young := exec.BlockTime(res.Block.Header()).Add(-r.EvidenceAge)
	// Times of blocks ascend. Headers that are not there are those of blocks long gone.
	n := sort.Search(int(keep), func(i int) bool { //nolint:gosec // a height
		h := bc.GetHeaderByNumber(uint64(i)) //nolint:gosec // not negative
		return h != nil && exec.BlockTime(h).After(young)
	})
	return uint64(n) //nolint:gosec // not negative
}

// prune lets old blocks go and returns what CometBFT may remove too.
func (a *App) prune(res *exec.Result) int64 {
	keep := a.retain(res)
	if keep == 0 {
		return 0
	}
	if err := a.cfg.Chain.Prune(keep); err != nil {
		a.cfg.Log.Error("old blocks could not be removed", "below", keep, "err", err)
	}
	return int64(keep) //nolint:gosec // a height
}
