package coordinator_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/api"
)

const toolBody = `{"model":"tiny","messages":[{"role":"user","content":"weather?"}],"max_tokens":16,` +
	`"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]`

// ask posts a chat while the miner answers it with the words.
func ask(h *house, m *rig, body string, words ...string) (int, string) {
	h.t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { m.finish(m.claim(), words...) })
	status, raw := h.call(h.key, "POST", "/v1/chat/completions", body)
	wg.Wait()
	return status, string(raw)
}

type message struct {
	Content   *string `json:"content"`
	ToolCalls []struct {
		ID       string
		Type     string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

func TestCallsOfToolsComeAsOpenAIHasThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	status, raw := ask(h, m, toolBody+`}`, "<tool", `_call>{"name":"weather",`, `"arguments":{"city": "Rome"}}</tool_call>`)
	var whole struct {
		Choices []struct {
			Message      message
			FinishReason string `json:"finish_reason"`
		}
	}
	if err := json.Unmarshal([]byte(raw), &whole); err != nil || status != 200 || len(whole.Choices) != 1 {
		t.Fatalf("%d %s", status, raw)
	}
	c := whole.Choices[0]
	if c.FinishReason != "tool_calls" || c.Message.Content != nil || len(c.Message.ToolCalls) != 1 || c.Message.ToolCalls[0].Function.Name != "weather" || c.Message.ToolCalls[0].Function.Arguments != `{"city":"Rome"}` || c.Message.ToolCalls[0].ID == "" {
		t.Fatalf("%s", raw)
	}
	// Streamed: text goes out at once, a call is held back until it is whole.
	_, raw = ask(h, m, toolBody+`,"stream":true}`, "Let me ", "look < up. ", "<tool", `_call>{"name":"weather","arguments":{}}`, `</tool_call>`)
	var text, reason string
	calls := 0
	for line := range strings.SplitSeq(raw, "\n") {
		data, ok := strings.CutPrefix(line, "data: {")
		if !ok {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta        message
				FinishReason *string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte("{"+data), &chunk); err != nil {
			t.Fatal(err)
		}
		for _, c := range chunk.Choices {
			if c.Delta.Content != nil {
				text += *c.Delta.Content
			}
			calls += len(c.Delta.ToolCalls)
			if c.FinishReason != nil {
				reason = *c.FinishReason
			}
		}
	}
	if text != "Let me look < up. " || calls != 1 || reason != "tool_calls" || !strings.Contains(raw, "[DONE]") {
		t.Fatalf("text %q, %d calls, %s\n%s", text, calls, reason, raw)
	}
}

func TestWhatIsNoCallStaysText(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	for _, words := range [][]string{{"<tool_call>", "not JSON", "</tool_call>"}, {`<tool_call>{"name":"x"`}, {"a <tool", " b"}, {"<tool_"}} {
		_, raw := ask(h, m, toolBody+`,"stream":true}`, words...)
		var text strings.Builder
		for line := range strings.SplitSeq(raw, "\n") {
			if data, ok := strings.CutPrefix(line, "data: {"); ok {
				var chunk struct{ Choices []struct{ Delta message } }
				if err := json.Unmarshal([]byte("{"+data), &chunk); err != nil {
					t.Fatal(err)
				}
				for _, c := range chunk.Choices {
					if c.Delta.Content != nil {
						text.WriteString(*c.Delta.Content)
					}
				}
			}
		}
		if want := strings.Join(words, ""); text.String() != want || strings.Contains(raw, "tool_calls") {
			t.Errorf("%q came as %q", want, text.String())
		}
	}
}

func TestEarlierCallsReachTheMiner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	body := `{"model":"tiny","messages":[{"role":"user","content":"weather?"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"sunny"}],"max_tokens":8}`
	var got api.Request
	var wg sync.WaitGroup
	wg.Go(func() {
		a := m.claim()
		if err := json.Unmarshal(a.Request, &got); err != nil {
			t.Error(err)
		}
		m.finish(a, "It is sunny.")
	})
	if status, raw := h.call(h.key, "POST", "/v1/chat/completions", body); status != 200 {
		t.Fatalf("%d %s", status, raw)
	}
	wg.Wait()
	if len(got.Messages) != 3 || got.Messages[1].Content != `<tool_call>{"name":"weather","arguments":{"city":"Rome"}}</tool_call>` || got.Messages[2].Role != "tool" {
		t.Fatalf("%+v", got.Messages)
	}
	h.refused(400, "invalid_argument", h.key, "POST", "/v1/chat/completions", `{"model":"tiny","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"x","arguments":"{"}}]}]}`)
}
