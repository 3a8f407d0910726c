package node_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/rpc"
	"github.com/aitbc/aitbc/chain/setup"
)

// free finds a port that nobody uses. It is below those that the system hands out
// for port 0 and for outgoing connections: nobody takes it before its node does.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err != nil {
			continue
		}
		require.NoError(t, l.Close())
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// federation makes n validators of one chain that know each other.
func federation(t *testing.T, n int) []*network {
	t.Helper()
	at := time.Now().UTC().Truncate(time.Second)
	alloc := map[common.Address]*big.Int{}
	for i := range chaintest.Accounts {
		alloc[chaintest.Address(i)] = chaintest.Funds
	}
	var nets []*network
	var members []setup.Member
	for i := range n {
		x := &network{home: home.Home(filepath.Join(t.TempDir(), fmt.Sprint(i))), conf: conf()}
		x.conf.Listen.P2P = free(t)
		members = append(members, setup.Member{Home: x.home, Config: x.conf})
		nets = append(nets, x)
	}
	_, err := setup.Testnet(setup.Options{Time: at, ChainID: chaintest.ChainID, Alloc: alloc, Config: conf()}, members)
	require.NoError(t, err)
	for _, x := range nets {
		peers, err := config.Load(string(x.home), func(string) string { return "" })
		require.NoError(t, err)
		x.conf.P2P = peers.P2P
	}
	return nets
}

// TestFourAuthoritiesAgreeAndOneMayFail sends transactions to every node, and goes on with three of four.
func TestFourAuthoritiesAgreeAndOneMayFail(t *testing.T) {
	if testing.Short() {
		t.Skip("runs four nodes")
	}
	nets := federation(t, 4)
	for _, x := range nets {
		x.start(t)
	}
	var last common.Hash
	for i, x := range nets {
		tx := chaintest.Sign(t, i, 0, &bob, int64(i+1), nil)
		x.get(t, "/broadcast_tx?tx="+encode(t, tx), &rpc.Broadcast{})
		last = tx.Hash()
		nets[(i+1)%4].included(t, last)
	}
	nets[3].stop()
	tx := chaintest.Sign(t, 5, 0, &bob, 90, nil)
	nets[0].get(t, "/broadcast_tx?tx="+encode(t, tx), &rpc.Broadcast{})
	height := *nets[1].included(t, tx.Hash()).Height

	var blocks [3]rpc.Block
	for i := range blocks {
		nets[i].included(t, tx.Hash())
		nets[i].get(t, fmt.Sprintf("/get_block?height=%d", height), &blocks[i])
		require.Equal(t, blocks[0], blocks[i], "one chain")
	}
	var balance rpc.Balance
	nets[2].get(t, "/get_balance?address="+bob.Hex(), &balance)
	require.Equal(t, "100", balance.Balance)

	nets[3].start(t) // the one that failed catches up
	nets[3].included(t, tx.Hash())
}
