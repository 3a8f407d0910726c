package httpapi

import (
	"context"
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

// openAIRequest is what OpenAI's clients send to the two completion routes.
// Fields that this market cannot honour are refused unless they ask for nothing.
type openAIRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	Prompt              json.RawMessage `json:"prompt"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	MaxTokens           *uint64         `json:"max_tokens"`
	MaxCompletionTokens *uint64         `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	TopK                uint32          `json:"top_k"`
	Seed                *int64          `json:"seed"`
	Stop                json.RawMessage `json:"stop"`
	N                   *int            `json:"n"`
	Logprobs            json.RawMessage `json:"logprobs"`
	TopLogprobs         json.RawMessage `json:"top_logprobs"`
	FrequencyPenalty    *float64        `json:"frequency_penalty"`
	PresencePenalty     *float64        `json:"presence_penalty"`
	LogitBias           json.RawMessage `json:"logit_bias"`
	Tools               json.RawMessage `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ResponseFormat      json.RawMessage `json:"response_format"`
	Grammar             string          `json:"grammar"` // llama-server's
	User                string          `json:"user"`
	Metadata            json.RawMessage `json:"metadata"`
	Store               *bool           `json:"store"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	Echo                bool            `json:"echo"`
	BestOf              *int            `json:"best_of"`
	Suffix              string          `json:"suffix"`
	MaxPrice            *market.Amount  `json:"max_price"` // ours
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	Name       string          `json:"name"`
	ToolCalls  json.RawMessage `json:"tool_calls"`
	ToolCallID string          `json:"tool_call_id"`
	Refusal    json.RawMessage `json:"refusal"`
}

func null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// text reads a content that is a string or a list of text parts.
func (m chatMessage) text() (string, error) {
	if null(m.Content) {
		return "", nil
	}
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s, nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(m.Content, &parts); err != nil {
		return "", apierr.New(apierr.Invalid, "a message's content is neither a string nor a list of parts")
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return "", apierr.New(apierr.Invalid, "content parts of type %.20q are not supported, only text", p.Type)
		}
		b.WriteString(p.Text)
	}
	return b.String(), nil
}

func (q *openAIRequest) submit(chat bool) (api.SubmitRequest, error) {
	out := api.SubmitRequest{Model: q.Model, Temperature: q.Temperature, TopP: q.TopP, TopK: q.TopK, Grammar: q.Grammar, MaxPrice: q.MaxPrice}
	bad := func(what string) (api.SubmitRequest, error) { return out, apierr.New(apierr.Invalid, "%s", what) }
	one := func(n *int) bool { return n == nil || *n == 1 }
	zero := func(f *float64) bool { return f == nil || *f == 0 }
	off := func(raw json.RawMessage) bool {
		return null(raw) || string(raw) == "false" || string(raw) == "0" || string(raw) == "{}"
	}
	switch {
	case !one(q.N) || !one(q.BestOf):
		return bad("n and best_of must be 1")
	case !off(q.LogitBias):
		return bad("logit_bias is not offered")
	case !zero(q.FrequencyPenalty) || !zero(q.PresencePenalty):
		return bad("frequency_penalty and presence_penalty are not offered")
	case q.Echo || q.Suffix != "":
		return bad("echo and suffix are not offered")
	case chat && len(q.Messages) == 0:
		return bad("messages is required")
	}
	for _, n := range []*uint64{q.MaxTokens, q.MaxCompletionTokens} {
		if n != nil {
			if *n == 0 {
				return bad("max_tokens must be at least 1")
			}
			out.MaxTokens = *n
		}
	}
	var err error
	if out.Logprobs, out.TopLogprobs, err = q.likelihoods(chat); err != nil {
		return out, err
	}
	if q.Seed != nil {
		seed := uint64(*q.Seed)
		out.Seed = &seed
	}
	if !null(q.Stop) {
		var one string
		if json.Unmarshal(q.Stop, &one) == nil {
			out.Stop = []string{one}
		} else if err := json.Unmarshal(q.Stop, &out.Stop); err != nil {
			return bad("stop is neither a string nor a list of strings")
		}
	}
	if !chat {
		if err := json.Unmarshal(q.Prompt, &out.Prompt); err != nil {
			return bad("prompt must be one string")
		}
		return out, nil
	}
	for _, m := range q.Messages {
		text, err := m.text()
		if err != nil {
			return out, err
		}
		if !null(m.ToolCalls) {
			calls, err := writeCalls(m.ToolCalls)
			if err != nil {
				return out, err
			}
			text += calls
		}
		role := m.Role
		if role == "developer" {
			role = "system"
		}
		out.Messages = append(out.Messages, api.Message{Role: role, Content: text})
	}
	return out, nil
}

func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	return s.openAI(w, r, c, true)
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	return s.openAI(w, r, c, false)
}

func (s *Server) openAI(w http.ResponseWriter, r *http.Request, c coordinator.Caller, chat bool) error {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err != nil {
		return err
	}
	var q openAIRequest
	if err := decode(body, &q); err != nil {
		return err
	}
	in, err := q.submit(chat)
	if err != nil {
		return err
	}
	j, err := s.order(w, r, c, in, q.extras(body))
	if err != nil {
		return err
	}
	a := newAnswer(j, chat, &q)
	if q.Stream {
		return s.streamAnswer(w, r, c, j, a, q.StreamOptions != nil && q.StreamOptions.IncludeUsage)
	}
	var said spoken
	var done *ledger.Job
	if in.Logprobs { // they are in the pieces only
		done, err = s.svc.Follow(r.Context(), c, j.ID, 0, func(e api.Event) error { said.add(e); return nil })
	} else {
		done, err = s.svc.Await(r.Context(), c, j.ID)
	}
	if err != nil {
		return s.gone(r, c, j, err)
	}
	if err := failure(done); err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, a.whole(done, &said))
	return nil
}

