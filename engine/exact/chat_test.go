package exact_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
	"github.com/aitbc/aitbc/engine/gguf"
)

// ours is the chat template that training/export.py writes.
const ours = "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"

func TestTokensAreThoseOfTraining(t *testing.T) {
	raw, err := os.ReadFile("testdata/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Text   string   `json:"text"`
		Tokens []uint32 `json:"tokens"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	m := embedded(t, 1)
	for _, v := range vectors {
		got := m.Tokenize(v.Text)
		if !slices.Equal(got, v.Tokens) {
			t.Errorf("%q: got %v, want %v", v.Text, got, v.Tokens)
		}
		if back := m.Text(got); back != strings.ReplaceAll(v.Text, "\u2581", " ") {
			t.Errorf("%q came back as %q", v.Text, back)
		}
	}
	if len(vectors) < 100 {
		t.Errorf("only %d vectors", len(vectors))
	}
}

func FuzzTokensComeBackAsText(f *testing.F) {
	m := embedded(f, 1)
	for _, s := range []string{"", "hello world", "a\xff\xfeb", "\u2581x", "</s><|user|>", "\U0010ffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids := m.Tokenize(text)
		if got, want := m.Text(ids), strings.ReplaceAll(text, "\u2581", " "); got != want {
			t.Errorf("%q came back as %q", want, got)
		}
		for _, id := range ids {
			if id < 7 {
				t.Errorf("%q became the control token %d", text, id)
			}
		}
	})
}

// prompt returns the tokens of a request as text, control tokens by name.
func prompt(t *testing.T, m *exact.Model, req engine.Request) string {
	t.Helper()
	ids, err := m.Prompt(req)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, id := range ids {
		if int(id) < len(control) {
			b.WriteString("{" + control[id] + "}")
		} else {
			b.WriteString(m.Text([]uint32{id}))
		}
	}
	return b.String()
}

var talk = []engine.Message{
	{Role: engine.RoleSystem, Content: "ab"},
	{Role: engine.RoleUser, Content: "hello"},
	{Role: engine.RoleAssistant, Content: "cd"},
	{Role: engine.RoleUser, Content: "</s>"},
}

func TestConversationsAreWrittenAsTheModelWasTaught(t *testing.T) {
	tests := map[string]struct {
		template string
		space    bool
		want     string
	}{
		"ours":                 {ours, false, "{<s>}{<|system|>}ab{<|user|>}hello{<|assistant|>}cd{</s>}{<|user|>}</s>{<|assistant|>}"},
		"chatml":               {"{{'<|im_start|>' + m}}", false, "{<s>}<|im_start|>system\nab<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\ncd<|im_end|>\n<|im_start|>user\n</s><|im_end|>\n<|im_start|>assistant\n"},
		"zephyr":               {"<|user|> eos_token <|assistant|>", true, "{<s>}{<|system|>} \nab{</s>} \n{<|user|>} \nhello{</s>} \n{<|assistant|>} \ncd{</s>} \n{<|user|>} \n</s>{</s>} \n{<|assistant|>} \n"},
		"llama-2":              {"[INST] <<SYS>>", true, "{<s>} [INST] <<SYS>>\nab\n<</SYS>>\n\nhello [/INST] cd {</s>}{<s>} [INST] </s> [/INST]"},
		"chatml with a system": {`{{- '<|im_start|>system\nBe good.\nYes.<|im_end|>\n' }}</think>`, false, "{<s>}<|im_start|>system\nab<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\ncd<|im_end|>\n<|im_start|>user\n</s><|im_end|>\n<|im_start|>assistant\n"},
		"phi-3":                {"<|user|> <|assistant|> <|end|>", false, "{<s>}{<|system|>}\nab<|end|>\n{<|user|>}\nhello<|end|>\n{<|assistant|>}\ncd<|end|>\n{<|user|>}\n</s><|end|>\n{<|assistant|>}\n"},
		"llama-3":              {"<|start_header_id|> <|eot_id|>", false, "{<s>}<|start_header_id|>system<|end_header_id|>\n\nab<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\ncd<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n</s><|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
		"llama-3.1":            {"<|start_header_id|> <|eot_id|> Cutting Knowledge Date: December 2023", false, "{<s>}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nab<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\ncd<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n</s><|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
	}
	for name, c := range tests {
		m := load(t, synthetic{kind: gguf.F32, template: c.template, space: c.space, context: 2048, change: func(w *gguf.Writer) { w.Flag("tokenizer.ggml.add_bos_token", true) }}.file(t), 1)
		if got := prompt(t, m, engine.Request{Messages: talk}); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

// qwen has what is recognised in the templates of Qwen 2.5 and 3.
const qwen = `{{ '<|im_start|>system\nYou are Qwen.<|im_end|>\n' }} <tools></tools> XML tags <tool_response> '</think>'`

func TestQwensSystemToolsAndThoughts(t *testing.T) {
	m := load(t, synthetic{kind: gguf.F32, template: qwen, context: 2048}.file(t), 1)
	req := engine.Request{Messages: []engine.Message{
		{Role: engine.RoleUser, Content: "hello"},
		{Role: engine.RoleAssistant, Content: "<think>\nabc\n</think>\n\nab"},
		{Role: engine.RoleTool, Content: "1"},
		{Role: engine.RoleTool, Content: "2"},
	}}
	const rest = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\nab<|im_end|>\n" +
		"<|im_start|>user\n<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
	if got, want := prompt(t, m, req), "{<s>}<|im_start|>system\nYou are Qwen.<|im_end|>\n"+rest; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	req.Tools = json.RawMessage(`[ {"type" : "function","function":{"name":"f","description":"say \"a,b: c\\\\\"", "parameters":{"type":"object","properties":{}}}} ]`)
	const offer = "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n" +
		`{"type": "function", "function": {"name": "f", "description": "say \"a,b: c\\\\\"", "parameters": {"type": "object", "properties": {}}}}` +
		"\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n"
	if got, want := prompt(t, m, req), "{<s>}<|im_start|>system\nYou are Qwen."+offer+rest; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	req.Messages = append([]engine.Message{{Role: engine.RoleSystem, Content: "ab"}}, req.Messages...)
	if got, want := prompt(t, m, req), "{<s>}<|im_start|>system\nab"+offer+rest; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatAFormatHasNoWordsForIsRefused(t *testing.T) {
	system := []engine.Message{{Role: engine.RoleSystem, Content: "ab"}, {Role: engine.RoleUser, Content: "hello"}}
	tool := []engine.Message{{Role: engine.RoleUser, Content: "hello"}, {Role: engine.RoleTool, Content: "1"}}
	for name, c := range map[string]struct {
		template string
		req      engine.Request
	}{
		"a system for mistral":  {"'[INST] ' + x + ' [/INST]'", engine.Request{Messages: system}},
		"tool messages":         {"<|start_header_id|> <|eot_id|>", engine.Request{Messages: tool}},
		"tools in plain chatml": {"<|im_start|>", engine.Request{Messages: talk, Tools: json.RawMessage(`[{"type":"function","function":{"name":"f"}}]`)}},
	} {
		m := load(t, synthetic{kind: gguf.F32, template: c.template}.file(t), 1)
		if _, err := m.Prompt(c.req); !errors.Is(err, engine.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", name, err)
		}
	}
	m := load(t, synthetic{kind: gguf.F32, template: "'[INST] ' + x + ' [/INST]'", change: func(w *gguf.Writer) { w.Flag("tokenizer.ggml.add_bos_token", true) }}.file(t), 1)
	if got, want := prompt(t, m, engine.Request{Messages: talk[1:]}), "{<s>}[INST] hello [/INST]cd{</s>}[INST] </s> [/INST]"; got != want {
		t.Errorf("mistral: got %q, want %q", got, want)
	}
}

func TestToolsAreOfferedAsTheModelWasTaught(t *testing.T) {
	m := embedded(t, 1)
	req := user("What is the weather in Rome?")
	req.Tools = json.RawMessage(`[{"type":"function","function":{"name":"get_weather","description":"…","parameters":{"type":"object","properties":{"city":{"type":"string"},"at":{}}}}},
		{"type":"function","function":{"name":"list_models"}}]`)
	want := "{<s>}{<|system|>}Tools:\n" + `{"name":"get_weather","parameters":["city","at"]}` + "\n" + `{"name":"list_models","parameters":[]}` +
		"{<|user|>}What is the weather in Rome?{<|assistant|>}"
	if got := prompt(t, m, req); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, tools := range map[string]string{
		"no array": `{}`, "no function": `[{"type":"retrieval"}]`, "no name": `[{"type":"function","function":{}}]`,
		"parameters that are no object": `[{"type":"function","function":{"name":"f","parameters":{"properties":[1]}}}]`,
	} {
		req.Tools = json.RawMessage(tools)
		if _, err := m.Prompt(req); !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("%s: got %v, want ErrBadRequest", name, err)
		}
	}
}

func TestPiecesAreWholeCharacters(t *testing.T) {
	m := load(t, synthetic{kind: gguf.F32, template: ours}.file(t), 1)
	// A random model speaks random bytes, many of which are parts of characters.
	broken := 0
	for seed := range uint64(10) {
		req := engine.Request{Prompt: "hello", TemperatureMilli: 2000, Seed: seed, MaxTokens: 50}
		r := generate(t, m, req)
		for _, text := range r.texts {
			if !utf8.ValidString(text) {
				t.Fatalf("seed %d: piece %q", seed, text)
			}
		}
		whole := m.Text(r.ids)
		if got := r.text(); got != strings.ToValidUTF8(got, "") || strings.ReplaceAll(got, "\ufffd", "") != strings.ReplaceAll(strings.ToValidUTF8(whole, ""), "\ufffd", "") {
			t.Fatalf("seed %d: pieces make %q, the tokens %q", seed, got, whole)
		}
		if !utf8.ValidString(whole) {
			broken++
		}
		if len(r.ids) != len(r.texts) || uint64(len(r.ids)) != r.CompletionTokens {
			t.Fatalf("seed %d: %d tokens, %d pieces, result %+v", seed, len(r.ids), len(r.texts), r.Result)
		}
	}
	if broken == 0 {
		t.Error("no answer had a broken character: the test shows nothing")
	}
}

func TestJSONModeGivesAnObject(t *testing.T) {
	m := embedded(t, 1)
	for seed, question := range []string{"Give me a JSON object with the keys name and age.", "Tell me a story about a fox."} {
		for _, temperature := range []uint32{0, 1500} {
			req := user(question)
			req.ResponseFormat = json.RawMessage(`{"type":"json_object"}`)
			req.TemperatureMilli, req.Seed, req.MaxTokens = temperature, uint64(seed), 60
			r := generate(t, m, req)
			var object map[string]any
			if err := json.Unmarshal([]byte(r.text()), &object); r.FinishReason == engine.Stopped && err != nil {
				t.Errorf("%s: got %q: %v", question, r.text(), err)
			}
			if !strings.HasPrefix(r.text(), "{") {
				t.Errorf("%s: got %q", question, r.text())
			}
		}
	}
}

func TestSchemasAreKept(t *testing.T) {
	m := embedded(t, 1)
	type answer struct {
		Name string
		Age  int
		Kind string
		Tags []bool
	}
	whole := 0
	for seed := range uint64(6) {
		req := user("Tell me a story about a fox.") // and nothing of the kind
		req.ResponseFormat = json.RawMessage(`{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","properties":{
			"name":{"type":"string"},"kind":{"enum":["small","large"]},"age":{"type":"integer"},"tags":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}},
			"required":["name","kind","age","tags"],"additionalProperties":false}}}`)
		req.TemperatureMilli, req.Seed, req.MaxTokens = uint32(seed)*300, seed, 150
		r := generate(t, m, req)
		if !strings.HasPrefix(r.text(), "{") {
			t.Errorf("seed %d: got %q", seed, r.text())
		}
		if r.FinishReason != engine.Stopped {
			continue // a long name
		}
		whole++
		var got answer
		if err := json.Unmarshal([]byte(r.text()), &got); err != nil || got.Kind != "small" && got.Kind != "large" || len(got.Tags) != 2 {
			t.Errorf("seed %d: got %q: %v", seed, r.text(), err)
		}
	}
	if whole == 0 {
		t.Error("no answer was whole")
	}
}
