// Package config reads what an operator says about a node: defaults, then the home's TOML file, then the environment,
// then flags. Nothing else in chain/ reads the environment.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/intake"
)

// Duration is a time.Duration that is written like "1s" in TOML.
type Duration time.Duration

// UnmarshalText reads "150ms".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Listen is where the node's doors are, as "host:port". Metrics may be empty: then there are none.
type Listen struct {
	P2P     string `toml:"p2p"`
	RPC     string `toml:"rpc"`
	WS      string `toml:"ws"`
	EthHTTP string `toml:"eth_http"`
	EthWS   string `toml:"eth_ws"`
	Metrics string `toml:"metrics"`
}

// P2P names the peers.
type P2P struct {
	// Peers are kept connected: "node-id@host:port".
	Peers []string `toml:"peers"`
}

// RPC bounds who may use the doors from a browser.
type RPC struct {
	CORSOrigins  []string `toml:"cors_origins"`
	VirtualHosts []string `toml:"virtual_hosts"`
}

// Storage says what is kept.
type Storage struct {
	// Archive keeps the state of every block, so that any height can be asked about and checked.
	Archive bool `toml:"archive"`
	// StateHistory is the number of blocks whose changes are kept without Archive.
	StateHistory uint64 `toml:"state_history"`
	// IndexLogs keeps an index of all events: eth_getLogs over many blocks is fast then, and each 65,536 entries of it
	// (an event has one for its address and one for each topic) cost half a second of a processor. Without it each header of the range is looked at.
	IndexLogs bool `toml:"index_logs"`
	// FlushEvery is the longest replay after a crash, in blocks. Every block costs its 10 to 30 ms whenever that
	// happens, so one at a time, hidden in the gap after each block, is better than many at once.
	FlushEvery uint64 `toml:"flush_every"`
	// RetainBlocks is how many of the last blocks are kept; 0 keeps all. More are kept while somebody may still prove with
	// them that a validator voted twice, and after the oldest snapshot.
	RetainBlocks uint64 `toml:"retain_blocks"`
	// SnapshotEvery is the number of blocks between snapshots for nodes that join; 0 makes none. SnapshotKeep is how many
	// stay.
	SnapshotEvery uint64 `toml:"snapshot_every"`
	SnapshotKeep  int    `toml:"snapshot_keep"`
	// MinFreeMiB is the space in MiB below which the node stops rather than fill the disk; 0 does not look.
	MinFreeMiB uint64 `toml:"min_free_mib"`
}

// StateSync lets a node without blocks begin from a snapshot of its peers. What they send is checked against headers
// that a light client follows, from one that the operator trusts, over the RPC of at least two servers.
type StateSync struct {
	Enabled     bool     `toml:"enabled"`
	RPCServers  []string `toml:"rpc_servers"`
	TrustHeight int64    `toml:"trust_height"`
	// TrustHash is the hash of CometBFT's header of TrustHeight, in hex, as /commit shows it.
	TrustHash string `toml:"trust_hash"`
	// TrustPeriod is how old the trusted header may be. It must be shorter than validators' stake stays bound.
	TrustPeriod Duration `toml:"trust_period"`
}

// Config is a node's configuration.
type Config struct {
	ConsensusMode    genesis.Mode `toml:"consensus_mode"`
	BlockTime        Duration     `toml:"block_time"`
	ValidatorAddress string       `toml:"validator_address"`
	LogLevel         string       `toml:"log_level"`
	// PoolWait is how long a transaction may wait in the pool: while they wait longer, others are refused. A longer time
	// makes blocks fuller and everybody slower.
	PoolWait Duration `toml:"pool_wait"`
	// MemoryLimit makes the garbage collector work harder before the process grows past it.
	MemoryLimit Size `toml:"memory_limit"`
	// CheckEvery has the node add up all money after every so many blocks, as aitbcd check does; 0 is never. It reads
	// every account: about a second for each million.
	CheckEvery uint64 `toml:"check_every"`

	Listen  Listen  `toml:"listen"`
	P2P     P2P     `toml:"p2p"`
	RPC     RPC     `toml:"rpc"`
	Storage Storage `toml:"storage"`

	StateSync StateSync `toml:"state_sync"`
}

