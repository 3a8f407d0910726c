package openai_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
)

// Each kind of server is sent a grammar in its own field; one that has none is not asked, as it
// would answer as if there were no grammar.
func TestEveryKindIsSentAGrammarInItsWay(t *testing.T) {
	t.Parallel()
	old := func(path string) *backend {
		b := vllm(path)
		b.routes["/version"] = func(*backend) any { return map[string]string{"version": "0.10.2+cu128"} }
		return b
	}
	path, _ := weights(t)
	for name, c := range map[string]struct {
		make func(string) *backend
		want string // in the request, "" if it is not sent
	}{
		"llama-server":     {llamaServer, `"grammar":"root ::= \"x\""`},
		"vLLM":             {vllm, `"structured_outputs":{"grammar":"root ::= \"x\""}`},
		"vLLM before 0.11": {old, `"guided_grammar":"root ::= \"x\""`},
		"Ollama":           {ollama, ""},
		"any other":        {generic, ""},
	} {
		b, asked := c.make(path), ""
		_, m := describe(t, b)
		asks := func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked = string(body)
			stream(`{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}`, `[DONE]`)(w, r)
		}
		b.answers.Store(&asks)
		text, _, err := ask(t, m, engine.Request{Grammar: `root ::= "x"`})
		if c.want == "" {
			if !errors.Is(err, engine.ErrUnsupported) || asked != "" {
				t.Errorf("%s: %v, and was asked %s", name, err, asked)
			}
			continue
		}
		if err != nil || text != "x" || !strings.Contains(asked, c.want) {
			t.Errorf("%s: %q, %v, was asked %s", name, text, err, asked)
		}
	}
}
