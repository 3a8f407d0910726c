package openai_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/openai"
)

// backend is a server of one kind, as its documentation describes it: it says of itself what that kind says, and answers
// as fake does.
type backend struct {
	another atomic.Bool // it has another model now
	gone    atomic.Bool // it has none
	routes  map[string]func(b *backend) any
	answers atomic.Pointer[func(http.ResponseWriter, *http.Request)] // instead of fake
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if say, ok := b.routes[r.URL.Path]; ok {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(say(b)); err != nil {
			panic(err)
		}
		return
	}
	if r.URL.Path == "/v1/embeddings" || r.URL.Path == "/v1/chat/completions" || r.URL.Path == "/v1/completions" {
		if other := b.answers.Load(); other != nil {
			(*other)(w, r)
			return
		}
		fake(w, r)
		return
	}
	http.NotFound(w, r)
}

func (b *backend) pick(one, other string) string {
	if b.another.Load() {
		return other
	}
	return one
}

// weights puts our own model where a server may name it, and returns its path and what the exact engine calls it.
func weights(t *testing.T) (string, [32]byte) {
	t.Helper()
	raw, err := os.ReadFile("../exact/model/aitbc-tiny.gguf")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sha256-1")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := exact.Open(path, exact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Close() }()
	return path, own.Info().Digest
}

func ollama(path string) *backend {
	return &backend{routes: map[string]func(*backend) any{
		"/api/version": func(*backend) any { return map[string]string{"version": "0.17.4"} },
		"/api/tags": func(b *backend) any {
			if b.gone.Load() {
				return map[string]any{"models": []any{}}
			}
			return map[string]any{"models": []any{map[string]string{"name": "m:latest", "digest": b.pick("abc", "def")}}}
		},
		"/api/show": func(*backend) any {
			return map[string]any{
				"modelfile":  "# made by a test\nFROM " + path + "\nTEMPLATE x\n",
				"model_info": map[string]any{"general.architecture": "llama", "general.parameter_count": 7, "llama.context_length": 512},
			}
		},
		"/v1/models": func(*backend) any { return map[string]any{"data": []any{map[string]string{"id": "m:latest"}}} },
		"/api/ps": func(*backend) any {
			return map[string]any{"models": []any{map[string]any{"name": "m:latest", "size": 77}, map[string]any{"name": "n", "size": 88}}}
		},
	}}
}

func llamaServer(path string) *backend {
	return &backend{routes: map[string]func(*backend) any{
		"/props": func(b *backend) any {
			return map[string]any{"model_path": b.pick(path, path+"x"), "build_info": "b6000-abc", "default_generation_settings": map[string]any{"n_ctx": 512}}
		},
		"/v1/models": func(*backend) any { return map[string]any{"data": []any{map[string]string{"id": "m"}}} },
	}}
}

func vllm(string) *backend {
	return &backend{routes: map[string]func(*backend) any{
		"/version": func(*backend) any { return map[string]string{"version": "0.11.0"} },
		"/v1/models": func(b *backend) any {
			return map[string]any{"data": []any{map[string]any{"id": b.pick("m", "n"), "owned_by": "vllm", "root": "/models/m", "max_model_len": 512}}}
		},
	}}
}

func generic(string) *backend {
	return &backend{routes: map[string]func(*backend) any{"/v1/models": func(*backend) any { return map[string]any{"data": []any{map[string]string{"id": "m"}}} }}}
}

