// Package cli is the command line of aitbcd.
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
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/node"
)

// World is what a command may touch.
type World struct {
	Args           []string
	Getenv         func(string) string
	Stdout, Stderr io.Writer
}

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage marks a command line that was used wrongly.
var errUsage = errors.New("usage")

// errPrinted marks a failure that the command has shown already.
var errPrinted = errors.New("printed")

// command is one word of the command line.
type command struct {
	name, summary string
	run           func(context.Context, *call) error
}

func commands() []command {
	return []command{
		{"init", "make a home with keys, configuration and genesis", initialize},
		{"testnet", "make the homes of a network of several validators", testnet},
		{"start", "run the node", start},
		{"status", "ask a running node how it is", status},
		{"keys", "show the node's keys, or prove whose validator they are", keys},
		{"check", "add up the chain's money at a height", check},
		{"export", "write the state at a height as JSON", export},
		{"snapshot", "list, make and restore snapshots of the state", snapshots},
		{"version", "print the version", printVersion},
	}
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, w World) int {
	if len(w.Args) == 0 || w.Args[0] == "help" || w.Args[0] == "-h" || w.Args[0] == "--help" {
		usage(w.Stderr)
		if len(w.Args) == 0 {
			return exitUsage
		}
		return exitDone
	}
	for _, c := range commands() {
		if c.name == w.Args[0] {
			return finish(w, c.run(ctx, newCall(w, c)))
		}
	}
	return finish(w, fmt.Errorf("%w: there is no command %q", errUsage, w.Args[0]))
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "aitbcd is the AITBC node.\n\nusage: aitbcd COMMAND [flags]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "\nEvery command takes --home DIR (or AITBCD_HOME; default ~/.aitbc/node) and --help.")
}

// finish prints an error as everywhere in AITBC and chooses the exit code.
func finish(w World, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errPrinted):
		return exitFailed
	case errors.Is(err, errUsage):
		fmt.Fprintf(w.Stderr, "aitbcd: %s\naitbcd: hint: aitbcd help\n", strings.TrimPrefix(err.Error(), "usage: "))
		return exitUsage
	default:
		fmt.Fprintf(w.Stderr, "aitbcd: %v\n", err)
		if h := hint(err); h != "" {
			fmt.Fprintf(w.Stderr, "aitbcd: hint: %s\n", h)
		}
		return exitFailed
	}
}

func hint(err error) string {
	switch {
	case errors.Is(err, home.ErrExists):
		return "choose another --home, or start the node that is there"
	case errors.Is(err, genesis.ErrMode):
		return "CONSENSUS_MODE is poa, pos or hybrid, as in the genesis"
	case errors.Is(err, node.ErrValidator):
		return "unset VALIDATOR_ADDRESS, or use the home whose key it names"
	case errors.Is(err, node.ErrDisk):
		return "make room and start it again: nothing that was committed is lost"
	case errors.Is(err, errNoHome):
		return "aitbcd init makes one"
	case errors.Is(err, errDown):
		return "aitbcd start runs the node; --port-offset must be the node's"
	case strings.Contains(err.Error(), "already used by another process"):
		return "stop the node first: its database has one user at a time"
	case strings.Contains(err.Error(), "address already in use"):
		return "another node uses the port: stop it, or give --port-offset N"
	default:
		return ""
	}
}

// call is one command being run, with the flags that every command has.
type call struct {
	World
	flags  *flag.FlagSet
	home   *string
	offset *int
	json   *bool
}

func newCall(w World, c command) *call {
	f := flag.NewFlagSet("aitbcd "+c.name, flag.ContinueOnError)
	f.SetOutput(w.Stderr)
	f.Usage = func() {
		fmt.Fprintf(w.Stderr, "aitbcd %s: %s\n\nusage: aitbcd %s [flags]\n", c.name, c.summary, c.name)
		f.PrintDefaults()
	}
	return &call{
		World: w, flags: f,
		home:   f.String("home", "", "the node's folder (default AITBCD_HOME or ~/.aitbc/node)"),
		offset: f.Int("port-offset", 0, "shift every port by this number"),
		json:   f.Bool("json", false, "print one JSON value"),
	}
}

// parse reads the flags; nothing may follow them.
func (c *call) parse() error {
	if err := c.flags.Parse(c.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if c.flags.NArg() > 0 {
		return fmt.Errorf("%w: what is %q?", errUsage, c.flags.Arg(0))
	}
	return nil
}

func (c *call) folder() (home.Home, error) {
	if dir := cmp.Or(*c.home, c.Getenv("AITBCD_HOME")); dir != "" {
		// The folder that all programs of a network share has the node's in it.
		if inner := filepath.Join(dir, "node"); !isNode(dir) && isNode(inner) {
			return home.Home(inner), nil
		}
		return home.Home(dir), nil
	}
	if dir := c.Getenv("AITBC_HOME"); dir != "" {
		return home.Home(filepath.Join(dir, "node")), nil
	}
	if dir := c.Getenv("HOME"); dir != "" {
		return home.Home(filepath.Join(dir, ".aitbc", "node")), nil
	}
	return "", fmt.Errorf("%w: no --home, and HOME is not set", errUsage)
}

// isNode reports whether a node was made in a folder.
func isNode(dir string) bool {
	_, err := os.Stat(home.Home(dir).Genesis())
	return err == nil
}

// shift returns the offset that was given, else that of the node that last
// started in the home: whoever asks about it finds it.
func (c *call) shift(h home.Home) int {
	given := false
	c.flags.Visit(func(f *flag.Flag) { given = given || f.Name == "port-offset" })
	if given || c.flags.Name() == "aitbcd start" {
		return *c.offset
	}
	text, err := os.ReadFile(offsetFile(h))
	if err != nil {
		return *c.offset
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return *c.offset
	}
	return n
}

func offsetFile(h home.Home) string { return filepath.Join(string(h), "data", "port-offset") }

// settings reads the configuration of the home, with the ports shifted.
func (c *call) settings() (home.Home, config.Config, error) {
	h, err := c.folder()
	if err != nil {
		return "", config.Config{}, err
	}
	conf, err := config.Load(string(h), c.Getenv)
	if err != nil {
		return "", config.Config{}, err
	}
	if err := conf.Shift(c.shift(h)); err != nil {
		return "", config.Config{}, fmt.Errorf("%w: --port-offset: %w", errUsage, err)
	}
	return h, conf, nil
}

// print writes v as one JSON value.
func (c *call) print(v any) error {
	enc := json.NewEncoder(c.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
