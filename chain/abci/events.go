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
			out = append(out, event(EventSystemCall, "call", c.Call.Name, "ok", "false",
				"gas", strconv.FormatUint(c.GasUsed, 10), "error", c.Err.Error(), "data", hexutil.Encode(c.Return[:min(len(c.Return), maxRevertData)])))
		}
		for _, l := range c.Logs {
			topics := make([]string, len(l.Topics))
			for i, t := range l.Topics {
				topics[i] = t.Hex()
			}
			out = append(out, event(EventSystemLog, "call", c.Call.Name, "address", l.Address.Hex(),
				"topics", strings.Join(topics, ","), "data", hexutil.Encode(l.Data)))
		}
	}
	return out
}

func event(kind string, pairs ...string) abci.Event {
	e := abci.Event{Type: kind}
	for i := 0; i < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, abci.EventAttribute{Key: pairs[i], Value: pairs[i+1], Index: false})
	}
	return e
}
