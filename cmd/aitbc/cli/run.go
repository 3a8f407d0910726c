package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/artifact"
)

// runFlags are those of a program in a container.
type runFlags struct {
	submitFlags
	env   map[string]string
	files []string
	dir   string
}

func runCommand() command {
	return command{
		name: "run", args: "IMAGE [-- COMMAND [ARGUMENT...]]", short: "run a program in a container of a miner's", min: 1, max: 1025,
		long: `Orders a program to be run in a container of an image that a miner offers
(aitbc models lists them), shows what it prints, and checks the receipt. The
program runs as nobody in /job, without network. It finds the files of --file in
/job/input; what it leaves in /job/output comes back, and is written to --dir.
Its time is paid by the second, up to --max-seconds.`,
		setup: func(fs *flag.FlagSet) runner {
			f := runFlags{env: map[string]string{}}
			fs.Uint64Var(&f.maxSeconds, "max-seconds", 0, "end the program after so many `seconds` (default 60)")
			fs.Func("env", "set a variable, as `NAME=VALUE`; may be repeated", func(s string) error {
				k, v, ok := strings.Cut(s, "=")
				if !ok || k == "" {
					return errors.New("want NAME=VALUE")
				}
				f.env[k] = v
				return nil
			})
			fs.Func("file", "give the program a `file`, or all of a directory; may be repeated", func(s string) error {
				f.files = append(f.files, s)
				return nil
			})
			fs.StringVar(&f.dir, "dir", "", "write the files that it leaves to this `directory`")
			fs.BoolVar(&f.noWait, "no-wait", false, "print the job's id and return at once")
			f.declareOrder(fs)
			return func(ctx context.Context, c *call) error {
				return c.traced(ctx, "run", func(ctx context.Context) error { return f.run(ctx, c) })
			}
		},
	}
}

func (f *runFlags) run(ctx context.Context, c *call) error {
	req, err := f.terms("run")
	if err != nil {
		return err
	}
	req.Model, req.MaxSeconds = c.args[0], f.maxSeconds
	req.Container = &api.Container{Command: c.args[1:], Env: f.env}
	for _, name := range f.files {
		files, err := readInput(name)
		if err != nil {
			return err
		}
		req.Container.Files = append(req.Container.Files, files...)
	}
	if err := req.Container.Check(); err != nil {
		return usagef("run", "%v", err)
	}
	job, err := f.place(ctx, c, req)
	if err != nil {
		return err
	}
	switch {
	case !f.noWait:
		return f.follow(ctx, c, job)
	case c.json:
		return c.printJSON(api.SubmitResponse{JobID: job.id, State: market.Queued})
	}
	fmt.Fprintln(c.Stdout, job.id.Hex())
	c.progress("aitbc: next: aitbc result %s", job.id.Hex())
	return nil
}

// readInput reads a file, or all plain files of a directory, by their paths
// within it.
func readInput(name string) ([]api.ContainerFile, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("--file: %w", err)
	}
	read := func(file, as string) (api.ContainerFile, error) {
		r, err := os.Open(file) //nolint:gosec // the user's own
		if err != nil {
			return api.ContainerFile{}, fmt.Errorf("--file: %w", err)
		}
		defer func() { _ = r.Close() }() // it was read
		b, err := io.ReadAll(io.LimitReader(r, api.MaxContainerBytes+1))
		if err != nil {
			return api.ContainerFile{}, fmt.Errorf("--file: %w", err)
		}
		return api.ContainerFile{Path: as, Data: b}, nil
	}
	if !info.IsDir() {
		f, err := read(name, filepath.Base(name))
		return []api.ContainerFile{f}, err
	}
	var files []api.ContainerFile
	err = filepath.WalkDir(name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if len(files) == artifact.MaxFiles {
			return fmt.Errorf("--file: %s has more than %d files: put them into an archive", name, artifact.MaxFiles)
		}
		within, err := filepath.Rel(name, p)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		f, err := read(p, filepath.ToSlash(within))
		files = append(files, f)
		return err
	})
	return files, err
}

// runResult is what run --json prints.
type runResult struct {
	JobID     common.Hash     `json:"job_id"`
	State     market.JobState `json:"state"`
	Image     string          `json:"image"`
	Stdout    string          `json:"stdout"`
	Stderr    string          `json:"stderr"`
	Reason    string          `json:"reason"`
	ExitCode  int             `json:"exit_code"`
	Millis    uint64          `json:"millis"`
	Files     []artifact.File `json:"files"`
	Skipped   uint64          `json:"skipped"`
	Price     market.Amount   `json:"price"`
	ReceiptID *common.Hash    `json:"receipt_id"`
}

