// Package settle makes a coordinator's settlements, signed beforehand, for as many sessions as each has vouchers.
package settle

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/chain/load"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Vouchers and Credits are how many entries a settlement has.
const (
	Vouchers = 100
	Credits  = 50
)

// The amounts, in base units: a session's deposit, what each settlement adds to each voucher and pays each miner.
const (
	deposit = 1_000_000_000_000_000_000
	step    = 1_000_000_000
	pay     = 1_000_000
)

// gas bounds one settlement.
const gas = 8_000_000

// House is a registered coordinator with open sessions.
type House struct {
	chain       *big.Int
	coordinator *load.Account
	spenders    []*load.Account
	first       uint64 // the sessions' ids follow one another
	settled     uint64
}

// Open registers the coordinator and opens sessions with it, paid for by the client, one for each spender.
func Open(ctx context.Context, url string, chain *big.Int, coordinator, client *load.Account, spenders []*load.Account) (*House, error) {
	registry, err := contracts.RegistryABI()
	if err != nil {
		return nil, err
	}
	mkt, err := contracts.MarketABI()
	if err != nil {
		return nil, err
	}
	data, err := registry.Pack("register", uint8(2), coordinator.Address(), [32]byte{1}, "http://127.0.0.1:1")
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	bond := contracts.DefaultRegistryParams().MinCoordinatorBond.Big()
	if _, err := load.Do(ctx, url, chain, coordinator, load.Call{To: &contracts.RegistryAddress, Value: bond, Gas: 1_000_000, Data: data}); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	expiry := uint64(time.Now().Add(24 * time.Hour).Unix()) //nolint:gosec // after 1970
	var queue load.Queue                                    // of one account, so that the ids have the spenders' order
	for _, s := range spenders {
		data, err := mkt.Pack("openSession", coordinator.Address(), s.Address(), expiry)
		if err != nil {
			return nil, fmt.Errorf("open session: %w", err)
		}
		tx, err := client.Sign(chain, load.Call{To: &contracts.MarketAddress, Value: big.NewInt(deposit), Gas: 500_000, Data: data})
		if err != nil {
			return nil, err
		}
		queue = append(queue, tx)
	}
	if err := load.All(ctx, url, queue); err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	return &House{chain: chain, coordinator: coordinator, spenders: spenders, first: 1}, nil
}

// Moved counts the sessions that a settlement moved, as its logs say.
func Moved(r *load.Receipt) (int, error) {
	mkt, err := contracts.MarketABI()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, l := range r.Logs {
		if len(l.Topics) > 0 && l.Topics[0] == mkt.Events["Debited"].ID {
			n++
		}
	}
	return n, nil
}

// Sign makes the coordinator's next n settlements: each moves every session and pays every miner.
func (h *House) Sign(n int) (load.Queue, error) {
	mkt, err := contracts.MarketABI()
	if err != nil {
		return nil, err
	}
	d := receipt.Domain{ChainID: h.chain.Uint64(), Market: contracts.MarketAddress}
	datas := make([][]byte, n)
	var g errgroup.Group
	g.SetLimit(4)
	for i := range n {
		round := h.settled + uint64(i) + 1
		g.Go(func() error {
			vouchers, err := h.vouchers(d, round)
			if err != nil {
				return err
			}
			root := crypto.Keccak256Hash(binary.BigEndian.AppendUint64(nil, round))
			datas[i], err = mkt.Pack("settle", h.coordinator.Address(), vouchers, []struct{}{}, h.credits(round), root, uint32(Vouchers))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	h.settled += uint64(n) //nolint:gosec // a count
	var out load.Queue
	for _, data := range datas {
		tx, err := h.coordinator.Sign(h.chain, load.Call{To: &contracts.MarketAddress, Value: new(big.Int), Gas: gas, Data: data})
		if err != nil {
			return nil, err
		}
		out = append(out, tx)
	}
	return out, nil
}

func (h *House) vouchers(d receipt.Domain, round uint64) ([]byte, error) {
	var out []byte
	for i, s := range h.spenders {
		cumulative := market.Units(round * step)
		v := receipt.Voucher{Session: h.first + uint64(i), Through: round, Cumulative: cumulative}
		sig, err := receipt.Sign(s, d, v)
		if err != nil {
			return nil, err
		}
		out = binary.BigEndian.AppendUint64(out, v.Session)
		out = binary.BigEndian.AppendUint64(out, v.Through)
		sum := cumulative.Bytes16()
		out = append(out, sum[:]...)
		r, vs := sig.Compact()
		out = append(append(out, r[:]...), vs[:]...)
	}
	return out, nil
}

// credits pay fifty miners of two thousand, seven of which the round before did not pay, as the peer's generator has it.
func (h *House) credits(round uint64) []byte {
	var out []byte
	total := market.Units(round * pay).Bytes16()
	for i := range uint64(Credits) {
		const miners, shift = 2000, 7
		miner := common.BigToAddress(new(big.Int).SetUint64(0x10000 + (round*shift+i)%miners))
		out = append(append(out, miner[:]...), total[:]...)
	}
	return out
}
