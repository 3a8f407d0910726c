package openai_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/openai"
)

// A real llama-server, of the program that the variable AITBC_LLAMA_SERVER names, runs our own model, passes the suite of
// all engines, shows the very weights that the exact engine runs, and keeps to grammars and schemas.
func TestRealLlamaServer(t *testing.T) {
	t.Parallel()
	program := os.Getenv("AITBC_LLAMA_SERVER")
	if program == "" {
		t.Skip("AITBC_LLAMA_SERVER names no llama-server: make nightly fetches one")
	}
	path, digest := weights(t)
	s := llamaServerOf(t, program, "-m", path)
	models, err := s.Models(t.Context())
	if err != nil || len(models) != 1 {
		t.Fatalf("models %v, %v", models, err)
	}
	m, err := s.Describe(t.Context(), models[0])
	if err != nil {
		t.Fatal(err)
	}
	info := m.Info()
	if info.Digest != digest || info.Claimed || !strings.HasPrefix(info.Class, "server/1;engine=llama.cpp/") || !strings.HasSuffix(info.Class, ";arch=llama;quant=q8_0;det=none") {
		t.Errorf("it shows %+v", info)
	}
	enginetest.Run(t, m)

	text, _, err := ask(t, m, engine.Request{Prompt: "Choose", MaxTokens: 20, Grammar: `root ::= ("red" | "blue") " " [0-9]{3}`})
	if word, digits, _ := strings.Cut(text, " "); err != nil || word != "red" && word != "blue" || len(digits) != 3 || strings.Trim(digits, "0123456789") != "" {
		t.Errorf("by a grammar it says %q, %v", text, err)
	}
	var object struct{ N int }
	text, _, err = ask(t, m, engine.Request{
		Messages: []engine.Message{{Role: engine.RoleUser, Content: "Give me an object."}}, MaxTokens: 40,
		ResponseFormat: json.RawMessage(`{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"n":{"enum":[1,2]}},"required":["n"],"additionalProperties":false}}}`),
	})
	if bad := json.Unmarshal([]byte(text), &object); err != nil || bad != nil || object.N < 1 || object.N > 2 {
		t.Errorf("by a schema it says %q, %v, %v", text, err, bad)
	}

	embedding, err := llamaServerOf(t, program, "-m", path, "--embeddings", "--pooling", "mean").Describe(t.Context(), models[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Run("for embeddings", func(t *testing.T) { enginetest.Embeds(t, embedding) })
}

// llamaServerOf starts one, which ends with the test.
func llamaServerOf(t *testing.T, program string, args ...string) *openai.Server {
	t.Helper()
	address := free(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	begin(t, exec.CommandContext(context.WithoutCancel(t.Context()), program, append(args, "--host", host, "--port", port, "-t", "2", "-c", "2048")...))
	answers(t, "http://"+address+"/health")
	s, err := openai.New(openai.Config{BaseURL: "http://" + address + "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// begin starts a server, which ends with the test, and shows its log if the test fails.
func begin(t *testing.T, server *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // it may have ended
		_ = server.Wait()
		if t.Failed() {
			t.Logf("%s's log:\n%s", server.Path, log.String())
		}
	})
}

// answers waits until a server answers that it is well.
func answers(t *testing.T, url string) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		if resp, err := http.Get(url); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-late:
			t.Fatalf("%s does not answer", url)
		}
	}
}
