package coordinator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/receipt"
)

// during posts to a route while the miner does something, and returns status and body.
func during(h *house, path, body string, does func()) (int, string) {
	h.t.Helper()
	var wg sync.WaitGroup
	wg.Go(does)
	status, raw := h.call(h.key, "POST", path, body)
	wg.Wait()
	return status, string(raw)
}

// say streams pieces as they are and hands in a receipt for tokens of them.
func (r *rig) say(tokens uint64, pieces ...api.Piece) {
	r.h.t.Helper()
	a := r.claim()
	var b strings.Builder
	out := receipt.NewOutput(receipt.Salt(a.Salt))
	for i, p := range pieces {
		p.Index = uint64(i)
		if p.ID != nil {
			out.Token(*p.ID)
		} else {
			out.Text(p.Text)
		}
		raw, err := json.Marshal(p)
		if err != nil {
			panic(err)
		}
		b.Write(append(raw, '\n'))
	}
	must[api.StreamResponse](r.h, 200, r.api, "POST", r.path(a, "stream?lease="+a.Lease), b.String())
	x := r.receiptFor(a, int(tokens))
	x.Output = out.Root()
	must[api.ResultResponse](r.h, 200, r.api, "POST", r.path(a, "result"), r.signed(a, x, "stop"))
}

func TestEmbeddingsComeAsOpenAIHasThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	h.refused(404, "model_not_found", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Input: []string{"a"}})
	m.register(offer(func(o *api.Offer) { o.Embeddings = true }))
	vectors := [][]float32{{0.6, 0.8}, {1, 0}}
	answers := func() {
		m.say(0, api.Piece{Text: api.EncodeVector(vectors[0])}, api.Piece{Text: api.EncodeVector(vectors[1])})
	}
	var list struct {
		Object, Model string
		Data          []struct {
			Index     int
			Object    string
			Embedding any
		}
		Usage struct {
			Prompt uint64 `json:"prompt_tokens"`
			Total  uint64 `json:"total_tokens"`
		}
	}
	status, raw := during(h, "/v1/embeddings", `{"model":"tiny","input":["one","two"]}`, answers)
	if err := json.Unmarshal([]byte(raw), &list); err != nil || status != 200 || list.Object != "list" || len(list.Data) != 2 || fmt.Sprint(list.Data[0].Embedding) != "[0.6 0.8]" || list.Data[1].Index != 1 || list.Usage.Prompt != 5 || list.Usage.Total != 5 {
		t.Fatalf("%d %s %v", status, raw, err)
	}
	status, raw = during(h, "/v1/embeddings", `{"model":"tiny","input":["one","two"],"encoding_format":"base64"}`, answers)
	if err := json.Unmarshal([]byte(raw), &list); err != nil || status != 200 || list.Data[1].Embedding != api.EncodeVector(vectors[1]) {
		t.Fatalf("%d %s", status, raw)
	}
	// A miner that does not send one vector for each text is not paid.
	paid := h.account().Charged
	for _, pieces := range []string{lines("x", "y", "z"), `{"i":0,"text":"AACAPw=="}` + "\n"} {
		status, raw = during(h, "/v1/embeddings", `{"model":"tiny","input":["one","two","three"]}`, func() {
			a := m.claim()
			must[api.StreamResponse](h, 200, m.api, "POST", m.path(a, "stream?lease="+a.Lease), pieces)
			x := m.receiptFor(a, strings.Count(pieces, `"id"`))
			if x.CompletionTokens == 0 {
				out := receipt.NewOutput(receipt.Salt(a.Salt))
				out.Text("AACAPw==")
				x.Output = out.Root()
			}
			h.refused(400, "invalid_argument", m.api, "POST", m.path(a, "result"), m.signed(a, x, "stop"))
			must[map[string]string](h, 200, m.api, "POST", m.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "result_refused"})
		})
		if status != 502 || !strings.Contains(raw, "nothing was charged") {
			t.Errorf("two vectors of three texts: %d %s", status, raw)
		}
	}
	if now := h.account().Charged; now != paid {
		t.Errorf("%s was charged for them", now)
	}
	for _, bad := range []string{`{"model":"tiny","input":[]}`, `{"model":"tiny","input":[1,2]}`, `{"model":"tiny","input":"x","dimensions":3}`, `{"model":"tiny","input":"x","encoding_format":"hex"}`, `{"model":"tiny","input":[""]}`, `{"model":"tiny"}`} {
		if status, raw := h.call(h.key, "POST", "/v1/embeddings", bad); status != http.StatusBadRequest || !strings.Contains(string(raw), "invalid_request_error") {
			t.Errorf("%s: %d %s", bad, status, raw)
		}
	}
	h.balanced()
}

func TestLogprobsComeAsOpenAIHasThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := func(n uint32) *uint32 { return &n }
	answers := func() {
		m.say(2, api.Piece{ID: id(1), Text: "Hé", Likely: &api.Logprob{Value: -0.5, Top: []api.Candidate{{Text: "Hé", Value: -0.5}, {Text: "Ho", Value: -2}}}},
			api.Piece{ID: id(2), Text: "llo", Likely: &api.Logprob{Value: -1}})
	}
	const chat = `{"model":"tiny","messages":[{"role":"user","content":"x"}],"max_tokens":16,"logprobs":true,"top_logprobs":2`
	want := `"logprobs":{"content":[{"bytes":[72,195,169],"logprob":-0.5,"token":"Hé","top_logprobs":[{"bytes":[72,195,169],"logprob":-0.5,"token":"Hé"},{"bytes":[72,111],"logprob":-2,"token":"Ho"}]},{"bytes":[108,108,111],"logprob":-1,"token":"llo","top_logprobs":[]}],"refusal":null}`
	if status, raw := during(h, "/v1/chat/completions", chat+"}", answers); status != 200 || !strings.Contains(raw, want) {
		t.Errorf("%d %s, want %s", status, raw, want)
	}
	status, raw := during(h, "/v1/chat/completions", chat+`,"stream":true}`, answers)
	if status != 200 || strings.Count(raw, `"logprob":`) != 4 || !strings.Contains(raw, `"delta":{"content":"llo"},"finish_reason":null,"index":0,"logprobs":{"content":[{"bytes":[108,108,111]`) {
		t.Errorf("%d %s", status, raw)
	}
	want = `"logprobs":{"text_offset":[0,2],"token_logprobs":[-0.5,-1],"tokens":["Hé","llo"],"top_logprobs":[{"Hé":-0.5,"Ho":-2},{}]}`
	if status, raw := during(h, "/v1/completions", `{"model":"tiny","prompt":"x","max_tokens":16,"logprobs":2}`, answers); status != 200 || !strings.Contains(raw, want) {
		t.Errorf("%d %s, want %s", status, raw, want)
	}
	for _, bad := range []string{`,"top_logprobs":21}`, `,"logprobs":3}`, `,"logprobs":false,"top_logprobs":1}`} {
		if status, raw := h.call(h.key, "POST", "/v1/chat/completions", strings.TrimSuffix(chat, `,"logprobs":true,"top_logprobs":2`)+bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, raw)
		}
	}
}

const talk = `{"model":"tiny","max_tokens":16,"system":"Be brief.","messages":[{"role":"user","content":[{"type":"text","text":"weather?"}]},
	{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Rome"}}]},
	{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"},{"type":"text","text":"and in Oslo?"}]}],
	"tools":[{"name":"weather","description":"d","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}]`

func TestMessagesComeAsAnthropicHasThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	var asked api.Request
	answers := func() {
		a := m.claim()
		if err := json.Unmarshal(a.Request, &asked); err != nil {
			t.Error(err)
		}
		m.finish(a, "Let me ", "see. ", "<tool", `_call>{"name":"weather","arguments":{"city":"Oslo"}}`, "</tool_call>")
	}
	status, raw := during(h, "/v1/messages", talk+"}", answers)
	for _, want := range []string{`"type":"message"`, `"stop_reason":"tool_use"`, `{"text":"Let me see.","type":"text"}`, `"input":{"city":"Oslo"},"name":"weather","type":"tool_use"`, `"usage":{"input_tokens":5,"output_tokens":5}`} {
		if status != 200 || !strings.Contains(raw, want) {
			t.Errorf("%d %s, want %s", status, raw, want)
		}
	}
	wants := []api.Message{
		{Role: "system", Content: "Be brief."},
		{Role: "user", Content: "weather?"},
		{Role: "assistant", Content: `I look.<tool_call>{"name":"weather","arguments":{"city":"Rome"}}</tool_call>`},
		{Role: "tool", Content: "sunny"},
		{Role: "user", Content: "and in Oslo?"},
	}
	if fmt.Sprint(asked.Messages) != fmt.Sprint(wants) || !strings.Contains(string(asked.Tools), `"parameters":{"type":"object"`) {
		t.Errorf("the miner was asked %+v with %s", asked.Messages, asked.Tools)
	}
	status, raw = during(h, "/v1/messages", talk+`,"stream":true}`, answers)
	var events []string
	for line := range strings.Lines(raw) {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			events = append(events, strings.TrimSpace(name))
		}
	}
	want := "message_start content_block_start content_block_delta content_block_delta content_block_stop content_block_start content_block_delta content_block_stop message_delta message_stop"
	if got := strings.Join(events, " "); status != 200 || got != want || !strings.Contains(raw, `"partial_json":"{\"city\":\"Oslo\"}"`) || !strings.Contains(raw, `"stop_reason":"tool_use"`) {
		t.Errorf("%d %s\n%s", status, got, raw)
	}
	for body, kind := range map[string]string{
		`{"model":"tiny","messages":[{"role":"user","content":"x"}]}`:                                       "invalid_request_error",
		`{"model":"none","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`:                        "not_found_error",
		`{"model":"tiny","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image"}]}]}`:         "invalid_request_error",
		`{"model":"tiny","max_tokens":5,"messages":[{"role":"boss","content":"x"}]}`:                        "invalid_request_error",
		`{"model":"tiny","max_tokens":5,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"t"}]}`: "invalid_request_error",
	} {
		var e struct {
			Type  string
			Error struct{ Type, Message string }
		}
		if _, raw := h.call(h.key, "POST", "/v1/messages", body); json.Unmarshal(raw, &e) != nil || e.Type != "error" || e.Error.Type != kind || e.Error.Message == "" {
			t.Errorf("%s: %s", body, raw)
		}
	}
	if status, raw := h.call("", "POST", "/v1/messages", talk+"}"); status != 401 || !strings.Contains(string(raw), "authentication_error") {
		t.Errorf("without a key: %d %s", status, raw)
	}
	h.balanced()
}
