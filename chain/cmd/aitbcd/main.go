// Command aitbcd is the blockchain node.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/aitbc/aitbc/chain/cmd/aitbcd/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.World{Args: os.Args[1:], Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(code) //nolint:forbidigo // main is where a program ends
}
