package native

import (
	"fmt"
	"runtime"
	"unsafe"
)

// A Model is weights and a vocabulary. All but Close may be called at the same time.
type Model struct {
	lib    *Library
	handle uintptr
	vocab  uintptr
	tokens int
}

// ModelConfig says how to load a model.
type ModelConfig struct {
	Path string
	// GPULayers is how many layers lie on GPUs; less than 0 means all.
	GPULayers int32
	// Check looks whether weights are numbers, which reads them all.
	Check bool
}

// Load reads a model from a file.
func (l *Library) Load(cfg ModelConfig) (*Model, error) {
	p := l.calls.modelDefaults()
	p.GPULayers, p.CheckTensors = cfg.GPULayers, cfg.Check
	l.cause() // of earlier calls
	m := &Model{lib: l, handle: l.calls.loadModel(cfg.Path, p)}
	if m.handle == 0 {
		return nil, l.failed("llama.cpp cannot load the model")
	}
	if l.calls.hasEncoder(m.handle) {
		m.Close()
		return nil, fmt.Errorf("the model has an encoder: only those that continue text are run")
	}
	m.vocab = l.calls.vocab(m.handle)
	m.tokens = int(l.calls.vocabTokens(m.vocab))
	if m.tokens <= 0 {
		m.Close()
		return nil, fmt.Errorf("the model has no vocabulary")
	}
	return m, nil
}

// Close frees the model. Its contexts must be closed.
func (m *Model) Close() { m.lib.calls.freeModel(m.handle) }

// Tokens is the size of the vocabulary.
func (m *Model) Tokens() int { return m.tokens }

// TrainedContext is how many tokens the model was trained on at a time.
func (m *Model) TrainedContext() int { return int(m.lib.calls.trainedContext(m.handle)) }

// Tokenize returns the tokens of text, in which nothing has a special meaning: no control
// tokens come, and no token for the beginning.
func (m *Model) Tokenize(text string) ([]int32, error) { return m.tokenize(text, false) }

func (m *Model) tokenize(text string, special bool) ([]int32, error) {
	return m.split(text, false, special)
}

func (m *Model) split(text string, around, special bool) ([]int32, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > 1<<30 {
		return nil, fmt.Errorf("a text of %d bytes has too many tokens", len(text))
	}
	raw := []byte(text)
	tokens := make([]int32, len(raw)+8)
	for range 2 {
		n := m.lib.calls.tokenize(m.vocab, &raw[0], int32(len(raw)), &tokens[0], int32(len(tokens)), around, special) //nolint:gosec // below 2^30
		runtime.KeepAlive(raw)
		if n >= 0 && int(n) <= len(tokens) {
			return tokens[:n], nil
		}
		if n <= -1<<30 {
			break
		}
		tokens = make([]int32, -n)
	}
	return nil, m.lib.failed("llama.cpp cannot split the text into tokens")
}

// attrControl and attrUser are of llama_token_attr.
const attrControl, attrUser = 1 << 3, 1 << 4

// Control returns the control token of that name.
func (m *Model) Control(name string) (id int32, ok bool) {
	ids, err := m.tokenize(name, true)
	if err != nil || len(ids) != 1 {
		return 0, false
	}
	return ids[0], m.lib.calls.attributes(m.vocab, ids[0])&(attrControl|attrUser) != 0
}

// Begin returns the token that prompts begin with, if the model wants one.
func (m *Model) Begin() (id int32, ok bool) {
	id = m.lib.calls.begin(m.vocab)
	return id, id >= 0 && m.lib.calls.addsBegin(m.vocab)
}

// Whole returns the tokens of text as the model takes a text that is complete, with what it
// wants before and behind it.
func (m *Model) Whole(text string) ([]int32, error) { return m.split(text, true, false) }

// IsEnd says whether a token ends an answer.
func (m *Model) IsEnd(id int32) bool { return m.lib.calls.isEnd(m.vocab, id) }

// Piece returns what a token adds to a text: nothing for control tokens.
func (m *Model) Piece(id int32) []byte {
	out := make([]byte, 64)
	for range 2 {
		n := m.lib.calls.piece(m.vocab, id, &out[0], int32(len(out)), 0, false) //nolint:gosec // small
		if n >= 0 && int(n) <= len(out) {
			return out[:n]
		}
		if n < -1<<20 {
			break
		}
		out = make([]byte, max(1, -n))
	}
	return nil
}

// A Context is the memory of sequences that a model continues. It belongs to one goroutine.
type Context struct {
	model  *Model
	handle uintptr
	length int

	tokens, positions, counts, ids []int32
	sequences                      []*int32
	wants                          []int8
}

// ContextConfig says how much a context holds.
type ContextConfig struct {
	Length    int // tokens of a sequence
	Sequences int
	Batch     int // tokens at a time
	Threads   int // 0 is llama.cpp's own choice
	// Pooling is how the vectors of a sequence's tokens become one, by llama.cpp's number; 0
	// leaves each token's own.
	Pooling int32
}

