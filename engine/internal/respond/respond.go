// Package respond keeps an answer to the form that was asked for: JSON, a schema's, or a
// grammar's.
package respond

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/jsonmode"
	"github.com/aitbc/aitbc/engine/internal/schema"
	"github.com/aitbc/aitbc/internal/gbnf"
	"github.com/aitbc/aitbc/internal/grammar"
)

// Form is what was asked for.
type Form struct {
	// ResponseFormat is OpenAI's response_format: text, json_object or json_schema.
	ResponseFormat json.RawMessage
	// Grammar is in the notation of package gbnf, empty for none.
	Grammar string
	// Unspaced says that one space at the beginning of the answer is not shown. A grammar
	// is of what is shown.
	Unspaced bool
}

// A Constraint keeps an answer to the beginnings of what was asked for; nil allows all. It
// belongs to one goroutine.
type Constraint struct {
	object jsonmode.Prefix
	fits   *grammar.Prefix // of a schema or a grammar, nil for any object
	free   bool            // fits is a grammar's
	space  bool            // one space may come and is not shown
}

// Of makes the constraint of a form. What cannot be enforced is refused rather than ignored,
// by errors that wrap [engine.ErrUnsupported] or [engine.ErrBadRequest].
func Of(f Form) (*Constraint, error) {
	if f.Grammar != "" {
		fits, err := gbnf.Compile(f.Grammar)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", engine.ErrBadRequest, err)
		}
		return &Constraint{fits: &fits, free: true, space: f.Unspaced}, nil
	}
	return format(f.ResponseFormat)
}

func format(raw json.RawMessage) (*Constraint, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // nothing constrains
	}
	var f struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%w: response_format: %w", engine.ErrBadRequest, err)
	}
	switch f.Type {
	case "", "text":
		return nil, nil //nolint:nilnil // nothing constrains
	case "json_object":
		return &Constraint{}, nil
	case "json_schema":
		fits, err := schema.Compile(f.JSONSchema.Schema)
		switch {
		case errors.Is(err, schema.ErrUnsupported):
			return nil, fmt.Errorf("%w: response_format: %w", engine.ErrUnsupported, err)
		case err != nil:
			return nil, fmt.Errorf("%w: response_format: %w", engine.ErrBadRequest, err)
		}
		return &Constraint{fits: &fits}, nil
	}
	return nil, fmt.Errorf("%w: response_format %q", engine.ErrUnsupported, f.Type)
}

// Allowed returns the filter for the sampler; bytes is what a token adds to the answer, and
// ends says which tokens end it.
func (c *Constraint) Allowed(bytes func(id uint32) []byte, ends func(id uint32) bool) func(uint32) bool {
	if c == nil {
		return nil
	}
	return func(id uint32) bool {
		if ends(id) {
			return c.free && c.fits.Complete()
		}
		b := c.shown(bytes(id))
		if len(b) == 0 {
			return false
		}
		if c.fits != nil {
			fits := *c.fits
			return fits.Add(b)
		}
		object := c.object
		return object.Add(b)
	}
}

// shown is what of a token's bytes is shown.
func (c *Constraint) shown(bytes []byte) []byte {
	if c.space && len(bytes) > 0 && bytes[0] == ' ' {
		return bytes[1:]
	}
	return bytes
}

// Err says why no token is allowed, or too much work is left to know which; nil if that is
// not the constraint's doing. found says that the sampler has one.
func (c *Constraint) Err(found bool) error {
	if c == nil || c.fits == nil {
		return nil
	}
	spent, err := c.fits.Err()
	switch {
	case err != nil && (spent || !found):
		return fmt.Errorf("%w: %w", engine.ErrBadRequest, err)
	case c.free && !found:
		return fmt.Errorf("%w: none of its tokens goes on with the answer as the grammar says", engine.ErrUnsupported)
	}
	return nil
}

// Add takes the chosen token and says whether the answer must end.
func (c *Constraint) Add(bytes []byte) bool {
	if c == nil {
		return false
	}
	bytes, c.space = c.shown(bytes), false
	if c.fits != nil {
		return c.fits.Take(bytes) && c.fits.Ended()
	}
	return c.object.Add(bytes) && c.object.Complete()
}
