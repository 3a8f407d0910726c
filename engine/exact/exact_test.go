package exact_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
)

func load(t testing.TB, data []byte, threads int) *exact.Model {
	t.Helper()
	m, err := exact.Load(data, exact.Config{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var one = sync.OnceValues(func() (*exact.Model, error) { return exact.Embedded(exact.Config{Threads: 1}) })

func embedded(t testing.TB, threads int) *exact.Model {
	t.Helper()
	open := func() (*exact.Model, error) { return exact.Embedded(exact.Config{Threads: threads}) }
	if threads == 1 {
		open = one
	}
	m, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type reply struct {
	ids   []uint32
	texts []string
	engine.Result
}

func (r reply) text() string { return strings.Join(r.texts, "") }

func generate(t testing.TB, m *exact.Model, req engine.Request) reply {
	t.Helper()
	var r reply
	var err error
	r.Result, err = m.Generate(t.Context(), req, func(token engine.Token) error {
		r.ids, r.texts = append(r.ids, token.ID), append(r.texts, token.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(text string) engine.Request {
	return engine.Request{Messages: []engine.Message{{Role: engine.RoleUser, Content: text}}}
}

func TestKeepsThePromisesOfEngines(t *testing.T) { enginetest.Run(t, embedded(t, 1)) }

func bits(logits []float32) string {
	h := sha256.New()
	for _, v := range logits {
		_ = binary.Write(h, binary.LittleEndian, math.Float32bits(v))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// The hashes of logits that every CPU must give; seen on amd64 and 386.
var goldenLogits = map[gguf.Type]string{
	gguf.F32: "21d002ac2081b212", gguf.F16: "2b742acb2b6e3a6d", gguf.BF16: "2ee998754bcc221f", gguf.Q8_0: "9863142688818851",
	gguf.Q4_0: "e91b9e70be99733d", gguf.Q4K: "eb14fdc128541a9a", gguf.Q6K: "9cff2c207361e9ea",
}

var someTokens = []uint32{1, 4, 263, 270, 277, 266, 20, 99, 264, 265, 5, 276, 275, 30, 31, 32, 263, 264, 265, 266, 267, 268, 1, 270, 271, 272, 273, 274, 275, 276, 277, 278, 279, 40, 41, 42, 43}

func TestLogitsAreTheGoldenBits(t *testing.T) {
	for kind, want := range goldenLogits {
		m := load(t, synthetic{kind: kind, output: kind == gguf.F16}.file(t), 1)
		logits, err := m.Replay().Read(t.Context(), someTokens)
		if err != nil {
			t.Fatal(err)
		}
		if got := bits(logits); got != want {
			t.Errorf("%s: logits hash to %s, want %s", kind, got, want)
		}
	}
}

// And those of the other architectures; seen on amd64, with SIMD and without, and 386.
var goldenArchitectures = map[string]string{"qwen2": "b22c2ef43c1aee37", "qwen3": "ae1680c982961784"}

func TestArchitecturesHaveTheirGoldenBits(t *testing.T) {
	for arch, want := range goldenArchitectures {
		m := load(t, synthetic{kind: gguf.Q8_0, arch: arch}.file(t), 1)
		logits, err := m.Replay().Read(t.Context(), someTokens)
		if err != nil {
			t.Fatal(err)
		}
		if got := bits(logits); got != want {
			t.Errorf("%s: logits hash to %s, want %s", arch, got, want)
		}
		if class := "exact/1;arch=" + arch + ";quant=q8_0;det=bitwise"; m.Info().Class != class {
			t.Errorf("the class is %s, want %s", m.Info().Class, class)
		}
	}
}

func TestStretchedPositionsChangeTheLogits(t *testing.T) {
	read := func(change func(*gguf.Writer)) string {
		logits, err := load(t, synthetic{kind: gguf.F32, change: change}.file(t), 1).Replay().Read(t.Context(), someTokens)
		if err != nil {
			t.Fatal(err)
		}
		return bits(logits)
	}
	stretch := func(by float32) func(*gguf.Writer) {
		return func(w *gguf.Writer) {
			f := gguf.Tensor{Name: "rope_freqs.weight", Type: gguf.F32, Dims: []uint64{8}}
			for range 8 {
				f.Data = binary.LittleEndian.AppendUint32(f.Data, math.Float32bits(by))
			}
			w.Tensor(f)
		}
	}
	if plain := read(nil); plain != read(stretch(1)) || plain == read(stretch(4)) {
		t.Error("a stretch of 1 changes the logits, or one of 4 does not")
	}
}

func TestLogitsDoNotDependOnThreadsOrChunks(t *testing.T) {
	open := map[string]func(threads int) *exact.Model{"embedded": func(threads int) *exact.Model { return embedded(t, threads) }}
	for _, kind := range []gguf.Type{gguf.Q8_0, gguf.F16, gguf.Q4_0, gguf.Q4K, gguf.Q6K} {
		file := synthetic{kind: kind}.file(t)
		open[kind.String()] = func(threads int) *exact.Model { return load(t, file, threads) }
	}
	for arch := range goldenArchitectures {
		file := synthetic{kind: gguf.Q4_0, arch: arch}.file(t)
		open[arch] = func(threads int) *exact.Model { return load(t, file, threads) }
	}
	for name, model := range open {
		want, err := model(1).Replay().Read(t.Context(), someTokens)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ threads, step int }{{1, 1}, {1, 7}, {2, 1}, {2, 32}, {5, 36}} {
			r := model(c.threads).Replay()
			var got []float32
			for part := range slices.Chunk(someTokens, c.step) {
				if got, err = r.Read(t.Context(), part); err != nil {
					t.Fatal(err)
				}
			}
			if bits(got) != bits(want) {
				t.Errorf("%s, %d threads, %d tokens at a time: other logits", name, c.threads, c.step)
			}
		}
	}
}

func TestAnswersDoNotDependOnThreads(t *testing.T) {
	one, two := embedded(t, 1), embedded(t, 2)
	greedy := user("Tell me a story about a fox.")
	greedy.MaxTokens = 40
	sampled := greedy
	sampled.TemperatureMilli, sampled.TopPMilli, sampled.TopK, sampled.Seed = 900, 950, 40, 42
	for _, req := range []engine.Request{greedy, sampled} {
		a, b := generate(t, one, req), generate(t, two, req)
		if !slices.Equal(a.ids, b.ids) || a.text() != b.text() || len(a.ids) < 20 {
			t.Errorf("1 thread said %q, 2 threads %q", a.text(), b.text())
		}
	}
}

func TestAnswersCanBeReplayed(t *testing.T) {
	m := embedded(t, 1)
	req := user("What is AITBC?")
	answer := generate(t, m, req)
	next, err := m.Prompt(req)
	if err != nil {
		t.Fatal(err)
	}
	replay := m.Replay()
	for i, id := range answer.ids {
		logits, err := replay.Read(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		if best := slices.Index(logits, slices.Max(logits)); best != int(id) {
			t.Fatalf("token %d is %d, the replay says %d", i, id, best)
		}
		next = []uint32{id}
	}
}

func TestConcurrentRequestsDoNotMix(t *testing.T) {
	m := embedded(t, 2)
	questions := []string{"What is AITBC?", "What is a receipt?", "Tell me a story about a bear.", "Write a poem about the moon."}
	want := make([]string, len(questions))
	ask := func(q string) string {
		req := user(q)
		req.MaxTokens = 25
		return generate(t, m, req).text()
	}
	for i, q := range questions {
		want[i] = ask(q)
	}
	var wg sync.WaitGroup
	for range 2 {
		for i, q := range questions {
			wg.Go(func() {
				if got := ask(q); got != want[i] {
					t.Errorf("%s: got %q beside others, %q alone", q, got, want[i])
				}
			})
		}
	}
	wg.Wait()
}

func TestSeedDecidesSampledAnswers(t *testing.T) {
	m := embedded(t, 1)
	req := user("Tell me a story.")
	req.TemperatureMilli, req.Seed, req.MaxTokens = 1000, 7, 40
	a, b := generate(t, m, req), generate(t, m, req)
	req.Seed = 8
	c := generate(t, m, req)
	if a.text() != b.text() || a.text() == c.text() {
		t.Errorf("seed 7: %q and %q, seed 8: %q", a.text(), b.text(), c.text())
	}
}

func TestStopTextsEndTheAnswer(t *testing.T) {
	m := embedded(t, 1)
	whole := generate(t, m, user("What is AITBC?")).text()
	for _, stop := range []string{" market", "ark", ".", whole[10:30]} {
		req := user("What is AITBC?")
		req.Stop = []string{"never said", stop}
		want, _, _ := strings.Cut(whole, stop)
		if got := generate(t, m, req); got.text() != want || got.FinishReason != engine.Stopped {
			t.Errorf("stop %q: got %q (%s), want %q", stop, got.text(), got.FinishReason, want)
		}
	}
	req := user("What is AITBC?")
	req.Stop = []string{whole + " never said"} // held back to the end, then shown
	if got := generate(t, m, req).text(); got != whole {
		t.Errorf("got %q, want %q", got, whole)
	}
}

func TestPromptsThatDoNotFitAreRefused(t *testing.T) {
	m := embedded(t, 1)
	none := func(engine.Token) error { return nil }
	for _, size := range []int{4_000, 10 << 20} {
		if _, err := m.Generate(t.Context(), user(strings.Repeat("a b ", size/4)), none); !errors.Is(err, engine.ErrTooLong) {
			t.Errorf("%d bytes: got %v, want ErrTooLong", size, err)
		}
	}
	// One that just fits is answered up to the end of the context.
	m = load(t, synthetic{kind: gguf.Q8_0}.file(t), 1)
	r := generate(t, m, engine.Request{Prompt: strings.Repeat("cd", contextLength-20)})
	if used := r.PromptTokens + r.CompletionTokens; r.FinishReason != engine.Length || used != contextLength {
		t.Errorf("%+v in a context of %d", r.Result, contextLength)
	}
}

func TestWhatTheModelCannotDoIsRefused(t *testing.T) {
	m := load(t, synthetic{kind: gguf.F32, template: "{{ something else }}"}.file(t), 1)
	format := user("Hello")
	format.ResponseFormat = []byte(`{"type":"json_schema","json_schema":{"schema":{"type":"object","patternProperties":{}}}}`)
	for name, c := range map[string]struct {
		m   *exact.Model
		req engine.Request
	}{"unknown template": {m, user("hello")}, "json schema": {embedded(t, 1), format}} {
		if _, err := c.m.Generate(t.Context(), c.req, func(engine.Token) error { return nil }); !errors.Is(err, engine.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", name, err)
		}
	}
	if r := generate(t, m, engine.Request{Prompt: "hello", MaxTokens: 3}); r.PromptTokens != 2 || r.CompletionTokens != 3 {
		t.Errorf("a plain prompt: %+v", r.Result)
	}
}

func TestTheDigestNamesTheWeightsAlone(t *testing.T) {
	digest := func(s synthetic) [32]byte { return load(t, s.file(t), 1).Info().Digest }
	base := synthetic{kind: gguf.Q8_0}
	if digest(base) != digest(synthetic{kind: gguf.Q8_0, template: "other"}) {
		t.Error("other metadata gave another digest")
	}
	if digest(base) == digest(synthetic{kind: gguf.F16}) {
		t.Error("other weights gave the same digest")
	}
	file := base.file(t)
	file[len(file)-40] ^= 1 // in the last tensor
	if m := load(t, file, 1); m.Info().Digest == digest(base) {
		t.Error("a changed bit gave the same digest")
	}
}

func TestFilesOnDiskAreNamedAfterThemselves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my-model.gguf")
	if err := os.WriteFile(path, synthetic{kind: gguf.Q8_0}.file(t), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := exact.Open(path, exact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	info := m.Info()
	if info.Name != "my-model" || info.Class != "exact/1;arch=llama;quant=q8_0;det=bitwise" || info.ContextLength != contextLength || info.Claimed {
		t.Errorf("%+v", info)
	}
	if _, err := exact.Open(filepath.Join(t.TempDir(), "none"), exact.Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// A model's weights live beside the garbage collector's memory, and go with the model.
func TestWeightsAreNotTheGarbageCollectors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	file := synthetic{kind: gguf.F32, width: 512}.file(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	replay := func() *exact.Replay { // all that is left of the model
		m, err := exact.Open(path, exact.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Replay()
	}()
	if grown := int64(heap()) - int64(before); runtime.GOOS != "windows" && grown > int64(len(file))/2 {
		t.Errorf("a file of %d bytes has %d on the heap", len(file), grown)
	}
	if err := os.WriteFile(path, make([]byte, len(file)), 0o600); err != nil { // changes no answer
		t.Fatal(err)
	}
	want, err := load(t, file, 1).Replay().Read(t.Context(), someTokens)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	if got, err := replay.Read(t.Context(), someTokens); err != nil || bits(got) != bits(want) {
		t.Errorf("other logits, %v", err)
	}
}

func TestEveryTruncationOfAModelIsAnError(t *testing.T) {
	whole := synthetic{kind: gguf.Q8_0, width: 32}.file(t)
	for n := 0; n < len(whole)-31; n += 1 + n/500 {
		_, err := exact.Load(whole[:n:n], exact.Config{})
		if !errors.Is(err, gguf.ErrFormat) {
			t.Fatalf("%d of %d bytes: got %v, want ErrFormat", n, len(whole), err)
		}
	}
}

func TestUnusableModelsAreRefused(t *testing.T) {
	tests := map[string]struct {
		s    synthetic
		want error
	}{
		"no embedding":     {synthetic{without: "token_embd.weight"}, gguf.ErrMissing},
		"no block":         {synthetic{without: "blk.1.ffn_up.weight"}, gguf.ErrMissing},
		"no norm":          {synthetic{without: "blk.0.attn_norm.weight"}, gguf.ErrMissing},
		"experts":          {synthetic{change: func(w *gguf.Writer) { w.Uint("llama.expert_count", 8) }}, exact.ErrModel},
		"scaled positions": {synthetic{change: func(w *gguf.Writer) { w.Text("llama.rope.scaling.type", "yarn") }}, exact.ErrModel},
		"an unknown tensor": {synthetic{change: func(w *gguf.Writer) {
			w.Tensor(gguf.Tensor{Name: "blk.0.attn_q.bias", Type: gguf.F32, Dims: []uint64{1}, Data: make([]byte, 4)})
		}}, exact.ErrModel},
		"no stretch": {synthetic{change: func(w *gguf.Writer) {
			w.Tensor(gguf.Tensor{Name: "rope_freqs.weight", Type: gguf.F32, Dims: []uint64{8}, Data: make([]byte, 32)})
		}}, exact.ErrModel},
		"no bias":         {synthetic{arch: "qwen2", without: "blk.0.attn_k.bias"}, gguf.ErrMissing},
		"a wrong head":    {synthetic{change: func(w *gguf.Writer) { w.Uint("llama.rope.dimension_count", 7) }}, exact.ErrModel},
		"a far end token": {synthetic{change: func(w *gguf.Writer) { w.Uint("tokenizer.ggml.eos_token_id", 1<<30) }}, exact.ErrModel},
	}
	for name, c := range tests {
		if _, err := exact.Load(c.s.file(t), exact.Config{}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestReplayRefusesWhatIsNoToken(t *testing.T) {
	m := load(t, synthetic{kind: gguf.F32}.file(t), 1)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Replay().Read(t.Context(), []uint32{1 << 20}); !errors.Is(err, engine.ErrBadRequest) {
		t.Errorf("a token outside the vocabulary: %v", err)
	}
	if _, err := m.Replay().Read(t.Context(), make([]uint32, contextLength+1)); !errors.Is(err, engine.ErrTooLong) {
		t.Errorf("too many tokens: %v", err)
	}
	if _, err := m.Replay().Read(canceled, []uint32{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
