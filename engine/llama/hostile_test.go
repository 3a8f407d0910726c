package llama_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// hostile are files that are no good.
func hostile(t *testing.T) map[string][]byte {
	t.Helper()
	good, err := os.ReadFile(tiny)
	if err != nil {
		t.Fatal(err)
	}
	with := func(at int, b ...byte) []byte {
		bad := bytes.Clone(good)
		copy(bad[at:], b)
		return bad
	}
	huge := bytes.Repeat([]byte{0xff}, 8)
	return map[string][]byte{
		"empty":           {},
		"wrong magic":     with(0, 'G', 'G', 'M', 'L'),
		"version":         with(4, 99),
		"tensors":         with(8, huge...),
		"pairs":           with(16, huge...),
		"length of a key": with(24, huge...),
		"no tensors":      good[:len(good)/2],
		"half a header":   good[:20],
		"no weights":      good[:2000],
	}
}

func TestHostileFilesAreRefusedBeforeTheProgramStarts(t *testing.T) {
	t.Parallel()
	cfg := config(t, filepath.Join(t.TempDir(), "model.gguf"))
	for name, data := range hostile(t) {
		if err := os.WriteFile(cfg.Path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := llama.Open(t.Context(), cfg)
		if err == nil || errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), cfg.Path) && len(data) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The program itself ends with a word why, or is killed by the library's own checks; it
// neither answers nor hangs.
func TestHostileFilesEndTheProgram(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	arg, err := json.Marshal(wire.Start{Backend: "cpu", Folder: librarytest.CPU(t), Length: 128, Slots: 1, Threads: 1, Memory: 4 << 30})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range hostile(t) {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		run := exec.CommandContext(t.Context(), cfg.Program, wire.Word, string(arg))
		run.ExtraFiles, run.Env = []*os.File{f}, []string{"GGML_NO_BACKTRACE=1"}
		stdin, err := run.StdinPipe() // stays open, as a miner's does
		if err != nil {
			t.Fatal(err)
		}
		out, err := run.Output()
		_, _ = stdin.Close(), f.Close()
		var reply wire.Reply
		read := wire.Read(bytes.NewReader(out), wire.MostReply, &reply)
		if err == nil || read == nil && reply.Failed == "" {
			t.Errorf("%s: %v, it says %+v", name, err, reply)
		}
		t.Logf("%s: %q", name, reply.Failed)
	}
}

// A file that is well-formed, and is no model, gets llama.cpp's own word.
func TestWhatLlamaCannotLoadIsSaid(t *testing.T) {
	t.Parallel()
	var w gguf.Writer
	w.Text("general.architecture", "perpetuum")
	w.Tensor(gguf.Tensor{Name: "x", Type: gguf.F32, Dims: []uint64{1}, Data: make([]byte, 4)})
	path := written(t, &w)
	_, err := llama.Open(t.Context(), config(t, path))
	if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "perpetuum") {
		t.Errorf("%v", err)
	}
}
