package chat

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aitbc/aitbc/engine"
)

// ownTemplate is the chat template in the files that training/export.py writes.
const ownTemplate = "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}" +
	"{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}" +
	"{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"

// A Format writes conversations the way that a model was trained on. Files carry
// their format as a Jinja program; instead of running programs of strangers, we
// know the common formats by the marks that stand in them.
type Format struct {
	name  string
	is    func(template string) bool
	write func(f *Format, b *script, messages []engine.Message)
	// ends are control tokens that end an answer, beside the vocabulary's own.
	ends []string
	// tools offers tools the way that the model was trained on, nil for none; only then
	// are there messages of tools.
	tools func(f *Format, tools []tool, messages []engine.Message) ([]engine.Message, error)
	// noSystem: there is no place for what the system says.
	noSystem bool

	system string // what it says if the conversation does not begin with it
	thinks bool   // thoughts in earlier answers are left out
}

var formats = []Format{
	{name: "aitbc", is: func(t string) bool { return t == ownTemplate }, write: writeOwn, tools: ownTools},
	{name: "chatml", is: has("<|im_start|>"), write: writeChatML, ends: []string{"<|im_end|>"}},
	{name: "llama-3", is: has("<|start_header_id|>", "<|eot_id|>"), write: writeLlama3, ends: []string{"<|eot_id|>", "<|eom_id|>"}},
	{name: "phi-3", is: has("<|user|>", "<|assistant|>", "<|end|>"), write: writePhi3, ends: []string{"<|end|>"}},
	{name: "zephyr", is: has("<|user|>", "<|assistant|>"), write: writeZephyr},
	{name: "llama-2", is: has("[INST]", "<<SYS>>"), write: writeLlama2},
	{name: "mistral", is: has("'[INST] '", "' [/INST]'"), write: writeMistral, noSystem: true},
}

func has(marks ...string) func(string) bool {
	return func(template string) bool {
		for _, m := range marks {
			if !strings.Contains(template, m) {
				return false
			}
		}
		return true
	}
}

// systemOfChatML finds what Qwen's and others' templates let the system say.
var systemOfChatML = regexp.MustCompile(`<\|im_start\|>system\\n([^'"{}<]+)<\|im_end\|>`)

// Of recognises the chat template of a model's file; nil means that it is unknown.
func Of(template string) *Format {
	for _, f := range formats {
		if !f.is(template) {
			continue
		}
		f.thinks = strings.Contains(template, "</think>")
		switch f.name {
		case "chatml":
			if found := systemOfChatML.FindStringSubmatch(template); found != nil {
				f.system = strings.ReplaceAll(found[1], `\n`, "\n")
			}
			if strings.Contains(template, "<tools></tools> XML tags") && strings.Contains(template, "<tool_response>") {
				f.tools = qwenTools
			}
		case "llama-3":
			if strings.Contains(template, "Cutting Knowledge Date: December 2023") {
				// The day is the one that the template names, so that an answer can be replayed on any.
				f.system = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
			}
		}
		return &f
	}
	return nil
}

// check refuses conversations that the format has no words for.
func (f *Format) check(messages []engine.Message) error {
	for _, m := range messages {
		switch {
		case m.Role == engine.RoleTool && f.tools == nil:
			return fmt.Errorf("%w: the chat format %s has no tool messages", engine.ErrUnsupported, f.name)
		case m.Role == engine.RoleSystem && f.noSystem:
			return fmt.Errorf("%w: the chat format %s has no system messages; put it into the user's", engine.ErrUnsupported, f.name)
		}
	}
	return nil
}

// said is a message without the thoughts of an earlier answer.
func (f *Format) said(m engine.Message) string {
	if !f.thinks || m.Role != engine.RoleAssistant {
		return m.Content
	}
	if at := strings.LastIndex(m.Content, "</think>"); at >= 0 {
		return strings.TrimLeft(m.Content[at+len("</think>"):], "\n")
	}
	return m.Content
}

func writeOwn(_ *Format, b *script, messages []engine.Message) {
	for _, m := range messages {
		b.mark("<|" + m.Role + "|>")
		b.text(m.Content)
		if m.Role == engine.RoleAssistant {
			b.mark("</s>")
		}
	}
	b.mark("<|assistant|>")
}

func writeChatML(f *Format, b *script, messages []engine.Message) {
	turn := func(role, content string) {
		b.mark("<|im_start|>")
		b.text(role + "\n" + content)
		b.mark("<|im_end|>")
		b.text("\n")
	}
	if f.system != "" && messages[0].Role != engine.RoleSystem {
		turn(engine.RoleSystem, f.system)
	}
	for i, m := range messages {
		if m.Role != engine.RoleTool {
			turn(m.Role, f.said(m))
			continue
		}
		// What tools said one after another is one turn of the user's.
		if i == 0 || messages[i-1].Role != engine.RoleTool {
			b.mark("<|im_start|>")
			b.text(engine.RoleUser)
		}
		b.text("\n<tool_response>\n" + m.Content + "\n</tool_response>")
		if i == len(messages)-1 || messages[i+1].Role != engine.RoleTool {
			b.mark("<|im_end|>")
			b.text("\n")
		}
	}
	b.mark("<|im_start|>")
	b.text("assistant\n")
}

func writeLlama3(f *Format, b *script, messages []engine.Message) {
	head := func(role string) {
		b.mark("<|start_header_id|>")
		b.text(role)
		b.mark("<|end_header_id|>")
	}
	turn := func(role, content string) {
		head(role)
		b.text("\n\n" + content)
		b.mark("<|eot_id|>")
	}
	if f.system != "" {
		content := f.system
		if messages[0].Role == engine.RoleSystem {
			content += strings.TrimSpace(messages[0].Content)
			messages = messages[1:]
		}
		turn(engine.RoleSystem, content)
	}
	for _, m := range messages {
		turn(m.Role, strings.TrimSpace(f.said(m)))
	}
	head(engine.RoleAssistant)
	b.text("\n\n")
}

func writePhi3(_ *Format, b *script, messages []engine.Message) {
	for _, m := range messages {
		b.mark("<|" + m.Role + "|>")
		b.text("\n" + m.Content)
		b.mark("<|end|>")
		b.text("\n")
	}
	b.mark("<|assistant|>")
	b.text("\n")
}

func writeZephyr(_ *Format, b *script, messages []engine.Message) {
	for _, m := range messages {
		b.mark("<|" + m.Role + "|>")
		b.text("\n" + m.Content)
		b.mark("</s>")
		b.text("\n")
	}
	b.mark("<|assistant|>")
	b.text("\n")
}

func writeLlama2(_ *Format, b *script, messages []engine.Message) {
	system := ""
	for i, m := range messages {
		switch m.Role {
		case engine.RoleSystem:
			system += "<<SYS>>\n" + m.Content + "\n<</SYS>>\n\n"
		case engine.RoleAssistant:
			b.text(" " + m.Content + " ")
			b.mark("</s>")
		default:
			if i > 0 && messages[i-1].Role == engine.RoleAssistant {
				b.mark("<s>")
			}
			b.text("[INST] " + system + m.Content + " [/INST]")
			system = ""
		}
	}
}

func writeMistral(_ *Format, b *script, messages []engine.Message) {
	for _, m := range messages {
		if m.Role == engine.RoleAssistant {
			b.text(m.Content)
			b.mark("</s>")
		} else {
			b.text("[INST] " + m.Content + " [/INST]")
		}
	}
}
