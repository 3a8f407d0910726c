package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	elog "github.com/ethereum/go-ethereum/log"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
)

// check asks a running node of this home, or opens the database of a stopped one.
func check(ctx context.Context, c *call) error {
	height := c.flags.Int64("height", audit.Latest, "the block after which to add up (default: the last)")
	if err := c.parse(); err != nil {
		return err
	}
	if *height < audit.Latest {
		return fmt.Errorf("%w: --height %d", errUsage, *height)
	}
	h, conf, err := c.settings()
	if err != nil {
		return err
	}
	r, err := running(ctx, conf, *height)
	if errors.Is(err, errDown) {
		r, err = stopped(ctx, h, conf, *height)
	}
	if err != nil {
		return err
	}
	if err := c.show(r); err != nil {
		return err
	}
	if !r.OK {
		return errPrinted
	}
	return nil
}

func running(ctx context.Context, conf config.Config, height int64) (*audit.Report, error) {
	q := url.Values{}
	if height != audit.Latest {
		q.Set("height", strconv.FormatInt(height, 10))
	}
	var r audit.Report
	if err := ask(ctx, conf.Listen.RPC, "check", q, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// waitStopped is how long old states may take to become readable.
const waitStopped = 2 * time.Minute

func stopped(ctx context.Context, h home.Home, conf config.Config, height int64) (*audit.Report, error) {
	if err := exists(h); err != nil {
		return nil, err
	}
	_, state, err := genesis.Load(h.Genesis())
	if err != nil {
		return nil, err
	}
	elog.SetDefault(elog.NewLogger(slog.DiscardHandler))
	chain, err := evm.Open(evm.Config{
		Dir: h.EVM(), Genesis: state.EVM, Archive: conf.Storage.Archive, StateHistory: conf.Storage.StateHistory, FlushEvery: conf.Storage.FlushEvery,
		IndexLogs: conf.Storage.IndexLogs,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, waitStopped)
	defer cancel()
	r, err := audit.Check(ctx, chain, state, height)
	return r, errors.Join(err, chain.Close())
}

func (c *call) show(r *audit.Report) error {
	if *c.json {
		return c.print(r)
	}
	fmt.Fprintf(c.Stdout, "height   %d\naccounts %d\nsupply   %s = genesis %s + issued %s - burned %s\n",
		r.Height, r.Accounts, r.Supply.Total, r.Supply.Genesis, r.Supply.Issued, r.Supply.Burned)
	for _, p := range r.Predeploys {
		fmt.Fprintf(c.Stdout, "%-10s balance %s, owes %s, surplus %s\n", p.Name, p.Balance, p.Owed, p.Surplus)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(c.Stdout, "PROBLEM  %s\n", p)
	}
	if r.OK {
		fmt.Fprintln(c.Stdout, "ok")
	}
	return nil
}
