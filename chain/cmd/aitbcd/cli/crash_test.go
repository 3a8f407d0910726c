package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/cmd/aitbcd/cli"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// childEnv makes this test binary be aitbcd.
const childEnv = "AITBCD_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(cli.Main(ctx, cli.World{Args: os.Args[1:], Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr}))
}

// lockedBuffer may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// child is a node in a process of its own.
type child struct {
	cmd   *exec.Cmd
	log   *lockedBuffer
	doors struct {
		RPC     string `json:"rpc"`
		EthHTTP string `json:"eth_http"`
	}
}

func launch(t *testing.T, dir string) *child {
	t.Helper()
	c := &child{log: new(lockedBuffer)}
	self, err := os.Executable()
	require.NoError(t, err)
	c.cmd = exec.Command(self, "start", "--home", dir, "--json")
	c.cmd.Env = append(os.Environ(), childEnv+"=1", "LOG_LEVEL=info")
	c.cmd.Stderr = c.log
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	require.NoError(t, json.NewDecoder(out).Decode(&c.doors), "the node did not open: %s", c.log)
	return c
}

// healthy looks for what must never be logged. That CometBFT will not sign a step twice, or finds its own log a few
// messages short, is how it recovers.
func (c *child) healthy(t *testing.T) {
	t.Helper()
	log := strings.ToLower(c.log.String())
	for _, word := range []string{"apphash", "app hash", "mismatch", "panic", "consensus failure", "bad block", "cannot be executed"} {
		require.NotContains(t, log, word)
	}
}

// full is the code of a node whose pool takes no more for the moment.
const full = -32005

// load sends transfers until ctx ends and returns those that were in a block, by the node's word.
func (c *child) load(ctx context.Context, t *testing.T) []common.Hash {
	t.Helper()
	client, err := ethclient.Dial("http://" + c.doors.EthHTTP)
	require.NoError(t, err)
	defer client.Close()
	bob := common.HexToAddress("0xb0b")
	var sent, done []common.Hash
	nonces := map[int]uint64{}
	for i := 0; ctx.Err() == nil; i = (i + 1) % chaintest.Accounts {
		if _, ok := nonces[i]; !ok {
			if nonces[i], err = client.PendingNonceAt(ctx, chaintest.Address(i)); err != nil {
				break
			}
		}
		tx := chaintest.Sign(t, i, nonces[i], &bob, 1, nil)
		if err := client.SendTransaction(ctx, tx); err != nil {
			var coded rpc.Error
			if errors.As(err, &coded) && coded.ErrorCode() == full {
				continue // it says to try again
			}
			break
		}
		nonces[i]++
		sent = append(sent, tx.Hash())
		if len(sent)%50 == 0 {
			for _, h := range sent[len(sent)-50:] {
				if r, err := client.TransactionReceipt(ctx, h); err == nil && r.Status == 1 {
					done = append(done, h)
				}
			}
		}
	}
	return done
}

// TestKillNineUnderLoad kills the node again and again: each restart goes on where it was, and no transaction that was
// in a block is lost.
func TestKillNineUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	dir := filepath.Join(t.TempDir(), "n")
	code, _, stderr := run(nil, "init", "--home", dir, "--alloc", allocFile(t), "--chain-id", chaintest.ChainID.String())
	require.Zero(t, code, stderr)
	freePorts(t, dir)

	var included []common.Hash
	for range 5 {
		c := launch(t, dir)
		ctx, cancel := context.WithTimeout(context.Background(), 800*time.Millisecond+time.Duration(rand.IntN(1500))*time.Millisecond)
		included = append(included, c.load(ctx, t)...)
		cancel()
		require.NoError(t, c.cmd.Process.Kill(), "SIGKILL")
		_ = c.cmd.Wait()
		c.healthy(t)
	}
	require.NotEmpty(t, included)

	c := launch(t, dir)
	client, err := ethclient.Dial("http://" + c.doors.EthHTTP)
	require.NoError(t, err)
	defer client.Close()
	for _, h := range included {
		r, err := client.TransactionReceipt(context.Background(), h)
		require.NoError(t, err, "a transaction that was in a block is gone")
		require.Equal(t, uint64(1), r.Status)
	}
	before, err := client.BlockNumber(context.Background())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := client.BlockNumber(context.Background())
		return err == nil && now > before
	}, 2*time.Minute, 20*time.Millisecond, "the chain goes on")

	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, c.cmd.Wait(), "%s", c.log)
	c.healthy(t)
	code, out, stderr := run(nil, "check", "--home", dir, "--json", "--port-offset", "0")
	require.Zero(t, code, "%s%s", out, stderr)
	var r audit.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.True(t, r.OK)
	require.GreaterOrEqual(t, r.Height, before)
}
