package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/node"
	"github.com/aitbc/aitbc/chain/proof"
	"github.com/aitbc/aitbc/chain/rpc"
	"github.com/aitbc/aitbc/chain/setup"
	"github.com/aitbc/aitbc/chain/stream"
)

var bob = common.HexToAddress("0xb0b")

// network is a node in this process.
type network struct {
	home  home.Home
	conf  config.Config
	made  *setup.Result
	doors node.Doors
	stop  func()
}

func conf() config.Config {
	c := config.Default()
	c.BlockTime = config.Duration(300 * time.Millisecond)
	c.Listen = config.Listen{P2P: "127.0.0.1:0", RPC: "127.0.0.1:0", WS: "127.0.0.1:0", EthHTTP: "127.0.0.1:0", EthWS: "127.0.0.1:0"}
	return c
}

func create(t testing.TB) *network {
	t.Helper()
	n := &network{home: home.Home(filepath.Join(t.TempDir(), "home")), conf: conf()}
	alloc := map[common.Address]*big.Int{}
	for i := range chaintest.Accounts {
		alloc[chaintest.Address(i)] = chaintest.Funds
	}
	var err error
	n.made, err = setup.Init(setup.Options{
		Home: n.home, ChainID: chaintest.ChainID, Time: time.Now().UTC().Truncate(time.Second), Alloc: alloc, Config: n.conf,
	})
	require.NoError(t, err)
	return n
}

// start runs the node until stop or the end of the test.
func (n *network) start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan node.Doors, 1), make(chan error, 1)
	go func() {
		done <- node.Run(ctx, node.Options{
			Home: n.home, Config: n.conf, Log: slog.New(slog.DiscardHandler), Version: "test", Ready: func(d node.Doors) { ready <- d },
		})
	}()
	select {
	case n.doors = <-ready:
	case err := <-done:
		t.Fatalf("the node did not start: %v", err)
	}
	stopped := false
	n.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(n.stop)
}

// get asks a GET URI, post the same as JSON-RPC.
func (n *network) get(t *testing.T, uri string, into any) int {
	t.Helper()
	res, err := http.Get("http://" + n.doors.RPC + uri)
	require.NoError(t, err)
	return answer(t, res, into)
}

