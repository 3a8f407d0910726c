package llama_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

func discard(engine.Token) error { return nil }

// Every thread of the real program is bound, those that llama.cpp made as well.
func TestTheProgramIsBound(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	cfg.Threads = 3
	bounds := map[string]string{"Max core file size": "0", "Max file size": "0"}
	backend, gpu := device()
	if gpu == "none" {
		cfg.Memory, bounds["Max address space"] = 4<<30, "4294967296"
	}
	m := open(t, cfg)
	generate(t, m, user("Hello"))
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", m.PID()))
	if err != nil || len(tasks) < 3 {
		t.Fatalf("threads %v, %v", tasks, err)
	}
	for _, path := range tasks {
		status, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it ended
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s has no %q", path, want)
			}
		}
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", m.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range bounds {
		_, rest, _ := strings.Cut(string(limits), name)
		if got := strings.Fields(rest); len(got) < 2 || got[0] != want || got[1] != want {
			t.Errorf("%s is %v, want %s", name, got[:min(len(got), 2)], want)
		}
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", m.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		to, err := os.Readlink(l)
		if err == nil && strings.HasPrefix(to, "socket:") && !strings.HasPrefix(backend, "cuda") { // its driver listens, and cannot take what comes
			t.Errorf("%s is %s", l, to)
		}
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", m.PID()))
	if err != nil || bytes.Contains(environ, []byte("HOME=")) || bytes.Contains(append([]byte{0}, environ...), []byte("\x00PATH=")) {
		t.Errorf("it sees %q, %v", environ, err)
	}
}

