package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/market"
)

func balanceCommand() command {
	return command{
		name: "balance", args: "[ADDRESS]", short: "show an account's balance on the chain", min: 0, max: 1,
		long: "Without an address it shows the client's account of this home.",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error { return c.balance(ctx) }
		},
	}
}

func (c *call) balance(ctx context.Context) error {
	a, err := c.subject()
	if err != nil {
		return err
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	balance, err := eth.Balance(ctx, a, chainclient.Latest)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(struct {
			Address common.Address `json:"address"`
			Balance market.Amount  `json:"balance"`
		}{a, balance})
	}
	_, err = fmt.Fprintln(c.Stdout, balance.Coins())
	return err
}

// subject is the account named by the argument, else the home's client.
func (c *call) subject() (common.Address, error) {
	if len(c.args) > 0 {
		return address("balance", c.args[0])
	}
	n, err := c.network()
	if err != nil {
		return common.Address{}, err
	}
	if n.Client == (common.Address{}) {
		return common.Address{}, hint(errors.New("this home has no client account"), "name an address: aitbc balance 0x...")
	}
	return n.Client, nil
}

// chain returns a client of the node's Ethereum RPC.
func (c *call) chain() (*chainclient.Client, error) {
	url, err := c.url(envEthRPCURL, devnet.Network.EthRPCURL)
	if err != nil {
		return nil, err
	}
	return chainclient.New(url)
}
