package consensus

import (
	"bytes"
	"sync"

	"github.com/cometbft/cometbft/blocksync"
	cfg "github.com/cometbft/cometbft/config"
	cs "github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	"github.com/prometheus/client_golang/prometheus"
)

// registering guards prometheus.DefaultRegisterer while figures replaces it.
var registering sync.Mutex

// figures has CometBFT put its metrics into a registry. It knows only the one of the whole process, which would not
// take those of a second node: the registry stands in its place while they are made.
func figures(to prometheus.Registerer) node.MetricsProvider {
	if to == nil {
		return node.DefaultMetricsProvider(&cfg.InstrumentationConfig{})
	}
	return func(chainID string) (*cs.Metrics, *p2p.Metrics, *mempool.Metrics, *state.Metrics, *proxy.Metrics, *blocksync.Metrics, *statesync.Metrics) {
		registering.Lock()
		defer registering.Unlock()
		before := prometheus.DefaultRegisterer
		prometheus.DefaultRegisterer = to
		defer func() { prometheus.DefaultRegisterer = before }()
		return node.DefaultMetricsProvider(&cfg.InstrumentationConfig{Prometheus: true, Namespace: "cometbft"})(chainID)
	}
}

// Peers is the number of nodes that this one is connected with.
func (n *Node) Peers() int { return n.env.P2PPeers.Peers().Size() }

// CatchingUp reports whether the node fetches blocks that others have.
func (n *Node) CatchingUp() bool { return n.env.ConsensusReactor.WaitSync() }

// Power is the voting power of a validator, 0 if it is none.
func (n *Node) Power(validator []byte) int64 {
	_, all := n.env.ConsensusState.GetValidators()
	for _, v := range all {
		if bytes.Equal(v.Address, validator) {
			return v.VotingPower
		}
	}
	return 0
}
