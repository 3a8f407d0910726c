package cli

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

const (
	claimAtOnce  = 100 // epochs in one transaction
	recentEpochs = 24  // that are asked for one by one, in case the node has not all old events
)

func rewardsCommand() command {
	return command{
		name: "rewards", short: "Show what the network pays beside the jobs' prices, or fetch it", words: "[withdraw]", most: 1,
		setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
			declareAddresses(fs)
			return func(ctx context.Context, c *call) error { return c.rewards(ctx) }
		},
	}
}

// rewarded is the answer of the command.
type rewarded struct {
	Miner     common.Address `json:"miner"`
	Epoch     uint64         `json:"epoch"`   // that runs
	EndsAt    uint64         `json:"ends_at"` // seconds since 1970
	Claimable market.Amount  `json:"claimable"`
	Epochs    []uint64       `json:"epochs"` // over, with something to claim
	Withdrawn market.Amount  `json:"withdrawn"`
	Txs       []common.Hash  `json:"txs"`
}

func (c *call) rewards(ctx context.Context) error {
	if len(c.args) == 1 && c.args[0] != "withdraw" {
		return &usageError{"rewards: want withdraw, or nothing"}
	}
	set, err := c.settings()
	if err != nil {
		return err
	}
	eth, err := chainclient.New(set.Chain.RPCURL)
	if err != nil {
		return fmt.Errorf("chain.rpc_url: %w", err)
	}
	contract := predeploy.NewRewards(eth)
	out, err := claimable(ctx, eth, contract, set.Keys.Address)
	if err != nil {
		return &hinted{err, "is the node of chain.rpc_url up? aitbc-miner doctor looks"}
	}
	if len(c.args) == 1 && len(out.Epochs) > 0 {
		key, err := c.unlock(set)
		if err != nil {
			return err
		}
		sender := predeploy.NewSender(eth, key)
		for part := range slices.Chunk(out.Epochs, claimAtOnce) {
			paid, r, err := contract.Claim(ctx, sender, out.Miner, part)
			if err != nil {
				return err
			}
			if out.Withdrawn, err = out.Withdrawn.Add(paid); err != nil {
				return err
			}
			out.Txs = append(out.Txs, r.TxHash)
		}
	}
	return c.print(out, rewardsTable(out))
}

// claimable adds up a miner's rewards of epochs that are over.
func claimable(ctx context.Context, eth *chainclient.Client, contract *predeploy.Rewards, miner common.Address) (rewarded, error) {
	out := rewarded{Miner: miner, Epochs: []uint64{}, Txs: []common.Hash{}}
	head, err := eth.BlockNumber(ctx)
	if err != nil {
		return out, fmt.Errorf("the node does not answer: %w", err)
	}
	if out.Epoch, err = contract.Epoch(ctx, chainclient.Latest); err != nil {
		return out, err
	}
	running, err := contract.EpochInfo(ctx, out.Epoch, chainclient.Latest)
	if err != nil {
		return out, err
	}
	out.EndsAt = running.EndsAt
	epochs, err := contract.EpochsOf(ctx, miner, head)
	if err != nil {
		return out, err
	}
	for n := out.Epoch - min(out.Epoch, recentEpochs-1); n < out.Epoch; n++ {
		epochs = append(epochs, n)
	}
	slices.Sort(epochs)
	for _, n := range slices.Compact(epochs) {
		w, err := contract.Work(ctx, miner, n, chainclient.Latest)
		if err != nil {
			return out, err
		}
		if n >= out.Epoch || w.Claimable.IsZero() {
			continue
		}
		out.Epochs = append(out.Epochs, n)
		if out.Claimable, err = out.Claimable.Add(w.Claimable); err != nil {
			return out, err
		}
	}
	return out, nil
}

func rewardsTable(r rewarded) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "miner\t%s\nepoch\t%d, ends %s\n", r.Miner, r.Epoch, moment(r.EndsAt))
	switch {
	case len(r.Txs) > 0:
		fmt.Fprintf(w, "withdrawn\t%s of %d epochs\n", r.Withdrawn.Coins(), len(r.Epochs))
	case len(r.Epochs) > 0:
		fmt.Fprintf(w, "to withdraw\t%s of %d epochs: aitbc-miner rewards withdraw\n", r.Claimable.Coins(), len(r.Epochs))
	default:
		fmt.Fprintf(w, "to withdraw\tnothing\n")
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
