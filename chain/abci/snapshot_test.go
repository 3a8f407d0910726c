package abci_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/chain/abci"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/snapshot"
)

// storing is an application that makes a snapshot every ten blocks and takes one.
func storing(t *testing.T, r abci.Retention) *node {
	t.Helper()
	n := &node{Net: chaintest.Open(t, chaintest.Spec(chaintest.Counter, 100_000), func(c *evm.Config) { c.FlushEvery = 1 }), now: chaintest.Begin}
	dir := t.TempDir()
	store, err := snapshot.OpenStore(filepath.Join(dir, "snapshots"), n.Chain.BlockChain().Genesis().Hash(), n.State.Supply())
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	maker, err := snapshot.NewMaker(snapshot.MakerConfig{Chain: n.Chain, Store: store, Every: 10, Keep: 2, Log: log})
	require.NoError(t, err)
	n.app, err = abci.New(abci.Config{
		Chain: n.Chain, Genesis: n.State, Log: log, BuildTime: time.Minute, Retention: r,
		Snapshots: abci.Snapshots{Store: store, Maker: maker, Intake: snapshot.NewIntake(n.Chain, filepath.Join(dir, "in"), n.State.Supply())},
	})
	require.NoError(t, err)
	run, stop := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error { return maker.Run(run) })
	t.Cleanup(func() {
		stop()
		require.NoError(t, g.Wait())
	})
	return n
}

// offered waits for the newest snapshot of a height or later.
func (n *node) offered(t *testing.T, height uint64) *abcitypes.Snapshot {
	t.Helper()
	var s *abcitypes.Snapshot
	require.Eventually(t, func() bool {
		res, err := n.app.ListSnapshots(ctx, &abcitypes.RequestListSnapshots{})
		require.NoError(t, err)
		if len(res.Snapshots) > 0 {
			s = res.Snapshots[0]
		}
		return s != nil && s.Height >= height
	}, 2*time.Minute, 5*time.Millisecond)
	return s
}

func TestStateSyncTakesASnapshotAndRefusesLies(t *testing.T) {
	old := storing(t, abci.Retention{})
	require.Eventually(t, func() bool { return old.Chain.BlockChain().TrieDB().SnapshotCompleted() }, 2*time.Minute, time.Millisecond)
	for range 10 {
		raw, err := old.Send(0, &bob, 1, nil).MarshalBinary()
		require.NoError(t, err)
		old.decide(t, [][]byte{raw})
	}
	s := old.offered(t, 10)
	hash := old.Chain.Head().Hash().Bytes()
	res, err := old.app.LoadSnapshotChunk(ctx, &abcitypes.RequestLoadSnapshotChunk{Height: s.Height, Format: s.Format})
	require.NoError(t, err)
	require.NotEmpty(t, res.Chunk)
	none, err := old.app.LoadSnapshotChunk(ctx, &abcitypes.RequestLoadSnapshotChunk{Height: 9, Format: s.Format})
	require.NoError(t, err)
	require.Nil(t, none.Chunk)
	offer := func(n *node, s *abcitypes.Snapshot, hash []byte) abcitypes.ResponseOfferSnapshot_Result {
		out, err := n.app.OfferSnapshot(ctx, &abcitypes.RequestOfferSnapshot{Snapshot: s, AppHash: hash})
		require.NoError(t, err)
		return out.Result
	}
	require.Equal(t, abcitypes.ResponseOfferSnapshot_ABORT, offer(old, s, hash), "it has blocks already")

	fresh := storing(t, abci.Retention{})
	require.Equal(t, abcitypes.ResponseOfferSnapshot_REJECT, offer(fresh, s, common.Hash{1}.Bytes()), "the validators signed another block")
	newer := *s
	newer.Format++
	require.Equal(t, abcitypes.ResponseOfferSnapshot_REJECT_FORMAT, offer(fresh, &newer, hash))
	require.Equal(t, abcitypes.ResponseOfferSnapshot_ACCEPT, offer(fresh, s, hash))
	apply := func(chunk []byte) *abcitypes.ResponseApplySnapshotChunk {
		out, err := fresh.app.ApplySnapshotChunk(ctx, &abcitypes.RequestApplySnapshotChunk{Index: 0, Chunk: chunk, Sender: "peer"})
		require.NoError(t, err)
		return out
	}
	bad := append([]byte(nil), res.Chunk...)
	bad[len(bad)/2] ^= 1
	lie := apply(bad)
	require.Equal(t, abcitypes.ResponseApplySnapshotChunk_RETRY, lie.Result)
	require.Equal(t, []uint32{0}, lie.RefetchChunks)
	require.Equal(t, []string{"peer"}, lie.RejectSenders)
	require.Empty(t, fresh.app.Synced())
	require.Equal(t, abcitypes.ResponseApplySnapshotChunk_ACCEPT, apply(res.Chunk).Result)
	require.NoError(t, <-fresh.app.Synced())
	info, err := fresh.app.Info(ctx, &abcitypes.RequestInfo{})
	require.NoError(t, err)
	require.Equal(t, int64(10), info.LastBlockHeight)
	require.Equal(t, hash, info.LastBlockAppHash)

	fresh.now = old.now
	raw, err := old.Send(0, &bob, 1, nil).MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, old.decide(t, [][]byte{raw}).AppHash, fresh.decide(t, [][]byte{raw}).AppHash)
}

func TestOldBlocksMayGoWhenNobodyNeedsThem(t *testing.T) {
	for name, c := range map[string]struct {
		retention abci.Retention
		want      map[int64]int64
	}{
		"all stay":                   {abci.Retention{}, map[int64]int64{64: 0, 128: 0}},
		"ten, but for the snapshots": {abci.Retention{Blocks: 10}, map[int64]int64{63: 0, 64: 50, 128: 110}},
		"evidence by count":          {abci.Retention{Blocks: 10, EvidenceBlocks: 100}, map[int64]int64{64: 0, 128: 28}},
		"evidence by age":            {abci.Retention{Blocks: 10, EvidenceAge: 90 * time.Second}, map[int64]int64{64: 0, 128: 39}},
	} {
		t.Run(name, func(t *testing.T) {
			n := storing(t, c.retention)
			require.Eventually(t, func() bool { return n.Chain.BlockChain().TrieDB().SnapshotCompleted() }, 2*time.Minute, time.Millisecond)
			for h := int64(1); h <= 128; h++ {
				n.now = n.now.Add(time.Second)
				_, err := n.app.FinalizeBlock(ctx, &abcitypes.RequestFinalizeBlock{
					Height: h, Time: n.now, ProposerAddress: chaintest.Proposer[:], DecidedLastCommit: lastCommit(),
				})
				require.NoError(t, err)
				res, err := n.app.Commit(ctx, &abcitypes.RequestCommit{})
				require.NoError(t, err)
				if want, ok := c.want[h]; ok {
					require.Equal(t, want, res.RetainHeight, "height %d", h)
				}
				if h%10 == 0 {
					n.offered(t, uint64(h))
				}
			}
		})
	}
}
