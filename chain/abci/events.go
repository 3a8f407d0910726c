package abci

import (
	"strconv"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/chain/exec"
)

// Types of block events. Logs of system calls are in no Ethereum receipt, so eth_getLogs does not show them; they are
// here, in /block_results, for as long as blocks are kept.
const (
	EventSystemCall = "system_call"
	EventSystemLog  = "system_log"
)

// maxRevertData is how much of a failed call's reason is kept.
const maxRevertData = 512

// Events describes what the system calls of a block did. A call that did nothing and logged nothing is left out.
func Events(res *exec.Result) []abci.Event {
	var out []abci.Event
	for _, c := range res.Calls {
		if c.Err != nil {
			out = append(out, event(EventSystemCall, pair{"call", c.Call.Name}, pair{"ok", "false"},
				pair{"gas", strconv.FormatUint(c.GasUsed, 10)}, pair{"error", c.Err.Error()},
				pair{"data", hexutil.Encode(c.Return[:min(len(c.Return), maxRevertData)])}))
		}
		for _, l := range c.Logs {
			topics := make([]string, len(l.Topics))
			for i, t := range l.Topics {
				topics[i] = t.Hex()
			}
			out = append(out, event(EventSystemLog, pair{"call", c.Call.Name}, pair{"address", l.Address.Hex()},
				pair{"topics", strings.Join(topics, ",")}, pair{"data", hexutil.Encode(l.Data)}))
		}
	}
	return out
}

// pair is one attribute's name and value.
type pair [2]string

func event(kind string, pairs ...pair) abci.Event {
	e := abci.Event{Type: kind}
	for _, p := range pairs {
		e.Attributes = append(e.Attributes, abci.EventAttribute{Key: p[0], Value: p[1], Index: false})
	}
	return e
}
