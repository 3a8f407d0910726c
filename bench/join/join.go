// Package join measures how long a machine takes from an empty folder to its
// first paid job, and what its miner holds in memory then.
package join

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/network"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
)

// Config says what to measure.
type Config struct {
	Bin    string // folder of the programs
	Dir    string
	Rounds int
}

// patience bounds each wait.
const patience = 2 * time.Minute

// poll is how often it is asked whether the miner has come so far.
const poll = 10 * time.Millisecond

// fund is what a new miner is sent: its stake and something for fees.
var fund = new(big.Int).Add(market.Coins(10_000).Big(), market.Coins(1).Big())

// Run starts a network, and in each round joins it with a miner of a new home,
// which is sent its stake and runs one job that only it may run.
func Run(ctx context.Context, cfg Config) (s *figure.Section, err error) {
	n, err := network.New(ctx, cfg.Bin, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := n.Up(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Down(ctx)) }()
	s = figure.New("A machine joins: from an empty folder to its first paid job",
		"`aitbc-miner init --yes` in a new home, its stake sent to it, `aitbc-miner start`, one job of 16 tokens of the embedded model that only this miner may run, until its payment is in a block. The network runs before. Each figure is the time since the beginning.")
	for range cfg.Rounds {
		if err := round(ctx, s, cfg, n); err != nil {
			return nil, err
		}
	}
	s.AtMost("the first job is paid", 60)
	s.AtMost("memory of the miner", 40)
	return s, nil
}

func round(ctx context.Context, s *figure.Section, cfg Config, n *network.Network) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp(cfg.Dir, "miner")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	offset, err := home.FreeOffset(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	mark := func(what string) { s.Sample(what, "s", time.Since(began).Seconds()) }
	out, err := exec.CommandContext(ctx, filepath.Join(cfg.Bin, "aitbc-miner"), "init", "--yes", "--json", "--home", dir, //nolint:gosec // our own program
		"--port-offset", strconv.Itoa(offset), "--coordinator", n.APIURL(), "--rpc", n.EthRPCURL()).Output()
	if err != nil {
		return fmt.Errorf("aitbc-miner init: %w", err)
	}
	var made struct{ Address common.Address }
	if err := json.Unmarshal(out, &made); err != nil {
		return fmt.Errorf("aitbc-miner init: %w", err)
	}
	mark("key and settings are made")
	if err := send(ctx, n, made.Address); err != nil {
		return err
	}
	mark("its stake has come")
	miner := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(cfg.Bin, "aitbc-miner"), "start", "--home", dir) //nolint:gosec // our own program
	var log bytes.Buffer
	miner.Stderr = &log
	if err := miner.Start(); err != nil {
		return fmt.Errorf("aitbc-miner start: %w", err)
	}
	defer func() {
		err = errors.Join(err, miner.Process.Signal(syscall.SIGTERM), miner.Wait())
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, log.String())
		}
	}()
	if err := job(ctx, n, made.Address, mark); err != nil {
		return err
	}
	bytes, err := resident(miner.Process.Pid)
	if err != nil {
		return err
	}
	s.Sample("memory of the miner", "MB", float64(bytes)/1e6)
	return nil
}

// send pays the miner its stake out of the devnet client's account.
func send(ctx context.Context, n *network.Network, to common.Address) error {
	chain, err := n.Chain()
	if err != nil {
		return err
	}
	key, err := n.ClientKey()
	if err != nil {
		return err
	}
	if _, err := chainclient.NewSender(chain, key).Send(ctx, chainclient.Tx{To: to, Value: fund}); err != nil {
		return fmt.Errorf("send the stake: %w", err)
	}
	return nil
}

// job waits until the miner is known, and orders one from it until it is paid.
func job(ctx context.Context, n *network.Network, miner common.Address, mark func(string)) error {
	remote, err := n.API()
	if err != nil {
		return err
	}
	err = until(ctx, func() (bool, error) {
		miners, err := remote.Miners(ctx)
		for _, m := range miners {
			if m.Miner == miner && m.State == "online" {
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("wait for the miner: %w", err)
	}
	mark("it is registered and on offer")
	models, err := remote.Models(ctx)
	if err != nil || len(models) == 0 {
		return fmt.Errorf("models on offer: %w", err)
	}
	got, err := remote.Submit(ctx, api.SubmitRequest{Model: models[0].ID, Prompt: "Say hello.", MaxTokens: 16, Constraints: api.Constraints{Miners: []common.Address{miner}}}, "")
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		done func(api.Job) bool
	}{
		{"the first job is done", func(j api.Job) bool { return j.State == market.Completed }},
		{"the first job is paid", func(j api.Job) bool { return j.Payment == market.Settled }},
	} {
		err := until(ctx, func() (bool, error) {
			j, err := remote.Job(ctx, got.JobID)
			if j.State == market.Failed || j.State == market.Expired {
				return false, fmt.Errorf("the job %s: %+v", j.State, j.Error)
			}
			return step.done(j), err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		mark(step.what)
	}
	return nil
}

func until(ctx context.Context, ok func() (bool, error)) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// resident returns what a process has in RAM.
func resident(pid int) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("process of the miner: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the process status names no resident memory")
}
