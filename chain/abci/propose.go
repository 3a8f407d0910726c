package abci

import (
	"context"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chain/exec"
)

// PrepareProposal makes a block as soon as there is work, or an empty one when Hold has passed.
func (a *App) PrepareProposal(_ context.Context, r *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	if err := a.halted(); err != nil {
		return nil, err
	}
	a.pace.proposed(time.Now()) //nolint:forbidigo // of proposals, which no other node makes again
	info := blockInfo(r.Height, r.Time, r.ProposerAddress, r.Misbehavior)
	for _, v := range r.LocalLastCommit.Votes {
		if v.BlockIdFlag == cmtproto.BlockIDFlagAbsent {
			info.Missed = append(info.Missed, common.BytesToAddress(v.Validator.Address))
		}
	}
	res, err := a.hold(func() (*exec.Result, error) {
		defer a.time(Timer.Built)()
		return a.exec.Build(info, a.cfg.Chain.Pool(), exec.Limits{Bytes: r.MaxTxBytes, Time: a.pace.budget})
	})
	if err != nil {
		return nil, fmt.Errorf("build block %d: %w", r.Height, err)
	}
	raw := make([][]byte, len(res.Block.Transactions()))
	for i, tx := range res.Block.Transactions() {
		if raw[i], err = tx.MarshalBinary(); err != nil {
			return nil, fmt.Errorf("build block %d: %w", r.Height, err)
		}
	}
	a.cache[info.Key(raw)] = res
	return &abci.ResponsePrepareProposal{Txs: raw}, nil
}

// The pool follows the last block with a delay, and says nothing then of what it had before: a held proposal looks again,
// so often and so many times.
const (
	lookAgain = 25 * time.Millisecond
	looks     = 10
)

// hold builds again whenever the pool has news, until a block has transactions or the time is over.
func (a *App) hold(build func() (*exec.Result, error)) (*exec.Result, error) {
	news := make(chan core.NewTxsEvent, 64)
	sub := a.cfg.Chain.Pool().SubscribeTransactions(news, false) // before the first look, so that nothing is missed
	defer sub.Unsubscribe()
	timer, again := time.NewTimer(a.cfg.Hold), time.NewTicker(lookAgain)
	defer timer.Stop()
	defer again.Stop()
	for last, left := false, looks; ; {
		if pending, _ := a.cfg.Chain.Pool().Stats(); pending > 0 || last {
			res, err := build()
			if err != nil || last || len(res.Block.Transactions()) > 0 {
				return res, err
			}
		}
		select {
		case <-news:
		case <-again.C:
			if left--; left == 0 {
				again.Stop()
			}
		case <-timer.C:
			last = true
		case <-a.stop:
			last = true
		}
	}
}

// ProcessProposal accepts a block that can be executed.
func (a *App) ProcessProposal(_ context.Context, r *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	a.pace.proposed(time.Now()) //nolint:forbidigo // of proposals, which no other node makes again
	if a.halted() != nil {
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	info := blockInfo(r.Height, r.Time, r.ProposerAddress, r.Misbehavior)
	info.Missed = missed(r.ProposedLastCommit)
	if _, err := a.execute(info, r.Txs); err != nil {
		a.cfg.Log.Warn("proposal rejected", "height", r.Height, "proposer", info.Proposer, "err", err)
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// execute runs a block once, however often and by whatever call it is asked for.
func (a *App) execute(info exec.Info, raw [][]byte) (*exec.Result, error) {
	key := info.Key(raw)
	if res := a.cache[key]; res != nil {
		return res, nil
	}
	defer a.time(Timer.Executed)()
	txs, err := a.decode(raw)
	if err != nil {
		return nil, err
	}
	res, err := a.exec.Replay(info, txs)
	if err != nil {
		return nil, err
	}
	a.cache[key] = res
	return res, nil
}

// time begins to measure; what it returns ends that and tells the timer.
func (a *App) time(what func(Timer, time.Duration)) (done func()) {
	if a.cfg.Timer == nil {
		return func() {}
	}
	begin := time.Now()                                    //nolint:forbidigo // for those who watch; no block depends on it
	return func() { what(a.cfg.Timer, time.Since(begin)) } //nolint:forbidigo // as above
}

// decode prefers the pool's copy of a transaction, whose sender is already recovered, and recovers the others'.
func (a *App) decode(raw [][]byte) ([]*types.Transaction, error) {
	txs := make([]*types.Transaction, len(raw))
	var fresh []*types.Transaction
	for i, b := range raw {
		if tx := a.cfg.Chain.Pool().Get(crypto.Keccak256Hash(b)); tx != nil {
			txs[i] = tx
			continue
		}
		txs[i] = new(types.Transaction)
		if err := txs[i].UnmarshalBinary(b); err != nil {
			return nil, fmt.Errorf("decode transaction %d: %w", i, err)
		}
		fresh = append(fresh, txs[i])
	}
	core.SenderCacher().Recover(types.LatestSigner(a.cfg.Chain.BlockChain().Config()), fresh)
	return txs, nil
}

func blockInfo(height int64, at time.Time, proposer []byte, bad []abci.Misbehavior) exec.Info {
	info := exec.Info{Height: uint64(height), Time: at, Proposer: common.BytesToAddress(proposer)} //nolint:gosec // heights are positive
	for _, m := range bad {
		info.Guilty = append(info.Guilty, exec.Evidence{
			Validator: common.BytesToAddress(m.Validator.Address), Height: uint64(m.Height), Time: uint64(max(m.Time.Unix(), 0)), //nolint:gosec // of a block that was
		})
	}
	return info
}

func missed(c abci.CommitInfo) []common.Address {
	var out []common.Address
	for _, v := range c.Votes {
		if v.BlockIdFlag == cmtproto.BlockIDFlagAbsent {
			out = append(out, common.BytesToAddress(v.Validator.Address))
		}
	}
	return out
}
