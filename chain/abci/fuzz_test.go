package abci_test

import (
	"runtime"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// maxAllocated is more than any request may make the application allocate: one block's building, with room.
const maxAllocated = 256 << 20

// frugal runs f and fails if it allocates without bound.
func frugal(t *testing.T, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAllocated {
		t.Fatalf("%d bytes were allocated", n)
	}
}

// FuzzTransactions gives bytes as a transaction to every method that takes one. What is accepted as a proposal must be
// a block that can be decided, and committed.
func FuzzTransactions(f *testing.F) {
	n := open(f, chaintest.Counter, 0)
	for i, tx := range [][]byte{nil, {0x02}, {0x03, 0xc0}, {0x04, 0xc0}, {0xf8, 0xff}, {0xff}} {
		f.Add(tx, i%2 == 0)
	}
	good, err := chaintest.Sign(f, 0, 0, &bob, 1, nil).MarshalBinary()
	require.NoError(f, err)
	made, err := chaintest.Sign(f, 1, 0, nil, 0, chaintest.Creation(chaintest.Burner)).MarshalBinary()
	require.NoError(f, err)
	f.Add(good, true)
	f.Add(made, true)
	f.Add(good, false)
	f.Fuzz(func(t *testing.T, raw []byte, twice bool) {
		txs := [][]byte{raw}
		if twice {
			txs = append(txs, raw)
		}
		frugal(t, func() {
			if n.process(t, txs) {
				require.Len(t, n.decide(t, txs).TxResults, len(txs))
			}
			_, err := n.app.CheckTx(ctx, &abcitypes.RequestCheckTx{Tx: raw})
			require.NoError(t, err)
			_, err = n.app.InsertTx(ctx, &abcitypes.RequestInsertTx{Tx: raw})
			require.NoError(t, err)
			n.Chain.Relay([][]byte{raw})
			_, err = n.app.ReapTxs(ctx, &abcitypes.RequestReapTxs{})
			require.NoError(t, err)
			if pending, _ := n.Chain.Pool().Stats(); pending > 0 { // a proposal of what was taken is one that others accept
				txs := n.prepare(t)
				require.True(t, n.process(t, txs))
				n.decide(t, txs)
			}
		})
	})
}

// requests are those that CometBFT may make, each with what it does to the application.
var requests = []func(n *node, fit bool) (proto.Message, func() error){
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestInfo)
		return r, func() error { _, err := n.app.Info(ctx, r); return err }
	},
	func(n *node, fit bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestInitChain)
		return r, func() error {
			if fit {
				r.ChainId = n.State.CometID()
			}
			_, err := n.app.InitChain(ctx, r)
			return err
		}
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestQuery)
		return r, func() error { _, err := n.app.Query(ctx, r); return err }
	},
	func(n *node, fit bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestPrepareProposal)
		return r, func() error {
			if fit {
				r.Height, r.Time = n.Chain.Head().Number.Int64()+1, n.now.Add(time.Second)
			}
			_, err := n.app.PrepareProposal(ctx, r)
			return err
		}
	},
	func(n *node, fit bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestProcessProposal)
		return r, func() error {
			if fit {
				r.Height, r.Time = n.Chain.Head().Number.Int64()+1, n.now.Add(time.Second)
			}
			_, err := n.app.ProcessProposal(ctx, r)
			return err
		}
	},
	func(n *node, fit bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestFinalizeBlock)
		return r, func() error {
			if fit {
				r.Height, r.Time = n.Chain.Head().Number.Int64()+1, n.now.Add(time.Second)
			}
			if _, err := n.app.FinalizeBlock(ctx, r); err != nil {
				return err
			}
			n.now = r.Time
			_, err := n.app.Commit(ctx, new(abcitypes.RequestCommit))
			return err
		}
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestExtendVote)
		return r, func() error { _, err := n.app.ExtendVote(ctx, r); return err }
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestVerifyVoteExtension)
		return r, func() error { _, err := n.app.VerifyVoteExtension(ctx, r); return err }
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestListSnapshots)
		return r, func() error { _, err := n.app.ListSnapshots(ctx, r); return err }
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestOfferSnapshot)
		return r, func() error { _, err := n.app.OfferSnapshot(ctx, r); return err }
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestLoadSnapshotChunk)
		return r, func() error { _, err := n.app.LoadSnapshotChunk(ctx, r); return err }
	},
	func(n *node, _ bool) (proto.Message, func() error) {
		r := new(abcitypes.RequestApplySnapshotChunk)
		return r, func() error { _, err := n.app.ApplySnapshotChunk(ctx, r); return err }
	},
}

// FuzzRequests gives bytes as a request to every method. An error is an answer; a panic or memory without bound is not.
// Fit puts the next height and a good time into the request, so that what comes after those checks is reached too.
func FuzzRequests(f *testing.F) {
	n := open(f, chaintest.Counter, 0)
	seeds := []proto.Message{
		n.request(),
		&abcitypes.RequestProcessProposal{Height: 1, Txs: [][]byte{{1}}, ProposedLastCommit: lastCommit(), Misbehavior: []abcitypes.Misbehavior{{Type: 1, Height: -1}}},
		&abcitypes.RequestFinalizeBlock{Height: 1, ProposerAddress: make([]byte, 40), DecidedLastCommit: lastCommit()},
		&abcitypes.RequestInitChain{ChainId: n.State.CometID(), AppStateBytes: []byte(`{"consensus_mode":"poa","evm":{"config":{},"alloc":{}}}`)},
		&abcitypes.RequestOfferSnapshot{Snapshot: &abcitypes.Snapshot{Height: 1 << 60, Chunks: 1 << 31, Metadata: []byte{0xff}}},
		&abcitypes.RequestLoadSnapshotChunk{Height: 1 << 60, Chunk: 1 << 31},
	}
	for _, m := range seeds {
		raw, err := proto.Marshal(m)
		require.NoError(f, err)
		for which := range requests {
			f.Add(byte(which), raw, true)
			f.Add(byte(which), raw, false)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte, fit bool) {
		message, call := requests[int(which)%len(requests)](n, fit)
		if proto.Unmarshal(raw, message) != nil {
			return // CometBFT decodes: it would not call
		}
		frugal(t, func() { _ = call() })
	})
}
