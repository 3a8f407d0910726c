package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aitbc/aitbc/apierr"
)

// Engines write a call of a tool into their answer as
// <tool_call>{"name":…,"arguments":{…}}</tool_call>; OpenAI's clients expect it
// beside the answer. Receipts are about what the engine wrote.
const (
	callOpen  = "<tool_call>"
	callClose = "</tool_call>"
)

// toolCall is OpenAI's object.
type toolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function toolFunction `json:"function"`
}

type toolFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON, as a string
}

// written is the engines' form.
type written struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// splitCalls takes the calls out of an answer. What looks like a call and is
// none stays text.
func splitCalls(text, id string) (rest string, calls []toolCall) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, callOpen)
		out.WriteString(before)
		if !found {
			break
		}
		body, tail, closed := strings.Cut(after, callClose)
		var w written
		if !closed || json.Unmarshal([]byte(body), &w) != nil || w.Name == "" {
			out.WriteString(callOpen)
			text = after
			continue
		}
		var args bytes.Buffer
		if len(w.Arguments) == 0 || json.Compact(&args, w.Arguments) != nil {
			args.Reset()
			args.WriteString("{}")
		}
		calls = append(calls, toolCall{ID: fmt.Sprintf("call_%s_%d", id, len(calls)), Type: "function", Function: toolFunction{w.Name, args.String()}})
		text = tail
	}
	if len(calls) == 0 {
		return out.String(), nil
	}
	return strings.TrimSpace(out.String()), calls
}

// writeCalls is the inverse, for an assistant's earlier turn.
func writeCalls(raw json.RawMessage) (string, error) {
	var calls []toolCall
	if err := json.Unmarshal(raw, &calls); err != nil {
		return "", apierr.New(apierr.Invalid, "a message's tool_calls is not a list of calls")
	}
	var out strings.Builder
	for _, c := range calls {
		args := json.RawMessage(c.Function.Arguments)
		if c.Function.Name == "" || !json.Valid(args) {
			return "", apierr.New(apierr.Invalid, "a tool call has no name, or arguments that are not JSON")
		}
		b, err := json.Marshal(written{c.Function.Name, args})
		if err != nil {
			return "", fmt.Errorf("encode tool call: %w", err)
		}
		out.WriteString(callOpen + string(b) + callClose)
	}
	return out.String(), nil
}

// callFilter holds back, in a stream, what may be the beginning of a call.
type callFilter struct{ held string }

// pass returns what of the text so far is surely no call.
func (f *callFilter) pass(text string) string {
	f.held += text
	if at := strings.Index(f.held, callOpen); at >= 0 {
		out := f.held[:at]
		f.held = f.held[at:]
		return out
	}
	keep := 0
	for n := min(len(callOpen)-1, len(f.held)); n > 0; n-- {
		if strings.HasSuffix(f.held, callOpen[:n]) {
			keep = n
			break
		}
	}
	out := f.held[:len(f.held)-keep]
	f.held = f.held[len(f.held)-keep:]
	return out
}
