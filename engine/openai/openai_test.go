package openai_test

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/enginetest"
	"github.com/aitbc/aitbc/engine/openai"
	"github.com/aitbc/aitbc/internal/gbnf"
	"github.com/aitbc/aitbc/internal/secret"
)

// serve starts a server and returns the model "m" on it.
func serve(t *testing.T, cfg openai.Config, handler http.HandlerFunc) (*openai.Server, *openai.Model) {
	t.Helper()
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	cfg.BaseURL = web.URL + "/v1"
	s, err := openai.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Model("m", 4096)
}

// stream answers with the given events.
func stream(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			fmt.Fprintf(w, ": a comment\ndata: %s\n\n", e)
		}
	}
}

func ask(t *testing.T, m *openai.Model, req engine.Request) (string, engine.Result, error) {
	t.Helper()
	if len(req.Messages) == 0 && req.Prompt == "" {
		req.Messages = []engine.Message{{Role: engine.RoleUser, Content: "Hello"}}
	}
	var text strings.Builder
	r, err := m.Generate(t.Context(), req, func(token engine.Token) error {
		text.WriteString(token.Text)
		return nil
	})
	return text.String(), r, err
}

// fake is a small server that counts words as tokens and obeys max_tokens.
func fake(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Input      []string `json:"input"`
		MaxTokens  int      `json:"max_tokens"`
		Grammar    string   `json:"grammar"`        // of llama-server
		Guided     string   `json:"guided_grammar"` // of vLLM before 0.11
		Structured struct {
			Grammar string `json:"grammar"`
		} `json:"structured_outputs"` // of vLLM since
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if req.Input != nil {
		embeddings(w, req.Input)
		return
	}
	words, reason := strings.Fields(strings.Repeat("once upon a time ", 10)), "stop"
	if grammar := cmp.Or(req.Grammar, req.Guided, req.Structured.Grammar); grammar != "" {
		words = spell(grammar)
	}
	if req.MaxTokens > 0 && req.MaxTokens < len(words) {
		words, reason = words[:req.MaxTokens], "length"
	}
	for _, word := range words {
		if !strings.HasPrefix(word, "=") {
			word += " "
		}
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", strings.TrimPrefix(word, "="))
		_ = http.NewResponseController(w).Flush()
		if r.Context().Err() != nil {
			return
		}
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":%q}]}\n\n", reason)
	fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":%d}}\n\ndata: [DONE]\n\n", len(words))
}

// embeddings answers with how often each of some letters comes in a text.
func embeddings(w http.ResponseWriter, texts []string) {
	var data []map[string]any
	words := 0
	for i, text := range texts {
		words += len(strings.Fields(text))
		vector := make([]float32, 26)
		for _, r := range strings.ToLower(text) {
			vector[r%26]++
		}
		data = append(data, map[string]any{"index": i, "embedding": vector})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "usage": map[string]int{"prompt_tokens": words}}) // the reader may be gone
}

// spell writes a text of a grammar, letter by letter, each behind an equals sign.
func spell(grammar string) (letters []string) {
	p, err := gbnf.Compile(grammar)
	if err != nil {
		return nil
	}
	for !p.Complete() && len(letters) < 20 {
		for letter := range strings.SplitSeq("y e s n o à а 1 b", " ") {
			if next := p; next.Add([]byte(letter)) {
				p, letters = next, append(letters, "="+letter)
			}
		}
		if next := p; next.Add([]byte(" ")) {
			p, letters = next, append(letters, "= ")
		}
	}
	return letters
}

func TestKeepsThePromisesOfEngines(t *testing.T) {
	_, m := serve(t, openai.Config{}, fake)
	enginetest.Run(t, m)
}

func TestAsksAsOpenAIClientsDo(t *testing.T) {
	type request struct{ path, auth, body string }
	got := make(chan request, 2)
	_, m := serve(t, openai.Config{APIKey: secret.New("sk-1")}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.URL.Path, r.Header.Get("Authorization"), string(body)}
		fake(w, httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/", strings.NewReader(`{"max_tokens":1}`)))
	})
	req := engine.Request{
		Messages:  []engine.Message{{Role: engine.RoleSystem, Content: "Be brief."}, {Role: engine.RoleUser, Content: "Hi"}},
		MaxTokens: 7, TemperatureMilli: 1050, TopPMilli: 900, TopK: 40, Seed: 1<<64 - 1, Stop: []string{"\n"},
		ResponseFormat: json.RawMessage(`{"type":"json_object"}`),
	}
	if _, _, err := ask(t, m, req); err != nil {
		t.Fatal(err)
	}
	want := request{"/v1/chat/completions", "Bearer sk-1", `{"max_tokens":7,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"model":"m",` +
		`"response_format":{"type":"json_object"},"seed":9223372036854775807,"stop":["\n"],"stream":true,"stream_options":{"include_usage":true},` +
		`"temperature":1.050,"top_k":40,"top_p":0.900}`}
	if r := <-got; r != want {
		t.Errorf("asked\n%+v\nwant\n%+v", r, want)
	}
	if _, _, err := ask(t, m, engine.Request{Prompt: "Once"}); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.path != "/v1/completions" || !strings.Contains(r.body, `"prompt":"Once"`) {
		t.Errorf("asked %+v", r)
	}
}