func (n *network) post(t *testing.T, method, params string, into any) int {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":7,"method":"` + method + `","params":` + params + `}`
	res, err := http.Post("http://"+n.doors.RPC, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	return answer(t, res, into)
}

func answer(t *testing.T, res *http.Response, into any) int {
	t.Helper()
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var env struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	require.NoError(t, json.Unmarshal(raw, &env), "%s", raw)
	if into == nil {
		return res.StatusCode
	}
	require.Empty(t, env.Error, "%s", raw)
	require.NoError(t, json.Unmarshal(env.Result, into), "%s", raw)
	return res.StatusCode
}

// included waits until a transaction is in a block.
func (n *network) included(t *testing.T, hash common.Hash) rpc.Tx {
	t.Helper()
	var tx rpc.Tx
	require.Eventually(t, func() bool {
		uri := "/get_tx?hash=" + hash.Hex()
		if n.get(t, uri, nil) != http.StatusOK {
			return false // not heard of yet
		}
		n.get(t, uri, &tx)
		return tx.Height != nil
	}, 2*time.Minute, 5*time.Millisecond)
	return tx
}

func encode(t *testing.T, tx *types.Transaction) string {
	t.Helper()
	raw, err := tx.MarshalBinary()
	require.NoError(t, err)
	return hexutil.Encode(raw)
}

func TestANetworkOfOneValidator(t *testing.T) {
	n := create(t)
	n.start(t)

	// Both spellings of every method of the specification.
	var sent rpc.Broadcast
	first := chaintest.Sign(t, 0, 0, &bob, 7, nil)
	n.get(t, "/broadcast_tx?tx="+encode(t, first), &sent)
	require.Equal(t, first.Hash(), sent.Hash)
	tx := n.included(t, first.Hash())
	require.Equal(t, rpc.StatusSuccess, tx.Status)
	second := chaintest.Sign(t, 0, 1, &bob, 5, nil)
	n.post(t, "broadcast_tx", `{"tx":"`+encode(t, second)+`"}`, &sent)
	n.included(t, sent.Hash)
	n.post(t, "get_tx", `["`+second.Hash().Hex()+`"]`, &tx)
	require.Equal(t, "5", tx.Value)
	require.Equal(t, chaintest.Address(0), tx.From)

	var balance rpc.Balance
	n.get(t, "/get_balance?address="+bob.Hex(), &balance)
	require.Equal(t, "12", balance.Balance)
	require.Eventually(t, func() bool { // old states are there when their index has been looked through
		return n.get(t, "/get_balance?height=0&address="+bob.Hex(), nil) == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
	n.post(t, "get_balance", `{"address":"`+bob.Hex()+`","height":"0"}`, &balance)
	require.Equal(t, rpc.Balance{Address: bob, Balance: "0", Height: 0}, balance)

	var byURI, byRPC, byWord rpc.Block
	n.get(t, "/get_block?height="+(&big.Int{}).SetUint64(*tx.Height).String(), &byURI)
	n.post(t, "get_block", `{"height":`+(&big.Int{}).SetUint64(*tx.Height).String()+`}`, &byRPC)
	require.Equal(t, byURI, byRPC)
	require.Equal(t, second.Hash(), byURI.Txs[0].Hash)
	require.NotEmpty(t, byURI.ConsensusHash)
	n.get(t, `/get_block?height="latest"`, &byWord)
	require.GreaterOrEqual(t, byWord.Height, byURI.Height)

	// CometBFT's own routes are beside them.
	var net struct {
		Listening bool `json:"listening"`
	}
	n.get(t, "/net_info", &net)
	require.True(t, net.Listening)
	n.get(t, "/health", &struct{}{})
	var info rpc.Info
	n.get(t, "/chain_info", &info)
	require.Equal(t, n.made.Validator, info.Validator)
	require.Equal(t, "aitbc-2199023255552", info.CometID)
	require.Equal(t, n.made.Predeploys, info.Predeploys)
	require.Zero(t, info.FailedCalls)

	// A contract, through the Ethereum door.
	client, err := ethclient.Dial("http://" + n.doors.EthHTTP)
	require.NoError(t, err)
	defer client.Close()
	deploy := chaintest.Sign(t, 1, 0, nil, 0, chaintest.Creation(chaintest.Counter))
	require.NoError(t, client.SendTransaction(context.Background(), deploy))
	made := n.included(t, deploy.Hash())
	require.NotNil(t, made.Contract)
	call := chaintest.Sign(t, 1, 1, made.Contract, 0, []byte{1})
	require.NoError(t, client.SendTransaction(context.Background(), call))
	require.Len(t, n.included(t, call.Hash()).Logs, 1)

	// The money adds up now and at the height of the first transfer.
	var report audit.Report
	n.get(t, "/check", &report)
	require.True(t, report.OK, report.Problems)
	require.Greater(t, len(report.Predeploys), 3)
	n.post(t, "check", `{"height":1}`, &report)
	require.True(t, report.OK, report.Problems)
	require.Equal(t, uint64(1), report.Height)

	// A restart finds everything, and goes on.
	n.stop()
	n.start(t)
	again := n.included(t, call.Hash())
	require.Equal(t, made.Contract, again.To)
	third := chaintest.Sign(t, 0, 2, &bob, 1, nil)
	n.get(t, "/broadcast_tx?tx="+encode(t, third), &sent)
	n.included(t, third.Hash())
}

func TestWhatClientsDoWrongIsAnsweredPlainly(t *testing.T) {
	n := create(t)
	n.start(t)
	for uri, want := range map[string]int{
		"/get_block?height=-1":                       400,
		"/get_block?height=x":                        400,
		"/get_block?height=9999999":                  404,
		"/get_tx":                                    400,
		"/get_tx?hash=0x12":                          400,
		"/get_tx?hash=0x" + strings.Repeat("00", 32): 404,
		"/get_balance?address=0x12":                  400,
		"/get_balance?address=" + bob.Hex() + "&height=99999999": 404,
		"/broadcast_tx":                                           400,
		"/broadcast_tx?tx=0x00":                                   400,
		"/broadcast_tx?tx=zz":                                     400,
		"/get_proof?tx=0x" + strings.Repeat("00", 32):             404,
		"/get_anchor?height=99999999":                             404,
		"/check?height=99999999":                                  404,
		"/check?height=99999999999999999999":                      400,
		"/get_balance?address=0x" + strings.Repeat("0", 39) + "g": 400,
		"/broadcast_tx?tx=" + encode(t, chaintest.Sign(t, 0, 0, nil, 1, nil))[:40]: 400,
	} {
		require.Equal(t, want, n.get(t, uri, nil), uri)
	}
	for _, body := range []string{`{"height":-1}`, `{"height":{}}`, `{"height":"x"}`, `[1,2,3]`} {
		require.GreaterOrEqual(t, n.post(t, "get_block", body, nil), 200)
	}
	for header, value := range map[string]string{"X-Forwarded-For": "192.0.2.1", "Origin": "https://example.org", "Sec-Fetch-Site": "cross-site"} {
		req, err := http.NewRequest(http.MethodGet, "http://"+n.doors.RPC+"/check", nil)
		require.NoError(t, err)
		req.Header.Set(header, value)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.Equal(t, 403, answer(t, res, nil), "an audit is for this machine only: %s", header)
	}
	res, err := http.Post("http://"+n.doors.RPC, "application/json", bytes.NewReader(make([]byte, 2<<20)))
	if err == nil {
		require.GreaterOrEqual(t, res.StatusCode, 400, "a body of 2 MB is too large")
		_ = res.Body.Close()
	}
	var block rpc.Block
	n.get(t, "/get_block", &block) // and the node is well
}

func TestProofsOfTheNodeConvinceALightClient(t *testing.T) {
	n := create(t)
	n.start(t)
	tx := chaintest.Sign(t, 3, 0, &bob, 7, nil)
	var sent rpc.Broadcast
	n.get(t, "/broadcast_tx?tx="+encode(t, tx), &sent)
	n.included(t, tx.Hash())
	var b proof.Bundle
	n.get(t, "/get_proof?tx="+tx.Hash().Hex(), &b) // waits for the next block
	c := comet(t, b.Anchor)
	require.NoError(t, c.Verify(n.made.CometID))
	require.Equal(t, crypto.Keccak256(b.EthHeader), []byte(c.Header.AppHash))
	require.Equal(t, n.made.Validator.Bytes(), []byte(c.Validators.Validators[0].Address))
	require.NotEmpty(t, b.ReceiptProof)

	var a proof.Anchor
	n.post(t, "get_anchor", `{"height":"1"}`, &a)
	c = comet(t, a)
	require.NoError(t, c.Verify(n.made.CometID))
	require.Error(t, c.Verify("aitbc-1"))
	n.get(t, "/get_anchor", &a) // of the head: waits too
	require.NoError(t, comet(t, a).Verify(n.made.CometID))
}

func comet(t *testing.T, a proof.Anchor) proof.Commitment {
	t.Helper()
	var h cmtproto.Header
	var c cmtproto.Commit
	var v cmtproto.ValidatorSet
	require.NoError(t, h.Unmarshal(a.Header))
	require.NoError(t, c.Unmarshal(a.Commit))
	require.NoError(t, v.Unmarshal(a.Validators))
	header, err := cmttypes.HeaderFromProto(&h)
	require.NoError(t, err)
	commit, err := cmttypes.CommitFromProto(&c)
	require.NoError(t, err)
	set, err := cmttypes.ValidatorSetFromProto(&v)
	require.NoError(t, err)
	return proof.Commitment{Header: &header, Commit: commit, Validators: set}
}

func TestSocketsTellOfBlocks(t *testing.T) {
	n := create(t)
	n.start(t)
	ws := dial(t, "ws://"+n.doors.WS+"/?topics=tx")
	eth, err := ethclient.Dial("ws://" + n.doors.EthWS)
	require.NoError(t, err)
	defer eth.Close()
	heads := make(chan *types.Header, 64)
	sub, err := eth.SubscribeNewHead(context.Background(), heads)
	require.NoError(t, err)
	defer sub.Unsubscribe()
	own := dial(t, "ws://"+n.doors.RPC+"/websocket")
	require.NoError(t, own.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "get_block", "params": map[string]string{"height": "0"}}))

	tx := chaintest.Sign(t, 2, 0, &bob, 9, nil)
	var sent rpc.Broadcast
	n.get(t, "/broadcast_tx?tx="+encode(t, tx), &sent)
	var m stream.Transaction
	require.NoError(t, ws.ReadJSON(&m))
	require.Equal(t, tx.Hash(), m.Hash)
	require.True(t, m.OK)
	require.NotNil(t, <-heads)
	var res struct{ Result rpc.Block }
	require.NoError(t, own.ReadJSON(&res))
	require.Equal(t, n.made.Genesis, res.Result.Hash)
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, res, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(t, err)
	_ = res.Body.Close() // an upgraded connection has none
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	return c
}

func TestANodeRefusesToStartWrongly(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*network)
		want   string
	}{
		"another validator": {func(n *network) { n.conf.ValidatorAddress = bob.Hex() }, "VALIDATOR_ADDRESS"},
		"staking mode":      {func(n *network) { n.conf.ConsensusMode = "pos" }, "in the genesis"},
		"taken port":        {func(n *network) { n.conf.Listen.RPC = n.doors.RPC }, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			n := create(t)
			if name == "taken port" {
				other := create(t)
				other.start(t)
				n.doors = other.doors
			}
			c.change(n)
			err := node.Run(context.Background(), node.Options{Home: n.home, Config: n.conf, Log: slog.New(slog.DiscardHandler)})
			require.ErrorContains(t, err, c.want)
		})
	}
	n := create(t)
	n.conf.ValidatorAddress = strings.ToLower(n.made.Validator.Hex())
	n.start(t)
	_, err := setup.Init(setup.Options{Home: n.home, Time: time.Now(), Config: conf()})
	require.ErrorIs(t, err, home.ErrExists)
}
