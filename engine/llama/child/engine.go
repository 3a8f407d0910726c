package child

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/likelihood"
	"github.com/aitbc/aitbc/engine/internal/respond"
	"github.com/aitbc/aitbc/engine/internal/sampler"
	"github.com/aitbc/aitbc/engine/llama/native"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// engineOf runs the requests of one model, each as a sequence of one context.
type engineOf struct {
	model   *native.Model
	context *native.Context
	gpus    []string
	out     *writer
	spoken  map[uint32][]byte // what tokens add to a text, as far as it was asked
	slots   []*answer         // by sequence, nil for a free one
	known   []known           // by sequence, what a free one holds
	ended   uint64            // answers
	input   []native.Input    // of the next pass
	pooled  bool              // the model is for embeddings alone

	mu    sync.Mutex // guards the field below
	notes []note
	wake  chan struct{} // of capacity 1: there are notes
}

// What an answer may have in a pass instead of an input with logits.
const (
	nothing = -1
	aPart   = -2 // of its prompt
)

// note is what the miner said, with what was made of it.
type note struct {
	ask    wire.Ask
	prompt []int32
	err    error
}

// answer is a request under way.
type answer struct {
	id       uint64
	sequence int32
	scope    string
	read     []int32 // tokens that the sequence holds
	next     []int32 // tokens that were not read yet
	position int     // of the first of next
	at       int     // the input of this pass whose logits are wanted, or one of those below
	made     uint64
	room     uint64 // for tokens of the answer
	credit   int    // tokens that may be sent before the miner has taken some
	ends     map[uint32]bool
	sampler  *sampler.Sampler
	asked    *respond.Constraint
	set      *wire.Request
	embedded *embedding // what is wanted instead of an answer
}

func newEngine(m *native.Model, c *native.Context, gpus []string, slots int) *engineOf {
	return &engineOf{
		model: m, context: c, gpus: gpus, spoken: map[uint32][]byte{}, slots: make([]*answer, slots), known: make([]known, slots),
		wake: make(chan struct{}, 1),
	}
}