func TestReadsTheStreamAndTheUsage(t *testing.T) {
	_, m := serve(t, openai.Config{}, stream(
		`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"Hé"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"length"}]}`,
		`{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}`, `[DONE]`))
	text, r, err := ask(t, m, engine.Request{})
	if want := (engine.Result{PromptTokens: 12, CompletionTokens: 34, FinishReason: engine.Length}); err != nil || text != "Héllo" || r != want {
		t.Errorf("got %q, %+v, %v, want Héllo and %+v", text, r, err, want)
	}
	if _, r, _ := ask(t, m, engine.Request{MaxTokens: 20}); r.CompletionTokens != 20 {
		t.Errorf("more than max tokens is counted: %d", r.CompletionTokens)
	}
}

func TestToolCallsBecomeText(t *testing.T) {
	_, m := serve(t, openai.Config{}, stream(
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"add","arguments":"{\"a\":"}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"name":"now"}}]}}]}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, `[DONE]`))
	text, r, err := ask(t, m, engine.Request{})
	want := `<tool_call>{"name":"add","arguments":{"a":1}}</tool_call><tool_call>{"name":"now","arguments":{}}</tool_call>`
	if err != nil || text != want || r.FinishReason != engine.Stopped {
		t.Errorf("got %q, %+v, %v", text, r, err)
	}
}

func TestBrokenStreamsAreNoCompletions(t *testing.T) {
	piece, finish := `{"choices":[{"index":0,"delta":{"content":"half an"}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	tests := map[string][]string{
		"nothing at all":         {},
		"no finish and no end":   {piece},
		"no end":                 {piece, finish},
		"no finish":              {piece, "[DONE]"},
		"an error in the middle": {piece, `{"error":{"message":"out of memory"}}`, finish, "[DONE]"},
		"no JSON":                {piece, "{", finish, "[DONE]"},
		"a second answer":        {`{"choices":[{"index":1,"delta":{"content":"x"}}]}`, finish, "[DONE]"},
		"a far tool call":        {`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":99999999}]}}]}`, finish, "[DONE]"},
		"broken tool arguments":  {`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}}]}}]}`, finish, "[DONE]"},
		"an endless answer":      slices.Repeat([]string{piece}, 3000),
		"an endless event":       {strings.Repeat("x", 5<<20)},
	}
	for name, events := range tests {
		t.Run(name, func(t *testing.T) {
			_, m := serve(t, openai.Config{MaxAnswer: 100_000}, stream(events...))
			if name == "an endless event" {
				_, m = serve(t, openai.Config{}, stream(events...))
			}
			_, r, err := ask(t, m, engine.Request{})
			if !errors.Is(err, engine.ErrUnavailable) || r.FinishReason != "" {
				t.Errorf("got %+v, %v, want ErrUnavailable", r, err)
			}
		})
	}
}

func TestACutConnectionIsNoCompletion(t *testing.T) {
	_, m := serve(t, openai.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"},\"finish_reason\":\"stop\"}]}\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	text, _, err := ask(t, m, engine.Request{})
	if text != "half" || !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	for name, cfg := range map[string]openai.Config{
		"before the answer": {FirstWait: 30 * time.Millisecond}, "within the answer": {IdleWait: 30 * time.Millisecond},
	} {
		_, m := serve(t, cfg, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if cfg.IdleWait > 0 {
				fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n")
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		if _, _, err := ask(t, m, engine.Request{}); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}

func TestErrorsTellWhatTheServerSaid(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   error
		text   string
	}{
		{400, `{"error":{"message":"no such field"}}`, engine.ErrBadRequest, "no such field"},
		{404, `{"error":"model not found"}`, engine.ErrUnavailable, "model not found"},
		{503, `busy`, engine.ErrUnavailable, "busy"},
		{302, ``, engine.ErrUnavailable, ""},
	}
	for _, c := range tests {
		_, m := serve(t, openai.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		})
		_, _, err := ask(t, m, engine.Request{})
		status, ok := errors.AsType[*openai.StatusError](err)
		if !errors.Is(err, c.want) || !ok || status.Status != c.status || status.Message != c.text {
			t.Errorf("%d: got %v", c.status, err)
		}
	}
}

func TestListsModels(t *testing.T) {
	s, _ := serve(t, openai.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/models" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"object":"list","data":[{"id":"llama3.2"},{"id":""},{"id":"qwen"}]}`)
	})
	names, err := s.Models(t.Context())
	if err != nil || !slices.Equal(names, []string{"llama3.2", "qwen"}) {
		t.Errorf("got %q, %v", names, err)
	}
}

func TestAServerThatIsNotThereIsUnavailable(t *testing.T) {
	s, err := openai.New(openai.Config{BaseURL: "http://127.0.0.1:1/v1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Models(t.Context()); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestClaimsAreNamedByTheirHash(t *testing.T) {
	_, m := serve(t, openai.Config{}, fake)
	digest := m.Info().Digest
	// keccak256("claimed:m")
	if got := hex.EncodeToString(digest[:]); got != claimedM {
		t.Errorf("digest %s", got)
	}
	if !m.Info().Claimed || m.Info().Class != "claimed" {
		t.Errorf("info %+v", m.Info())
	}
}

const claimedM = "803486a3ab9045c14648825ca92e93a5e0eb90cdf55ba6297ab3be31653abe1b"

func TestBadConfigurationIsRefused(t *testing.T) {
	for _, url := range []string{"", "localhost:11434", "ftp://host/v1", "http://user:pw@host/v1", "http://host/v1?x=1"} {
		if _, err := openai.New(openai.Config{BaseURL: url}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := openai.New(openai.Config{BaseURL: "http://host/v1", IdleWait: -1}); err == nil {
		t.Error("a negative time was taken")
	}
}