// follow shows what a program prints until it has ended, checks that it is what
// the receipt commits to, and writes its files.
func (f *runFlags) follow(ctx context.Context, c *call, job ordered) error {
	c.progress("aitbc: job %s", job.id.Hex())
	var next uint64
	r, err := job.watch(ctx, func(e api.Event) error {
		if e.Type != "token" || c.json {
			return nil
		}
		if e.Index < next { // another miner took the job over
			c.progress("aitbc: the miner was lost; the program starts again")
		}
		next = e.Index + 1
		return c.show(e.Text)
	})
	if errors.Is(err, client.ErrDisagree) {
		return hint(err, "nothing was signed for it but the order: keep what aitbc receipts --job-id %s prints", job.id.Hex())
	}
	if err != nil {
		return hint(err, "the job goes on: aitbc status %s", job.id.Hex())
	}
	if job.after != nil {
		if err := job.after(ctx); err != nil { // the order alone pays, too
			c.progress("aitbc: no voucher was signed: %v", err)
		}
	}
	if r.ReceiptID == nil {
		return jobError(r.Job)
	}
	if err := c.committed(ctx, r); err != nil {
		return err
	}
	answer, err := artifact.Read(r.Output)
	if err != nil {
		return hint(err, "what was delivered is paid for: aitbc status %s", job.id.Hex())
	}
	if f.dir != "" {
		if err := writeFiles(f.dir, answer.Files); err != nil {
			return err
		}
	}
	end := answer.End
	if c.json {
		err := c.printJSON(runResult{
			JobID: r.JobID, State: r.State, Image: answer.Image, Stdout: answer.Out, Stderr: answer.Err, Reason: end.Reason, ExitCode: end.ExitCode,
			Millis: end.Millis, Files: append([]artifact.File{}, end.Files...), Skipped: end.Skipped, Price: r.Price, ReceiptID: r.ReceiptID,
		})
		if err != nil {
			return err
		}
	} else {
		f.summary(c, end)
		c.progress("aitbc: %.1f seconds for %s; receipt %s", float64(end.Millis)/1000, r.Price.Coins(), idOrDash(r.ReceiptID))
	}
	switch {
	case r.State != market.Completed:
		return jobError(r.Job)
	case end.Reason != artifact.Exited:
		return fmt.Errorf("the program was ended: %s", limitWord(end.Reason))
	case end.ExitCode != 0:
		return fmt.Errorf("the program ended with status %d", end.ExitCode)
	}
	return nil
}

// limitWord says which limit a program met.
func limitWord(reason string) string {
	switch reason {
	case artifact.Time:
		return "its time was over"
	case artifact.Memory:
		return "it wanted more memory than it may have"
	case artifact.Output:
		return "it printed more than it may"
	}
	return printable(reason)
}

func (f *runFlags) summary(c *call, end artifact.End) {
	for _, file := range end.Files {
		where := file.Path
		if f.dir != "" {
			where = filepath.Join(f.dir, filepath.FromSlash(file.Path))
		}
		c.progress("aitbc: file %s, %d bytes, sha256 %s", printable(where), file.Size, file.SHA256)
	}
	if end.Skipped > 0 {
		c.progress("aitbc: %d files were left out: they are no plain files, have bad names or are too large", end.Skipped)
	}
	if len(end.Files) > 0 && f.dir == "" {
		c.progress("aitbc: --dir DIRECTORY of aitbc run and aitbc result writes them")
	}
}

// show prints what lines of an answer say the program printed.
func (c *call) show(text string) error {
	for line := range strings.Lines(text) {
		l, err := artifact.Parse(line)
		if err != nil {
			return err
		}
		_, err = io.WriteString(c.Stdout, printableText(l.Out))
		_, err2 := io.WriteString(c.Stderr, printableText(l.Err))
		if err := errors.Join(err, err2); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

// committed returns nil if the receipt commits to an answer that came without a
// seal. What is sealed was compared when it was opened.
func (c *call) committed(ctx context.Context, r api.Result) error {
	if r.Sealed {
		return nil
	}
	remote, err := c.account()
	if err != nil {
		return err
	}
	list, err := remote.Receipts(ctx, r.JobID)
	if err != nil {
		return err
	}
	if len(list) != 1 || len(r.Salt) != len(receipt.Salt{}) {
		return fmt.Errorf("%w: %d receipts for one job", client.ErrDisagree, len(list))
	}
	var b receipt.Bundle
	if err := json.Unmarshal(list[0], &b); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if artifact.Commitment(r.Output, receipt.Salt(r.Salt)) != b.Receipt.Output {
		return hint(fmt.Errorf("%w: the receipt commits to another answer than the one that came", client.ErrDisagree), "aitbc verify checks the receipt itself")
	}
	return nil
}

// writeFiles writes files below a directory, and nowhere else.
func writeFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing is lost
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
			return fmt.Errorf("--dir: %w", err)
		}
		if err := root.WriteFile(name, files[name], 0o600); err != nil {
			return fmt.Errorf("--dir: %w", err)
		}
	}
	return nil
}
