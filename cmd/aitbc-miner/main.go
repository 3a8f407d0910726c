// Command aitbc-miner runs jobs of the AITBC network on this machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/aitbc/aitbc/cmd/aitbc-miner/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	return cli.Main(ctx, os.Args[1:], cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv})
}
