package exact

import (
	"fmt"
	"strings"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact/internal/vocab"
)

// ownTemplate is the chat template in the files that training/export.py writes.
const ownTemplate = "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}" +
	"{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}" +
	"{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"

// A format writes conversations the way that a model was trained on. Files carry
// their format as a Jinja program; instead of running programs of strangers, we
// know the common formats by the marks that stand in them.
type format struct {
	name  string
	is    func(template string) bool
	write func(b *builder, messages []engine.Message) error
	// ends are control tokens that end an answer, beside the vocabulary's own.
	ends []string
	// tools says that the model was trained on our way to offer tools.
	tools bool
}

var formats = []format{
	{name: "aitbc", is: func(t string) bool { return t == ownTemplate }, write: writeOwn, tools: true},
	{name: "chatml", is: func(t string) bool { return strings.Contains(t, "<|im_start|>") }, write: writeChatML, ends: []string{"<|im_end|>"}},
	{name: "zephyr", is: func(t string) bool { return strings.Contains(t, "<|user|>") && strings.Contains(t, "<|assistant|>") }, write: writeZephyr},
	{name: "llama-2", is: func(t string) bool { return strings.Contains(t, "[INST]") }, write: writeLlama2},
}

// formatOf recognises a template; nil means that it is unknown.
func formatOf(template string) *format {
	for i := range formats {
		if formats[i].is(template) {
			return &formats[i]
		}
	}
	return nil
}

// builder collects the tokens of a prompt.
type builder struct {
	vocab *vocab.Vocab
	ids   []uint32
	pad   bool // a space goes before the next text
}

func newBuilder(v *vocab.Vocab) *builder {
	b := &builder{vocab: v, pad: v.SpacePrefix()}
	if id, ok := v.Begin(); ok {
		b.ids = append(b.ids, id)
	}
	return b
}

// text adds text, in which nothing has a special meaning.
func (b *builder) text(s string) {
	if s == "" {
		return
	}
	if b.pad {
		s, b.pad = " "+s, false
	}
	b.ids = append(b.ids, b.vocab.Encode(s)...)
}

// mark adds a control token, or its text where the vocabulary has no such token.
func (b *builder) mark(s string) {
	id, ok := b.vocab.Control(s)
	if !ok {
		b.text(s)
		return
	}
	b.ids = append(b.ids, id)
	b.pad = b.vocab.SpacePrefix()
}

func writeOwn(b *builder, messages []engine.Message) error {
	for _, m := range messages {
		b.mark("<|" + m.Role + "|>")
		b.text(m.Content)
		if m.Role == engine.RoleAssistant {
			b.mark("</s>")
		}
	}
	b.mark("<|assistant|>")
	return nil
}

func noTools(format string, messages []engine.Message) error {
	for _, m := range messages {
		if m.Role == engine.RoleTool {
			return fmt.Errorf("%w: the chat format %s has no tool messages", engine.ErrUnsupported, format)
		}
	}
	return nil
}

func writeChatML(b *builder, messages []engine.Message) error {
	for _, m := range messages {
		b.mark("<|im_start|>")
		b.text(m.Role + "\n" + m.Content)
		b.mark("<|im_end|>")
		b.text("\n")
	}
	b.mark("<|im_start|>")
	b.text("assistant\n")
	return noTools("chatml", messages)
}

func writeZephyr(b *builder, messages []engine.Message) error {
	for _, m := range messages {
		b.mark("<|" + m.Role + "|>")
		b.text("\n" + m.Content)
		b.mark("</s>")
		b.text("\n")
	}
	b.mark("<|assistant|>")
	b.text("\n")
	return noTools("zephyr", messages)
}

func writeLlama2(b *builder, messages []engine.Message) error {
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
	return noTools("llama-2", messages)
}
