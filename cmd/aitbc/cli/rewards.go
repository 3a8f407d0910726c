package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// claimAtOnce is how many epochs one transaction claims.
const claimAtOnce = 100

// recentEpochs is how many of the newest epochs are asked for one by one.
const recentEpochs = 24

func rewardsCommand() command {
	return command{name: "rewards", short: "show and fetch what miners' work has earned beside its price", subs: []command{
		{
			name: "show", args: "[MINER]", short: "show a miner's work and rewards by epoch", max: 1,
			long: "Without an address it shows the miner's of this home.",
			setup: func(fs *flag.FlagSet) runner {
				most := fs.Int("last", 20, "show at most the last `N` epochs with work")
				return func(ctx context.Context, c *call) error { return c.showRewards(ctx, *most) }
			},
		},
		{
			name: "claim", args: "[MINER]", short: "pay a miner for the epochs that are over", max: 1,
			long: "Anyone may send it; the coins go to the miner. Without an address it is the miner of this home.",
			setup: func(fs *flag.FlagSet) runner {
				from := fromFlag(fs)
				return func(ctx context.Context, c *call) error { return c.claimRewards(ctx, *from) }
			},
		},
	}}
}

// earned is a miner's part in an epoch.
type earned struct {
	Epoch     uint64        `json:"epoch"`
	EndsAt    uint64        `json:"ends_at"`
	Over      bool          `json:"over"`
	Fees      market.Amount `json:"fees"`      // that the miner's jobs paid
	AllFees   market.Amount `json:"all_fees"`  // of all miners
	Pool      market.Amount `json:"pool"`      // of all miners; 0 while the epoch runs
	Claimable market.Amount `json:"claimable"` // now
}

// minerRewards is what Rewards has of a miner.
type minerRewards struct {
	Miner     common.Address `json:"miner"`
	Epoch     uint64         `json:"epoch"`
	EndsAt    uint64         `json:"ends_at"`
	Claimable market.Amount  `json:"claimable"`
	Epochs    []earned       `json:"epochs"` // with work, in rising order
}

// miner is the account that the argument names, else the home's miner.
func (c *call) miner(command string) (common.Address, error) {
	word := c.argument(0)
	if word == "" {
		word = "miner"
	}
	return c.accountOf(command, word)
}

func (c *call) rewardsOf(ctx context.Context, rewards *predeploy.Rewards, miner common.Address, h head) (minerRewards, error) {
	m := minerRewards{Miner: miner, Epochs: []earned{}}
	var err error
	if m.Epoch, err = rewards.Epoch(ctx, h.at); err != nil {
		return m, err
	}
	running, err := rewards.EpochInfo(ctx, m.Epoch, h.at)
	if err != nil {
		return m, err
	}
	m.EndsAt = running.EndsAt
	epochs, err := rewards.EpochsOf(ctx, miner, h.height)
	if err != nil {
		return m, err
	}
	// A node that has not all old events knows the newest epochs all the same.
	for n := m.Epoch - min(m.Epoch, recentEpochs-1); n <= m.Epoch; n++ {
		epochs = append(epochs, n)
	}
	slices.Sort(epochs)
	for _, n := range slices.Compact(epochs) {
		w, err := rewards.Work(ctx, miner, n, h.at)
		if err != nil {
			return m, err
		}
		if w.Fees.IsZero() {
			continue
		}
		info, err := rewards.EpochInfo(ctx, n, h.at)
		if err != nil {
			return m, err
		}
		m.Epochs = append(m.Epochs, earned{n, info.EndsAt, n < m.Epoch, w.Fees, info.Fees, info.Pool, w.Claimable})
		if m.Claimable, err = sum(m.Claimable, w.Claimable); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (c *call) showRewards(ctx context.Context, most int) error {
	if most < 1 {
		return usagef("rewards show", "--last %d: want a number from 1", most)
	}
	miner, err := c.miner("rewards show")
	if err != nil {
		return err
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	m, err := c.rewardsOf(ctx, predeploy.NewRewards(eth), miner, h)
	if err != nil {
		return err
	}
	m.Epochs = m.Epochs[max(0, len(m.Epochs)-most):]
	if c.json {
		return c.printJSON(m)
	}
	t := newTable(c.Stdout)
	t.row("miner", m.Miner.Hex())
	t.row("epoch", fmt.Sprintf("%d, ends %s", m.Epoch, h.until(m.EndsAt)))
	t.row("claimable", m.Claimable.Coins())
	if err := t.flush(); err != nil || len(m.Epochs) == 0 {
		return err
	}
	fmt.Fprintln(c.Stdout)
	t = newTable(c.Stdout)
	t.row("EPOCH", "ENDS", "FEES OF ITS JOBS", "OF ALL", "POOL", "CLAIMABLE")
	for _, e := range slices.Backward(m.Epochs) {
		pool := e.Pool.Coins()
		if !e.Over {
			pool = "runs"
		}
		t.row(e.Epoch, seconds(e.EndsAt), e.Fees.Coins(), e.AllFees.Coins(), pool, e.Claimable.Coins())
	}
	return t.flush()
}

func (c *call) claimRewards(ctx context.Context, from string) error {
	miner, err := c.miner("rewards claim")
	if err != nil {
		return err
	}
	s, err := c.signer("rewards claim", from)
	if err != nil {
		return err
	}
	h, err := newest(ctx, s.chain)
	if err != nil {
		return err
	}
	rewards := predeploy.NewRewards(s.chain)
	m, err := c.rewardsOf(ctx, rewards, miner, h)
	if err != nil {
		return err
	}
	var due []uint64
	for _, e := range m.Epochs {
		if !e.Claimable.IsZero() {
			due = append(due, e.Epoch)
		}
	}
	if len(due) == 0 {
		return hint(fmt.Errorf("there is nothing to claim for %s", miner), "the running epoch ends %s; aitbc rewards show lists what each epoch brought", h.until(m.EndsAt))
	}
	type claim struct {
		sent
		Miner  common.Address `json:"miner"`
		Epochs []uint64       `json:"epochs"`
		Amount market.Amount  `json:"amount"`
	}
	var claims []claim
	var failed error
	for epochs := range slices.Chunk(due, claimAtOnce) {
		c.sending(s, fmt.Sprintf("claiming the rewards of %d epochs for %s", len(epochs), miner))
		amount, r, err := rewards.Claim(ctx, s.sender, miner, epochs)
		if err != nil {
			failed = err
			break
		}
		claims = append(claims, claim{receiptOf(s, r), miner, epochs, amount})
	}
	if len(claims) == 0 {
		return failed
	}
	if c.json {
		return errors.Join(failed, c.printJSON(claims))
	}
	for _, cl := range claims {
		fmt.Fprintf(c.Stdout, "%s for %d epochs were paid to %s %s\n", cl.Amount.Coins(), len(cl.Epochs), miner.Hex(), cl.sent)
	}
	return failed
}
