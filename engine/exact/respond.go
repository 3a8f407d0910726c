package exact

import (
	"encoding/json"
	"fmt"

	"github.com/aitbc/aitbc/engine"
)

// textOnly refuses response formats other than text.
func textOnly(format json.RawMessage) error {
	if len(format) == 0 {
		return nil
	}
	var f struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(format, &f); err != nil {
		return fmt.Errorf("%w: response_format: %w", engine.ErrBadRequest, err)
	}
	if f.Type != "text" && f.Type != "" {
		return fmt.Errorf("%w: response_format %q", engine.ErrUnsupported, f.Type)
	}
	return nil
}
