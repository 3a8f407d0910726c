package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// errSum reports money that was made or lost.
var errSum = errors.New("the balances do not add up")

// An audit is every unit of money at one height.
type audit struct {
	Height   uint64           `json:"height"`
	Accounts []devnet.Account `json:"accounts"` // with what all others have, last
	Total    market.Amount    `json:"total"`    // of all accounts of the state
	Issued   market.Amount    `json:"issued"`   // since the first block
	Burned   market.Amount    `json:"burned"`   // since the first block
}

// nodeCheck is the part that we need of what aitbcd check --json prints.
type nodeCheck struct {
	Height json.Number `json:"height"`
	OK     bool        `json:"ok"`
	Supply struct {
		Genesis market.Amount `json:"genesis"`
		Issued  market.Amount `json:"issued"`
		Burned  market.Amount `json:"burned"`
		Total   market.Amount `json:"total"`
	} `json:"supply"`
}

// audit has the node count all money of its newest block, and looks up whose it is.
func (c *call) audit(ctx context.Context, n devnet.Network) (audit, error) {
	out, err := c.nodeTool(ctx, "check", "--json", "--home", n.Home.Node(), "--port-offset", strconv.Itoa(n.PortOffset))
	if err != nil {
		return audit{}, err
	}
	var check nodeCheck
	if err := json.Unmarshal(out, &check); err != nil {
		return audit{}, fmt.Errorf("audit: answer of aitbcd: %w", err)
	}
	if !check.OK {
		return audit{}, fmt.Errorf("audit: aitbcd check is not content: %s", out)
	}
	height, err := strconv.ParseUint(check.Height.String(), 10, 64)
	if err != nil {
		return audit{}, fmt.Errorf("audit: height: %w", err)
	}
	a := audit{Height: height, Total: check.Supply.Total, Issued: check.Supply.Issued, Burned: check.Supply.Burned}
	at := chainclient.At(height)
	if a.Accounts, err = n.Accounts(ctx, at); err != nil {
		return a, err
	}
	eth, err := c.chain()
	if err != nil {
		return a, err
	}
	for _, p := range contracts.Predeploys {
		balance, err := eth.Balance(ctx, p.Proxy, at)
		if err != nil {
			return a, fmt.Errorf("balance of %s: %w", p.Name, err)
		}
		a.Accounts = append(a.Accounts, devnet.Account{Name: p.Name, Address: p.Proxy, Balance: balance})
	}
	header, err := eth.Header(ctx, at)
	if err != nil {
		return a, fmt.Errorf("header %d: %w", height, err)
	}
	proposer, err := eth.Balance(ctx, header.Coinbase, at)
	if err != nil {
		return a, fmt.Errorf("balance of the validator: %w", err)
	}
	a.Accounts = append(a.Accounts, devnet.Account{Name: "validator", Address: header.Coinbase, Balance: proposer})
	rest := a.Total
	for _, acc := range a.Accounts {
		if rest, err = rest.Sub(acc.Balance); err != nil {
			return a, fmt.Errorf("%w: the accounts hold more than the whole supply", errSum)
		}
	}
	a.Accounts = append(a.Accounts, devnet.Account{Name: "all others", Balance: rest})
	return a, nil
}

// printAudit shows whose the money is.
func (c *call) printAudit(a audit) error {
	t := newTable(c.Stdout)
	t.row(fmt.Sprintf("BLOCK %d", a.Height), "AITBC")
	for _, acc := range a.Accounts {
		t.row(acc.Name, decimal(acc.Balance))
	}
	t.row("sum", decimal(a.Total))
	return t.flush()
}

// printChange shows both audits side by side and checks, to the unit, that
// what was there and was issued is there or was burned.
func (c *call) printChange(was, now audit) error {
	t := newTable(c.Stdout)
	t.row("AITBC", fmt.Sprintf("BLOCK %d", was.Height), fmt.Sprintf("BLOCK %d", now.Height), "CHANGE")
	for i, acc := range now.Accounts {
		t.row(acc.Name, decimal(was.Accounts[i].Balance), decimal(acc.Balance), change(was.Accounts[i].Balance, acc.Balance))
	}
	t.row("sum", decimal(was.Total), decimal(now.Total), change(was.Total, now.Total))
	t.row("issued so far", decimal(was.Issued), decimal(now.Issued), change(was.Issued, now.Issued))
	t.row("burned so far", decimal(was.Burned), decimal(now.Burned), change(was.Burned, now.Burned))
	if err := t.flush(); err != nil {
		return err
	}
	issued, err := now.Issued.Sub(was.Issued)
	if err != nil {
		return fmt.Errorf("issued: %w", err)
	}
	burned, err := now.Burned.Sub(was.Burned)
	if err != nil {
		return fmt.Errorf("burned: %w", err)
	}
	left, err := was.Total.Add(issued)
	if err != nil {
		return fmt.Errorf("sum before: %w", err)
	}
	right, err := now.Total.Add(burned)
	if err != nil {
		return fmt.Errorf("sum after: %w", err)
	}
	if left != right {
		return fmt.Errorf("%w: %s before and issued, %s after and burned", errSum, left, right)
	}
	fmt.Fprintf(c.Stdout, "\nsum before + issued = sum after + burned = %s base units, exactly.\n", left)
	return nil
}

// decimal shows an amount in AITBC with all its digits, for columns.
func decimal(a market.Amount) string {
	s := a.Coins()
	return s[:len(s)-len(" AITBC")]
}

func change(from, to market.Amount) string {
	switch from.Cmp(to) {
	case 0:
		return "0"
	case -1:
		d, _ := to.Sub(from) // the larger one first
		return "+" + decimal(d)
	}
	d, _ := from.Sub(to)
	return "-" + decimal(d)
}