// tokens makes the prompt of a request's parts.
func (e *engineOf) tokens(r *wire.Request) ([]int32, error) {
	var ids []int32
	if id, ok := e.model.Begin(); ok {
		ids = append(ids, id)
	}
	text := ""
	flush := func() error {
		more, err := e.model.Tokenize(text)
		ids, text = append(ids, more...), ""
		return err
	}
	for _, p := range r.Parts {
		id, ok := int32(0), false
		if p.Control {
			id, ok = e.model.Control(p.Text)
		}
		if !ok { // text that follows text is one text
			text += p.Text
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	switch length := e.context.Length(); {
	case len(ids) == 0:
		return nil, fmt.Errorf("%w: the prompt has no tokens", engine.ErrBadRequest)
	case len(ids) >= length:
		return nil, fmt.Errorf("%w: %d tokens, the context has %d", engine.ErrTooLong, len(ids), length)
	}
	return ids, nil
}

// post hands a note to run.
func (e *engineOf) post(n note) {
	e.mu.Lock()
	e.notes = append(e.notes, n)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run passes what all requests have to read through the model, again and again. It returns
// with an error only, after which the process is of no use.
func (e *engineOf) run() error {
	runtime.LockOSThread() // some drivers keep state by thread
	defer runtime.UnlockOSThread()
	for {
		if err := e.takeNotes(); err != nil {
			return err
		}
		e.fill()
		if len(e.input) > 0 {
			if err := e.context.Decode(e.input); err != nil {
				return err
			}
		}
		for _, a := range e.slots {
			if a == nil || a.embedded != nil {
				continue
			}
			if err := e.advance(a); err != nil {
				return err
			}
		}
		worked, err := e.embed()
		if err != nil {
			return err
		}
		if len(e.input) == 0 && !worked {
			<-e.wake
		}
	}
}

func (e *engineOf) takeNotes() error {
	e.mu.Lock()
	notes := e.notes
	e.notes = nil
	e.mu.Unlock()
	for _, n := range notes {
		if n.ask.Begin != nil || n.ask.Embed != "" {
			if err := e.begin(n); err != nil {
				return err
			}
			continue
		}
		for _, a := range e.slots {
			if a == nil || a.id != n.ask.ID {
				continue
			}
			if a.credit += n.ask.More; n.ask.Cancel {
				if err := e.end(a, &wire.Done{Reason: engine.Canceled}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (e *engineOf) begin(n note) error {
	set := n.ask.Begin
	switch {
	case set == nil:
		return e.beginText(n)
	case e.pooled:
		return e.out.send(wire.Reply{ID: n.ask.ID, Done: wire.Refuse(fmt.Errorf("%w: the model is for embeddings", engine.ErrUnsupported))})
	}
	asked, err := respond.Of(respond.Form{ResponseFormat: set.ResponseFormat, Grammar: set.Grammar, Unspaced: set.Unspaced})
	if err = errors.Join(n.err, err); err != nil {
		return e.out.send(wire.Reply{ID: n.ask.ID, Done: wire.Refuse(err)})
	}
	a := &answer{
		scope: set.Scope, next: n.prompt, credit: wire.Window,
		room: uint64(e.context.Length() - len(n.prompt)), asked: asked, set: set, ends: map[uint32]bool{}, //nolint:gosec // the prompt is shorter
		sampler: sampler.New(sampler.Settings{
			TemperatureMilli: set.TemperatureMilli, TopPMilli: set.TopPMilli, TopK: set.TopK, Seed: set.Seed,
		}),
	}
	if set.MaxTokens > 0 {
		a.room = min(a.room, set.MaxTokens)
	}
	for _, name := range set.Ends {
		if id, ok := e.model.Control(name); ok {
			a.ends[uint32(id)] = true //nolint:gosec // of a vocabulary
		}
	}
	return e.seat(n.ask.ID, a)
}

// seat gives an answer a free slot, and tells how many tokens it begins with.
func (e *engineOf) seat(id uint64, a *answer) error {
	i := e.place(a)
	if i < 0 {
		return fmt.Errorf("request %d is one more than there are slots", id)
	}
	tokens := len(a.next)
	a.id, a.sequence = id, int32(i) //nolint:gosec // small
	e.resume(a)
	e.slots[i] = a
	return e.out.send(wire.Reply{ID: a.id, Prompt: uint64(tokens)})
}

// fill chooses what the next pass reads: of each answer its last token, and of prompts what
// there is room for besides, so that answers go on while a long prompt is read.
func (e *engineOf) fill() {
	e.input = e.input[:0]
	room := max(batchTokens, len(e.slots)) - len(e.slots)
	for _, a := range e.slots {
		if a == nil || a.embedded != nil {
			continue
		}
		if a.at = nothing; a.credit <= 0 {
			continue
		}
		n := len(a.next)
		if n > 1 {
			n = min(n, room+1)
			room -= n - 1
		}
		for i, id := range a.next[:n] {
			wants := i == len(a.next)-1
			if e.input = append(e.input, native.Input{Token: id, Position: int32(a.position + i), Sequence: a.sequence, Wants: wants}); wants { //nolint:gosec // within the context
				a.at = len(e.input) - 1
			}
		}
		a.read = append(a.read, a.next[:n]...)
		a.next, a.position = a.next[n:], a.position+n
		if len(a.next) > 0 {
			a.at = aPart
		}
	}
}

// advance takes what a pass gave to an answer.
func (e *engineOf) advance(a *answer) error {
	switch a.at {
	case nothing:
		return nil
	case aPart:
		return e.out.send(wire.Reply{ID: a.id, Alive: true})
	}
	logits, err := e.context.Logits(a.at)
	if err != nil {
		return err
	}
	chosen, ok := a.sampler.Next(logits, a.asked.Allowed(e.bytes, func(id uint32) bool { return e.isEnd(a, id) }))
	if err := a.asked.Err(ok); err != nil {
		return e.end(a, wire.Refuse(err))
	}
	if !ok {
		return e.end(a, &wire.Done{Code: wire.Broken, Text: "the model has no next token"})
	}
	if e.isEnd(a, chosen) {
		return e.end(a, &wire.Done{Reason: engine.Stopped})
	}
	bytes := e.bytes(chosen)
	t := &wire.Token{ID: chosen, Bytes: bytes}
	if a.set.Logprobs {
		t.Logprob = likelihood.Of(logits, chosen, int(a.set.TopLogprobs), e.bytes)
	}
	if err := e.out.send(wire.Reply{ID: a.id, Token: t}); err != nil {
		return err
	}
	a.credit--
	a.made++
	switch {
	case a.asked.Add(bytes):
		return e.end(a, &wire.Done{Reason: engine.Stopped})
	case a.made >= a.room:
		return e.end(a, &wire.Done{Reason: engine.Length})
	}
	a.next = []int32{int32(chosen)} //nolint:gosec // of a vocabulary
	return nil
}

// isEnd says whether a token ends an answer.
func (e *engineOf) isEnd(a *answer, id uint32) bool {
	return e.model.IsEnd(int32(id)) || a.ends[id] //nolint:gosec // of a vocabulary
}

// end frees the answer's slot.
func (e *engineOf) end(a *answer, d *wire.Done) error {
	e.slots[a.sequence] = nil
	e.leave(a)
	return e.out.send(wire.Reply{ID: a.id, Done: d})
}

func (e *engineOf) bytes(id uint32) []byte {
	b, ok := e.spoken[id]
	if !ok {
		b = e.model.Piece(int32(id)) //nolint:gosec // of a vocabulary
		e.spoken[id] = b
	}
	return b
}
