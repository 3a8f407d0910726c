package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/pidlock"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/supervise"
)

type upFlags struct {
	detach   bool
	tied     bool // ends with standard input, so with the process at its other end
	reportFD int
	params   string
	deposit  *optionalAmount
}

func upCommand() command {
	return command{
		name: "up", short: "run a whole network on this machine",
		long: `Starts node, coordinator, miner, wallet, explorer and marketplace as supervised
programs with one data directory, gives a client a funded session, prints a table
and runs until Ctrl-C. The next aitbc up goes on with the same data. The keys'
passphrase and the client's API key lie in HOME/secrets: this is a network to
develop and try things with, not one to hold value.`,
		setup: func(fs *flag.FlagSet) runner {
			var f upFlags
			fs.BoolVar(&f.detach, "detach", false, "return when everything answers; aitbc down stops it")
			fs.IntVar(&f.reportFD, "report-fd", 0, "descriptor to report to; set by --detach itself")
			fs.BoolVar(&f.tied, "until-eof", false, "stop when standard input ends")
			fs.StringVar(&f.params, "params", "", "`file` with the contracts' parameters for a new genesis, as JSON")
			f.deposit = amountFlag(fs, "deposit", "what the client locks in a new session, in `AITBC` (default 100)")
			return func(ctx context.Context, c *call) error {
				if f.detach {
					return c.detach(ctx, f)
				}
				return c.up(ctx, f)
			}
		},
	}
}

// defaultDeposit is what a devnet's client locks in a session.
var defaultDeposit = market.Coins(100)

// up runs a network in this process until ctx is done.
func (c *call) up(ctx context.Context, f upFlags) (err error) {
	r := newReporter(c, f.reportFD)
	defer func() { err = r.end(err) }()
	n, err := c.network()
	if err != nil {
		return err
	}
	if f.tied {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		var reader sync.WaitGroup // not waited for: it ends with standard input, at the latest with this process
		reader.Go(func() {
			_, _ = io.Copy(io.Discard, c.Stdin) // an error ends it as well
			cancel()
		})
	}
	self, err := c.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	bins, err := devnet.FindBinaries(self)
	if err != nil {
		return hint(err, "make build makes all three programs in bin/")
	}
	if err := home.Make(n.Home.Run()); err != nil {
		return err
	}
	lock, err := pidlock.Acquire(n.LockFile())
	if errors.Is(err, pidlock.ErrHeld) {
		return hint(fmt.Errorf("a network runs in %s already: %w", n.Home, err), "aitbc down --home %s stops it", n.Home)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, atomicfile.Remove(n.PIDFile()), lock.Release()) }()
	if err := atomicfile.Write(n.PIDFile(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return err
	}
	deposit := defaultDeposit
	if f.deposit.given {
		deposit = f.deposit.value
	}
	cfg := devnet.Config{Network: n, Binaries: bins, Environ: c.Environ, Params: f.params, Deposit: deposit, Progress: r.progress}
	made, err := devnet.Prepare(ctx, cfg)
	if err != nil {
		return err
	}
	stopping := context.AfterFunc(ctx, func() { r.progress("stopping") })
	defer stopping()
	err = devnet.Run(ctx, cfg, made, func(s devnet.Status) { r.ready(s) })
	if e, ok := errors.AsType[*supervise.StartError](err); ok {
		for _, l := range e.Tail {
			r.progress("  | %s", printable(l))
		}
		return hint(err, "the whole log is %s", e.Log)
	}
	return err
}

// A report is one line that a detached network tells the process that started it.
type report struct {
	Progress string         `json:"progress,omitempty"`
	Ready    *devnet.Status `json:"ready,omitempty"`
	Error    string         `json:"error,omitempty"`
	Hint     string         `json:"hint,omitempty"`
}

// A reporter tells people, and the process that detached this one, how the
// start goes.
type reporter struct {
	call *call

	mu  sync.Mutex
	out *os.File // nil when nobody listens, or no more
}

func newReporter(c *call, fd int) *reporter {
	r := &reporter{call: c}
	if fd > 2 {
		syscall.CloseOnExec(fd) // or the services would keep it open
		r.out = os.NewFile(uintptr(fd), "report")
	}
	return r
}

func (r *reporter) progress(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	r.call.progress("aitbc: %s", text)
	r.send(report{Progress: text})
}

// send needs mu. A listener that went away is no reason to stop.
func (r *reporter) send(v report) {
	if r.out == nil {
		return
	}
	if json.NewEncoder(r.out).Encode(v) != nil {
		r.hangUp()
	}
}

func (r *reporter) hangUp() {
	if r.out != nil {
		_ = r.out.Close() // nobody is left to hear of it
		r.out = nil
	}
}

func (r *reporter) ready(s devnet.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out != nil {
		r.send(report{Ready: &s})
		r.hangUp()
		return
	}
	if err := r.call.printNetwork(s); err != nil {
		r.call.progress("aitbc: %v", err)
	}
	r.call.progress("aitbc: running; Ctrl-C stops the network")
}

// end reports how it all ended and returns err.
func (r *reporter) end(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.send(report{Error: err.Error(), Hint: hintFor(err)})
	}
	r.hangUp()
	return err
}

// printNetwork prints the table, or its JSON.
func (c *call) printNetwork(s devnet.Status) error {
	if c.json {
		return c.printJSON(s)
	}
	fmt.Fprintf(c.Stdout, "\nAITBC network in %s: chain %d at block %d\n\n", s.Home, s.ChainID, s.Height)
	t := newTable(c.Stdout)
	t.row("SERVICE", "ADDRESS", "FOR")
	for _, v := range s.Services {
		t.row(v.Name, v.URL, v.What)
	}
	t.row()
	t.row("ACCOUNT", "ADDRESS", "BALANCE")
	for _, a := range s.Accounts {
		t.row(a.Name, a.Address.Hex(), a.Balance.Coins())
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "\nThe client pays from session %d. Models on offer: %s\n\n", s.Session, strings.Join(s.Models, ", "))
	if c.brief {
		return nil
	}
	model := "MODEL"
	if len(s.Models) > 0 {
		model = s.Models[0]
	}
	aitbc, where := c.program(), c.where()
	fmt.Fprintf(c.Stdout, `next:  %s submit "What is AITBC?" --model %s --stream%s
       %s miners%s
       eval "$(%s env%s)"    # then any OpenAI program works

`, aitbc, model, where, aitbc, where, aitbc, where)
	return nil
}
