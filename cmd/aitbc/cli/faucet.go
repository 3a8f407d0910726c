package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

func faucetCommand() command {
	return command{
		name: "faucet", args: "[ADDRESS]", short: "have the test network's faucet give an account coins", max: 1,
		long: `Without an address it is the client's account of this home. A new account cannot
pay for the transaction itself: another account of the home sends it.`,
		setup: func(fs *flag.FlagSet) runner {
			from := fromFlag(fs)
			return func(ctx context.Context, c *call) error { return c.drip(ctx, *from) }
		},
	}
}

func (c *call) drip(ctx context.Context, from string) error {
	to, err := c.accountOf("faucet", c.argument(0))
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
	faucet := predeploy.NewFaucet(eth)
	if _, err := faucet.Available(ctx, h.at); errors.Is(err, predeploy.ErrNotDeployed) {
		return hint(errors.New("this network has no faucet"), "only test networks have one; elsewhere coins are earned, or sent by who has some")
	} else if err != nil {
		return err
	}
	s, err := c.signer("faucet", from)
	if err != nil {
		return err
	}
	c.sending(s, "asking the faucet for "+to.Hex())
	amount, r, err := faucet.Drip(ctx, s.sender, to)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			To     common.Address `json:"to"`
			Amount market.Amount  `json:"amount"`
		}{t, to, amount})
	}
	_, err = fmt.Fprintf(c.Stdout, "%s were given to %s %s\n", amount.Coins(), to.Hex(), t)
	return err
}