// The consensus timing that is not the operator's to choose.
const (
	// Gap is the least time between blocks.
	Gap = 100 * time.Millisecond
	// BuildTime bounds the choosing and running of a block's transactions.
	BuildTime = 200 * time.Millisecond
	// MinBlockTime and MaxBlockTime bound BlockTime.
	MinBlockTime = 2 * Gap
	MaxBlockTime = time.Minute
)

// Default is a node of one machine: every door on loopback.
func Default() Config {
	return Config{
		ConsensusMode: genesis.Hybrid, BlockTime: Duration(time.Second), PoolWait: Duration(intake.Target), LogLevel: "info",
		Listen: Listen{
			P2P: "127.0.0.1:26656", RPC: "127.0.0.1:26657", WS: "127.0.0.1:26658",
			EthHTTP: "127.0.0.1:8545", EthWS: "127.0.0.1:8546",
			Metrics: "127.0.0.1:26660",
		},
		P2P:     P2P{Peers: []string{}},
		RPC:     RPC{CORSOrigins: []string{}, VirtualHosts: []string{"localhost"}},
		Storage: Storage{Archive: true, StateHistory: 90_000, IndexLogs: true, FlushEvery: 1, MinFreeMiB: 64, SnapshotEvery: 1000, SnapshotKeep: 2},

		StateSync: StateSync{RPCServers: []string{}, TrustPeriod: Duration(24 * time.Hour)},
	}
}

// FileName is the configuration's name in a home.
const FileName = "aitbcd.toml"

// Load reads the file in the home, which need not exist, over the defaults, and getenv (os.Getenv) over that.
func Load(home string, getenv func(string) string) (Config, error) {
	c := Default()
	path := filepath.Join(home, FileName)
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the home
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	if err := c.decode(raw); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.environment(getenv); err != nil {
		return Config{}, err
	}
	return c, c.Validate()
}

func (c *Config) decode(raw []byte) error {
	meta, err := toml.Decode(string(raw), c)
	if err != nil {
		return err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return fmt.Errorf("unknown key %q", unknown[0].String())
	}
	return nil
}

