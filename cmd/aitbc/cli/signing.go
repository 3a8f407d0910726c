package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// signing is an account of the home that sends transactions.
type signing struct {
	chain   *chainclient.Client
	sender  *chainclient.Sender
	account common.Address
	key     *keystore.Key
}

// fromFlag declares which account of the home sends.
func fromFlag(fs *flag.FlagSet) *string {
	return fs.String("from", "", "`account` that sends: an address of the keystore, or client, coordinator, miner or operator (default client)")
}

// accountOf returns the account that a word names: an address, or one of the
// home's by what it does; the client for none.
func (c *call) accountOf(command, word string) (common.Address, error) {
	switch word {
	case "", "client", "coordinator", "miner", "operator":
	default:
		return address(command, word)
	}
	n, err := c.network()
	if err != nil {
		return common.Address{}, err
	}
	if word == "" {
		word = "client"
	}
	a := map[string]common.Address{"client": n.Client, "coordinator": n.Coordinator, "miner": n.Miner, "operator": n.Operator}[word]
	if a == (common.Address{}) {
		return a, hint(fmt.Errorf("this home has no account called %s", word), "name an address; aitbc keys list shows those of this home, aitbc keys create makes one")
	}
	return a, nil
}

// argument is the n-th argument, or "".
func (c *call) argument(n int) string {
	if n < len(c.args) {
		return c.args[n]
	}
	return ""
}

// signer unlocks the account that a word names.
func (c *call) signer(command, from string) (signing, error) {
	a, err := c.accountOf(command, from)
	if err != nil {
		return signing{}, err
	}
	key, err := c.unlock(a)
	if err != nil {
		return signing{}, err
	}
	eth, err := c.chain()
	if err != nil {
		return signing{}, err
	}
	return signing{eth, predeploy.NewSender(eth, key), a, key}, nil
}

// sending tells a person that a transaction is on its way.
func (c *call) sending(s signing, what string) {
	c.progress("aitbc: %s as %s; waiting for the block", what, s.account.Hex())
}

// sent is the part of a transaction's answer that all commands have.
type sent struct {
	Tx    common.Hash    `json:"tx"`
	Block uint64         `json:"block"`
	From  common.Address `json:"from"`
}

func receiptOf(s signing, r *types.Receipt) sent {
	return sent{r.TxHash, r.BlockNumber.Uint64(), s.account}
}

func (t sent) String() string { return fmt.Sprintf("in block %d, transaction %s", t.Block, t.Tx) }

// head is one state that several questions are asked of.
type head struct {
	at     chainclient.Block
	height uint64
	time   uint64 // seconds since 1970
}

// newest returns the newest block: all questions of a command are about one state.
func newest(ctx context.Context, eth *chainclient.Client) (head, error) {
	h, err := eth.Header(ctx, chainclient.Latest)
	if err != nil {
		return head{}, err
	}
	return head{chainclient.At(h.Number.Uint64()), h.Number.Uint64(), h.Time}, nil
}

// seconds shows a time given in seconds since 1970.
func seconds(s uint64) string {
	switch {
	case s == 0:
		return "-"
	case s > math.MaxInt64/1000:
		return "never"
	}
	return clock(int64(s) * 1000)
}

// lasting shows a number of seconds.
func lasting(s uint64) string {
	if s > math.MaxInt64/uint64(time.Second) {
		return fmt.Sprintf("%d s", s)
	}
	return (time.Duration(s) * time.Second).String()
}

// until shows when a time comes, and how far that is from now.
func (h head) until(s uint64) string {
	if s <= h.time || s > math.MaxInt64/1000 {
		return seconds(s)
	}
	return fmt.Sprintf("%s, in %s", seconds(s), lasting(s-h.time))
}

// sum adds amounts; together they are below all coins there are.
func sum(amounts ...market.Amount) (market.Amount, error) {
	var total market.Amount
	var err error
	for _, a := range amounts {
		if total, err = total.Add(a); err != nil {
			return total, err
		}
	}
	return total, nil
}

// howMuch declares --amount and --all, and returns what they say.
func howMuch(fs *flag.FlagSet) func(command string) (market.Amount, error) {
	amount := amountFlag(fs, "amount", "how much, in `AITBC`")
	everything := fs.Bool("all", false, "everything that is not locked")
	return func(command string) (market.Amount, error) {
		switch {
		case *everything && amount.given:
			return market.Amount{}, usagef(command, "--amount and --all exclude each other")
		case *everything:
			return market.MaxAmount(), nil
		case !amount.given:
			return market.Amount{}, usagef(command, "--amount is missing; --all is everything that is not locked")
		}
		return amount.value, nil
	}
}

// percent is a share of the command line, in basis points.
type percent struct {
	bps   uint16
	given bool
}

// percentFlag declares a flag whose value is a percentage with at most two decimals.
func percentFlag(fs *flag.FlagSet, name, usage string) *percent {
	var p percent
	fs.Func(name, usage, func(s string) error {
		// An amount of the same digits has 16 decimals more than a percentage has.
		a, err := market.ParseCoins(trimPercent(s))
		if err != nil {
			return errors.New("want a percentage such as 2.5")
		}
		bps, rest := a.Big().QuoRem(a.Big(), market.Units(1e16).Big(), a.Big())
		if rest.Sign() != 0 || !bps.IsUint64() || bps.Uint64() > 10_000 {
			return errors.New("want a percentage up to 100 with at most two decimals")
		}
		p = percent{uint16(bps.Uint64()), true} //nolint:gosec // bounded above
		return nil
	})
	return &p
}

func trimPercent(s string) string {
	for len(s) > 0 && (s[len(s)-1] == '%' || s[len(s)-1] == ' ') {
		s = s[:len(s)-1]
	}
	return s
}

// share shows basis points.
func share(bps uint64) string {
	if bps%100 == 0 {
		return fmt.Sprintf("%d %%", bps/100)
	}
	return fmt.Sprintf("%d.%02d %%", bps/100, bps%100)
}
