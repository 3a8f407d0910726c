// Command aitbc is the command line of the AITBC network: it submits jobs,
// shows and verifies receipts, and runs the services.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/aitbc/aitbc/cmd/aitbc/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	return cli.Main(ctx, os.Args[1:], cli.Process())
}
