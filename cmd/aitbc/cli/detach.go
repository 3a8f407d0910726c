package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/pidlock"
	"github.com/aitbc/aitbc/supervise"
)

// detach starts this program again in the background, in a session of its own,
// and returns when the network answers.
func (c *call) detach(ctx context.Context, f upFlags) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	self, err := c.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := home.Make(n.Home.Logs()); err != nil {
		return err
	}
	path := n.Home.Path("logs", "up.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // a path below our own data directory
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the child has its own
	reports, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	defer reports.Close() //nolint:errcheck // only read
	args := []string{"up", "--report-fd", "3", "--home", string(n.Home), "--port-offset", strconv.Itoa(n.PortOffset)}
	if f.params != "" {
		args = append(args, "--params", f.params)
	}
	if f.deposit.given {
		args = append(args, "--deposit", f.deposit.value.Coins())
	}
	// The network outlives this process: it must not end with its context.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, args...) //nolint:gosec // this very program
	cmd.Env, cmd.Stdout, cmd.Stderr = c.Environ, log, log
	cmd.ExtraFiles = []*os.File{w}
	if f.tied {
		cmd.Args = append(cmd.Args, "--until-eof")
		if c.tie, err = cmd.StdinPipe(); err != nil {
			return fmt.Errorf("detach: %w", err)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	giveUp := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it reports its end, or is gone already
	})
	defer giveUp()
	lines := bufio.NewScanner(reports)
	lines.Buffer(make([]byte, 0, 64<<10), 4<<20)
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("detach: report: %w", err)
		}
		switch {
		case r.Ready != nil:
			if err := cmd.Process.Release(); err != nil {
				return fmt.Errorf("detach: %w", err)
			}
			return c.printNetwork(*r.Ready)
		case r.Error != "":
			_ = cmd.Wait() // its status says no more than the report
			return hint(errors.New(r.Error), "%s", r.Hint)
		default:
			c.progress("aitbc: %s", r.Progress)
		}
	}
	err = errors.Join(cmd.Wait(), lines.Err())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, l := range supervise.Tail(path, 8) {
		c.progress("  | %s", printable(l))
	}
	return hint(fmt.Errorf("the network ended before it was ready: %w", err), "the whole log is %s", path)
}

func downCommand() command {
	return command{
		name: "down", short: "stop the network of this home",
		setup: func(fs *flag.FlagSet) runner {
			patience := fs.Duration("timeout", 2*time.Minute, "how `long` to wait")
			return func(ctx context.Context, c *call) error { return c.down(ctx, *patience) }
		},
	}
}

// down stops the process that holds the home's lock: the kernel says which.
func (c *call) down(ctx context.Context, patience time.Duration) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	pid, err := pidlock.Holder(n.LockFile())
	if err != nil {
		return err
	}
	if pid == 0 {
		c.progress("aitbc: no network runs in %s", n.Home)
		return c.printDown(0)
	}
	c.progress("aitbc: stopping the network of %s (process %d)", n.Home, pid)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		holder, err := pidlock.Holder(n.LockFile())
		if err != nil {
			return err
		}
		if holder != pid {
			c.progress("aitbc: stopped")
			return c.printDown(pid)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return hint(fmt.Errorf("process %d did not stop within %s", pid, patience), "its log is %s", n.Home.Path("logs", "up.log"))
		case <-tick.C:
		}
	}
}

func (c *call) printDown(pid int) error {
	if !c.json {
		return nil
	}
	return c.printJSON(map[string]any{"stopped": pid != 0})
}

// program is how a person calls this program from here.
func (c *call) program() string {
	self, err := c.Executable()
	if err != nil {
		return "aitbc"
	}
	if found, err := exec.LookPath("aitbc"); err == nil && found == self {
		return "aitbc"
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, self); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return self
}

// where repeats the flag that names the home, for commands to copy.
func (c *call) where() string {
	if c.homeFlag == "" {
		return ""
	}
	if strings.ContainsAny(c.homeFlag, " \t'\"\\$`&;|<>()*?") {
		return " --home " + quote(c.homeFlag)
	}
	return " --home " + c.homeFlag
}
