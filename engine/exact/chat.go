package exact

import (
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/internal/vocab"
)

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

// add adds the parts of a conversation.
func (b *builder) add(parts []chat.Part) {
	for _, p := range parts {
		if p.Control {
			b.mark(p.Text)
		} else {
			b.text(p.Text)
		}
	}
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
