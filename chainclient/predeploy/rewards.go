package predeploy

import (
	"context"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// Epoch is one of the periods for which miners are rewarded.
type Epoch struct {
	Pool   market.Amount // for miners; zero while it runs
	Fees   market.Amount // that all miners' jobs paid
	EndsAt uint64        // seconds since 1970
}

// Work is what a miner's jobs paid in an epoch, and what it can still claim for it.
type Work struct {
	Fees      market.Amount
	Claimable market.Amount
}

// Rewards issues coins to stakers and miners.
type Rewards struct{ contract }

// NewRewards returns Rewards of the chain that c is a client of.
func NewRewards(c *chainclient.Client) *Rewards {
	return &Rewards{contract{client: c, address: contracts.RewardsAddress, abi: rewardsABI()}}
}

// Params returns the parameters of the running epoch.
func (r *Rewards) Params(ctx context.Context, at chainclient.Block) (contracts.RewardsParams, error) {
	var p contracts.RewardsParams
	err := r.readStruct(ctx, at, &p, "params")
	return p, err
}

// Epoch returns the number of the running epoch.
func (r *Rewards) Epoch(ctx context.Context, at chainclient.Block) (uint64, error) {
	return readOne[uint64](ctx, &r.contract, at, "epoch")
}

// EpochInfo returns an epoch.
func (r *Rewards) EpochInfo(ctx context.Context, epoch uint64, at chainclient.Block) (Epoch, error) {
	var e Epoch
	err := r.readTuple(ctx, at, &e, "epochInfo", epoch)
	return e, err
}

// Work returns a miner's work of an epoch.
func (r *Rewards) Work(ctx context.Context, miner common.Address, epoch uint64, at chainclient.Block) (Work, error) {
	var w Work
	err := r.readTuple(ctx, at, &w, "work", miner, epoch)
	return w, err
}

// Issued returns all coins that were ever issued.
func (r *Rewards) Issued(ctx context.Context, at chainclient.Block) (market.Amount, error) {
	return r.readAmount(ctx, at, "issued")
}

// EpochsOf returns the epochs in which a miner had work, by the events of the
// blocks up to a height, in rising order.
func (r *Rewards) EpochsOf(ctx context.Context, miner common.Address, to uint64) ([]uint64, error) {
	logs, err := r.client.Logs(ctx, chainclient.Filter{
		To: to, Addresses: []common.Address{r.address},
		Topics: [][]common.Hash{{r.abi.Events["Worked"].ID}, {}, {common.BytesToHash(miner[:])}},
	})
	if err != nil {
		return nil, fmt.Errorf("read the work of %s: %w", miner, err)
	}
	var epochs []uint64
	for _, log := range logs {
		if len(log.Topics) < 3 {
			return nil, fmt.Errorf("read the work of %s: a log without its topics", miner)
		}
		epochs = append(epochs, new(big.Int).SetBytes(log.Topics[1][:]).Uint64())
	}
	slices.Sort(epochs)
	return slices.Compact(epochs), nil
}

// Claim pays a miner for epochs that are over, whoever sends it, and returns how much that was.
func (r *Rewards) Claim(ctx context.Context, by *chainclient.Sender, miner common.Address, epochs []uint64) (market.Amount, *types.Receipt, error) {
	receipt, err := r.send(ctx, by, market.Amount{}, "claim", miner, epochs)
	return r.amountOf(receipt, err, "Claimed")
}
