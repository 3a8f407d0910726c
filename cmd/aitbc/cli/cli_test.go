package cli_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aitbc/aitbc/cmd/aitbc/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"aitbc": func() { os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Process())) },
	})
}

// The scripts need no network: none of them finds a service on its ports.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}
