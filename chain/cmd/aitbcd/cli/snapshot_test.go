package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// listed is what snapshot list --json prints.
type listed struct {
	Height uint64
	Block  common.Hash
	Bytes  int64
}

// settle writes a configuration with free ports.
func settle(t *testing.T, dir string, change func(*config.Config)) config.Config {
	t.Helper()
	c := config.Default()
	c.BlockTime = config.Duration(250 * time.Millisecond)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	c.Listen = config.Listen{P2P: l.Addr().String(), RPC: "127.0.0.1:0", WS: "127.0.0.1:0", EthHTTP: "127.0.0.1:0", EthWS: "127.0.0.1:0"}
	change(&c)
	raw, err := c.Encode()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.FileName), raw, 0o600))
	return c
}

// TestASnapshotTravelsAsAFile makes a copy of a running node's snapshot, restores it in another home, and starts that.
func TestASnapshotTravelsAsAFile(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := filepath.Join(t.TempDir(), "a")
	code, _, stderr := run(nil, "init", "--home", dir, "--alloc", allocFile(t), "--chain-id", chaintest.ChainID.String())
	require.Zero(t, code, stderr)
	conf := settle(t, dir, func(c *config.Config) { c.Storage.SnapshotEvery = 10 })
	a := launch(t, dir)
	var list []listed
	require.Eventually(t, func() bool {
		code, out, stderr := run(nil, "snapshot", "list", "--home", dir, "--json")
		require.Zero(t, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(out), &list))
		return len(list) > 0
	}, 60*time.Second, 100*time.Millisecond)
	path := filepath.Join(t.TempDir(), "copy")
	height := fmt.Sprint(list[0].Height)
	code, out, stderr := run(nil, "snapshot", "create", path, "--height", height, "--home", dir, "--json")
	require.Zero(t, code, stderr)
	var made listed
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.Equal(t, list[0], made)
	code, _, stderr = run(nil, "snapshot", "create", "--home", dir)
	require.Equal(t, 1, code, "the node has the database: %s", stderr)

	// A guest with nothing but genesis and a header that it trusts.
	guest := filepath.Join(t.TempDir(), "b")
	_, err := home.Home(guest).Create()
	require.NoError(t, err)
	raw, err := os.ReadFile(home.Home(dir).Genesis())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(home.Home(guest).Genesis(), raw, 0o600))
	code, out, stderr = run(nil, "keys", "show", "--home", dir, "--json")
	require.Zero(t, code, stderr)
	var keys struct {
		NodeID string `json:"node_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &keys))
	settle(t, guest, func(c *config.Config) { c.P2P.Peers = []string{keys.NodeID + "@" + conf.Listen.P2P} })
	client, err := ethclient.Dial("http://" + a.doors.EthHTTP)
	require.NoError(t, err)
	defer client.Close()
	require.Eventually(t, func() bool {
		n, err := client.BlockNumber(context.Background())
		return err == nil && n >= list[0].Height+3
	}, 2*time.Minute, 50*time.Millisecond, "the light client needs the two blocks after it")
	servers := a.doors.RPC + "," + a.doors.RPC
	restore := func(file, hash string) (int, string, string) {
		return run(nil, "snapshot", "restore", "--home", guest, "--rpc-servers", servers, "--trust-height", "2", "--trust-hash", hash, file)
	}
	code, _, stderr = restore(path, common.Hash{1}.Hex())
	require.Equal(t, 1, code, "a header that nobody has: %s", stderr)
	raw, err = os.ReadFile(path)
	require.NoError(t, err)
	bad := bytes.Clone(raw)
	bad[len(bad)-5] ^= 1
	broken := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(broken, bad, 0o600))
	code, _, stderr = restore(broken, header(t, a, 2))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "corrupt snapshot")
	code, _, stderr = restore(path, header(t, a, 2))
	require.Zero(t, code, stderr)
	code, _, stderr = restore(path, header(t, a, 2))
	require.Equal(t, 1, code, "it has blocks now")
	require.Contains(t, stderr, "has blocks already")

	b := launch(t, guest)
	other, err := ethclient.Dial("http://" + b.doors.EthHTTP)
	require.NoError(t, err)
	defer other.Close()
	require.Eventually(t, func() bool {
		n, err := other.BlockNumber(context.Background())
		return err == nil && n > list[0].Height+3
	}, 2*time.Minute, 50*time.Millisecond, "%s", b.log)
	h, err := other.HeaderByNumber(context.Background(), nil)
	require.NoError(t, err)
	same, err := client.HeaderByNumber(context.Background(), h.Number)
	require.NoError(t, err)
	require.Equal(t, same.Hash(), h.Hash())
	b.healthy(t)

	// A stopped node makes one of its last block.
	for _, c := range []*child{b, a} {
		require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, c.cmd.Wait(), "%s", c.log)
	}
	code, out, stderr = run(nil, "snapshot", "create", "--home", guest, "--json")
	require.Zero(t, code, stderr)
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.Greater(t, made.Height, list[0].Height)
	code, _, stderr = run(nil, "snapshot", "melt", "--home", guest)
	require.Equal(t, 2, code, stderr)
}

// header is the hash of CometBFT's header of a height.
func header(t *testing.T, c *child, height int) string {
	t.Helper()
	res, err := http.Get(fmt.Sprintf("http://%s/commit?height=%d", c.doors.RPC, height))
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read only
	var answer struct {
		Result struct {
			SignedHeader struct {
				Commit struct {
					BlockID struct {
						Hash string `json:"hash"`
					} `json:"block_id"`
				} `json:"commit"`
			} `json:"signed_header"`
		} `json:"result"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
	require.Len(t, answer.Result.SignedHeader.Commit.BlockID.Hash, 64)
	return answer.Result.SignedHeader.Commit.BlockID.Hash
}
