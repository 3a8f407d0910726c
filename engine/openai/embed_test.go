package openai_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/openai"
)

func TestEmbeddingsAreTheServers(t *testing.T) {
	t.Parallel()
	answer := `{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[3,4]}],"usage":{"prompt_tokens":7}}`
	_, m := serve(t, openai.Config{}, func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Model string
			Input []string
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/v1/embeddings" || q.Model != "m" || len(q.Input) != 2 {
			t.Errorf("%s %+v %v", r.URL.Path, q, err)
		}
		fmt.Fprint(w, answer)
	})
	v, tokens, err := m.Embed(t.Context(), []string{"a", "b"})
	if err != nil || tokens != 7 || len(v) != 2 || v[0][0] != 0.6 || v[0][1] != 0.8 || v[1][1] != 1 {
		t.Fatalf("%v, %d, %v", v, tokens, err)
	}
	for what, bad := range map[string]string{
		"one of two": `{"data":[{"index":0,"embedding":[1]}]}`, "twice the same": `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"another size": `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}`, "beyond": `{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}`,
		"no JSON": `<html>`,
	} {
		answer = bad
		if _, _, err := m.Embed(t.Context(), []string{"a", "b"}); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestLogprobsArePassedOn(t *testing.T) {
	t.Parallel()
	asked := ""
	_, m := serve(t, openai.Config{}, func(w http.ResponseWriter, r *http.Request) {
		var q map[string]any
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		asked = fmt.Sprint(q["logprobs"], q["top_logprobs"])
		stream(`{"choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.5,"top_logprobs":[{"token":"Hi","logprob":-0.5},{"token":"Ho","logprob":-1.5}]}]}}]}`,
			`{"choices":[{"index":0,"delta":{"content":" all of you"},"logprobs":{"content":[{"token":" all","logprob":-1},{"token":" of you","logprob":-1}]}}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `[DONE]`)(w, r)
	})
	var got []*engine.Logprob
	req := engine.Request{Messages: []engine.Message{{Role: engine.RoleUser, Content: "Hello"}}, Logprobs: true, TopLogprobs: 2}
	if _, err := m.Generate(t.Context(), req, func(token engine.Token) error {
		got = append(got, token.Logprob)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if asked != "true 2" || len(got) != 2 || got[0] == nil || got[0].Value != -0.5 || len(got[0].Top) != 2 || got[0].Top[1].Text != "Ho" {
		t.Fatalf("asked %s, got %+v", asked, got)
	}
	if got[1] != nil {
		t.Errorf("two tokens in one piece are told apart: %+v", got[1])
	}
}
