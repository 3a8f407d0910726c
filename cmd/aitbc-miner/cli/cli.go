// Package cli implements the command line of aitbc-miner.
//
// Output for people and the one JSON value of --json go to standard output;
// progress, logs, errors and hints to standard error.
package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/aitbc/aitbc/config"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/pidlock"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// Env is everything that the command line takes from its process.
type Env struct {
	Stdin          *os.File
	Stdout, Stderr io.Writer
	Getenv         func(string) string
}

const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// call is one use of the command line.
type call struct {
	Env
	home  home.Dir
	json  bool
	args  []string
	flags *flag.FlagSet
}

// command is one word of the command line.
type command struct {
	name, short string
	setup       func(fs *flag.FlagSet) func(ctx context.Context, c *call) error
	words       string // that may follow, as help shows them; "" for none
	most        int    // of them
}

func commands() []command {
	return []command{
		initCommand(), startCommand(), statusCommand(), logsCommand(), drainCommand(), gpuCommand(), engineCommand(), doctorCommand(),
		earningsCommand(), rewardsCommand(), stakeCommand(), claimCommand(), versionCommand(),
	}
}

// usageError reports a command line that cannot be understood.
type usageError struct{ what string }

func (e *usageError) Error() string { return e.what }

// hinted adds what to do.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Main runs the command line and returns the exit status: 0 for done, 1 for
// failed, 2 for wrong usage.
func Main(ctx context.Context, args []string, env Env) int {
	err := dispatch(ctx, args, env)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(env.Stderr, "aitbc-miner: %s\n", strings.ReplaceAll(err.Error(), "\n", "\naitbc-miner: "))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(env.Stderr, "aitbc-miner: hint: %s\n", hint)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func dispatch(ctx context.Context, args []string, env Env) error {
	word := ""
	if len(args) > 0 {
		word, args = args[0], args[1:]
	}
	switch word {
	case "help", "-h", "-help", "--help":
		overview(env.Stdout)
		return nil
	case "--version":
		word = "version"
	case "":
		overview(env.Stderr)
		return &usageError{"no command given"}
	}
	for _, k := range commands() {
		if k.name == word {
			return k.run(ctx, args, env)
		}
	}
	return &usageError{fmt.Sprintf("unknown command %q", word)}
}

func (k command) run(ctx context.Context, args []string, env Env) error {
	fs := flag.NewFlagSet(k.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	where := fs.String("home", "", "data `directory` (default AITBC_HOME, else ~/.aitbc)")
	c := &call{Env: env, flags: fs}
	fs.BoolVar(&c.json, "json", false, "print one JSON value on standard output")
	run := k.setup(fs)
	// Flags may stand before and after words.
	var words []string
	for len(args) > 0 && len(words) < k.most && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(env.Stdout, "Usage: aitbc-miner %s [flags]\n\n%s.\n\nFlags:\n", strings.TrimSpace(k.name+" "+k.words), k.short)
		fs.SetOutput(env.Stdout)
		fs.PrintDefaults()
		return nil
	case err != nil:
		return &usageError{k.name + ": " + err.Error()}
	case len(words)+fs.NArg() > k.most && k.most == 0:
		return &usageError{fmt.Sprintf("%s takes no arguments, got %q", k.name, fs.Arg(0))}
	case len(words)+fs.NArg() > k.most:
		return &usageError{fmt.Sprintf("%s: want %s", k.name, k.words)}
	}
	c.args = append(words, fs.Args()...)
	var err error
	if c.home, err = home.Resolve(*where, env.Getenv); err != nil {
		return err
	}
	return run(ctx, c)
}

func overview(w io.Writer) {
	fmt.Fprint(w, "Usage: aitbc-miner COMMAND [flags]\n\nRuns jobs of the AITBC network on this machine, and is paid for them.\n\nCommands:\n")
	for _, k := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", k.name, k.short)
	}
	fmt.Fprint(w, "\naitbc-miner COMMAND --help shows the flags of a command.\n")
}

func hintFor(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return "run aitbc-miner --help"
	}
	switch {
	case errors.Is(err, keystore.ErrPassphrase):
		return "check the file that keys.passphrase_file or " + keystore.PassphraseFileVariable + " names"
	case errors.Is(err, pidlock.ErrHeld):
		return "aitbc-miner status shows what it does; another --home runs beside it"
	case errors.Is(err, config.ErrUnknownKey):
		return "correct or remove it; aitbc-miner init --help shows how a new file is made"
	case errors.Is(err, syscall.EADDRINUSE):
		return "something else listens there: --port-offset N or server.addr moves the miner"
	}
	return ""
}

func (c *call) print(v any, text string) error {
	if c.json {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		text = string(b) + "\n"
	}
	if _, err := io.WriteString(c.Stdout, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func versionCommand() command {
	return command{name: "version", short: "Print the version", setup: func(*flag.FlagSet) func(context.Context, *call) error {
		return func(_ context.Context, c *call) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			return c.print(map[string]string{"version": version(), "go": runtime.Version(), "platform": platform},
				fmt.Sprintf("aitbc-miner %s (%s, %s)\n", version(), runtime.Version(), platform))
		}
	}}
}

// version returns what the toolchain wrote into the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return "devel"
	}
	return cmp.Or(info.Main.Version, "devel")
}
