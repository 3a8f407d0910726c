// Package pieces turns the tokens of an answer into text that may be shown.
package pieces

import (
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine"
)

// A Writer holds tokens back while they end inside a character or might be the
// beginning of a stop text. It belongs to one goroutine.
type Writer struct {
	// Stops end the answer.
	Stops []string
	// Yield takes what can be shown.
	Yield func(engine.Token) error
	// Unspaced drops one space at the beginning of the answer.
	Unspaced bool

	next uint64 // index of the next token to yield
	held []heldToken
	text []byte // of the held tokens together
}

type heldToken struct {
	id     uint32
	end    int // of its bytes in text
	likely *engine.Logprob
}

// Add takes a token and yields what can be shown. stopped says that a stop text
// has come; everything up to it is yielded then.
func (p *Writer) Add(id uint32, bytes []byte, likely *engine.Logprob) (stopped bool, err error) {
	if p.Unspaced && len(bytes) > 0 {
		p.Unspaced = false
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

// Count is how many tokens were yielded.
func (p *Writer) Count() uint64 { return p.next }

// Finish yields what is held back when no more tokens come.
func (p *Writer) Finish() error { return p.flush(len(p.text)) }

// stop returns where the first stop text begins, or -1.
func (p *Writer) stop() int {
	first := -1
	for _, s := range p.Stops {
		if at := strings.Index(string(p.text), s); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// ambiguous says that more tokens are needed to know what the text is.
func (p *Writer) ambiguous() bool {
	for back := 1; back < utf8.UTFMax && back <= len(p.text); back++ {
		if b := p.text[len(p.text)-back]; utf8.RuneStart(b) {
			if !utf8.FullRune(p.text[len(p.text)-back:]) {
				return true
			}
			break
		}
	}
	for _, s := range p.Stops {
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
func (p *Writer) flush(limit int) error {
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
		if err := p.Yield(engine.Token{Index: p.next, ID: t.id, HasID: true, Text: shown, Logprob: t.likely}); err != nil {
			return err
		}
		p.next++
	}
	return nil
}
