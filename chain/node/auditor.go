package node

import (
	"context"
	"log/slog"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/metrics"
)

// auditor adds up all money every so many blocks, beside the blocks. While one audit runs others are not begun.
type auditor struct {
	every   uint64
	chain   *evm.Chain
	genesis *genesis.State
	figures *metrics.Metrics
	log     *slog.Logger
	due     chan struct{}
}

func newAuditor(p *parts, chain *evm.Chain, figures *metrics.Metrics) *auditor {
	return &auditor{
		every: p.opt.Config.CheckEvery, chain: chain, genesis: p.state, figures: figures, log: p.opt.Log,
		due: make(chan struct{}, 1),
	}
}

// committed is told of every block. It never blocks.
func (a *auditor) committed(height uint64) {
	if a.every == 0 || height%a.every != 0 {
		return
	}
	select {
	case a.due <- struct{}{}:
	default:
	}
}

// run audits whenever it is due, until ctx ends.
func (a *auditor) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.due:
		}
		r, err := audit.Check(ctx, a.chain, a.genesis, audit.Latest)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.log.Warn("the money could not be added up", "err", err)
		default:
			a.figures.Checked(len(r.Problems))
			if !r.OK {
				a.log.Error("the money does not add up", "height", r.Height, "problems", r.Problems)
				continue
			}
			a.log.Debug("the money adds up", "height", r.Height, "accounts", r.Accounts, "total", r.Supply.Total)
		}
	}
}
