package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/httpx"
)

type door struct {
	URL string `json:"url"`
}

// serve answers with h until ctx is done.
func serve(ctx context.Context, h http.Handler, ready func(any) error) error {
	ln, err := httpx.Listen(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	if err := ready(door{"http://" + ln.Addr().String()}); err != nil {
		return err
	}
	return httpx.Serve(ctx, ln, h)
}

// ServeModel is the role of a model server that speaks OpenAI's protocol and
// answers [rig.Words] at once, each word flushed by itself when it streams.
func ServeModel(ctx context.Context, _ json.RawMessage, ready func(any) error) error {
	m, err := newModel()
	if err != nil {
		return err
	}
	return serve(ctx, m, ready)
}

type model struct {
	whole  []byte
	events [][]byte
}

type object = map[string]any

func newModel() (*model, error) {
	m := &model{}
	var err error
	base := func(kind string, choice object) object {
		return object{"id": "chatcmpl-000000000000000000000000", "object": kind, "created": 1, "model": rig.Model, "choices": []object{choice}}
	}
	whole := base("chat.completion", object{"index": 0, "finish_reason": "stop", "logprobs": nil, "message": object{"role": "assistant", "content": strings.Join(rig.Words, ""), "refusal": nil}})
	whole["usage"] = object{"prompt_tokens": 10, "completion_tokens": len(rig.Words), "total_tokens": 10 + len(rig.Words)}
	if m.whole, err = json.Marshal(whole); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	chunk := func(delta object, finish any) error {
		b, err := json.Marshal(base("chat.completion.chunk", object{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}))
		if err != nil {
			return fmt.Errorf("encode chunk: %w", err)
		}
		m.events = append(m.events, fmt.Appendf(nil, "data: %s\n\n", b))
		return nil
	}
	if err := chunk(object{"role": "assistant", "content": ""}, nil); err != nil {
		return nil, err
	}
	for _, w := range rig.Words {
		if err := chunk(object{"content": w}, nil); err != nil {
			return nil, err
		}
	}
	if err := chunk(object{}, "stop"); err != nil {
		return nil, err
	}
	m.events = append(m.events, []byte("data: [DONE]\n\n"))
	return m, nil
}

// ServeHTTP implements [http.Handler].
func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var q struct{ Stream bool }
	if err := json.Unmarshal(body, &q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !q.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(m.whole) // the reader is gone: it counts the loss
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for _, e := range m.events {
		if _, err := w.Write(e); err != nil {
			return
		}
		if err := flush.Flush(); err != nil {
			return
		}
	}
}
