package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// messagesRequest is what Anthropic's clients send to /v1/messages. It becomes the same job as OpenAI's.
type messagesRequest struct {
	Model         string          `json:"model"`
	MaxTokens     uint64          `json:"max_tokens"`
	System        json.RawMessage `json:"system"`
	Messages      []turn          `json:"messages"`
	StopSequences []string        `json:"stop_sequences"`
	Stream        bool            `json:"stream"`
	Temperature   *float64        `json:"temperature"`
	TopP          *float64        `json:"top_p"`
	TopK          uint32          `json:"top_k"`
	Tools         []anthropicTool `json:"tools"`
	ToolChoice    json.RawMessage `json:"tool_choice"`
	Metadata      json.RawMessage `json:"metadata"`
	Thinking      json.RawMessage `json:"thinking"`
	ServiceTier   string          `json:"service_tier"`
	MaxPrice      *market.Amount  `json:"max_price"` // ours
}

type turn struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type anthropicTool struct {
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"input_schema"`
	CacheControl json.RawMessage `json:"cache_control"`
}

// block is one part of a turn.
type block struct {
	Type         string          `json:"type"`
	Text         string          `json:"text"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Input        json.RawMessage `json:"input"`
	ToolUseID    string          `json:"tool_use_id"`
	Content      json.RawMessage `json:"content"`
	IsError      bool            `json:"is_error"`
	CacheControl json.RawMessage `json:"cache_control"`
	Citations    json.RawMessage `json:"citations"`
}

// blocks reads a content: a string, or a list of parts.
func blocks(raw json.RawMessage) ([]block, error) {
	if null(raw) {
		return nil, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []block{{Type: "text", Text: text}}, nil
	}
	var all []block
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, apierr.New(apierr.Invalid, "a content is neither a string nor a list of blocks")
	}
	return all, nil
}

// plain joins a content that may hold text alone.
func plain(raw json.RawMessage, where string) (string, error) {
	all, err := blocks(raw)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, b := range all {
		if b.Type != "text" {
			return "", apierr.New(apierr.Invalid, "%s holds a block of type %.20q: only text is taken", where, b.Type)
		}
		out.WriteString(b.Text)
	}
	return out.String(), nil
}

// turns are the messages of one turn: results of tools come before what the user says.
func (t turn) turns() ([]api.Message, error) {
	all, err := blocks(t.Content)
	if err != nil {
		return nil, err
	}
	var out []api.Message
	var text strings.Builder
	for _, b := range all {
		switch b.Type {
		case "text":
			text.WriteString(b.Text)
		case "tool_use":
			call, err := json.Marshal(written{b.Name, b.Input})
			if err != nil || b.Name == "" {
				return nil, apierr.New(apierr.Invalid, "a tool_use has no name, or an input that is not JSON")
			}
			text.WriteString(callOpen + string(call) + callClose)
		case "tool_result":
			result, err := plain(b.Content, "a tool_result")
			if err != nil {
				return nil, err
			}
			out = append(out, api.Message{Role: "tool", Content: result})
		default:
			return nil, apierr.New(apierr.Invalid, "blocks of type %.20q are not supported: use text, tool_use and tool_result", b.Type)
		}
	}
	if text.Len() > 0 || len(out) == 0 {
		out = append(out, api.Message{Role: t.Role, Content: text.String()})
	}
	return out, nil
}

func (q *messagesRequest) submit() (in api.SubmitRequest, tools json.RawMessage, err error) {
	in = api.SubmitRequest{
		Model: q.Model, MaxTokens: q.MaxTokens, Temperature: q.Temperature, TopP: q.TopP, TopK: q.TopK, Stop: q.StopSequences, MaxPrice: q.MaxPrice,
	}
	switch {
	case q.MaxTokens == 0:
		return in, nil, apierr.New(apierr.Invalid, "max_tokens is required, and at least 1")
	case len(q.Messages) == 0:
		return in, nil, apierr.New(apierr.Invalid, "messages is required")
	case !null(q.Thinking) && !strings.Contains(string(q.Thinking), `"disabled"`):
		return in, nil, apierr.New(apierr.Invalid, "thinking is not offered")
	}
	system, err := plain(q.System, "system")
	if err != nil {
		return in, nil, err
	}
	if system != "" {
		in.Messages = append(in.Messages, api.Message{Role: "system", Content: system})
	}
	for _, t := range q.Messages {
		if t.Role != "user" && t.Role != "assistant" {
			return in, nil, apierr.New(apierr.Invalid, "role is %.20q: use user or assistant", t.Role)
		}
		all, err := t.turns()
		if err != nil {
			return in, nil, err
		}
		in.Messages = append(in.Messages, all...)
	}
	if len(q.Tools) == 0 {
		return in, nil, nil
	}
	var list []object
	for _, t := range q.Tools {
		if t.Name == "" || null(t.InputSchema) {
			return in, nil, apierr.New(apierr.Invalid, "a tool needs a name and an input_schema: tools of the server are not offered")
		}
		list = append(list, object{"type": "function", "function": object{"name": t.Name, "description": t.Description, "parameters": t.InputSchema}})
	}
	tools, err = json.Marshal(list)
	return in, tools, err
}

