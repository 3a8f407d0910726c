package cli

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/setup"
)

func initialize(_ context.Context, c *call) error {
	flags := newNetworkFlags(c)
	if err := c.parse(); err != nil {
		return err
	}
	h, err := c.folder()
	if err != nil {
		return err
	}
	conf, err := config.Load(string(h), c.Getenv)
	if err != nil {
		return err
	}
	conf.ValidatorAddress = "" // the key is drawn now
	o, err := flags.options(conf)
	if err != nil {
		return err
	}
	o.Home = h
	r, err := setup.Init(o)
	if err != nil {
		return err
	}
	if *c.json {
		return c.print(r)
	}
	fmt.Fprintf(c.Stdout, "home       %s\nchain      %s\nvalidator  %s\ngovernor   %s\nsupply     %s base units\ngenesis    %s\n",
		r.Home, r.CometID, r.Validator, r.Governor, r.Supply, r.Genesis)
	fmt.Fprintf(c.Stdout, "next: aitbcd start --home %s\n", r.Home)
	return nil
}

// networkFlags say what network to make.
type networkFlags struct{ chainID, alloc, params, stake, operators *string }

func newNetworkFlags(c *call) networkFlags {
	return networkFlags{
		chainID: c.flags.String("chain-id", "", "chain id (default: drawn between 2^40 and 2^48)"),
		alloc:   c.flags.String("alloc", "", "JSON file of first balances: {\"0x…\": \"base units\"}"),
		stake:   c.flags.String("stake", "", "coins that each validator begins with as its own stake, made with the first block (default: the least that may validate)"),
		operators: c.flags.String("operators", "",
			"accounts that the validators belong to, 0x… separated by commas (default: their consensus addresses)"),
		params: c.flags.String("params", "", "JSON file of the predeploys' parameters (default: the network's)"),
	}
}

// options reads the files that the flags name. The network begins now.
func (f networkFlags) options(conf config.Config) (setup.Options, error) {
	o := setup.Options{Config: conf, Time: time.Now().UTC().Truncate(time.Second)} //nolint:forbidigo // the one moment that a chain takes from the clock
	if *f.chainID != "" {
		id, ok := new(big.Int).SetString(*f.chainID, 10)
		if !ok {
			return setup.Options{}, fmt.Errorf("%w: --chain-id %q is no number", errUsage, *f.chainID)
		}
		o.ChainID = id
	}
	var err error
	if *f.stake != "" {
		if o.Stake, err = market.ParseCoins(*f.stake); err != nil {
			return setup.Options{}, fmt.Errorf("%w: --stake %q: %w", errUsage, *f.stake, err)
		}
	}
	if *f.operators != "" {
		for a := range strings.SplitSeq(*f.operators, ",") {
			if !common.IsHexAddress(a) || len(a) != 42 {
				return setup.Options{}, fmt.Errorf("%w: --operators: %q is no address of 0x and 40 hex digits", errUsage, a)
			}
			o.Operators = append(o.Operators, common.HexToAddress(a))
		}
	}
	if o.Alloc, err = readAlloc(*f.alloc); err != nil {
		return setup.Options{}, err
	}
	if o.Params, err = readParams(*f.params); err != nil {
		return setup.Options{}, err
	}
	return o, nil
}

func readAlloc(path string) (map[common.Address]*big.Int, error) {
	if path == "" {
		return nil, nil
	}
	return setup.ReadAlloc(path)
}

func readParams(path string) (*contracts.Genesis, error) {
	if path == "" {
		return nil, nil
	}
	return setup.ReadParams(path)
}
