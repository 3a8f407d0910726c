package cli_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aitbc/aitbc/cmd/aitbc-miner/cli"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
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

// market is a model server with two models, and a coordinator at which one of them is on offer by two miners.
func market(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/models" {
		http.NotFound(w, r)
		return
	}
	offer := func(prompt, completion string) string {
		return fmt.Sprintf(`{"model":"known","prompt_rate":%q,"completion_rate":%q}`, prompt, completion)
	}
	fmt.Fprintf(w, `{"object":"list","data":[{"id":"known","object":"model","offers":[%s,%s]},{"id":"unknown","object":"model"}]}`,
		offer("300000000000000000", "900000000000000000"), offer("200000000000000000", "700000000000000000"))
}

func TestScripts(t *testing.T) {
	t.Parallel()
	archive := ""
	t.Run("archive of llama.cpp", func(t *testing.T) { archive = librarytest.Archive(t) })
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// append FILE OTHER adds the other file's text to the first.
			"append": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+ts.ReadFile(args[1])), 0o600))
			},
		},
		Condition: func(word string) (bool, error) {
			if word != "archive" {
				return false, fmt.Errorf("condition %q is unknown", word)
			}
			return archive != "", nil
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("AITBC_HOME", "")
			e.Setenv("ARCHIVE", archive)
			// A free port, and the offset that leads there.
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			port := ln.Addr().(*net.TCPAddr).Port
			web := httptest.NewServer(http.HandlerFunc(market))
			e.Defer(web.Close)
			e.Setenv("SERVER", web.URL)
			e.Setenv("PORT", strconv.Itoa(port))
			e.Setenv("OFFSET", strconv.Itoa(port-home.PortMiner))
			return ln.Close()
		},
	})
}
