package cli_test

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aitbc/aitbc/cmd/aitbc/cli"
	"github.com/aitbc/aitbc/internal/home"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"aitbc": func() { os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Process())) },
	})
}

// The scripts need no network: none of them finds a service on its ports.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, Setup: func(e *testscript.Env) error {
		offset, err := home.FreeOffset(context.Background())
		e.Setenv("FREE_OFFSET", strconv.Itoa(offset)) // for those that start something
		return err
	}})
}
