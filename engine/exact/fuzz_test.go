package exact_test

import (
	"errors"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
)

// Whatever a stranger's file holds, it is refused, or it is a model that answers.
func FuzzLoad(f *testing.F) {
	for _, s := range []synthetic{{kind: gguf.Q8_0, width: 32}, {kind: gguf.F16, width: 32, arch: "qwen2"}, {kind: gguf.Q4_0, width: 32, arch: "qwen3", template: ours}} {
		f.Add(s.file(f), "hello </s>\xff")
	}
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		m, err := exact.Load(file, exact.Config{Threads: 2})
		if err != nil {
			return
		}
		_, err = m.Generate(t.Context(), engine.Request{Prompt: text + "a", MaxTokens: 2}, func(engine.Token) error { return nil })
		if err != nil && !errors.Is(err, engine.ErrTooLong) && !errors.Is(err, engine.ErrBadRequest) && !errors.Is(err, exact.ErrModel) {
			t.Error(err)
		}
	})
}
