package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/aitbc/aitbc/receipt"
)

func receiptsCommand() command {
	return command{
		name: "receipts", args: "--job-id JOB | RECEIPT", short: "fetch the receipts of a job, or one by its id", min: 0, max: 1,
		long: `With --json it prints an array of receipt bundles, each as the coordinator
serves it: aitbc verify checks them without a network.`,
		setup: func(fs *flag.FlagSet) runner {
			job := fs.String("job-id", "", "the `job` whose receipts to fetch")
			return func(ctx context.Context, c *call) error { return c.receipts(ctx, *job) }
		},
	}
}

func (c *call) receipts(ctx context.Context, job string) error {
	if (job == "") == (len(c.args) == 0) {
		return usagef("receipts", "want either --job-id or a receipt's id")
	}
	id, err := hash("receipts", "id", job+firstOr(c.args, ""))
	if err != nil {
		return err
	}
	remote, err := c.account()
	if err != nil {
		return err
	}
	var list []json.RawMessage
	if job != "" {
		list, err = remote.Receipts(ctx, id)
	} else {
		list = make([]json.RawMessage, 1)
		list[0], err = remote.Receipt(ctx, id)
	}
	if err != nil {
		return err
	}
	if c.json {
		// Not through an encoder: the bundles are shown byte for byte.
		_, err := fmt.Fprintf(c.Stdout, "[%s]\n", bytes.Join(asBytes(list), []byte(",")))
		return err
	}
	if len(list) == 0 {
		c.progress("aitbc: there is no receipt; a job has one once it is completed")
		return nil
	}
	for i, raw := range list {
		if i > 0 {
			fmt.Fprintln(c.Stdout)
		}
		if err := c.printBundle(raw); err != nil {
			return err
		}
	}
	return nil
}

func asBytes(list []json.RawMessage) [][]byte {
	var out [][]byte
	for _, raw := range list {
		out = append(out, raw)
	}
	return out
}

func firstOr(list []string, other string) string {
	if len(list) > 0 {
		return list[0]
	}
	return other
}

// printBundle shows a bundle to a person, without checking it.
func (c *call) printBundle(raw json.RawMessage) error {
	b, err := receipt.ParseBundle(raw)
	if err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	r := b.Receipt
	t := newTable(c.Stdout)
	t.row("receipt", b.ReceiptID.Hex())
	t.row("job", r.Order.Hex())
	t.row("model", r.Model.Hex())
	t.row("class", b.Class)
	t.row("client", r.Client.Hex())
	t.row("miner", r.Miner.Hex())
	t.row("coordinator", r.Coordinator.Hex())
	t.row("tokens", fmt.Sprintf("%d prompt, %d answer", r.PromptTokens, r.CompletionTokens))
	t.row("computed", fmt.Sprintf("%d ms, items %d", r.ComputeMillis, r.Items))
	t.row("price", r.Price.Coins())
	if b.Settlement == nil {
		t.row("settled", "not yet")
	} else {
		t.row("settled", fmt.Sprintf("yes: transaction %d of its block; verify proves it", b.Settlement.TxIndex))
	}
	return t.flush()
}
