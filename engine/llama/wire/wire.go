// Package wire is what a miner and the program that runs llama.cpp for it say to each
// other: frames of JSON, each after its length in four bytes, little-endian.
//
// The miner asks over the program's standard input, and is answered over its standard
// output. A program that has loaded a hostile model may answer anything.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/chat"
)

// ErrFrame says that what came is no frame.
var ErrFrame = errors.New("malformed frame")

// Limits on frames, in bytes, without the length.
const (
	MostAsk   = 64 << 20 // to the program
	MostReply = 1 << 20  // from the program
)

// Word is what the program is called with, before a [Start] as JSON.
const Word = "llama"

// Window is how many tokens of an answer the program may be ahead of the miner.
const Window = 16

// Start is what the program is told when it starts, as its argument.
type Start struct {
	// Backend names the build of llama.cpp, and Folder is where it lies.
	Backend string `json:"backend"`
	Folder  string `json:"folder"`
	// Length is how many tokens prompt and answer may have together, and Slots how many
	// requests run at a time.
	Length int `json:"length"`
	Slots  int `json:"slots"`
	// Pooling is llama.cpp's number for how the vectors of a text's tokens become one; more than 0 is
	// a model for embeddings alone, and of any other their mean is taken.
	Pooling int32 `json:"pooling,omitempty"`
	// Threads are those of the processor, 0 for llama.cpp's own choice.
	Threads int `json:"threads,omitempty"`
	// GPULayers is how many layers lie on GPUs, less than 0 for all.
	GPULayers int32 `json:"gpu_layers"`
	// Memory bounds the address space in bytes, 0 for no bound.
	Memory uint64 `json:"memory,omitempty"`
	// OpenFiles lets the program go on where the kernel has no Landlock.
	OpenFiles bool `json:"open_files,omitempty"`
}

// An Ask is what the miner says about the request of that number. One field beside it is set.
type Ask struct {
	ID     uint64   `json:"id"`
	Begin  *Request `json:"begin,omitempty"`
	Embed  string   `json:"embed,omitempty"` // a text of which the vector is wanted
	More   int      `json:"more,omitempty"`  // tokens that the miner has taken
	Cancel bool     `json:"cancel,omitempty"`
}

// A Request is what to continue, and how.
type Request struct {
	Parts []chat.Part `json:"parts"`
	Ends  []string    `json:"ends,omitempty"` // control tokens that end an answer
	// Scope is whose later requests may begin with what was computed for this one, empty for nobody's.
	Scope string `json:"scope,omitempty"`
	// Unspaced says that one space at the beginning of the answer is not shown.
	Unspaced bool `json:"unspaced,omitempty"`
	// The rest is as in [engine.Request].
	MaxTokens        uint64          `json:"max_tokens,omitempty"`
	TemperatureMilli uint32          `json:"temperature_milli,omitempty"`
	TopPMilli        uint32          `json:"top_p_milli,omitempty"`
	TopK             uint32          `json:"top_k,omitempty"`
	Seed             uint64          `json:"seed,omitempty"`
	ResponseFormat   json.RawMessage `json:"response_format,omitempty"`
	Grammar          string          `json:"grammar,omitempty"`
	Logprobs         bool            `json:"logprobs,omitempty"`
	TopLogprobs      uint32          `json:"top_logprobs,omitempty"`
}

// A Reply is what the program says about a request, or about itself where ID is 0. One field
// beside it is set.
type Reply struct {
	ID    uint64 `json:"id"`
	Ready *Ready `json:"ready,omitempty"`
	// Failed says why the program ends.
	Failed string `json:"failed,omitempty"`
	// Prompt counts the tokens of a request that begins.
	Prompt uint64 `json:"prompt,omitempty"`
	Token  *Token `json:"token,omitempty"`
	// Vector is that of a text. Its length says nothing: it is as llama.cpp gives it.
	Vector []float32 `json:"vector,omitempty"`
	// Alive says that a part of the prompt was read.
	Alive bool  `json:"alive,omitempty"`
	Done  *Done `json:"done,omitempty"`
}

// Ready says that the model is loaded.
type Ready struct {
	Tokens int      `json:"tokens"` // of the vocabulary
	Length int      `json:"length"` // of a sequence
	GPUs   []string `json:"gpus"`   // that llama.cpp has found
}

// A Token is one of an answer.
type Token struct {
	ID      uint32          `json:"id"`
	Bytes   []byte          `json:"bytes"`
	Logprob *engine.Logprob `json:"logprob,omitempty"`
}

// Done ends an answer.
type Done struct {
	Reason engine.FinishReason `json:"reason,omitempty"`
	// Code is why there is no answer, with Text for people.
	Code Code   `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// A Code names an error of package engine.
type Code string

// The codes.
const (
	BadRequest  Code = "bad_request"
	TooLong     Code = "too_long"
	Unsupported Code = "unsupported"
	Broken      Code = "broken" // llama.cpp failed
)

// codes pairs them with the errors.
var codes = []struct {
	code Code
	err  error
}{{BadRequest, engine.ErrBadRequest}, {TooLong, engine.ErrTooLong}, {Unsupported, engine.ErrUnsupported}}

// Refuse makes the end of an answer of an error.
func Refuse(err error) *Done {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return &Done{Code: c.code, Text: err.Error()}
		}
	}
	return &Done{Code: Broken, Text: err.Error()}
}

// Err is the error of an end, nil for one with a reason. What is no known code is
// [engine.ErrUnavailable].
func (d *Done) Err() error {
	if d.Code == "" {
		return nil
	}
	for _, c := range codes {
		if c.code == d.Code {
			return fmt.Errorf("%w: llama.cpp: %.300q", c.err, d.Text)
		}
	}
	return fmt.Errorf("%w: llama.cpp: %.300q", engine.ErrUnavailable, d.Text)
}

// Write writes a frame in one call of Write.
func Write(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	frame := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))) //nolint:gosec // the other side refuses what is too long
	if _, err := w.Write(append(frame, body...)); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Read reads a frame of at most so many bytes. At the end between frames it returns
// [io.EOF], and for what is no frame an error that wraps [ErrFrame].
func Read(r io.Reader, most uint32, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return fmt.Errorf("read frame: %w", err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > most {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFrame, n, most)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return nil
}
