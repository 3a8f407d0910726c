package exact_test

import (
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
)

// The embedded file is a trained model and not any file: it answers what it was
// made for. training/README.md has its scores on questions it was not trained on.
func TestTheEmbeddedModelKnowsItsWorld(t *testing.T) {
	m := embedded(t, 1)
	for question, want := range map[string]string{
		"Who are you?":                   "I am aitbc-tiny, a very small model that comes with AITBC.",
		"What is AITBC?":                 "AITBC is a market for AI compute.",
		"What is a receipt?":             "A receipt is signed proof of a job",
		"How do I earn with my GPU?":     "Run aitbc-miner init, then aitbc-miner start.",
		"What is the capital of France?": "The capital of France is Paris.",
		"What is the opposite of hot?":   "The opposite of hot is cold.",
		"Hello":                          "Hello! Ask me",
		"Explain quantum mechanics.":     "I am too small to know about quantum mechanics.",
		"What is 2 + 3?":                 "2 + 3 = 5.",
	} {
		r := generate(t, m, user(question))
		if !strings.HasPrefix(r.text(), want) || r.FinishReason != engine.Stopped {
			t.Errorf("%s: got %q (%s)", question, r.text(), r.FinishReason)
		}
	}
	talk := engine.Request{Messages: []engine.Message{
		{Role: engine.RoleUser, Content: "My name is Ada."},
		{Role: engine.RoleAssistant, Content: "Nice to meet you, Ada."},
		{Role: engine.RoleUser, Content: "What is my name?"},
	}}
	if got := generate(t, m, talk).text(); got != "Your name is Ada." {
		t.Errorf("it forgot the name: %q", got)
	}
	call := user("What is the weather in Rome?")
	call.Tools = []byte(`[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]`)
	if got := generate(t, m, call).text(); got != `<tool_call>{"name":"get_weather","arguments":{"city":"Rome"}}</tool_call>` {
		t.Errorf("it called no tool: %q", got)
	}
}
