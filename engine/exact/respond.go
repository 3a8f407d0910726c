package exact

import (
	"encoding/json"
	"fmt"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact/internal/jsonmode"
	"github.com/aitbc/aitbc/engine/exact/internal/vocab"
)

// wantsJSON reads OpenAI's response_format. Text and json_object are known; a schema
// is refused rather than ignored.
func wantsJSON(format json.RawMessage) (bool, error) {
	if len(format) == 0 {
		return false, nil
	}
	var f struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(format, &f); err != nil {
		return false, fmt.Errorf("%w: response_format: %w", engine.ErrBadRequest, err)
	}
	switch f.Type {
	case "", "text":
		return false, nil
	case "json_object":
		return true, nil
	}
	return false, fmt.Errorf("%w: response_format %q", engine.ErrUnsupported, f.Type)
}

// constraint keeps an answer to the beginnings of a JSON object; nil allows all.
type constraint struct {
	vocab *vocab.Vocab
	said  jsonmode.Prefix
}

// allowed returns the filter for the sampler.
func (c *constraint) allowed() func(uint32) bool {
	if c == nil {
		return nil
	}
	return func(id uint32) bool {
		bytes, next := c.vocab.Bytes(id), c.said
		return len(bytes) > 0 && next.Add(bytes)
	}
}

// add takes the chosen token and says whether the object is complete.
func (c *constraint) add(bytes []byte) bool {
	return c != nil && c.said.Add(bytes) && c.said.Complete()
}
