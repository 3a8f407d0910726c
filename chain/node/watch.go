package node

import (
	"math/big"

	"github.com/aitbc/aitbc/chain/consensus"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/metrics"
	"github.com/aitbc/aitbc/chain/stream"
)

// committed tells the figures and the stream of each final block.
func committed(chain *evm.Chain, figures *metrics.Metrics, hub *stream.Hub, money *auditor) func(*exec.Result) {
	return func(res *exec.Result) {
		b := metrics.Block{
			Height: res.Block.NumberU64(), Gas: res.Block.GasUsed(), Txs: len(res.Block.Transactions()),
			Issued: new(big.Int), Burned: new(big.Int),
		}
		if all, err := chain.Supply(res.Block.Hash()); err == nil { // it was written a moment ago
			b.Issued, b.Burned = all.Issued, all.Burned
		}
		for _, c := range res.Calls {
			if c.Err != nil {
				b.Failed = append(b.Failed, c.Call.Name)
			}
		}
		figures.Committed(b)
		money.committed(b.Height)
		hub.Publish(res)
	}
}

// watch shows what the node's parts say of themselves.
func (p *parts) watch(figures *metrics.Metrics, chain *evm.Chain, cons *consensus.Node, hub *stream.Hub) {
	first := p.state.Supply()
	figures.Watch(metrics.Sources{
		Pool: chain.Pool().Stats, Peers: cons.Peers, CatchUp: cons.CatchingUp,
		Supply: func() *big.Int {
			moved, err := chain.Supply(chain.Head().Hash())
			if err != nil {
				return new(big.Int)
			}
			return new(big.Int).Sub(new(big.Int).Add(first, moved.Issued), moved.Burned)
		},
		Clients: hub.Clients, Dropped: hub.Dropped, Flushed: chain.Flushed,
		Validate: func() int64 { return cons.Power(p.validator[:]) },
		Free:     func() (uint64, bool) { return freeSpace(p.opt.Home.Data()) },
	})
}
