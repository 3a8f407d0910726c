package httpapi

import (
	"errors"
	"net/http"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

// messageStream writes the events of one answer.
type messageStream struct {
	*message
	out   *sse
	index int  // of the block that is next or open
	open  bool // a block of text
}

func (m *messageStream) event(name string, o object) error {
	o["type"] = name
	return m.out.send(name, "", o)
}

// text sends a piece of text, in a block that it opens if there is none.
func (m *messageStream) text(text string) error {
	if text == "" {
		return nil
	}
	if !m.open {
		m.open = true
		if err := m.event("content_block_start", object{"index": m.index, "content_block": object{"type": "text", "text": ""}}); err != nil {
			return err
		}
	}
	return m.event("content_block_delta", object{"index": m.index, "delta": object{"type": "text_delta", "text": text}})
}

func (m *messageStream) endText() error {
	if !m.open {
		return nil
	}
	m.open = false
	m.index++
	return m.event("content_block_stop", object{"index": m.index - 1})
}

// call sends a call of a tool, whole.
func (m *messageStream) call(c toolCall) error {
	start := toolUse(c)
	start["input"] = object{}
	if err := m.event("content_block_start", object{"index": m.index, "content_block": start}); err != nil {
		return err
	}
	if err := m.event("content_block_delta", object{"index": m.index, "delta": object{"type": "input_json_delta", "partial_json": c.Function.Arguments}}); err != nil {
		return err
	}
	m.index++
	return m.event("content_block_stop", object{"index": m.index - 1})
}

// end sends the calls that were held back and why the answer ended.
func (m *messageStream) end(done *ledger.Job, held string) error {
	rest, calls := m.split(held)
	if err := m.text(rest); err != nil {
		return err
	}
	if m.index == 0 && !m.open && len(calls) == 0 { // an empty answer has a block, too
		m.open = true
		if err := m.event("content_block_start", object{"index": 0, "content_block": object{"type": "text", "text": ""}}); err != nil {
			return err
		}
	}
	if err := m.endText(); err != nil {
		return err
	}
	for _, c := range calls {
		if err := m.call(c); err != nil {
			return err
		}
	}
	err := m.event("message_delta", object{
		"delta": object{"stop_reason": m.reason(done, len(calls)), "stop_sequence": nil},
		"usage": object{"input_tokens": done.Usage.PromptTokens, "output_tokens": done.Usage.CompletionTokens},
	})
	if err != nil {
		return err
	}
	return m.event("message_stop", object{})
}

func (s *Server) streamMessage(w http.ResponseWriter, r *http.Request, c coordinator.Caller, j *ledger.Job, shape *message) error {
	m := &messageStream{message: shape}
	defer func() {
		if m.out != nil {
			m.out.close()
		}
	}()
	// As in OpenAI's streams, a job that fails before its first piece is an HTTP error.
	begin := func() error {
		if m.out != nil {
			return nil
		}
		m.out = newSSE(w)
		return m.event("message_start", object{"message": m.base()})
	}
	var calls callFilter
	done, err := s.svc.Follow(r.Context(), c, j.ID, 0, func(e api.Event) error {
		if e.Type != "token" {
			return nil
		}
		if err := begin(); err != nil {
			return err
		}
		m.out.more = e.More
		text := e.Text
		if m.tools {
			text = calls.pass(text)
		}
		return errors.Join(m.text(text), m.out.bring())
	})
	if err != nil {
		return s.gone(r, c, j, err)
	}
	fail := failure(done)
	if m.out == nil {
		if fail != nil {
			return fail
		}
		if err := begin(); err != nil {
			return nil // the reader went away, and the job is done
		}
		calls.held = done.Output // repeated with its Idempotency-Key: it was over already
	}
	if fail != nil {
		_ = m.out.send("error", "", anthropicError(apierr.Public(fail)))
		return nil
	}
	_ = m.end(done, calls.held) // if the reader went away, the job was done
	return nil
}
