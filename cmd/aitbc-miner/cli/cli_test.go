package cli_test

import (
	"context"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aitbc/aitbc/cmd/aitbc-miner/cli"
	"github.com/aitbc/aitbc/internal/home"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"aitbc-miner": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Main(ctx, os.Args[1:], cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
		},
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("AITBC_HOME", "")
			// A free port, and the offset that leads there.
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			port := ln.Addr().(*net.TCPAddr).Port
			e.Setenv("PORT", strconv.Itoa(port))
			e.Setenv("OFFSET", strconv.Itoa(port-home.PortMiner))
			return ln.Close()
		},
	})
}
