package exact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aitbc/aitbc/engine"
)

// offered is a tool as our model was trained to read it: one JSON object a line,
// behind the line "Tools:" at the beginning of the system text. The model calls
// one by answering <tool_call>{"name":…,"arguments":{…}}</tool_call>.
type offered struct {
	Name       string   `json:"name"`
	Parameters []string `json:"parameters"`
}

const maxTools = 64

// withTools puts OpenAI's tools array in front of the conversation.
func withTools(tools json.RawMessage, messages []engine.Message) ([]engine.Message, error) {
	var list []struct {
		Type     string `json:"type"`
		Function struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"function"`
	}
	if err := json.Unmarshal(tools, &list); err != nil {
		return nil, fmt.Errorf("%w: tools: %w", engine.ErrBadRequest, err)
	}
	if len(list) == 0 {
		return messages, nil
	}
	if len(list) > maxTools {
		return nil, fmt.Errorf("%w: %d tools, at most %d", engine.ErrBadRequest, len(list), maxTools)
	}
	var text strings.Builder
	text.WriteString("Tools:")
	for i, t := range list {
		if t.Type != "function" || t.Function.Name == "" {
			return nil, fmt.Errorf("%w: tool %d is no named function", engine.ErrBadRequest, i)
		}
		names, err := parameters(t.Function.Parameters)
		if err != nil {
			return nil, fmt.Errorf("%w: parameters of tool %s: %w", engine.ErrBadRequest, t.Function.Name, err)
		}
		line, err := plainJSON(offered{Name: t.Function.Name, Parameters: names})
		if err != nil {
			return nil, fmt.Errorf("%w: tool %s: %w", engine.ErrBadRequest, t.Function.Name, err)
		}
		text.WriteString("\n" + line)
	}
	if messages[0].Role == engine.RoleSystem {
		first := engine.Message{Role: engine.RoleSystem, Content: text.String() + "\n" + messages[0].Content}
		return slices.Concat([]engine.Message{first}, messages[1:]), nil
	}
	return slices.Concat([]engine.Message{{Role: engine.RoleSystem, Content: text.String()}}, messages), nil
}

// parameters returns the names of a JSON schema's properties, in the order in which
// they stand there.
func parameters(schema json.RawMessage) ([]string, error) {
	names := []string{}
	if len(schema) == 0 {
		return names, nil
	}
	var s struct {
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, err
	}
	if len(s.Properties) == 0 {
		return names, nil
	}
	d := json.NewDecoder(bytes.NewReader(s.Properties))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("properties are no object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return nil, err
		}
		if name, ok := key.(string); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// plainJSON is compact JSON without HTML's escapes.
func plainJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
