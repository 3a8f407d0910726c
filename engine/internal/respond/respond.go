// Package respond keeps an answer to the form that was asked for: JSON, or a schema's.
package respond

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/jsonmode"
	"github.com/aitbc/aitbc/engine/internal/schema"
)

// A Constraint keeps an answer to the beginnings of what was asked for; nil allows all.
type Constraint struct {
	object jsonmode.Prefix
	fits   *schema.Prefix // nil for any object
}

// Of reads OpenAI's response_format: text, json_object or json_schema. Schemas
// that cannot be enforced are refused rather than ignored, by errors that wrap [engine.ErrUnsupported]
// or [engine.ErrBadRequest].
func Of(format json.RawMessage) (*Constraint, error) {
	if len(format) == 0 {
		return nil, nil //nolint:nilnil // nothing constrains
	}
	var f struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if err := json.Unmarshal(format, &f); err != nil {
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

// Allowed returns the filter for the sampler; bytes is what a token adds to the answer.
func (c *Constraint) Allowed(bytes func(id uint32) []byte) func(uint32) bool {
	if c == nil {
		return nil
	}
	return func(id uint32) bool {
		next := *c
		if c.fits != nil {
			fits := *c.fits
			next.fits = &fits
		}
		b := bytes(id)
		return len(b) > 0 && next.take(b)
	}
}

func (c *Constraint) take(bytes []byte) bool {
	if c.fits != nil {
		return c.fits.Add(bytes)
	}
	return c.object.Add(bytes)
}

// Add takes the chosen token and says whether the object is complete.
func (c *Constraint) Add(bytes []byte) bool {
	if c == nil || !c.take(bytes) {
		return false
	}
	if c.fits != nil {
		return c.fits.Complete()
	}
	return c.object.Complete()
}
