// Package chat writes conversations the way that models were trained on.
package chat

import (
	"encoding/json"
	"fmt"

	"github.com/aitbc/aitbc/engine"
)

// A Part of a prompt is text, in which nothing has a special meaning, or the name of
// a control token. Where a vocabulary has no such token, the name is text.
type Part struct {
	Text    string `json:"text"`
	Control bool   `json:"control,omitempty"`
}

// Parts writes a conversation and the beginning of the answer. tools is OpenAI's array,
// nil for none. Errors wrap those of package engine; the format of an unknown template,
// nil, writes nothing.
func (f *Format) Parts(messages []engine.Message, tools json.RawMessage) ([]Part, error) {
	if f == nil {
		return nil, fmt.Errorf("%w: the model's chat template is unknown; use a plain prompt", engine.ErrUnsupported)
	}
	offered, err := readTools(tools)
	if err != nil {
		return nil, err
	}
	if len(offered) > 0 {
		if f.tools == nil {
			return nil, fmt.Errorf("%w: the model was not trained on tools", engine.ErrUnsupported)
		}
		if messages, err = f.tools(f, offered, messages); err != nil {
			return nil, err
		}
	}
	if err := f.check(messages); err != nil {
		return nil, err
	}
	var s script
	f.write(f, &s, messages)
	return s.parts, nil
}

// Ends are the names of control tokens that end an answer, beside the vocabulary's own.
func (f *Format) Ends() []string {
	if f == nil {
		return nil
	}
	return f.ends
}

// script collects the parts of a prompt.
type script struct{ parts []Part }

func (s *script) text(t string) { s.parts = append(s.parts, Part{Text: t}) }
func (s *script) mark(t string) { s.parts = append(s.parts, Part{Text: t, Control: true}) }
