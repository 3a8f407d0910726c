package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/aitbc/aitbc/engine"
)

// Generate runs one request; see [engine.Model]. Each piece of the server's stream
// is a token without id. Tool calls come, after the text, in the form
// <tool_call>{"name":…,"arguments":{…}}</tool_call>.
//
// Usage is what the server reports, never more than MaxTokens; where it reports
// none, the pieces are counted and the prompt is free. A stream that ends without
// a finish reason and [DONE] is an error that wraps engine.ErrUnavailable.
func (m *Model) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	if err := req.Validate(); err != nil {
		return engine.Result{}, err
	}
	if err := m.same(ctx, time.Now()); err != nil {
		if ctx.Err() != nil {
			return engine.Result{FinishReason: engine.Canceled}, nil
		}
		return engine.Result{}, err
	}
	path, body, err := m.body(req)
	if err != nil {
		return engine.Result{}, err
	}
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := fmt.Errorf("%w: the model server was silent for too long", engine.ErrUnavailable)
	timer := time.AfterFunc(m.server.cfg.FirstWait, func() { cancel(silent) })
	defer timer.Stop()

	a := answer{yield: yield}
	err = m.read(call, path, body, timer, &a)
	result := a.result(req.MaxTokens)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil && a.yieldErr == nil:
		result.FinishReason = engine.Canceled
		return result, nil
	case call.Err() != nil && a.yieldErr == nil:
		err = context.Cause(call)
	}
	result.FinishReason = ""
	return result, err
}

// read sends the request and feeds the stream to the answer.
func (m *Model) read(ctx context.Context, path string, body []byte, timer *time.Timer, a *answer) error {
	resp, err := m.server.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for event, err := range events(resp.Body, m.server.cfg.MaxAnswer) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil { // what is buffered may still be much
			return ctx.Err()
		}
		timer.Reset(m.server.cfg.IdleWait)
		if err := a.event(event); err != nil {
			return err
		}
		if a.done {
			break // some servers leave the connection open
		}
	}
	return a.end()
}

// body writes the request in OpenAI's form.
func (m *Model) body(req engine.Request) (path string, body []byte, err error) {
	b := map[string]any{
		"model": m.info.Name, "stream": true, "stream_options": map[string]bool{"include_usage": true},
		"temperature": thousandths(req.TemperatureMilli),
		// Many servers read the seed as a signed 64-bit number.
		"seed": req.Seed & math.MaxInt64,
	}
	if req.MaxTokens > 0 {
		b["max_tokens"] = req.MaxTokens
	}
	if req.TopPMilli > 0 {
		b["top_p"] = thousandths(req.TopPMilli)
	}
	if req.TopK > 0 {
		b["top_k"] = req.TopK // not OpenAI's, but known to most local servers
	}
	if len(req.Stop) > 0 {
		b["stop"] = req.Stop
	}
	if len(req.Tools) > 0 {
		b["tools"] = req.Tools
	}
	if len(req.ResponseFormat) > 0 {
		b["response_format"] = req.ResponseFormat
	}
	if req.Grammar != "" {
		if err := m.grammar(b, req.Grammar); err != nil {
			return "", nil, err
		}
	}
	if req.Logprobs && req.Prompt == "" {
		b["logprobs"] = true
		if req.TopLogprobs > 0 {
			b["top_logprobs"] = req.TopLogprobs
		}
	}
	path = "/completions"
	if req.Prompt != "" {
		b["prompt"] = req.Prompt
	} else {
		path = "/chat/completions"
		b["messages"] = req.Messages
	}
	if body, err = json.Marshal(b); err != nil {
		return "", nil, fmt.Errorf("%w: %w", engine.ErrBadRequest, err)
	}
	return path, body, nil
}

// grammar adds a grammar to what is asked, in the way of the server's kind. Servers of a kind
// that is not known to have grammars are not asked: some would answer without.
func (m *Model) grammar(body map[string]any, text string) error {
	kind, version, _ := strings.Cut(m.build, "/")
	switch kind {
	case "llama.cpp":
		body["grammar"] = text
	case "vllm":
		if before(version, 0, 11) {
			body["guided_grammar"] = text
		} else {
			body["structured_outputs"] = map[string]string{"grammar": text}
		}
	default:
		return fmt.Errorf("%w: the model's server is not known to have grammars", engine.ErrUnsupported)
	}
	return nil
}

// before says whether a version such as 0.10.2 is before the one of these two numbers. What is
// no version is a build of today.
func before(version string, major, minor int) bool {
	var x, y int
	if n, _ := fmt.Sscanf(version, "%d.%d", &x, &y); n < 2 {
		return false
	}
	return x < major || x == major && y < minor
}

// thousandths writes n/1000 as a decimal number.
func thousandths(n uint32) json.Number {
	return json.Number(fmt.Sprintf("%d.%03d", n/1000, n%1000))
}
