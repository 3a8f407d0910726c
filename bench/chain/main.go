// Command chain measures the blockchain: how soon a transaction is final, idle and under load, how many a second, and
// what they cost in processor time, memory and disk; with one validator and with four, beside a peer if one is named.
//
//	go run ./bench/chain [-bin bin/aitbcd] [-peer PROGRAM] [-validators 1,4] [-rounds 3] [-only idle,load,flood,erc20,settle,vouchers,lost] [-short] [-json]
//
// All validators share this machine. Every round starts each network anew, ours and the peer's in turn, on the same
// accounts, offered the same transactions by the same generator. settle is of our Market, on our network alone; vouchers is
// of the peer's smaller contract on both, offered by the peer's own generator.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aitbc/aitbc/bench/figure"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) //nolint:forbidigo // this is main
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench/chain:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// plan is what the command line asks for.
type plan struct {
	bin, peer, dir string
	validators     []int
	only           []string
	rounds         int
	short, json    bool
	pruned         bool
	poolWait       time.Duration
}

// phases are what is measured of a network, in this order.
var phases = []string{"idle", "load", "flood", "erc20", "settle", "vouchers", "lost"}

func options(args []string, usage io.Writer) (plan, error) {
	var p plan
	var validators, only string
	f := flag.NewFlagSet("chain", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&p.bin, "bin", "bin/aitbcd", "our node")
	f.StringVar(&p.peer, "peer", "", "a program to compare with: the prototype's (default: none)")
	f.StringVar(&p.dir, "dir", "", "folder for the networks' data (default: the system's folder for temporary files)")
	f.StringVar(&validators, "validators", "1,4", "sizes of the networks")
	f.StringVar(&only, "only", strings.Join(phases, ","), "what to measure")
	f.IntVar(&p.rounds, "rounds", 3, "how often each network is started and measured")
	f.BoolVar(&p.pruned, "pruned", false, "our node keeps no old states and flushes every 256 blocks, as the prototype does")
	f.DurationVar(&p.poolWait, "pool-wait", 0, "how long our pool lets transactions wait before it refuses others (default: the node's own; the prototype refuses none)")
	f.BoolVar(&p.short, "short", false, "short phases, to see that it works; the figures are rough")
	f.BoolVar(&p.json, "json", false, "print one JSON value instead of tables")
	if err := f.Parse(args); err != nil {
		return p, err
	}
	if f.NArg() > 0 || p.rounds < 1 {
		return p, errors.New("it takes flags only, and -rounds is at least 1")
	}
	for word := range strings.SplitSeq(validators, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return p, fmt.Errorf("-validators: %q is no number of validators", word)
		}
		p.validators = append(p.validators, n)
	}
	for word := range strings.SplitSeq(only, ",") {
		if !slices.Contains(phases, word) {
			return p, fmt.Errorf("-only: %q is none of %s", word, strings.Join(phases, ", "))
		}
		p.only = append(p.only, word)
	}
	return p, nil
}

func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	p, err := options(args, progress)
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp(p.dir, "aitbc-bench"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }() //nolint:gosec // made above
	var sections []*figure.Section
	for _, n := range p.validators {
		m := newMeasurement(p, n)
		for i := range p.rounds {
			fmt.Fprintf(progress, "bench/chain: validators %d, round %d of %d\n", n, i+1, p.rounds)
			if err := m.round(ctx); err != nil {
				return err
			}
		}
		m.aims()
		sections = append(sections, m.section)
		if !p.json {
			if err := m.section.Write(out); err != nil {
				return err
			}
		}
	}
	if !p.json {
		return nil
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(sections)
}

// pick is d, or less in a short run.
func (p plan) pick(d, short time.Duration) time.Duration {
	if p.short {
		return short
	}
	return d
}
