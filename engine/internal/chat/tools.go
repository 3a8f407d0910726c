package chat

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

// tool is one of OpenAI's tools array.
type tool struct {
	raw      json.RawMessage
	Type     string `json:"type"`
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// readTools reads the array.
func readTools(tools json.RawMessage) ([]tool, error) {
	if len(tools) == 0 {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(tools, &raw); err != nil {
		return nil, fmt.Errorf("%w: tools: %w", engine.ErrBadRequest, err)
	}
	if len(raw) > maxTools {
		return nil, fmt.Errorf("%w: %d tools, at most %d", engine.ErrBadRequest, len(raw), maxTools)
	}
	list := make([]tool, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &list[i]); err != nil {
			return nil, fmt.Errorf("%w: tool %d: %w", engine.ErrBadRequest, i, err)
		}
		if list[i].Type != "function" || list[i].Function.Name == "" {
			return nil, fmt.Errorf("%w: tool %d is no named function", engine.ErrBadRequest, i)
		}
		list[i].raw = raw[i]
	}
	return list, nil
}

// ownTools puts the tools in front of the conversation as our model knows them.
func ownTools(_ *Format, tools []tool, messages []engine.Message) ([]engine.Message, error) {
	var text strings.Builder
	text.WriteString("Tools:")
	for _, t := range tools {
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

// qwenTools puts the tools behind what the system says, as Qwen's templates do.
func qwenTools(f *Format, tools []tool, messages []engine.Message) ([]engine.Message, error) {
	system := f.system
	if messages[0].Role == engine.RoleSystem {
		system, messages = messages[0].Content, messages[1:]
	}
	var text strings.Builder
	if text.WriteString(system); system != "" {
		text.WriteString("\n\n")
	}
	text.WriteString("# Tools\n\nYou may call one or more functions to assist with the user query.\n\n" +
		"You are provided with function signatures within <tools></tools> XML tags:\n<tools>")
	for _, t := range tools {
		text.WriteString("\n" + spacedJSON(t.raw))
	}
	text.WriteString("\n</tools>\n\nFor each function call, return a json object with function name and arguments within " +
		"<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>")
	return slices.Concat([]engine.Message{{Role: engine.RoleSystem, Content: text.String()}}, messages), nil
}

// spacedJSON writes valid JSON with a space behind commas and colons, as Python does.
func spacedJSON(raw json.RawMessage) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			out.WriteByte(c)
			i++
			out.WriteByte(raw[i])
		case c == '"':
			quoted = !quoted
			out.WriteByte(c)
		case quoted:
			out.WriteByte(c)
		case c == ',' || c == ':':
			out.WriteByte(c)
			out.WriteByte(' ')
		case c == ' ' || c == '\n' || c == '\t' || c == '\r': // only between parts
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
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