// describe starts a server and returns its model "m" as it shows it.
func describe(t *testing.T, b *backend) (*openai.Server, *openai.Model) {
	t.Helper()
	s, _ := serve(t, openai.Config{}, b.ServeHTTP)
	m, err := s.Describe(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

// Every kind of server passes the suite of all engines, and says what it is.
func TestEveryBackEnd(t *testing.T) {
	t.Parallel()
	path, digest := weights(t)
	for name, c := range map[string]struct {
		make    func(string) *backend
		class   string
		context uint64
		shown   bool
	}{
		"Ollama":       {ollama, "server/1;engine=ollama/0.17.4;arch=llama;quant=q8_0;det=none", 512, true},
		"llama-server": {llamaServer, "server/1;engine=llama.cpp/b6000-abc;arch=llama;quant=q8_0;det=none", 512, true},
		"vLLM":         {vllm, "claimed;engine=vllm/0.11.0", 512, false},
		"any other":    {generic, "claimed", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, m := describe(t, c.make(path))
			info := m.Info()
			want := openai.ClaimedDigest("m")
			if c.shown {
				want = digest
			}
			if info.Class != c.class || info.Claimed == c.shown || info.Digest != want || info.ContextLength != c.context {
				t.Errorf("it says %+v", info)
			}
			if size := m.Memory(t.Context()); size != 0 && name != "Ollama" || size != 77 && name == "Ollama" {
				t.Errorf("it takes %d bytes", size)
			}
			enginetest.Run(t, m)
		})
	}
}

// What lies on another machine cannot be read, and what cannot be read is claimed.
func TestWeightsThatCannotBeReadAreClaimed(t *testing.T) {
	t.Parallel()
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("GGUF and nothing more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": "/not/there", "damaged": junk, "a directory": t.TempDir(), "a device": "/dev/zero"} {
		_, m := describe(t, ollama(path))
		if info := m.Info(); !info.Claimed || info.Class != "claimed;engine=ollama/0.17.4" || info.Digest != openai.ClaimedDigest("m") || info.Parameters != 7 {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

// A server that has another model one day runs no job with it.
func TestAModelThatIsAnotherIsNotRun(t *testing.T) {
	t.Parallel()
	path, _ := weights(t)
	for name, kind := range map[string]func(string) *backend{"Ollama": ollama, "llama-server": llamaServer, "vLLM": vllm} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kind(path)
			s, m := describe(t, b)
			b.another.Store(true)
			if _, _, err := ask(t, m, engine.Request{}); !errors.Is(err, engine.ErrChanged) {
				t.Errorf("it ran: %v", err)
			}
			if _, _, err := m.Embed(t.Context(), []string{"x"}); !errors.Is(err, engine.ErrChanged) {
				t.Errorf("it embedded: %v", err)
			}
			b.another.Store(false)
			if text, _, err := ask(t, m, engine.Request{MaxTokens: 2}); err != nil || text != "once upon " {
				t.Errorf("it does not run again: %q %v", text, err)
			}
			if _, err := s.Describe(t.Context(), "other"); name != "llama-server" && !errors.Is(err, engine.ErrChanged) {
				t.Errorf("a model that it has not: %v", err)
			}
		})
	}
	b := ollama(path)
	_, m := describe(t, b)
	b.gone.Store(true)
	if _, _, err := ask(t, m, engine.Request{}); !errors.Is(err, engine.ErrChanged) {
		t.Errorf("it ran without a model: %v", err)
	}
	// The weights themselves may be exchanged below a server's feet.
	_, m = describe(t, llamaServer(path))
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ask(t, m, engine.Request{}); !errors.Is(err, engine.ErrChanged) {
		t.Errorf("it ran changed weights: %v", err)
	}
}

func TestAServerThatIsAwayIsNotAnother(t *testing.T) {
	t.Parallel()
	s, err := openai.New(openai.Config{BaseURL: "http://127.0.0.1:1/v1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Describe(t.Context(), "m"); !errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrChanged) {
		t.Errorf("%v", err)
	}
}

// What servers say of themselves cannot write a class of its own.
func TestClassesAreClean(t *testing.T) {
	t.Parallel()
	b := vllm("")
	b.routes["/version"] = func(*backend) any { return map[string]string{"version": "1;det=bitwise\n" + strings.Repeat("x", 100)} }
	_, m := describe(t, b)
	if class := m.Info().Class; class != fmt.Sprintf("claimed;engine=vllm/1-det-bitwise-%s", strings.Repeat("x", 26)) {
		t.Errorf("class %q", class)
	}
}
