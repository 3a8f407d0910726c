package abci_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/abci"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

var (
	bob = common.HexToAddress("0xb0b")
	ctx = context.Background()
)

// node is an application and the chain under it, with the clock of its blocks.
type node struct {
	*chaintest.Net
	app    *abci.App
	now    time.Time
	blocks []*exec.Result
}

func open(t testing.TB, ender []byte, hold time.Duration) *node {
	t.Helper()
	n := &node{Net: chaintest.Open(t, chaintest.Spec(ender, 100_000)), now: chaintest.Begin}
	var err error
	n.app, err = abci.New(abci.Config{
		Chain: n.Chain, Genesis: n.State, Log: slog.New(slog.DiscardHandler), Hold: hold, BuildTime: time.Minute,
		Committed: func(r *exec.Result) { n.blocks = append(n.blocks, r) },
	})
	require.NoError(t, err)
	return n
}

// request asks for a proposal of the next block.
func (n *node) request() *abcitypes.RequestPrepareProposal {
	return &abcitypes.RequestPrepareProposal{
		Height: n.Chain.Head().Number.Int64() + 1, Time: n.now.Add(time.Second), MaxTxBytes: 1 << 20, ProposerAddress: chaintest.Proposer[:],
		LocalLastCommit: abcitypes.ExtendedCommitInfo{Votes: []abcitypes.ExtendedVoteInfo{absent()}},
	}
}

// prepare proposes the next block.
func (n *node) prepare(t *testing.T) [][]byte {
	t.Helper()
	res, err := n.app.PrepareProposal(ctx, n.request())
	require.NoError(t, err)
	return res.Txs
}

func absent() abcitypes.ExtendedVoteInfo {
	return abcitypes.ExtendedVoteInfo{Validator: abcitypes.Validator{Address: bob[:]}, BlockIdFlag: cmtproto.BlockIDFlagAbsent}
}

func lastCommit() abcitypes.CommitInfo {
	v := absent()
	return abcitypes.CommitInfo{Votes: []abcitypes.VoteInfo{{Validator: v.Validator, BlockIdFlag: v.BlockIdFlag}}}
}

func (n *node) process(t *testing.T, txs [][]byte) bool {
	t.Helper()
	res, err := n.app.ProcessProposal(ctx, &abcitypes.RequestProcessProposal{
		Height: n.Chain.Head().Number.Int64() + 1, Time: n.now.Add(time.Second), Txs: txs, ProposerAddress: chaintest.Proposer[:],
		ProposedLastCommit: lastCommit(),
	})
	require.NoError(t, err)
	return res.IsAccepted()
}

func (n *node) decide(t *testing.T, txs [][]byte) *abcitypes.ResponseFinalizeBlock {
	t.Helper()
	n.now = n.now.Add(time.Second)
	res, err := n.app.FinalizeBlock(ctx, &abcitypes.RequestFinalizeBlock{
		Height: n.Chain.Head().Number.Int64() + 1, Time: n.now, Txs: txs, ProposerAddress: chaintest.Proposer[:], DecidedLastCommit: lastCommit(),
	})
	require.NoError(t, err)
	_, err = n.app.Commit(ctx, &abcitypes.RequestCommit{})
	require.NoError(t, err)
	return res
}

func (n *node) check(t *testing.T, tx *types.Transaction) *abcitypes.ResponseCheckTx {
	t.Helper()
	raw, err := tx.MarshalBinary()
	require.NoError(t, err)
	res, err := n.app.CheckTx(ctx, &abcitypes.RequestCheckTx{Tx: raw})
	require.NoError(t, err)
	return res
}

func TestProposerAndFollowerComeToTheSameAppHash(t *testing.T) {
	leader, follower := open(t, chaintest.Counter, 0), open(t, chaintest.Counter, 0)
	for i := range 5 {
		for j := range 4 {
			require.Equal(t, uint32(0), leader.check(t, leader.Send(j, &bob, int64(i+1), nil)).Code)
		}
		require.NoError(t, leader.Chain.Pool().Sync())
		txs := leader.prepare(t)
		require.Len(t, txs, 4)
		require.True(t, leader.process(t, txs))
		require.True(t, follower.process(t, txs))
		mine, theirs := leader.decide(t, txs), follower.decide(t, txs)
		require.Equal(t, mine.AppHash, theirs.AppHash)
		require.Equal(t, leader.Chain.Head().Hash().Bytes(), mine.AppHash, "the app hash is the block hash")
		require.Len(t, mine.TxResults, 4)
		require.Equal(t, mine.Events, theirs.Events)
	}
	require.Len(t, follower.blocks, 5)
	info, err := follower.app.Info(ctx, &abcitypes.RequestInfo{})
	require.NoError(t, err)
	require.Equal(t, int64(5), info.LastBlockHeight)
	require.Equal(t, follower.Chain.Head().Hash().Bytes(), info.LastBlockAppHash)
}

func TestADecidedBlockNeedNotHaveBeenProposedHere(t *testing.T) {
	n := open(t, chaintest.Counter, 0)
	raw, err := n.Send(0, &bob, 1, nil).MarshalBinary()
	require.NoError(t, err)
	n.decide(t, [][]byte{raw}) // as in replay: no proposal was seen
	require.Equal(t, uint64(1), n.Chain.Head().Number.Uint64())
	_, err = n.app.Commit(ctx, &abcitypes.RequestCommit{})
	require.ErrorContains(t, err, "without a decided block")
}

