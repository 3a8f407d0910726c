package cli

import (
	"context"
	"fmt"

	"github.com/aitbc/aitbc/chain/rpc"
)

func status(ctx context.Context, c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	_, conf, err := c.settings()
	if err != nil {
		return err
	}
	var info rpc.Info
	if err := ask(ctx, conf.Listen.RPC, "chain_info", nil, &info); err != nil {
		return err
	}
	if *c.json {
		return c.print(info)
	}
	fmt.Fprintf(c.Stdout, "chain      %s (%s)\nheight     %d, %s\nblock      %s\nvalidator  %s\npending    %d transactions, %d queued\nversion    %s\n",
		info.CometID, info.ConsensusMode, info.Height, info.Time.Format("2006-01-02 15:04:05.000 MST"), info.Hash, info.Validator,
		info.Pending, info.Queued, info.Version)
	if info.FailedCalls > 0 {
		fmt.Fprintf(c.Stdout, "ATTENTION  %d system calls failed since the node started\n", info.FailedCalls)
	}
	return nil
}