func (c *Config) environment(getenv func(string) string) error {
	if v := getenv("CONSENSUS_MODE"); v != "" {
		c.ConsensusMode = genesis.Mode(strings.ToLower(v))
	}
	if v := getenv("BLOCK_TIME"); v != "" {
		if err := c.BlockTime.UnmarshalText([]byte(v)); err != nil {
			return fmt.Errorf("BLOCK_TIME: %w", err)
		}
	}
	if v := getenv("VALIDATOR_ADDRESS"); v != "" {
		c.ValidatorAddress = v
	}
	// A container listens on its own network, and its neighbours call it by its name there.
	if v := getenv("AITBCD_HOST"); v != "" {
		if err := c.Host(v); err != nil {
			return fmt.Errorf("AITBCD_HOST: %w", err)
		}
	}
	if v := getenv("AITBCD_VIRTUAL_HOSTS"); v != "" {
		c.RPC.VirtualHosts = append(slices.Clone(c.RPC.VirtualHosts), strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	// RUST_LOG is the specification's name for the node's log level; LOG_LEVEL is ours and wins.
	if v := getenv("RUST_LOG"); v != "" {
		c.LogLevel = v
	}
	if v := getenv("LOG_LEVEL"); v != "" {
		c.LogLevel = v
	}
	return nil
}

var addressPattern = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)

// Validate reports the first thing that cannot work.
func (c Config) Validate() error {
	if err := c.ConsensusMode.Check(); err != nil {
		return err
	}
	if t := time.Duration(c.BlockTime); t < MinBlockTime || t > MaxBlockTime {
		return fmt.Errorf("block time %v is not between %v and %v", t, MinBlockTime, MaxBlockTime)
	}
	if t := time.Duration(c.PoolWait); t < intake.MinTarget || t > intake.MaxTarget {
		return fmt.Errorf("pool_wait %v is not between %v and %v", t, intake.MinTarget, intake.MaxTarget)
	}
	if c.ValidatorAddress != "" && !addressPattern.MatchString(c.ValidatorAddress) {
		return fmt.Errorf("validator address %q is not 0x and 40 hex digits", c.ValidatorAddress)
	}
	if _, err := c.Level(); err != nil {
		return err
	}
	if c.Storage.FlushEvery == 0 || c.Storage.FlushEvery > 10_000 {
		return fmt.Errorf("storage.flush_every is %d, not between 1 and 10000", c.Storage.FlushEvery)
	}
	if c.Storage.MinFreeMiB > 1<<20 {
		return fmt.Errorf("storage.min_free_mib is %d, more than a TiB", c.Storage.MinFreeMiB)
	}
	if !c.Storage.Archive && c.Storage.StateHistory == 0 {
		return errors.New("storage.state_history must be above 0 without archive")
	}
	if c.Storage.SnapshotKeep < 1 || c.Storage.SnapshotKeep > 10 {
		return fmt.Errorf("storage.snapshot_keep is %d, not between 1 and 10", c.Storage.SnapshotKeep)
	}
	if err := c.StateSync.check(); err != nil {
		return err
	}
	for _, d := range c.doors() {
		if _, _, err := net.SplitHostPort(*d.address); err != nil {
			return fmt.Errorf("listen.%s: %w", d.name, err)
		}
	}
	return nil
}

type door struct {
	name    string
	address *string
}

func (c *Config) doors() []door {
	all := []door{
		{"p2p", &c.Listen.P2P},
		{"rpc", &c.Listen.RPC},
		{"ws", &c.Listen.WS},
		{"eth_http", &c.Listen.EthHTTP},
		{"eth_ws", &c.Listen.EthWS},
	}
	if c.Listen.Metrics != "" {
		all = append(all, door{"metrics", &c.Listen.Metrics})
	}
	return all
}

// Host moves every door to a host: a name or an address of this machine.
func (c *Config) Host(host string) error {
	for _, d := range c.doors() {
		_, port, err := net.SplitHostPort(*d.address)
		if err != nil {
			return fmt.Errorf("listen.%s: %w", d.name, err)
		}
		*d.address = net.JoinHostPort(host, port)
	}
	return nil
}

// Ports gives the doors consecutive ports, in the order p2p, rpc, ws, eth_http, eth_ws, metrics.
func (c *Config) Ports(from int) error {
	for i, d := range c.doors() {
		host, _, err := net.SplitHostPort(*d.address)
		if err != nil {
			return fmt.Errorf("listen.%s: %w", d.name, err)
		}
		if from < 1 || from+i > 65535 {
			return fmt.Errorf("listen.%s: port %d is out of range", d.name, from+i)
		}
		*d.address = net.JoinHostPort(host, strconv.Itoa(from+i))
	}
	return nil
}

// Shift moves every port by n, so that several nodes share a machine. Port 0 (any free one) stays.
func (c *Config) Shift(n int) error {
	for _, d := range c.doors() {
		host, port, err := net.SplitHostPort(*d.address)
		if err != nil {
			return fmt.Errorf("listen.%s: %w", d.name, err)
		}
		p, err := strconv.Atoi(port)
		if err != nil {
			return fmt.Errorf("listen.%s: %w", d.name, err)
		}
		if p == 0 {
			continue
		}
		if p+n < 1 || p+n > 65535 {
			return fmt.Errorf("listen.%s: port %d is out of range", d.name, p+n)
		}
		*d.address = net.JoinHostPort(host, strconv.Itoa(p+n))
	}
	return nil
}

// Level is the log level. Names of slog are known, and "trace", "warning" and "off" of other worlds.
func (c Config) Level() (slog.Level, error) {
	switch strings.ToLower(c.LogLevel) {
	case "trace", "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	case "off":
		return slog.LevelError + 4, nil
	default:
		return 0, fmt.Errorf("log level %q is none of trace, debug, info, warn, error, off", c.LogLevel)
	}
}

// Encode writes the configuration as TOML.
func (c Config) Encode() ([]byte, error) {
	var b strings.Builder
	b.WriteString("# aitbcd: the node. CONSENSUS_MODE, BLOCK_TIME, VALIDATOR_ADDRESS, LOG_LEVEL and AITBCD_HOST in the environment win over this file.\n")
	if err := toml.NewEncoder(&b).Encode(c); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return []byte(b.String()), nil
}
