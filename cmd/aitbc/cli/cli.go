// Package cli implements the aitbc command line.
//
// Main dispatches to one function per command. What a command prints for
// people goes to standard output, as does the one JSON value of --json;
// progress, errors and hints go to standard error.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Env is everything that the command line takes from its process.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Environ        []string               // handed on to the programs that are started
	Executable     func() (string, error) // path of this binary
	Terminal       func(io.Writer) bool   // whether a person reads it
}

// Process returns the environment of the running process.
func Process() Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Environ: os.Environ(), Executable: os.Executable, Terminal: isTerminal,
	}
}

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A command is one word of the command line. It has a setup, which declares
// flags and returns what runs, or further words in subs, or both: then a further
// word is one of subs or there is none.
type command struct {
	name     string
	args     string // of the usage line
	short    string // one line
	long     string // what help adds
	min, max int    // number of arguments
	setup    func(fs *flag.FlagSet) runner
	subs     []command
}

type runner func(ctx context.Context, c *call) error

// A call is one use of a command.
type call struct {
	Env
	homeFlag   string
	offsetFlag int // -1: not given
	json       bool
	brief      bool      // no next steps after the table of aitbc up
	tie        io.Closer // standard input of a network that must not outlive this process, or nil
	args       []string
}

func (c *call) declare(fs *flag.FlagSet) {
	fs.StringVar(&c.homeFlag, "home", c.homeFlag, "data `directory` (default AITBC_HOME, else ~/.aitbc)")
	fs.Func("port-offset", "shift every port by `N` (default AITBC_PORT_OFFSET, else that of the home)", func(s string) (err error) {
		c.offsetFlag, err = parseOffset(s)
		return err
	})
	fs.BoolVar(&c.json, "json", c.json, "print one JSON value on standard output")
}

// commands lists all commands in the order of help.
func commands() []command {
	return []command{
		upCommand(), downCommand(), demoCommand(), envCommand(),
		submitCommand(), runCommand(), statusCommand(), resultCommand(), topCommand(), jobsCommand(), cancelCommand(), explainCommand(),
		receiptsCommand(), verifyCommand(), trustCommand(), directCommand(),
		minersCommand(), modelsCommand(), balanceCommand(), accountCommand(), sessionCommand(), batchCommand(), keysCommand(), walletCommand(), coordinatorCommand(), explorerCommand(), marketplaceCommand(),
		serveCommand(), healthCommand(),
		stakeCommand(), validatorCommand(), rewardsCommand(), govCommand(), faucetCommand(),
		completionCommand(), versionCommand(),
	}
}

// Main runs the command line and returns the exit status: 0 for done, 1 for
// failed, 2 for wrong usage.
func Main(ctx context.Context, args []string, env Env) int {
	c := &call{Env: env, offsetFlag: -1}
	err := c.dispatch(ctx, args)
	if err == nil {
		return exitOK
	}
	return fail(env.Stderr, err)
}

func (c *call) dispatch(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("aitbc", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.declare(fs)
	version := fs.Bool("version", false, "print the version")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return c.overview(c.Stdout)
	} else if err != nil {
		return &usageError{"", tidyFlagError(err)}
	}
	rest := fs.Args()
	if *version {
		rest = []string{"version"}
	}
	if len(rest) == 0 {
		return errors.Join(c.overview(c.Stderr), errSilentUsage)
	}
	if rest[0] == "help" {
		return c.help(rest[1:])
	}
	return c.enter(ctx, "", commands(), rest)
}

// enter finds the command that rest begins with and runs it.
func (c *call) enter(ctx context.Context, path string, among []command, rest []string) error {
	word := rest[0]
	i := slices.IndexFunc(among, func(k command) bool { return k.name == word })
	if i < 0 {
		return &usageError{path, fmt.Sprintf("unknown command %q", strings.TrimSpace(path+" "+word))}
	}
	k := among[i]
	path = strings.TrimSpace(path + " " + word)
	rest = rest[1:]
	if len(k.subs) > 0 && (k.setup == nil || len(rest) > 0 && !strings.HasPrefix(rest[0], "-")) {
		if len(rest) == 0 {
			return &usageError{path, path + ": one of " + names(k.subs) + " must follow"}
		}
		if isHelp(rest[0]) {
			return c.describe(path, k)
		}
		return c.enter(ctx, path, k.subs, rest)
	}
	fs := flag.NewFlagSet(path, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.declare(fs)
	run := k.setup(fs)
	args, err := parseMixed(fs, rest)
	if errors.Is(err, flag.ErrHelp) {
		return c.describe(path, k)
	}
	if err != nil {
		return &usageError{path, path + ": " + tidyFlagError(err)}
	}
	if len(args) < k.min || len(args) > k.max {
		return &usageError{path, fmt.Sprintf("%s: want %s, got %s", path, plural(k.min, k.max), counted(len(args)))}
	}
	c.args = args
	return run(ctx, c)
}

func names(list []command) string {
	var s []string
	for _, k := range list {
		s = append(s, k.name)
	}
	return strings.Join(s, ", ")
}

func isHelp(s string) bool { return slices.Contains([]string{"--help", "-help", "-h", "help"}, s) }
