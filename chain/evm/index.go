package evm

import (
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/node"
)

const (
	// old is from when go-ethereum takes a chain for one that is being caught up with, and does not index its states.
	old = 6 * time.Hour
	// backlog is how many blocks' states may still have to be indexed; it takes milliseconds.
	backlog = 1000
	// ready is how many milliseconds it is waited for.
	ready = 1000
	// openings bounds how often a chain is opened for its index.
	openings = 5
)

// start opens and serves the chain.
func start(sc *node.Config, cfg Config) (*Chain, error) {
	return again(func() (*Chain, error) { return begin(sc, cfg) })
}

// again opens an archive until it indexes its states. go-ethereum looks at two things when it opens one, in two
// goroutines: what there is to index, and whether the chain is recent enough for it. Is the first one sooner, then it
// looks again only 15 seconds later, and until then says of every state that has left memory that it is not available.
func again(open func() (*Chain, error)) (c *Chain, err error) {
	for range openings {
		if c, err = open(); err != nil || !c.archive || c.indexes(ready) {
			return c, err
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	return open() // it will be indexed by and by
}

// indexes reports after some looks, a millisecond apart, whether the states are indexed, or there is a reason why they
// are not yet: there is much to index, or the chain is old.
func (c *Chain) indexes(looks int) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range looks {
		if c.Indexed() {
			return true
		}
		states, nodes, err := c.bc.StateIndexProgress()
		age := time.Since(time.Unix(int64(c.Head().Time), 0)) //nolint:forbidigo,gosec // go-ethereum compares a block with the clock
		if err != nil || states > backlog || nodes > backlog || age > old {
			return true
		}
		<-tick.C
	}
	return false
}

// Indexed reports whether an archive's states can be found after they have left memory. Soon after a start they may not
// be, and the node says of them that they are not available.
func (c *Chain) Indexed() bool {
	db := c.bc.TrieDB()
	_, err := db.HistoricStateReader(common.Hash{})
	_, err2 := db.HistoricNodeReader(common.Hash{})
	return !unindexed(err) && !unindexed(err2)
}

func unindexed(err error) bool {
	return err != nil && strings.Contains(err.Error(), "fully indexed yet")
}
