package exact

import (
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine"
)

// pieces turns tokens into text that may be shown: it holds tokens back while they
// end inside a character or might be the beginning of a stop text.
type pieces struct {
	stops []string
	yield func(engine.Token) error

	next  uint64 // index of the next token to yield
	held  []heldToken
	text  []byte // of the held tokens together
	first bool   // drop one space at the beginning of the answer
}

type heldToken struct {
	id     uint32
	end    int // of its bytes in text
	likely *engine.Logprob
}

// add takes a token and yields what can be shown. stopped says that a stop text
// has come; everything up to it is yielded then.
func (p *pieces) add(id uint32, bytes []byte, likely *engine.Logprob) (stopped bool, err error) {
	if p.first && len(bytes) > 0 {
		p.first = false
		if bytes[0] == ' ' {
			bytes = bytes[1:]
		}
	}
	p.text = append(p.text, bytes...)
	p.held = append(p.held, heldToken{id: id, end: len(p.text), likely: likely})
	if at := p.stop(); at >= 0 {
		return true, p.flush(at)
	}
	if p.ambiguous() {
		return false, nil
	}
	return false, p.flush(len(p.text))
}

// finish yields what is held back when no more tokens come.
func (p *pieces) finish() error { return p.flush(len(p.text)) }

// stop returns where the first stop text begins, or -1.
func (p *pieces) stop() int {
	first := -1
	for _, s := range p.stops {
		if at := strings.Index(string(p.text), s); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// ambiguous says that more tokens are needed to know what the text is.
func (p *pieces) ambiguous() bool {
	for back := 1; back < utf8.UTFMax && back <= len(p.text); back++ {
		if b := p.text[len(p.text)-back]; utf8.RuneStart(b) {
			if !utf8.FullRune(p.text[len(p.text)-back:]) {
				return true
			}
			break
		}
	}
	for _, s := range p.stops {
		for n := min(len(s)-1, len(p.text)); n > 0; n-- {
			if string(p.text[len(p.text)-n:]) == s[:n] {
				return true
			}
		}
	}
	return false
}

// flush yields all held tokens with the first limit bytes of their text, cut
// between characters; what is no UTF-8 becomes U+FFFD.
func (p *pieces) flush(limit int) error {
	text, held := p.text[:limit], p.held
	p.text, p.held = nil, nil
	start := 0
	for i, t := range held {
		end := min(t.end, limit)
		if i == len(held)-1 {
			end = limit
		}
		for end > start && end < limit && !utf8.RuneStart(text[end]) {
			end--
		}
		shown := strings.ToValidUTF8(string(text[start:end]), string(utf8.RuneError))
		start = end
		if err := p.yield(engine.Token{Index: p.next, ID: t.id, HasID: true, Text: shown, Logprob: t.likely}); err != nil {
			return err
		}
		p.next++
	}
	return nil
}
