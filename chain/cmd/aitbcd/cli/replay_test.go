package cli_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/store"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

var openedAt = regexp.MustCompile(`chain opened" height=(\d+)`)

// saved is the last block that CometBFT has on disk in a stopped node's home.
func saved(t *testing.T, dir string) int64 {
	t.Helper()
	c := cfg.DefaultConfig()
	c.SetRoot(home.Home(dir).Data())
	c.DBPath = "db"
	db, err := cfg.DefaultDBProvider(&cfg.DBContext{ID: "blockstore", Config: c})
	require.NoError(t, err)
	blocks := store.NewBlockStore(db)
	h := blocks.Height()
	require.NoError(t, blocks.Close())
	return h
}

// TestReplayAfterAKillIsBounded kills a node at any point, between CometBFT's saving of a block and our commit too: the
// next start executes again at most flush_every blocks, one whose flush was under way, and one or two that the database,
// which syncs neither, had not handed to the system yet when there was little processor time.
func TestReplayAfterAKillIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	for _, every := range []uint64{1, 5} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "n")
			code, _, stderr := run(nil, "init", "--home", dir, "--alloc", allocFile(t), "--chain-id", chaintest.ChainID.String())
			require.Zero(t, code, stderr)
			settle(t, dir, func(c *config.Config) { c.Storage.FlushEvery = every })
			last := int64(0)
			for range 4 {
				c := launch(t, dir)
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second+time.Duration(rand.IntN(700))*time.Millisecond)
				c.load(ctx, t)
				cancel()
				require.NoError(t, c.cmd.Process.Kill(), "SIGKILL")
				_ = c.cmd.Wait()
				c.healthy(t)
				m := openedAt.FindStringSubmatch(c.log.String())
				require.NotNil(t, m, "%s", c.log)
				begun, err := strconv.ParseInt(m[1], 10, 64)
				require.NoError(t, err)
				require.LessOrEqual(t, last-begun, int64(every)+3, "blocks executed again")
				last = saved(t, dir)
				require.Greater(t, last, begun, "blocks were made")
			}
		})
	}
}