// extras are what the request has beside what every job has.
func (q *openAIRequest) extras(body []byte) coordinator.Extras {
	x := coordinator.Extras{Body: append([]byte("openai\x00"), body...), Whole: !q.Stream}
	if !null(q.Tools) {
		x.Tools = q.Tools
	}
	if !null(q.ResponseFormat) {
		x.ResponseFormat = q.ResponseFormat
	}
	return x
}

func newAnswer(j *ledger.Job, chat bool, q *openAIRequest) *answer {
	return &answer{chat: chat, tools: chat && !null(q.Tools), id: "chatcmpl-" + j.ID.Hex()[2:26], created: j.Created / 1000, model: j.Model}
}

// order submits a job and tells of it in the answer's headers.
func (s *Server) order(w http.ResponseWriter, r *http.Request, c coordinator.Caller, in api.SubmitRequest, x coordinator.Extras) (*ledger.Job, error) {
	x.IdemKey = r.Header.Get("Idempotency-Key")
	j, err := s.svc.Submit(r.Context(), c, in, x)
	if err != nil {
		return nil, err
	}
	w.Header().Set("X-Aitbc-Job", j.ID.Hex())
	w.Header().Set("X-Aitbc-Receipt", s.svc.ReceiptID(j.ID).Hex())
	return j, nil
}

// gone cancels the job of a client that went away: it pays for what was made.
func (s *Server) gone(r *http.Request, c coordinator.Caller, j *ledger.Job, err error) error {
	if r.Context().Err() == nil {
		return err
	}
	_, err = s.svc.Cancel(context.WithoutCancel(r.Context()), c, j.ID)
	return err
}

// failure returns the error of a job that did not complete, or nil.
func failure(j *ledger.Job) error {
	switch j.State {
	case market.Completed:
		return nil
	case market.Canceled:
		return apierr.New(apierr.Conflict, "the job was cancelled")
	case market.Expired:
		return apierr.New(apierr.Unavailable, "no miner finished the job in time: nothing was charged")
	default:
		return apierr.New(apierr.JobFailed, "the job failed and nothing was charged: %s", j.ErrorMessage).With(map[string]any{"reason": j.ErrorCode})
	}
}

func (s *Server) streamAnswer(w http.ResponseWriter, r *http.Request, c coordinator.Caller, j *ledger.Job, a *answer, usage bool) error {
	// Wait for the first piece before the status is sent, so that a job that
	// fails at once is an HTTP error, as clients expect.
	var out *sse
	defer func() {
		if out != nil {
			out.close()
		}
	}()
	begin := func() error {
		if out != nil {
			return nil
		}
		out = newSSE(w)
		out.more = true // what it begins for
		if a.chat {
			return out.send("", "", a.chunk("", true, ""))
		}
		return nil
	}
	var calls callFilter
	var said spoken
	done, err := s.svc.Follow(r.Context(), c, j.ID, 0, func(e api.Event) error {
		if e.Type != "token" {
			return nil
		}
		if err := begin(); err != nil {
			return err
		}
		out.more = e.More
		said.add(e)
		text := e.Text
		if a.tools {
			text = calls.pass(text)
		}
		if text == "" {
			return out.bring() // what is known of its token goes with the next
		}
		if len(said.texts) == 0 {
			said.offset += len([]rune(text))
			raw, err := a.token(text)
			if err != nil {
				return err
			}
			return out.raw("", "", raw)
		}
		now := said
		said = spoken{offset: now.offset + len([]rune(text))}
		return out.send("", "", a.likely(a.chunk(text, false, ""), &now))
	})
	if err != nil {
		return s.gone(r, c, j, err)
	}
	fail := failure(done)
	if out == nil {
		if fail != nil {
			return fail
		}
		if err := begin(); err != nil {
			return nil // the reader went away, and the job is done
		}
		calls.held = done.Output // repeated with its Idempotency-Key: it was over already
	}
	out.more = false
	if fail != nil {
		_ = out.send("", "", openAIError(apierr.Public(fail)))
		return nil
	}
	reason := finish(done.FinishReason)
	var sends []func() error
	if calls.held != "" {
		rest, made := calls.held, []toolCall(nil)
		if a.tools {
			rest, made = splitCalls(calls.held, j.ID.Hex()[2:18])
		}
		if rest != "" {
			sends = append(sends, func() error { return out.send("", "", a.chunk(rest, false, "")) })
		}
		if len(made) > 0 {
			reason = "tool_calls"
			sends = append(sends, func() error { return out.send("", "", a.callChunk(made)) })
		}
	}
	sends = append(sends, func() error { return out.send("", "", a.chunk("", false, reason)) })
	if usage {
		sends = append(sends, func() error { return out.send("", "", a.usage(done)) })
	}
	sends = append(sends, func() error { return out.raw("", "", []byte("[DONE]")) })
	for i, send := range sends {
		out.more = i+1 < len(sends)
		if err := send(); err != nil {
			return nil // the reader went away after the job was done
		}
	}
	return nil
}