func TestProposalsThatCannotBeExecutedAreRejected(t *testing.T) {
	n := open(t, chaintest.Counter, 0)
	late, err := chaintest.Sign(t, 0, 5, &bob, 1, nil).MarshalBinary()
	require.NoError(t, err)
	for name, txs := range map[string][][]byte{"garbage": {{1, 2, 3}}, "nonce": {late}, "empty transaction": {{}}} {
		require.False(t, n.process(t, txs), name)
		_, err := n.app.FinalizeBlock(ctx, &abcitypes.RequestFinalizeBlock{Height: 1, Time: n.now, Txs: txs})
		require.Error(t, err, "if it is decided all the same, the node must halt: %s", name)
	}
	require.True(t, n.process(t, nil))
}

func TestSystemLogsAreBlockEvents(t *testing.T) {
	n := open(t, chaintest.Counter, 0)
	res := n.decide(t, nil)
	require.Len(t, res.Events, 1)
	require.Equal(t, abci.EventSystemLog, res.Events[0].Type)
	got := map[string]string{}
	for _, a := range res.Events[0].Attributes {
		got[a.Key] = a.Value
	}
	require.Equal(t, map[string]string{
		"call": "Ender.endBlock", "address": chaintest.Ender.Hex(), "data": "0x",
		"topics": "0x000000000000000000000000000000000000000000000000000000000000002a",
	}, got)
	require.Zero(t, n.app.FailedCalls())
}

func TestTheChainGoesOnWhenASystemCallAlwaysReverts(t *testing.T) {
	n := open(t, chaintest.Reverter, 0)
	for i := range 5 {
		require.Equal(t, uint32(0), n.check(t, n.Send(0, &bob, 1, nil)).Code)
		require.NoError(t, n.Chain.Pool().Sync())
		txs := n.prepare(t)
		require.Len(t, txs, 1)
		require.True(t, n.process(t, txs))
		res := n.decide(t, txs)
		require.Equal(t, abci.EventSystemCall, res.Events[0].Type)
		require.Empty(t, res.ValidatorUpdates)
		require.Equal(t, uint64(i+1), n.app.FailedCalls(), "each failure is counted")
	}
	require.Equal(t, uint64(5), n.Chain.Head().Number.Uint64())
}

func TestAHeldProposalIsMadeWhenThereIsWork(t *testing.T) {
	n := open(t, chaintest.Counter, time.Hour)
	first := n.later()
	require.Equal(t, uint32(0), n.check(t, n.Send(0, &bob, 1, nil)).Code)
	require.Len(t, proposed(t, first), 1, "an hour has not passed")
	n.decide(t, nil) // another block was decided instead: the transaction stays in the pool
	n.decide(t, n.prepare(t))
	second := n.later() // nothing to do now
	select {
	case <-second:
		t.Fatal("an empty proposal was not held")
	default:
	}
	n.app.Stop()
	n.app.Stop()
	require.Empty(t, proposed(t, second), "stopping lets go of it")
}

// outcome is what PrepareProposal returned.
type outcome struct {
	res *abcitypes.ResponsePrepareProposal
	err error
}

// later proposes in the background.
func (n *node) later() <-chan outcome {
	done := make(chan outcome, 1)
	req := n.request()
	go func() {
		res, err := n.app.PrepareProposal(ctx, req)
		done <- outcome{res, err}
	}()
	return done
}

func proposed(t *testing.T, done <-chan outcome) [][]byte {
	t.Helper()
	o := <-done
	require.NoError(t, o.err)
	return o.res.Txs
}

func TestAnotherGenesisIsRefused(t *testing.T) {
	n := open(t, chaintest.Counter, 0)
	raw, err := json.Marshal(n.State)
	require.NoError(t, err)
	res, err := n.app.InitChain(ctx, &abcitypes.RequestInitChain{ChainId: n.State.CometID(), AppStateBytes: raw})
	require.NoError(t, err)
	require.Equal(t, n.State.Hash().Bytes(), res.AppHash)
	_, err = n.app.InitChain(ctx, &abcitypes.RequestInitChain{ChainId: "aitbc-1", AppStateBytes: raw})
	require.ErrorContains(t, err, "chain id")
	other := *n.State
	evm := *n.State.EVM
	evm.Timestamp++
	other.EVM = &evm
	raw, err = json.Marshal(other)
	require.NoError(t, err)
	_, err = n.app.InitChain(ctx, &abcitypes.RequestInitChain{ChainId: n.State.CometID(), AppStateBytes: raw})
	require.ErrorContains(t, err, "database was made from")
}

func TestNewTransactionsAreGossipedOnce(t *testing.T) {
	n := open(t, chaintest.Counter, 0)
	run, stop := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- n.app.Run(run) }()
	var got [][]byte
	sent := map[string]bool{}
	require.Eventually(t, func() bool { // the first ones may come before Run listens
		raw, err := n.Send(0, &bob, 1, nil).MarshalBinary()
		require.NoError(t, err)
		sent[string(raw)] = true
		res, err := n.app.InsertTx(ctx, &abcitypes.RequestInsertTx{Tx: raw})
		require.NoError(t, err)
		require.Equal(t, uint32(0), res.Code)
		reaped, err := n.app.ReapTxs(ctx, &abcitypes.RequestReapTxs{})
		require.NoError(t, err)
		got = append(got, reaped.Txs...)
		return len(got) > 1
	}, 2*time.Minute, 10*time.Millisecond)
	for _, raw := range got {
		require.True(t, sent[string(raw)], "told twice, or never sent")
		delete(sent, string(raw))
	}
	_, err := n.app.InsertTx(ctx, &abcitypes.RequestInsertTx{Tx: []byte{1}})
	require.NoError(t, err)
	stop()
	require.NoError(t, <-done)
}
