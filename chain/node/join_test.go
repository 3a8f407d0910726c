package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cometbft/cometbft/p2p"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	gethrpc "github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/rpc"
)

// height waits until a node has a block.
func (n *network) height(t *testing.T, at uint64) {
	t.Helper()
	var info rpc.Info
	require.Eventually(t, func() bool {
		n.get(t, "/chain_info", &info)
		return info.Height >= at
	}, 90*time.Second, 50*time.Millisecond, "block %d", at)
}

// heightOf is the node's last block.
func (n *network) heightOf(t *testing.T) uint64 {
	t.Helper()
	var info rpc.Info
	n.get(t, "/chain_info", &info)
	return info.Height
}

func (n *network) block(t *testing.T, at uint64) rpc.Block {
	t.Helper()
	var b rpc.Block
	n.get(t, fmt.Sprintf("/get_block?height=%d", at), &b)
	return b
}

// snapshots waits for the node's snapshot at or after a height and returns that height.
func (n *network) snapshots(t *testing.T, after uint64) uint64 {
	t.Helper()
	var found uint64
	require.Eventually(t, func() bool {
		names, _ := filepath.Glob(filepath.Join(n.home.Snapshots(), "*", "manifest"))
		for _, path := range names {
			var h uint64
			if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(path)), "%d", &h); err == nil && h >= after {
				found = max(found, h)
			}
		}
		return found > 0
	}, 60*time.Second, 50*time.Millisecond)
	return found
}

// guest is a node of the network that validates nothing and has no blocks.
func guest(t *testing.T, nets []*network) *network {
	t.Helper()
	g := &network{home: home.Home(filepath.Join(t.TempDir(), "guest")), conf: conf()}
	_, err := g.home.Create()
	require.NoError(t, err)
	raw, err := os.ReadFile(nets[0].home.Genesis())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(g.home.Genesis(), raw, 0o600))
	for _, x := range nets {
		key, err := p2p.LoadNodeKey(x.home.NodeKey())
		require.NoError(t, err)
		g.conf.P2P.Peers = append(g.conf.P2P.Peers, string(key.ID())+"@"+x.conf.Listen.P2P)
		g.conf.StateSync.RPCServers = append(g.conf.StateSync.RPCServers, "http://"+x.doors.RPC)
	}
	var commit struct {
		SignedHeader struct {
			Commit struct {
				BlockID struct {
					Hash string `json:"hash"`
				} `json:"block_id"`
			} `json:"commit"`
		} `json:"signed_header"`
	}
	nets[0].get(t, "/commit?height=2", &commit)
	g.conf.StateSync.Enabled, g.conf.StateSync.TrustHeight = true, 2
	g.conf.StateSync.TrustHash = commit.SignedHeader.Commit.BlockID.Hash
	return g
}

