package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	elog "github.com/ethereum/go-ethereum/log"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/evm"
	stateof "github.com/aitbc/aitbc/chain/export"
	"github.com/aitbc/aitbc/chain/genesis"
)

// export opens the database of a stopped node.
func export(_ context.Context, c *call) (err error) {
	height := c.flags.Int64("height", audit.Latest, "the block after which (default: the last)")
	output := c.flags.String("output", "", "the file to write (default: standard output)")
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
	if err := exists(h); err != nil {
		return err
	}
	_, state, err := genesis.Load(h.Genesis())
	if err != nil {
		return err
	}
	elog.SetDefault(elog.NewLogger(slog.DiscardHandler))
	chain, err := evm.Open(evm.Config{
		Dir: h.EVM(), Genesis: state.EVM, Archive: conf.Storage.Archive, StateHistory: conf.Storage.StateHistory, FlushEvery: conf.Storage.FlushEvery,
		IndexLogs: conf.Storage.IndexLogs,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chain.Close()) }()
	at := chain.Head().Number.Uint64()
	if *height != audit.Latest {
		at = uint64(*height) //nolint:gosec // checked to be positive
	}
	out := c.Stdout
	if *output != "" {
		f, err := os.OpenFile(*output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		out = f
	}
	s, err := stateof.State(out, chain, state, at)
	if f, ok := out.(io.Closer); ok && *output != "" {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Stderr, "aitbcd: block %d: %d accounts, %d contracts, %d slots; %s base units, as expected\n", at, s.Accounts, s.Contracts, s.Slots, s.Total)
	return nil
}
