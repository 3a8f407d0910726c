package exact

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact/internal/jsonmode"
	"github.com/aitbc/aitbc/engine/exact/internal/schema"
	"github.com/aitbc/aitbc/engine/exact/internal/vocab"
)

// constraint keeps an answer to the beginnings of what was asked for; nil allows all.
type constraint struct {
	vocab  *vocab.Vocab
	object jsonmode.Prefix
	fits   *schema.Prefix // nil for any object
}

// constraintOf reads OpenAI's response_format: text, json_object or json_schema. Schemas
// that cannot be enforced are refused rather than ignored.
func constraintOf(format json.RawMessage, v *vocab.Vocab) (*constraint, error) {
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
		return &constraint{vocab: v}, nil
	case "json_schema":
		fits, err := schema.Compile(f.JSONSchema.Schema)
		switch {
		case errors.Is(err, schema.ErrUnsupported):
			return nil, fmt.Errorf("%w: response_format: %w", engine.ErrUnsupported, err)
		case err != nil:
			return nil, fmt.Errorf("%w: response_format: %w", engine.ErrBadRequest, err)
		}
		return &constraint{vocab: v, fits: &fits}, nil
	}
	return nil, fmt.Errorf("%w: response_format %q", engine.ErrUnsupported, f.Type)
}

// allowed returns the filter for the sampler.
func (c *constraint) allowed() func(uint32) bool {
	if c == nil {
		return nil
	}
	return func(id uint32) bool {
		next := *c
		if c.fits != nil {
			fits := *c.fits
			next.fits = &fits
		}
		bytes := c.vocab.Bytes(id)
		return len(bytes) > 0 && next.take(bytes)
	}
}

func (c *constraint) take(bytes []byte) bool {
	if c.fits != nil {
		return c.fits.Add(bytes)
	}
	return c.object.Add(bytes)
}

// add takes the chosen token and says whether the object is complete.
func (c *constraint) add(bytes []byte) bool {
	if c == nil || !c.take(bytes) {
		return false
	}
	if c.fits != nil {
		return c.fits.Complete()
	}
	return c.object.Complete()
}
