package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
)

// maxBatchFile bounds what is read; the coordinator takes less.
const maxBatchFile = 64 << 20

func batchCommand() command {
	show := func(ask func(context.Context, *client.Client, string) (api.Batch, error)) func(*flag.FlagSet) runner {
		return func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				remote, err := c.account()
				if err != nil {
					return err
				}
				b, err := ask(ctx, remote, c.args[0])
				if err != nil {
					return err
				}
				return c.printBatch(b)
			}
		}
	}
	return command{name: "batch", short: "have many requests run when there is room", subs: []command{
		{
			name: "create", args: "FILE", short: "order the requests of a file, one a line, within a day", min: 1, max: 1,
			long: `Each line is as OpenAI's batches have it: {"custom_id": …, "method": "POST",
"url": "/v1/chat/completions", "body": {…}}. A FILE of - is standard input.`,
			setup: func(fs *flag.FlagSet) runner {
				r := api.BatchRequest{CompletionWindow: "24h"}
				fs.StringVar(&r.Endpoint, "endpoint", "/v1/chat/completions", "`route` that the lines ask")
				idem := fs.String("idempotency-key", "", "`key` under which a repetition gives the same batch")
				wait := fs.Bool("wait", false, "wait for the end, and print the output")
				return func(ctx context.Context, c *call) error { return c.createBatch(ctx, r, *idem, *wait) }
			},
		},
		{name: "show", args: "BATCH", short: "show how far a batch came", min: 1, max: 1, setup: show(func(ctx context.Context, r *client.Client, id string) (api.Batch, error) { return r.Batch(ctx, id) })},
		{name: "cancel", args: "BATCH", short: "order no more of a batch, and stop what is under way", min: 1, max: 1, setup: show(func(ctx context.Context, r *client.Client, id string) (api.Batch, error) {
			return r.CancelBatch(ctx, id)
		})},
		{
			name: "list", short: "list your newest batches",
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.listBatches(ctx) }
			},
		},
		{
			name: "output", args: "BATCH", short: "print the answers of a batch that has ended", min: 1, max: 1,
			setup: func(fs *flag.FlagSet) runner {
				failed := fs.Bool("errors", false, "print the lines that have no answer instead")
				return func(ctx context.Context, c *call) error { return c.batchOutput(ctx, *failed) }
			},
		},
	}}
}

func (c *call) createBatch(ctx context.Context, r api.BatchRequest, idem string, wait bool) error {
	in, name := io.Reader(os.Stdin), "stdin.jsonl"
	if path := c.args[0]; path != "-" {
		f, err := os.Open(path) //nolint:gosec // the user's own
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		in, name = f, filepath.Base(path)
	}
	content, err := io.ReadAll(io.LimitReader(in, maxBatchFile+1))
	if err != nil {
		return err
	}
	if len(content) > maxBatchFile {
		return fmt.Errorf("the file has more than %d bytes", maxBatchFile)
	}
	remote, err := c.account()
	if err != nil {
		return err
	}
	f, err := remote.PutFile(ctx, name, content)
	if err != nil {
		return err
	}
	r.InputFileID = f.ID
	b, err := remote.CreateBatch(ctx, r, idem)
	if err != nil {
		return err
	}
	if !wait {
		return c.printBatch(b)
	}
	c.progress("aitbc: batch %s", b.ID)
	b, err = remote.WaitBatch(ctx, b.ID, func(b api.Batch) {
		c.progress("aitbc: %d of %d done", b.Counts.Completed+b.Counts.Failed, b.Counts.Total)
	})
	if err != nil {
		return hint(err, "it goes on: aitbc batch show %s", b.ID)
	}
	if b.Status == "failed" {
		return batchFailed(b)
	}
	if c.json {
		return c.printJSON(b)
	}
	if b.Counts.Failed > 0 {
		c.progress("aitbc: %d lines have no answer: aitbc batch output --errors %s", b.Counts.Failed, b.ID)
	}
	return c.writeFile(ctx, remote, b.OutputFileID)
}

// batchFailed is the error of a batch of which nothing was run.
func batchFailed(b api.Batch) error {
	if b.Errors == nil || len(b.Errors.Data) == 0 {
		return errors.New("the batch failed")
	}
	e := b.Errors.Data[0]
	return fmt.Errorf("nothing of the batch was run: line %d: %s", e.Line, printable(e.Message))
}

func (c *call) writeFile(ctx context.Context, remote *client.Client, id string) error {
	if id == "" {
		return nil
	}
	return remote.FileContent(ctx, id, c.Stdout)
}

func (c *call) listBatches(ctx context.Context) error {
	remote, err := c.account()
	if err != nil {
		return err
	}
	list, err := remote.Batches(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]api.Batch{}, list...))
	}
	t := newTable(c.Stdout)
	t.row("BATCH", "STATUS", "DONE", "FAILED", "OF", "MADE")
	for _, b := range list {
		t.row(b.ID, b.Status, b.Counts.Completed, b.Counts.Failed, b.Counts.Total, clock(b.CreatedAt*1000))
	}
	return t.flush()
}

func (c *call) batchOutput(ctx context.Context, failed bool) error {
	remote, err := c.account()
	if err != nil {
		return err
	}
	b, err := remote.Batch(ctx, c.args[0])
	if err != nil {
		return err
	}
	id := b.OutputFileID
	if failed {
		id = b.ErrorFileID
	}
	switch {
	case b.Status == "failed":
		return batchFailed(b)
	case id == "" && b.OutputFileID == "" && b.ErrorFileID == "" && b.Status != "cancelled":
		return hint(fmt.Errorf("the batch is %s", b.Status), "aitbc batch show %s says when it has ended", b.ID)
	}
	return c.writeFile(ctx, remote, id)
}

func (c *call) printBatch(b api.Batch) error {
	if c.json {
		return c.printJSON(b)
	}
	t := newTable(c.Stdout)
	t.row("batch", b.ID)
	t.row("status", b.Status)
	t.row("lines", fmt.Sprintf("%d, %d done, %d failed", b.Counts.Total, b.Counts.Completed, b.Counts.Failed))
	t.row("until", clock(b.ExpiresAt*1000))
	if b.Errors != nil {
		for _, e := range b.Errors.Data {
			t.row("error", fmt.Sprintf("line %d: %s", e.Line, printable(e.Message)))
		}
	}
	return t.flush()
}
