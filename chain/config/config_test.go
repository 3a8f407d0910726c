package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/genesis"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func home(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.FileName), []byte(file), 0o600))
	return dir
}

func TestDefaultsStayOnLoopbackAndRoundTrip(t *testing.T) {
	c := config.Default()
	require.NoError(t, c.Validate())
	raw, err := c.Encode()
	require.NoError(t, err)
	got, err := config.Load(home(t, string(raw)), env())
	require.NoError(t, err)
	require.Equal(t, c, got)
	require.Equal(t, "127.0.0.1:26657", got.Listen.RPC)

	got, err = config.Load(t.TempDir(), env())
	require.NoError(t, err, "a home without a file has the defaults")
	require.Equal(t, c, got)
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	dir := home(t, "block_time = \"3s\"\nlog_level = \"error\"\n[listen]\nrpc = \"127.0.0.1:1000\"\n")
	c, err := config.Load(dir, env("BLOCK_TIME", "500ms", "RUST_LOG", "debug", "CONSENSUS_MODE", "POA",
		"VALIDATOR_ADDRESS", "0x00000000000000000000000000000000000000aa"))
	require.NoError(t, err)
	require.Equal(t, config.Duration(500*time.Millisecond), c.BlockTime)
	require.Equal(t, genesis.PoA, c.ConsensusMode)
	require.Equal(t, "127.0.0.1:1000", c.Listen.RPC)
	level, err := c.Level()
	require.NoError(t, err)
	require.Equal(t, slog.LevelDebug, level)

	c, err = config.Load(dir, env("RUST_LOG", "debug", "LOG_LEVEL", "warn"))
	require.NoError(t, err)
	require.Equal(t, "warn", c.LogLevel, "our own name wins over the alias")
}

func TestMistakesAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ file, want, key, value string }{
		"unknown key":         {file: "blok_time = \"1s\"", want: `unknown key "blok_time"`},
		"unknown nested key":  {file: "[listen]\nhttp = \"x\"", want: `unknown key "listen.http"`},
		"endless wait":        {file: "pool_wait = \"1m\"", want: "pool_wait"},
		"bad duration":        {file: "block_time = \"fast\"", want: "duration"},
		"bad duration in env": {key: "BLOCK_TIME", value: "1 second", want: "BLOCK_TIME"},
		"too fast":            {key: "BLOCK_TIME", value: "10ms", want: "not between"},
		"no such mode":        {key: "CONSENSUS_MODE", value: "pow", want: "none of poa, pos, hybrid"},
		"address":             {key: "VALIDATOR_ADDRESS", value: "0x12", want: "40 hex digits"},
		"level":               {key: "LOG_LEVEL", value: "loud", want: "log level"},
		"door":                {file: "[listen]\nws = \"nowhere\"", want: "listen.ws"},
		"memory":              {file: "memory_limit = \"lots\"", want: "no size"},
		"negative memory":     {file: "memory_limit = \"-1MiB\"", want: "no size"},
		"metrics":             {file: "[listen]\nmetrics = \"nowhere\"", want: "listen.metrics"},
		"free space":          {file: "[storage]\nmin_free_mib = 99999999", want: "min_free_mib"},
		"flush":               {file: "[storage]\nflush_every = 0", want: "flush_every"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(home(t, c.file), env(c.key, c.value))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestShiftMovesEveryPort(t *testing.T) {
	c := config.Default()
	c.Listen.EthWS = "127.0.0.1:0"
	require.NoError(t, c.Shift(100))
	require.Equal(t, config.Listen{
		P2P: "127.0.0.1:26756", RPC: "127.0.0.1:26757", WS: "127.0.0.1:26758", EthHTTP: "127.0.0.1:8645", EthWS: "127.0.0.1:0",
		Metrics: "127.0.0.1:26760",
	}, c.Listen)
	require.ErrorContains(t, c.Shift(60_000), "out of range")
}

func TestMetricsMayBeOffAndMemoryHasALimit(t *testing.T) {
	c, err := config.Load(home(t, "memory_limit = \"1536MiB\"\n[listen]\nmetrics = \"\""), env())
	require.NoError(t, err)
	require.Equal(t, config.Size(1536<<20), c.MemoryLimit)
	require.NoError(t, c.Shift(7))
	require.Empty(t, c.Listen.Metrics, "what is off stays off")
	raw, err := c.Encode()
	require.NoError(t, err)
	again, err := config.Load(home(t, string(raw)), env())
	require.NoError(t, err)
	require.Equal(t, c, again)
	for _, text := range []string{"auto", "off", "3GiB", "1000B"} {
		var s config.Size
		require.NoError(t, s.UnmarshalText([]byte(text)))
		back, err := s.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(back))
	}
}

func TestDoorsMoveToAHostAndToPortsInARow(t *testing.T) {
	c := config.Default()
	require.NoError(t, c.Host("10.0.0.7"))
	require.NoError(t, c.Ports(3000))
	require.Equal(t, config.Listen{
		P2P: "10.0.0.7:3000", RPC: "10.0.0.7:3001", WS: "10.0.0.7:3002", EthHTTP: "10.0.0.7:3003", EthWS: "10.0.0.7:3004", Metrics: "10.0.0.7:3005",
	}, c.Listen)
	require.NoError(t, c.Host("::1"))
	require.Equal(t, "[::1]:3000", c.Listen.P2P)
	require.ErrorContains(t, c.Ports(65534), "out of range")
	require.ErrorContains(t, c.Ports(0), "out of range")
}

func TestStateSyncNeedsSomebodyToTrust(t *testing.T) {
	good := config.Default()
	good.StateSync = config.StateSync{
		Enabled: true, RPCServers: []string{"a:1", "b:1"}, TrustHeight: 5, TrustPeriod: config.Duration(time.Hour),
		TrustHash: "0x" + strings.Repeat("aB", 32),
	}
	require.NoError(t, good.Validate())
	for name, change := range map[string]func(*config.Config){
		"two servers":   func(c *config.Config) { c.StateSync.RPCServers = c.StateSync.RPCServers[:1] },
		"height":        func(c *config.Config) { c.StateSync.TrustHeight = 0 },
		"hash":          func(c *config.Config) { c.StateSync.TrustHash = "abcd" },
		"period":        func(c *config.Config) { c.StateSync.TrustPeriod = 0 },
		"snapshot_keep": func(c *config.Config) { c.Storage.SnapshotKeep = 0 },
	} {
		bad := good
		change(&bad)
		require.Error(t, bad.Validate(), name)
	}
	require.Error(t, config.Default().StateSync.Trustworthy())
	require.NoError(t, config.Default().Validate())
}
