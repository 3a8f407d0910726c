// Command bench measures what docs/BENCHMARKS.md reports. Every figure is taken
// in several rounds, in turn with what it is compared with, and printed with its
// median and spread.
//
//	go run ./bench [-only gateway,submits] [-rounds 5] [-short] [-json] [-portkey URL]
//
// Whole networks are started from the programs in AITBC_BIN (default bin).
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/aitbc/aitbc/bench/explorer"
	"github.com/aitbc/aitbc/bench/gateway"
	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/bench/role"
)

// roles are the parts that run in processes of their own.
var roles = map[string]role.Func{
	explorer.RoleNode:       explorer.ServeNode,
	gateway.RoleModel:       gateway.ServeModel,
	gateway.RoleHop:         gateway.ServeHop,
	gateway.RoleCoordinator: rig.ServeCoordinator,
	gateway.RoleMiner:       rig.ServeMiner,
	gateway.RoleStock:       gateway.ServeStock,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) //nolint:forbidigo // this is main
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, progress io.Writer) error {
	if len(args) == 2 && args[0] == role.Word {
		play, ok := roles[args[1]]
		if !ok {
			return fmt.Errorf("there is no role %q", args[1])
		}
		return role.Play(ctx, play, in, out)
	}
	o, err := options(args, progress)
	if err != nil {
		return err
	}
	return o.measure(ctx, out, progress)
}

func options(args []string, usage io.Writer) (plan, error) {
	p := plan{bin: cmp.Or(os.Getenv("AITBC_BIN"), "bin")}
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&only, "only", "", "benchmarks to run, with commas between: "+strings.Join(names(), ", "))
	f.StringVar(&p.dir, "dir", "", "folder on the disk to measure (default: the system's folder for temporary files)")
	f.StringVar(&p.portkey, "portkey", "", "`URL` of a running Portkey gateway, for the gateway benchmark to compare with")
	f.IntVar(&p.rounds, "rounds", 5, "rounds of each benchmark")
	f.BoolVar(&p.short, "short", false, "short rounds, to see that it works; the figures are rough")
	f.BoolVar(&p.json, "json", false, "print one JSON value instead of tables")
	if err := f.Parse(args); err != nil {
		return p, err
	}
	if f.NArg() > 0 || p.rounds < 1 {
		return p, errors.New("bench takes flags only, and -rounds is at least 1")
	}
	p.only = names()
	if only != "" {
		p.only = strings.Split(only, ",")
	}
	for _, name := range p.only {
		if !slices.Contains(names(), name) {
			return p, fmt.Errorf("there is no benchmark %q, only %s", name, strings.Join(names(), ", "))
		}
	}
	return p, nil
}