// Context makes a context.
func (m *Model) Context(cfg ContextConfig) (*Context, error) {
	p := m.lib.calls.contextDefaults()
	p.Context = uint32(cfg.Length * cfg.Sequences)                     //nolint:gosec // the caller's
	p.Batch, p.MaxSequences = uint32(cfg.Batch), uint32(cfg.Sequences) //nolint:gosec // small
	p.Ubatch, p.Pooling = min(p.Ubatch, p.Batch), cfg.Pooling
	if cfg.Pooling > 0 { // the tokens of a text are read together, as each may look at all
		p.Ubatch, p.Embeddings = p.Batch, true
	}
	if cfg.Threads > 0 {
		p.Threads, p.ThreadsBatch = int32(cfg.Threads), int32(cfg.Threads) //nolint:gosec // small
	}
	m.lib.cause() // of earlier calls
	c := &Context{model: m, handle: m.lib.calls.newContext(m.handle, p)}
	if c.handle == 0 {
		return nil, m.lib.failed("llama.cpp cannot make a context: there is too little memory, or the model cannot be computed")
	}
	c.length = min(cfg.Length, int(m.lib.calls.contextOfOne(c.handle))) // llama.cpp rounds up
	c.tokens, c.positions, c.counts = make([]int32, cfg.Batch), make([]int32, cfg.Batch), make([]int32, cfg.Batch)
	c.ids, c.sequences, c.wants = make([]int32, cfg.Batch), make([]*int32, cfg.Batch), make([]int8, cfg.Batch)
	return c, nil
}

// Close frees the context.
func (c *Context) Close() { c.model.lib.calls.freeContext(c.handle) }

// Length is how many tokens a sequence may have.
func (c *Context) Length() int { return c.length }

// An Input is a token at its place in a sequence.
type Input struct {
	Token, Position, Sequence int32
	Wants                     bool // the logits of what follows
}

// Decode reads tokens, at most as many as the batch holds and at least one.
func (c *Context) Decode(in []Input) error {
	for i, t := range in {
		c.tokens[i], c.positions[i], c.counts[i], c.ids[i], c.wants[i] = t.Token, t.Position, 1, t.Sequence, 0
		c.sequences[i] = &c.ids[i]
		if t.Wants {
			c.wants[i] = 1
		}
	}
	c.model.lib.cause() // of earlier calls
	code := c.model.lib.calls.decode(c.handle, batch{
		Count: int32(len(in)), Tokens: &c.tokens[0], Positions: &c.positions[0], Counts: &c.counts[0], Sequences: &c.sequences[0], Logits: &c.wants[0], //nolint:gosec // small
	})
	runtime.KeepAlive(c)
	if code != 0 {
		return c.model.lib.failed(fmt.Sprintf("llama_decode says %d", code))
	}
	return nil
}

// Logits are those behind input i of the last Decode, which wanted them; valid until the
// next call.
func (c *Context) Logits(i int) ([]float32, error) {
	p := c.model.lib.calls.logits(c.handle, int32(i)) //nolint:gosec // small
	if p == nil {
		return nil, c.model.lib.failed("llama.cpp has no logits")
	}
	return unsafe.Slice(p, c.model.tokens), nil //nolint:gosec // llama.cpp has one for each token
}

// Vectors says whether Decode makes vectors.
func (c *Context) Vectors(on bool) { c.model.lib.calls.setEmbeddings(c.handle, on) }

// Vector is that of input i of the last Decode, which wanted it; valid until the next call.
func (c *Context) Vector(i int) ([]float32, error) {
	return c.vector(c.model.lib.calls.vectorOf(c.handle, int32(i))) //nolint:gosec // small
}

// Pooled is the vector of a sequence, which the last Decode has read; valid until the next call.
func (c *Context) Pooled(sequence int32) ([]float32, error) {
	return c.vector(c.model.lib.calls.vectorOfAll(c.handle, sequence))
}

func (c *Context) vector(p *float32) ([]float32, error) {
	n := c.model.lib.calls.vectorSize(c.model.handle)
	if p == nil || n <= 0 {
		return nil, c.model.lib.failed("llama.cpp has no vector")
	}
	return unsafe.Slice(p, n), nil //nolint:gosec // llama.cpp has so many
}

// Keep shortens a sequence to its first n tokens. It returns false, and leaves the sequence in no useful
// state, where the model does not remember all of them one by one.
func (c *Context) Keep(sequence int32, n int) bool {
	memory := c.model.lib.calls.memory(c.handle)
	return c.model.lib.calls.firstKept(memory, sequence) == 0 && c.model.lib.calls.forget(memory, sequence, int32(n), -1) //nolint:gosec // within the context
}

// Forget empties a sequence.
func (c *Context) Forget(sequence int32) {
	c.model.lib.calls.forget(c.model.lib.calls.memory(c.handle), sequence, -1, -1)
}