// fault asks for what must fail.
func (n *network) fault(t *testing.T, uri string, into any) {
	t.Helper()
	res, err := http.Get("http://" + n.doors.RPC + uri)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read only
	var env struct {
		Error json.RawMessage `json:"error"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&env))
	require.NotEmpty(t, env.Error)
	require.NoError(t, json.Unmarshal(env.Error, into))
}

// TestAFreshNodeJoinsByStateSync gives a node nothing but the genesis and a trusted header. One of its two peers serves
// broken chunks.
func TestAFreshNodeJoinsByStateSync(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three nodes")
	}
	nets := federation(t, 2)
	for _, x := range nets {
		x.conf.Storage.SnapshotEvery = 20
		x.start(t)
	}
	tx := chaintest.Sign(t, 0, 0, &bob, 77, nil)
	nets[0].get(t, "/broadcast_tx?tx="+encode(t, tx), &rpc.Broadcast{})
	nets[0].included(t, tx.Hash())
	at := nets[1].snapshots(t, nets[0].heightOf(t))
	require.Equal(t, at, nets[0].snapshots(t, at))
	one, err := os.ReadFile(filepath.Join(nets[0].home.Snapshots(), fmt.Sprint(at), "000000"))
	require.NoError(t, err)
	other, err := os.ReadFile(filepath.Join(nets[1].home.Snapshots(), fmt.Sprint(at), "000000"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(one, other), "both wrote the same")
	other[len(other)/2] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(nets[1].home.Snapshots(), fmt.Sprint(at), "000000"), other, 0o600))
	nets[0].height(t, at+3)

	g := guest(t, nets)
	g.start(t)
	nets[0].height(t, at+5)
	g.height(t, nets[0].heightOf(t))
	head := g.heightOf(t)
	require.Equal(t, nets[0].block(t, head), g.block(t, head), "the same chain")
	var balance rpc.Balance
	g.get(t, "/get_balance?address="+bob.Hex(), &balance)
	require.Equal(t, "77", balance.Balance)
	var fault struct {
		Message string `json:"message"`
	}
	for _, uri := range []string{"/get_block?height=3", "/check?height=3"} {
		g.fault(t, uri, &fault)
		require.Contains(t, fault.Message, "began with a snapshot", uri)
	}

	var report audit.Report
	g.get(t, fmt.Sprintf("/check?height=%d", head), &report)
	require.True(t, report.OK, report.Problems)

	client, err := ethclient.Dial("http://" + g.doors.EthHTTP)
	require.NoError(t, err)
	defer client.Close()
	ctx := context.Background()
	b, err := client.BalanceAt(ctx, bob, nil)
	require.NoError(t, err)
	require.Equal(t, int64(77), b.Int64())
	raw, err := gethrpc.Dial("http://" + g.doors.EthHTTP)
	require.NoError(t, err)
	defer raw.Close()
	var shown struct {
		Balance      *hexutil.Big `json:"balance"`
		AccountProof []string     `json:"accountProof"`
	}
	require.NoError(t, raw.CallContext(ctx, &shown, "eth_getProof", bob, []string{}, "latest"))
	require.Equal(t, int64(77), shown.Balance.ToInt().Int64())
	require.NotEmpty(t, shown.AccountProof)

	// It takes transactions, and what it passes on is seen everywhere; then it restarts without state sync.
	late := chaintest.Sign(t, 1, 0, &bob, 3, nil)
	g.get(t, "/broadcast_tx?tx="+encode(t, late), &rpc.Broadcast{})
	nets[0].included(t, late.Hash())
	g.included(t, late.Hash())
	g.stop()
	g.start(t)
	g.height(t, nets[0].heightOf(t))
	logs := make([]json.RawMessage, 0)
	again, err := gethrpc.Dial("http://" + g.doors.EthHTTP)
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.CallContext(ctx, &logs, "eth_getLogs", map[string]any{"fromBlock": hexutil.EncodeUint64(at + 1), "toBlock": "latest"}))
}

// TestAPrunedNodeSaysWhatItHasNot keeps ten blocks and no old states.
func TestAPrunedNodeSaysWhatItHasNot(t *testing.T) {
	n := create(t)
	n.conf.Storage.Archive, n.conf.Storage.StateHistory = false, 100
	n.start(t)
	tx := chaintest.Sign(t, 0, 0, &bob, 5, nil)
	n.get(t, "/broadcast_tx?tx="+encode(t, tx), &rpc.Broadcast{})
	n.included(t, tx.Hash())
	n.height(t, n.heightOf(t)+3)
	var fault struct {
		Message string `json:"message"`
	}
	n.fault(t, "/get_balance?address="+bob.Hex()+"&height=1", &fault)
	require.Contains(t, fault.Message, "storage.archive = true")
	n.fault(t, "/check?height=1", &fault)
	require.Contains(t, fault.Message, "archive")
	var balance rpc.Balance
	n.get(t, "/get_balance?address="+bob.Hex(), &balance)
	require.Equal(t, "5", balance.Balance)
}