// The program ends with its standard input, which is what is left of a miner that was killed.
func TestTheProgramEndsWithItsInput(t *testing.T) {
	t.Parallel()
	run, in, out := start(t, 1, 128)
	var ready, token wire.Reply
	if err := wire.Read(out, wire.MostReply, &ready); err != nil || ready.Ready == nil {
		t.Fatalf("%+v, %v", ready, err)
	}
	// In the middle of an answer.
	begin := &wire.Request{Parts: []chat.Part{{Text: "Once upon a time"}}}
	if err := wire.Write(in, wire.Ask{ID: 1, Begin: begin}); err != nil {
		t.Fatal(err)
	}
	if err := wire.Read(out, wire.MostReply, &token); err != nil || token.ID != 1 {
		t.Fatalf("%+v, %v", token, err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func TestTooLittleMemoryIsNoHang(t *testing.T) {
	t.Parallel()
	for _, mb := range []uint64{1, 64, 256, 400} {
		cfg := config(t, tiny)
		cfg.Memory, cfg.Length = mb<<20, 1<<14
		m, err := llama.Open(t.Context(), cfg)
		if err == nil {
			err = m.Close()
		} else if !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%d MB: %v", mb, err)
		}
		t.Logf("%d MB: %v", mb, err)
	}
}

func TestAProgramThatIsKilledIsStartedAgain(t *testing.T) {
	t.Parallel()
	m := open(t, config(t, tiny))
	for range 2 {
		n := 0
		r, err := m.Generate(t.Context(), user("Tell me a story about a fox."), func(engine.Token) error {
			if n++; n == 3 {
				return syscall.Kill(m.PID(), syscall.SIGKILL)
			}
			return nil
		})
		if !errors.Is(err, engine.ErrUnavailable) || r.CompletionTokens < 3 || r.FinishReason != "" {
			t.Errorf("%+v, %v", r, err)
		}
		if r := generate(t, m, user("Hello")); r.CompletionTokens == 0 {
			t.Errorf("%+v", r.Result)
		}
	}
}

func TestAFileWithOtherWeightsIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "model.gguf")
	original, err := os.ReadFile(tiny)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(original)
	changed[len(changed)-100] ^= 1
	write := func(data []byte, into string) {
		t.Helper()
		if err := os.WriteFile(into, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var model *llama.Model
	refused := func(what string) {
		t.Helper()
		if _, err := model.Generate(t.Context(), user("Hello"), discard); !errors.Is(err, engine.ErrChanged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	write(original, path)
	model = open(t, config(t, path))
	generate(t, model, user("Hello"))

	write(changed, path)
	refused("changed in place")
	refused("changed in place, again")
	write(original, path)
	generate(t, model, user("Hello")) // the weights are those on offer

	write(changed, path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	refused("replaced")
	write(original, path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	generate(t, model, user("Hello"))

	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	refused("cut short")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused("removed")
}

// frames writes what a program says.
func frames(t *testing.T, replies ...wire.Reply) string {
	t.Helper()
	var b bytes.Buffer
	for _, r := range replies {
		if err := wire.Write(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "frames")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// script is a program that was taken over: it says what it likes.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAProgramThatMisbehavesIsEnded(t *testing.T) {
	t.Parallel()
	ready := frames(t, wire.Reply{Ready: &wire.Ready{Tokens: 100, Length: 64}})
	token := wire.Reply{ID: 1, Token: &wire.Token{ID: 5, Bytes: []byte("x")}}
	// It says that it is ready, waits for a request, and then says this.
	then := func(replies ...wire.Reply) string {
		return "cat " + ready + "\nhead -c 4 >/dev/null\ncat " + frames(t, replies...) + "\nexec sleep 1000"
	}
	foreign, unasked, long := token, token, make([]wire.Reply, 200)
	foreign.Token, unasked.ID = &wire.Token{ID: 100}, 7
	for i := range long {
		long[i] = token
	}
	for name, c := range map[string]struct {
		text, want string
		opens      bool
	}{
		"does not load":      {"exec sleep 1000", "did not load the model within", false},
		"ends":               {"exit 3", "ended", false},
		"prints and ends":    {"echo a reason >&2; exit 3", "a reason", false},
		"crashes":            {"echo a reason >&2; echo SIGABRT: abort >&2; seq 5000 >&2; exit 2", "it printed \"a reason\"", false},
		"babbles":            {"yes", "malformed frame", false},
		"answers unasked":    {"cat " + frames(t, token), "says what it should not", false},
		"is too large":       {"cat " + frames(t, wire.Reply{Ready: &wire.Ready{Tokens: 100, Length: 1 << 20}}), "says what it should not", false},
		"says nothing":       {then(), "said nothing for", true},
		"has foreign tokens": {then(foreign), "says what it should not", true},
		"answers another":    {then(unasked), "says what it should not", true},
		"runs ahead":         {then(long...), "", true},
		"ends for no reason": {then(token, wire.Reply{ID: 1, Done: &wire.Done{Reason: "tired"}}), "for no reason", true},
		"counts too much":    {then(wire.Reply{ID: 1, Prompt: 1 << 40}), "says what it should not", true},
		"says too much":      {then(token, token, token, token), "longer than it may be", true},
		"gives a vector":     {then(wire.Reply{ID: 1, Vector: []float32{1}}), "a vector that nobody asked for", true},
		"is ready again":     {then(wire.Reply{Ready: &wire.Ready{Tokens: 1, Length: 1}}), "says what it should not", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, tiny)
			cfg.Program, cfg.Length = script(t, c.text), 64
			cfg.LoadWithin, cfg.SilentFor = 20*time.Second, 2*time.Second
			if strings.Contains(c.want, "did not load") {
				cfg.LoadWithin = 300 * time.Millisecond
			}
			m, err := llama.Open(t.Context(), cfg)
			if (err == nil) != c.opens {
				t.Fatalf("open: %v", err)
			}
			if c.opens {
				defer func() {
					if err := m.Close(); err != nil {
						t.Error(err)
					}
				}()
				req := user("Hello")
				req.MaxTokens = 3
				hold := time.NewTimer(time.Second)
				defer hold.Stop()
				_, err = m.Generate(t.Context(), req, func(engine.Token) error {
					if name == "runs ahead" { // the reader is slow
						<-hold.C
						hold.Reset(time.Second)
					}
					return nil
				})
			}
			if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAnotherStartHasToWait(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	marker := filepath.Join(t.TempDir(), "broken")
	cfg.Program = script(t, "[ -e "+marker+" ] && exit 1\nexec "+cfg.Program+` "$@"`)
	m := open(t, cfg)
	generate(t, m, user("Hello"))
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		_, err := m.Generate(t.Context(), user("Hello"), discard)
		if !errors.Is(err, engine.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		if strings.Contains(err.Error(), "is started again in") {
			return
		}
	}
	t.Error("a program that ends at once is started again and again")
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*llama.Config)
		want   string
	}{
		"no build":       {func(c *llama.Config) { c.Engines, c.Backend = t.TempDir(), "" }, "not installed"},
		"no such build":  {func(c *llama.Config) { c.Backend = "abacus" }, "want one of cpu, cuda, cuda12, vulkan"},
		"not that build": {func(c *llama.Config) { c.Backend, c.Engines = "cuda", t.TempDir() }, "llama.cpp for cuda: not installed"},
		"no program":     {func(c *llama.Config) { c.Program = "/does/not/exist" }, "there is no program"},
		"no file":        {func(c *llama.Config) { c.Path = "/does/not/exist" }, "no such file"},
		"a bad build": {func(c *llama.Config) {
			engines := t.TempDir()
			b, _ := library.Find("cpu")
			if err := os.CopyFS(b.Folder(engines), os.DirFS(b.Folder(c.Engines))); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(b.Folder(engines), "libggml-base.so"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Engines = engines
		}, "not the build of llama.cpp that this program knows"},
	} {
		cfg := config(t, tiny)
		c.change(&cfg)
		if _, err := llama.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
