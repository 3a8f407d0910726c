// Package engine holds the words that model engines and their callers share: a
// request, the tokens that come back, and what a model says about itself.
//
// An engine is one way to run models (engine/exact in this process, engine/llama in a
// program of its own, engine/openai on another server). Each of its models is a [Model]; enginetest has the
// behaviour that all of them promise.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/internal/gbnf"
)

// Errors that callers test for.
var (
	// ErrBadRequest marks a request that no engine can run.
	ErrBadRequest = errors.New("bad request")
	// ErrTooLong says that the prompt does not fit the model's context.
	ErrTooLong = errors.New("prompt is longer than the context")
	// ErrUnsupported says that this model cannot do what the request asks for.
	ErrUnsupported = errors.New("unsupported by this model")
	// ErrChanged says that the server behind the engine has another model now than the one on offer, or none.
	ErrChanged = errors.New("not the model on offer")
	// ErrUnavailable says that the server behind the engine cannot be used now.
	ErrUnavailable = errors.New("engine unavailable")
)

// A Model runs requests. All methods are safe for concurrent use until Close.
type Model interface {
	// Info describes the model; it never changes.
	Info() Info
	// Generate runs one request and calls yield for each token, in order, from
	// one goroutine. An error of yield stops generation and is returned.
	//
	// When ctx is canceled Generate stops within one token and returns a result
	// whose reason is [Canceled] and a nil error. Any other error means that
	// the answer is not complete and must not be taken for one; the result then
	// counts what was delivered.
	Generate(ctx context.Context, req Request, yield func(Token) error) (Result, error)
	// Close releases the model. Requests under way must have ended.
	Close() error
}

// Info describes a model.
type Info struct {
	// Name is what clients ask for.
	Name string
	// Digest names the weights, or the claim of a server that does not show them.
	Digest [32]byte
	// Class describes what outputs may be compared with each other, as in
	// "exact/1;arch=llama;quant=q8_0;det=bitwise". It starts with "claimed"
	// where Claimed is true.
	Class string
	// Claimed says that the engine cannot show which weights run.
	Claimed bool
	// Container says that this runs programs in containers: Digest names an image,
	// nothing counts tokens, and results say how long programs ran.
	Container bool
	// TokenIDs says that tokens carry their id in the model's vocabulary.
	TokenIDs bool
	// ContextLength is the most tokens of prompt and answer together, 0 if unknown.
	ContextLength uint64
	// Parameters counts the model's weights, 0 if unknown.
	Parameters uint64
}

// Roles of messages.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// A Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// A Container says what to run in a container of an image.
type Container struct {
	Command []string          // the image's own if empty
	Env     map[string]string // beside the image's own
	Files   []File            // for the program to read
	Longest time.Duration     // that the program may run; 0 for what the image's owner allows
}

// A File lies in a folder, at a path with slashes.
type File struct {
	Path string
	Data []byte
}

// A Request asks for one answer. Either Messages or Prompt is set, or Container
// for an image.
type Request struct {
	// Messages is a conversation, put into the model's own chat format.
	Messages []Message
	// Prompt is text to be continued as it stands, without any chat format.
	Prompt string
	// Container is what to run.
	Container *Container
	// MaxTokens bounds the answer; 0 means what fits the context.
	MaxTokens uint64
	// TemperatureMilli is the sampling temperature in thousandths; 0 is greedy.
	TemperatureMilli uint32
	// TopPMilli keeps the likeliest tokens up to this mass in thousandths; 0 and
	// 1000 keep all.
	TopPMilli uint32
	// TopK keeps this many of the likeliest tokens; 0 keeps all.
	TopK uint32
	// Seed makes sampling repeatable.
	Seed uint64
	// Stop ends the answer before the first of these texts.
	Stop []string
	// Tools is OpenAI's tools array, nil for none.
	Tools json.RawMessage
	// ResponseFormat is OpenAI's response_format object, nil for text.
	ResponseFormat json.RawMessage
	// Grammar keeps the answer to a grammar in llama.cpp's notation (package gbnf), empty
	// for none. It goes with neither Tools nor ResponseFormat.
	Grammar string
	// Logprobs asks for each token's logarithmic probability, and for those of the
	// TopLogprobs likeliest. An engine that does not have them leaves them out.
	Logprobs    bool
	TopLogprobs uint32
	// Scope names those for whom an engine may reuse what it computed for this
	// request, as they could tell by its speed what others asked; empty means nobody.
	// It changes no answer.
	Scope string
}

