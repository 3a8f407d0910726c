package child

import (
	"fmt"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/llama/native"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// An embedding is the vector of a text that is being read.
type embedding struct {
	sum  []float64
	read int // tokens
}

// whole makes the tokens of a text to embed.
func (e *engineOf) whole(text string) ([]int32, error) {
	ids, err := e.model.Whole(text)
	if err != nil {
		return nil, err
	}
	switch length := e.context.Length(); {
	case len(ids) == 0:
		return nil, fmt.Errorf("%w: the text has no tokens", engine.ErrBadRequest)
	case len(ids) >= length:
		return nil, fmt.Errorf("%w: %d tokens, the context has %d", engine.ErrTooLong, len(ids), length)
	}
	return ids, nil
}

func (e *engineOf) beginText(n note) error {
	if n.err != nil {
		return e.out.send(wire.Reply{ID: n.ask.ID, Done: wire.Refuse(n.err)})
	}
	return e.seat(n.ask.ID, &answer{next: n.prompt, embedded: &embedding{}})
}

// embed reads a part of each text of which the vector is wanted, and says whether there was one. What
// is read for vectors is no part of the other passes, which want logits.
func (e *engineOf) embed() (worked bool, err error) {
	for _, a := range e.slots {
		if a == nil || a.embedded == nil {
			continue
		}
		worked = true
		if e.pooled {
			err = e.readWhole(a)
		} else {
			err = e.readPart(a)
		}
		if err != nil {
			return true, err
		}
	}
	return worked, nil
}

// readWhole has llama.cpp make one vector of all tokens, as the model's file says.
func (e *engineOf) readWhole(a *answer) error {
	if err := e.context.Decode(e.take(a, len(a.next))); err != nil {
		return err
	}
	v, err := e.context.Pooled(a.sequence)
	if err != nil {
		return err
	}
	return e.vector(a, v)
}

// readPart adds up the tokens' vectors. Its parts are small, as llama.cpp computes logits beside them.
func (e *engineOf) readPart(a *answer) error {
	const most = 64
	input := e.take(a, min(len(a.next), most))
	e.context.Vectors(true)
	defer e.context.Vectors(false)
	if err := e.context.Decode(input); err != nil {
		return err
	}
	for i := range input {
		v, err := e.context.Vector(i)
		if err != nil {
			return err
		}
		if a.embedded.sum == nil {
			a.embedded.sum = make([]float64, len(v))
		}
		for k, x := range v {
			a.embedded.sum[k] += float64(x)
		}
	}
	a.embedded.read += len(input)
	if len(a.next) > 0 {
		return e.out.send(wire.Reply{ID: a.id, Alive: true})
	}
	mean := make([]float32, len(a.embedded.sum))
	for k, x := range a.embedded.sum {
		mean[k] = float32(x / float64(a.embedded.read))
	}
	return e.vector(a, mean)
}

// take makes the next n tokens of a text an input.
func (e *engineOf) take(a *answer, n int) []native.Input {
	input := make([]native.Input, n)
	for i, id := range a.next[:n] {
		input[i] = native.Input{Token: id, Position: int32(a.position + i), Sequence: a.sequence, Wants: true} //nolint:gosec // within the context
	}
	a.next, a.position = a.next[n:], a.position+n
	return input
}

// vector sends a text's vector, which ends its request.
func (e *engineOf) vector(a *answer, v []float32) error {
	for _, x := range v {
		if x-x != 0 { // JSON has no word for it
			return e.end(a, &wire.Done{Code: wire.Broken, Text: "the model gives a vector that is no number"})
		}
	}
	if err := e.out.send(wire.Reply{ID: a.id, Vector: v}); err != nil {
		return err
	}
	return e.end(a, &wire.Done{Reason: engine.Stopped})
}
