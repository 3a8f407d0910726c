package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
)

func finish(reason string) string {
	if reason == "canceled" {
		return "stop"
	}
	return reason
}

// answer shapes a job as OpenAI's objects.
type answer struct {
	chat    bool
	tools   bool // the client offered some
	id      string
	created int64
	model   string
	around  [2][]byte // a chunk's JSON before and after its text, made once
}

type object map[string]any

func (a *answer) base(kind string) object {
	return object{"id": a.id, "object": kind, "created": a.created, "model": a.model, "system_fingerprint": nil}
}

func (a *answer) chunk(text string, first bool, reason string) object {
	var why any
	if reason != "" {
		why = reason
	}
	if !a.chat {
		o := a.base("text_completion")
		o["choices"] = []object{{"index": 0, "text": text, "logprobs": nil, "finish_reason": why}}
		return o
	}
	delta := object{}
	if first {
		delta["role"], delta["content"] = "assistant", ""
	} else if reason == "" {
		delta["content"] = text
	}
	o := a.base("chat.completion.chunk")
	o["choices"] = []object{{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": why}}
	return o
}

// token is the JSON of a chunk with nothing but text, which a stream is mostly made of.
func (a *answer) token(text string) ([]byte, error) {
	if a.around[0] == nil {
		// The text is a mark that appears nowhere else.
		const mark = "\x00"
		raw, err := json.Marshal(a.chunk(mark, false, ""))
		if err != nil {
			return nil, fmt.Errorf("encode chunk: %w", err)
		}
		before, after, _ := bytes.Cut(raw, []byte(`"\u0000"`))
		a.around = [2][]byte{before, after}
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil, fmt.Errorf("encode text: %w", err)
	}
	return slices.Concat(a.around[0], quoted, a.around[1]), nil
}

// callChunk carries the calls of an answer, each whole.
func (a *answer) callChunk(calls []toolCall) object {
	var list []object
	for i, c := range calls {
		list = append(list, object{"index": i, "id": c.ID, "type": c.Type, "function": c.Function})
	}
	o := a.base("chat.completion.chunk")
	o["choices"] = []object{{"index": 0, "delta": object{"tool_calls": list}, "logprobs": nil, "finish_reason": nil}}
	return o
}

func usageOf(j *ledger.Job) object {
	return object{"prompt_tokens": j.Usage.PromptTokens, "completion_tokens": j.Usage.CompletionTokens, "total_tokens": j.Usage.PromptTokens + j.Usage.CompletionTokens}
}

func (a *answer) usage(j *ledger.Job) object {
	o := a.base("chat.completion.chunk")
	if !a.chat {
		o = a.base("text_completion")
	}
	o["choices"], o["usage"] = []object{}, usageOf(j)
	return o
}

// likely adds to a chunk what is known of its tokens.
func (a *answer) likely(chunk object, said *spoken) object {
	chunk["choices"].([]object)[0]["logprobs"] = a.logprobs(said)
	return chunk
}

func (a *answer) logprobs(said *spoken) any {
	if a.chat {
		return said.chat()
	}
	return said.text()
}

func (a *answer) whole(j *ledger.Job, said *spoken) object {
	if !a.chat {
		o := a.base("text_completion")
		o["choices"], o["usage"] = []object{{"index": 0, "text": j.Output, "logprobs": a.logprobs(said), "finish_reason": finish(j.FinishReason)}}, usageOf(j)
		return o
	}
	o := a.base("chat.completion")
	message, reason := object{"role": "assistant", "content": j.Output, "refusal": nil}, finish(j.FinishReason)
	if a.tools {
		if rest, calls := splitCalls(j.Output, j.ID.Hex()[2:18]); len(calls) > 0 {
			message["content"], message["tool_calls"], reason = nil, calls, "tool_calls"
			if rest != "" {
				message["content"] = rest
			}
		}
	}
	o["choices"] = []object{{"index": 0, "message": message, "logprobs": a.logprobs(said), "finish_reason": reason}}
	o["usage"] = usageOf(j)
	return o
}

func openAIError(e *apierr.Error) object {
	kind := "invalid_request_error"
	switch status := e.Code.Status(); {
	case status == http.StatusUnauthorized:
		kind = "authentication_error"
	case status == http.StatusPaymentRequired:
		kind = "insufficient_quota"
	case status == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case status >= http.StatusInternalServerError:
		kind = "server_error"
	}
	body := object{"message": e.Message, "type": kind, "param": nil, "code": string(e.Code)}
	if e.Details != nil {
		body["details"] = e.Details
	}
	return object{"error": body}
}

func writeOpenAIError(w http.ResponseWriter, e *apierr.Error) {
	httpx.RetryAfter(w, e)
	httpx.WriteJSON(w, e.Code.Status(), openAIError(e))
}