func (s *Server) messages(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err != nil {
		return err
	}
	var q messagesRequest
	if err := decode(body, &q); err != nil {
		return err
	}
	in, tools, err := q.submit()
	if err != nil {
		return err
	}
	j, err := s.order(w, r, c, in, coordinator.Extras{Body: append([]byte("messages\x00"), body...), Tools: tools, Whole: !q.Stream})
	if err != nil {
		return err
	}
	m := &message{id: "msg_" + j.ID.Hex()[2:26], model: j.Model, job: j.ID.Hex()[2:18], tools: tools != nil}
	if q.Stream {
		return s.streamMessage(w, r, c, j, m)
	}
	done, err := s.svc.Await(r.Context(), c, j.ID)
	if err != nil {
		return s.gone(r, c, j, err)
	}
	if err := failure(done); err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, m.whole(done))
	return nil
}

// message shapes a job as Anthropic's objects.
type message struct {
	id, model, job string
	tools          bool // the client offered some
}

func (m *message) split(text string) (string, []toolCall) {
	if !m.tools {
		return text, nil
	}
	rest, calls := splitCalls(text, m.job)
	for i := range calls {
		calls[i].ID = "toolu" + strings.TrimPrefix(calls[i].ID, "call")
	}
	return rest, calls
}

func (m *message) base() object {
	return object{
		"id": m.id, "type": "message", "role": "assistant", "model": m.model, "content": []object{}, "stop_reason": nil, "stop_sequence": nil,
		"usage": object{"input_tokens": 0, "output_tokens": 0},
	}
}

func toolUse(c toolCall) object {
	return object{"type": "tool_use", "id": c.ID, "name": c.Function.Name, "input": json.RawMessage(c.Function.Arguments)}
}

// reason is why an answer ended. Which stop sequence ended it, or whether one did, no engine says.
func (m *message) reason(j *ledger.Job, calls int) string {
	switch {
	case calls > 0:
		return "tool_use"
	case j.FinishReason == "length":
		return "max_tokens"
	}
	return "end_turn"
}

func (m *message) whole(j *ledger.Job) object {
	o, content := m.base(), []object{}
	rest, calls := m.split(j.Output)
	if rest != "" || len(calls) == 0 {
		content = append(content, object{"type": "text", "text": rest})
	}
	for _, c := range calls {
		content = append(content, toolUse(c))
	}
	o["content"], o["stop_reason"] = content, m.reason(j, len(calls))
	o["usage"] = object{"input_tokens": j.Usage.PromptTokens, "output_tokens": j.Usage.CompletionTokens}
	return o
}

func anthropicError(e *apierr.Error) object {
	kind := "invalid_request_error"
	switch status := e.Code.Status(); {
	case status == http.StatusUnauthorized:
		kind = "authentication_error"
	case status == http.StatusForbidden:
		kind = "permission_error"
	case status == http.StatusPaymentRequired:
		kind = "billing_error"
	case status == http.StatusNotFound:
		kind = "not_found_error"
	case status == http.StatusRequestEntityTooLarge:
		kind = "request_too_large"
	case status == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case status == http.StatusServiceUnavailable:
		kind = "overloaded_error"
	case status >= http.StatusInternalServerError:
		kind = "api_error"
	}
	return object{"type": "error", "error": object{"type": kind, "message": e.Message}}
}

func writeAnthropicError(w http.ResponseWriter, e *apierr.Error) {
	httpx.RetryAfter(w, e)
	httpx.WriteJSON(w, e.Code.Status(), anthropicError(e))
}
