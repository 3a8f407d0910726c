package openai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/aitbc/aitbc/engine"
)

// maxLine bounds one event of a stream.
const maxLine = 4 << 20

// done is the event that ends a stream.
const done = "[DONE]"

var errCut = fmt.Errorf("%w: the model server's stream was cut off", engine.ErrUnavailable)

// events returns the data of a server-sent event stream. The slices are valid until
// the next one. A failure is the last element.
func events(body io.Reader, limit int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		counted := &io.LimitedReader{R: body, N: limit + 1}
		lines := bufio.NewScanner(counted)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		for lines.Scan() {
			data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
			if ok && !yield(bytes.TrimSpace(data), nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(nil, fmt.Errorf("%w: an event has more than %d bytes", engine.ErrUnavailable, maxLine))
		case err != nil:
			yield(nil, fmt.Errorf("%w: %w", errCut, err))
		case counted.N <= 0:
			yield(nil, fmt.Errorf("%w: the answer has more than %d bytes", engine.ErrUnavailable, limit))
		}
	}
}

// chunk is an event of a chat or text completion.
type chunk struct {
	Choices []struct {
		Index int    `json:"index"`
		Text  string `json:"text"`
		Delta struct {
			Content   string     `json:"content"`
			ToolCalls []toolCall `json:"tool_calls"`
		} `json:"delta"`
		FinishReason string    `json:"finish_reason"`
		Logprobs     *logprobs `json:"logprobs"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     uint64 `json:"prompt_tokens"`
		CompletionTokens uint64 `json:"completion_tokens"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// toolCall is a part of a call; parts of one index belong together.
type toolCall struct {
	Index    int `json:"index"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// logprobs is OpenAI's object of a chat's chunk.
type logprobs struct {
	Content []struct {
		Logprob float64 `json:"logprob"`
		Top     []struct {
			Token   string  `json:"token"`
			Logprob float64 `json:"logprob"`
		} `json:"top_logprobs"`
	} `json:"content"`
}

// one is what a chunk with one token says of it. Of several tokens in one chunk nobody could tell which is which.
func (l *logprobs) one() *engine.Logprob {
	if l == nil || len(l.Content) != 1 || len(l.Content[0].Top) > engine.MaxTopLogprobs {
		return nil
	}
	out := &engine.Logprob{Value: l.Content[0].Logprob}
	for _, t := range l.Content[0].Top {
		out.Top = append(out.Top, engine.Candidate{Text: t.Token, Value: t.Logprob})
	}
	return out
}

const maxToolCalls = 128

// answer collects what a stream says.
type answer struct {
	yield    func(engine.Token) error
	yieldErr error

	pieces uint64
	calls  []toolCall
	reason engine.FinishReason
	done   bool
	usage  *engine.Result
}

func (a *answer) event(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if string(data) == done {
		a.done = true
		return nil
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("%w: the model server sent no JSON: %w", engine.ErrUnavailable, err)
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return fmt.Errorf("%w: model server: %s", engine.ErrUnavailable, errorText(data))
	}
	if c.Usage != nil {
		a.usage = &engine.Result{PromptTokens: c.Usage.PromptTokens, CompletionTokens: c.Usage.CompletionTokens}
	}
	for _, choice := range c.Choices {
		if choice.Index != 0 {
			return fmt.Errorf("%w: the model server sent a second answer", engine.ErrUnavailable)
		}
		if err := a.piece(choice.Delta.Content+choice.Text, choice.Logprobs.one()); err != nil {
			return err
		}
		if err := a.call(choice.Delta.ToolCalls); err != nil {
			return err
		}
		switch choice.FinishReason {
		case "":
		case "length":
			a.reason = engine.Length
		default:
			a.reason = engine.Stopped
		}
	}
	return nil
}

func (a *answer) piece(text string, likely *engine.Logprob) error {
	if text == "" {
		return nil
	}
	a.yieldErr = a.yield(engine.Token{Index: a.pieces, Text: text, Logprob: likely})
	if a.yieldErr == nil {
		a.pieces++
	}
	return a.yieldErr
}

func (a *answer) call(parts []toolCall) error {
	for _, p := range parts {
		if p.Index < 0 || p.Index >= maxToolCalls {
			return fmt.Errorf("%w: the model server sent tool call %d", engine.ErrUnavailable, p.Index)
		}
		for len(a.calls) <= p.Index {
			a.calls = append(a.calls, toolCall{})
		}
		c := &a.calls[p.Index]
		c.Function.Name += p.Function.Name
		c.Function.Arguments += p.Function.Arguments
	}
	return nil
}

// end checks that the stream is whole and yields the tool calls.
func (a *answer) end() error {
	if !a.done || a.reason == "" {
		return errCut
	}
	for i, c := range a.calls {
		arguments := json.RawMessage(c.Function.Arguments)
		if len(arguments) == 0 {
			arguments = json.RawMessage("{}")
		}
		text, err := json.Marshal(struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		}{c.Function.Name, arguments})
		if err != nil {
			return fmt.Errorf("%w: arguments of tool call %d are no JSON: %w", engine.ErrUnavailable, i, err)
		}
		if err := a.piece("<tool_call>"+string(text)+"</tool_call>", nil); err != nil {
			return err
		}
	}
	return nil
}

// result counts what was used; most is the request's MaxTokens.
func (a *answer) result(most uint64) engine.Result {
	r := engine.Result{CompletionTokens: a.pieces, FinishReason: a.reason}
	if a.usage != nil {
		r.PromptTokens, r.CompletionTokens = a.usage.PromptTokens, a.usage.CompletionTokens
	}
	if most > 0 {
		r.CompletionTokens = min(r.CompletionTokens, most)
	}
	return r
}