// Limits on a request, checked by Validate.
const (
	MaxStops           = 16
	MaxStopBytes       = 256
	MaxTemperatureMill = 5000
	MaxTopLogprobs     = 20
)

// Validate says whether the request makes sense. Its errors wrap [ErrBadRequest].
func (r Request) Validate() error {
	switch {
	case len(r.Messages) == 0 && r.Prompt == "":
		return fmt.Errorf("%w: neither messages nor prompt", ErrBadRequest)
	case len(r.Messages) > 0 && r.Prompt != "":
		return fmt.Errorf("%w: messages and prompt together", ErrBadRequest)
	case r.Grammar != "" && (len(r.Tools) > 0 || len(r.ResponseFormat) > 0):
		return fmt.Errorf("%w: a grammar together with tools or response_format", ErrBadRequest)
	case r.TemperatureMilli > MaxTemperatureMill:
		return fmt.Errorf("%w: temperature %d above %d thousandths", ErrBadRequest, r.TemperatureMilli, MaxTemperatureMill)
	case r.TopPMilli > 1000:
		return fmt.Errorf("%w: top_p %d above 1000 thousandths", ErrBadRequest, r.TopPMilli)
	case r.TopLogprobs > MaxTopLogprobs:
		return fmt.Errorf("%w: top_logprobs %d above %d", ErrBadRequest, r.TopLogprobs, MaxTopLogprobs)
	case len(r.Stop) > MaxStops:
		return fmt.Errorf("%w: %d stop texts, at most %d", ErrBadRequest, len(r.Stop), MaxStops)
	}
	if r.Grammar != "" {
		if _, err := gbnf.Compile(r.Grammar); err != nil {
			return fmt.Errorf("%w: %w", ErrBadRequest, err)
		}
	}
	for i, s := range r.Stop {
		if s == "" || len(s) > MaxStopBytes {
			return fmt.Errorf("%w: stop text %d has %d bytes, 1 to %d are allowed", ErrBadRequest, i, len(s), MaxStopBytes)
		}
	}
	for i, m := range r.Messages {
		switch m.Role {
		case RoleSystem, RoleUser, RoleAssistant, RoleTool:
		default:
			return fmt.Errorf("%w: message %d has role %q", ErrBadRequest, i, m.Role)
		}
	}
	return nil
}

// A Token is one piece of an answer.
type Token struct {
	// Index counts from 0 without gaps.
	Index uint64
	// ID is the token's number in the vocabulary, if HasID.
	ID    uint32
	HasID bool
	// Text is what the token adds: always valid UTF-8, perhaps empty, as when a
	// character needs several tokens.
	Text string
	// Logprob is how likely the token was, nil if nobody asked or it is not known.
	Logprob *Logprob
}

// A Logprob is the natural logarithm of a token's probability before sampling
// changed it, and of the likeliest tokens' in its place, likeliest first.
type Logprob struct {
	Value float64
	Top   []Candidate
}

// A Candidate is a token that could have come.
type Candidate struct {
	ID    uint32
	Text  string
	Value float64
}

// An Embedder is a [Model] that can turn texts into vectors.
type Embedder interface {
	// Embed returns one vector of length 1 for each text, all of the same size,
	// and counts the tokens of the texts. Errors are those of Generate; one of
	// ctx's is returned as it is.
	Embed(ctx context.Context, texts []string) (vectors [][]float32, tokens uint64, err error)
}

// A FinishReason says why an answer ended.
type FinishReason string

// The reasons.
const (
	// Stopped: the model ended its answer, or a stop text came.
	Stopped FinishReason = "stop"
	// Length: MaxTokens or the context was used up.
	Length FinishReason = "length"
	// Canceled: the caller's context ended first.
	Canceled FinishReason = "canceled"
)

// A Result counts what a request used.
type Result struct {
	PromptTokens     uint64
	CompletionTokens uint64
	FinishReason     FinishReason
	// Ran is how long a program in a container ran, from its start to its end. What
	// comes before and after is the engine's.
	Ran time.Duration
}
