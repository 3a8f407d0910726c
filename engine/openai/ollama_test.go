package openai_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/openai"
)

// A real Ollama, of the program that the variable AITBC_OLLAMA names, runs our own model, passes the suite of all
// engines, and shows the very weights that the exact engine runs.
func TestRealOllama(t *testing.T) {
	t.Parallel()
	program := os.Getenv("AITBC_OLLAMA")
	if program == "" {
		t.Skip("AITBC_OLLAMA names no Ollama: make nightly builds one")
	}
	path, digest := weights(t)
	address := free(t)
	home := t.TempDir()
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
		cmd.Env = append(os.Environ(), "HOME="+home, "OLLAMA_MODELS="+filepath.Join(home, "models"), "OLLAMA_HOST="+address)
		return cmd
	}
	begin(t, command("serve"))
	answers(t, "http://"+address+"/api/version")
	modelfile := filepath.Join(home, "Modelfile")
	if err := os.WriteFile(modelfile, []byte("FROM "+path+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command("create", "m", "-f", modelfile).CombinedOutput(); err != nil {
		t.Fatalf("ollama create: %v\n%s", err, out)
	}
	s, err := openai.New(openai.Config{BaseURL: "http://" + address + "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Describe(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	info := m.Info()
	if info.Digest != digest || info.Claimed || !strings.HasPrefix(info.Class, "server/1;engine=ollama/") || !strings.HasSuffix(info.Class, ";arch=llama;quant=q8_0;det=none") {
		t.Errorf("it shows %+v", info)
	}
	enginetest.Run(t, m)
}
