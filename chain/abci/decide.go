package abci

import (
	"context"
	"errors"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/exec"
)

// FinalizeBlock executes a decided block, unless that has been done, and reports its outcome. An error halts the node:
// either more than two thirds of the power are faulty, or we are.
func (a *App) FinalizeBlock(_ context.Context, r *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	if err := a.halted(); err != nil {
		return nil, err
	}
	info := blockInfo(r.Height, r.Time, r.ProposerAddress, r.Misbehavior)
	info.Missed = missed(r.DecidedLastCommit)
	res, err := a.execute(info, r.Txs)
	if err != nil {
		return nil, fmt.Errorf("decided block %d cannot be executed: %w", r.Height, err)
	}
	a.next = res
	out := &abci.ResponseFinalizeBlock{AppHash: res.Block.Hash().Bytes(), Events: Events(res), ValidatorUpdates: updates(res)}
	for _, rc := range res.Receipts {
		out.TxResults = append(out.TxResults, &abci.ExecTxResult{
			Code: uint32(1 - rc.Status), GasUsed: int64(rc.GasUsed), //nolint:gosec // 0 or 1; gas is far below 2^63
		})
	}
	return out, nil
}

// Commit writes the decided block. After it returns the block survives the process, if need be by replay.
func (a *App) Commit(ctx context.Context, _ *abci.RequestCommit) (*abci.ResponseCommit, error) {
	res := a.next
	if res == nil {
		return nil, errors.New("commit without a decided block")
	}
	err := a.cfg.Chain.Commit(evm.Sealed{
		Block: res.Block, Receipts: res.Receipts, State: res.State, Issued: res.Issued, Burned: res.Burned,
		Paused: a.pace.paused(),
	})
	if err != nil {
		return nil, err
	}
	pending, _ := a.cfg.Chain.Pool().Stats()
	a.pace.committed(time.Now(), pending > 0) //nolint:forbidigo // of proposals, which no other node makes again
	a.report(res)
	clear(a.cache)
	a.next = nil
	a.lookAhead()
	if a.cfg.Committed != nil {
		a.cfg.Committed(res)
	}
	if m := a.cfg.Snapshots.Maker; m != nil {
		m.Committed(ctx, res.Block.NumberU64())
	}
	return &abci.ResponseCommit{RetainHeight: a.prune(res)}, nil
}

// updates are the changes of the set of validators, as CometBFT takes them. They apply two blocks later.
func updates(res *exec.Result) []abci.ValidatorUpdate {
	var out []abci.ValidatorUpdate
	for _, v := range res.Updates {
		out = append(out, abci.ValidatorUpdate{
			PubKey: crypto.PublicKey{Sum: &crypto.PublicKey_Secp256K1Eth{Secp256K1Eth: v.Compressed()}},
			Power:  int64(v.Power), //nolint:gosec // at most valset.MaxPower
		})
	}
	return out
}

// report counts and logs system calls that failed: the chain goes on, but somebody must look.
func (a *App) report(res *exec.Result) {
	for _, c := range res.Calls {
		if c.Err != nil {
			n := a.failedCalls.Add(1)
			a.cfg.Log.Error("system call failed; its effects are dropped", "call", c.Call.Name, "height", res.Block.NumberU64(),
				"gas", c.GasUsed, "failures", n, "err", c.Err)
		}
	}
}
