// Package audit adds up a chain's money at one height: every predeploy holds at least what it owes, and all balances
// together are what genesis gave, plus what was issued, minus what was burned.
package audit

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/aitbc/aitbc/contracts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
)

// Supply is where all money is accounted for. Amounts are decimal strings of base units.
type Supply struct {
	Genesis string `json:"genesis"`
	Issued  string `json:"issued"`
	Burned  string `json:"burned"`
	Total   string `json:"total"`
	// Expected is genesis + issued − burned; ok needs it to equal Total.
	Expected string `json:"expected"`
}

// Predeploy is one contract's account.
type Predeploy struct {
	Name    string         `json:"name"`
	Address common.Address `json:"address"`
	Balance string         `json:"balance"`
	Owed    string         `json:"owed"`
	Surplus string         `json:"surplus"`
	// Error says why owed could not be asked.
	Error string `json:"error,omitempty"`
}

// Report is the outcome. Problems names what does not add up, and is empty if OK.
type Report struct {
	Height     uint64      `json:"height"`
	Hash       common.Hash `json:"hash"`
	OK         bool        `json:"ok"`
	Problems   []string    `json:"problems,omitempty"`
	Supply     Supply      `json:"supply"`
	Accounts   uint64      `json:"accounts"`
	Predeploys []Predeploy `json:"predeploys"`
	// Jobs is nil where the Market has no direct jobs.
	Jobs *Jobs `json:"jobs,omitempty"`
}

// ErrHeight is returned for a height that the chain does not have.
var ErrHeight = errors.New("no block of that height")

// Latest asks for the head.
const Latest = -1

// Check audits a height, or Latest. Of old heights an archive node keeps the state, but it becomes readable only when it
// has been indexed: at once as a rule, within two minutes on a chain that has just been made. Check waits for that as
// long as ctx allows.
func Check(ctx context.Context, chain *evm.Chain, gen *genesis.State, height int64) (*Report, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		h := chain.Head()
		if height != Latest {
			if height < 0 || uint64(height) > h.Number.Uint64() {
				return nil, fmt.Errorf("%w: %d, the head is %d", ErrHeight, height, h.Number)
			}
			if first := chain.First(); uint64(height) < first {
				return nil, fmt.Errorf("state of block %d: %w: it began with a snapshot of block %d", height, evm.ErrPruned, first)
			}
			if h = chain.BlockChain().GetHeaderByNumber(uint64(height)); h == nil {
				return nil, fmt.Errorf("%w: %d", ErrHeight, height)
			}
		}
		r, err := check(chain, gen, h)
		if err == nil {
			return r, nil
		}
		if !chain.Archive() && height != Latest {
			return nil, fmt.Errorf("state of block %d is not kept without archive mode: %w", height, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("state of block %d is not readable yet: %w", h.Number, err)
		case <-tick.C:
		}
	}
}

func check(chain *evm.Chain, gen *genesis.State, h *types.Header) (*Report, error) {
	total, accounts, err := sum(chain, h.Root)
	if err != nil {
		return nil, err
	}
	moved, err := chain.Supply(h.Hash())
	if err != nil {
		return nil, err
	}
	first := gen.Supply()
	expected := new(big.Int).Sub(new(big.Int).Add(first, moved.Issued), moved.Burned)
	r := &Report{
		Height: h.Number.Uint64(), Hash: h.Hash(), Accounts: accounts,
		Supply: Supply{
			Genesis: first.String(), Issued: moved.Issued.String(), Burned: moved.Burned.String(),
			Total: total.String(), Expected: expected.String(),
		},
		Predeploys: []Predeploy{},
	}
	if total.Cmp(expected) != 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("all balances are %v, expected are %v", total, expected))
	}
	st, err := chain.StateAt(h)
	if err != nil {
		return nil, err
	}
	for _, c := range gen.Predeploys {
		p := Predeploy{Name: c.Name, Address: c.Address}
		balance := st.GetBalance(c.Address).ToBig()
		p.Balance = balance.String()
		if c.NoMoney {
			p.Owed, p.Surplus = "0", p.Balance
			r.Predeploys = append(r.Predeploys, p)
			continue
		}
		ask := contract{chain, st, h, c.Address}
		owed, err := ask.number(owedSelector)
		switch {
		case err != nil:
			p.Error = fmt.Sprintf("owed(): %v", err)
			r.Problems = append(r.Problems, fmt.Sprintf("%s does not say what it owes: %s", c.Name, p.Error))
		default:
			p.Owed, p.Surplus = owed.String(), new(big.Int).Sub(balance, owed).String()
			if balance.Cmp(owed) < 0 {
				r.Problems = append(r.Problems, fmt.Sprintf("%s owes %v and holds %v", c.Name, owed, balance))
			}
			if c.Address == contracts.MarketAddress {
				r.addJobs(ask, owed)
			}
		}
		r.Predeploys = append(r.Predeploys, p)
	}
	if err := st.Error(); err != nil {
		return nil, fmt.Errorf("state of block %d: %w", h.Number, err)
	}
	r.OK = len(r.Problems) == 0
	return r, nil
}

var owedSelector = crypto.Keccak256([]byte("owed()"))[:4]
