package gbnf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/aitbc/aitbc/internal/grammar"
)

// span is the characters from the first to the last.
type span struct{ first, last rune }

// The surrogates are no characters.
var surrogates = span{0xd800, 0xdfff}

// character reads one character of a literal or a class, perhaps an escape.
func (p *parser) character(opened int) (rune, error) {
	if p.at >= len(p.text) {
		return 0, p.fail(opened, "this %q is not closed", p.text[opened:opened+1])
	}
	at := p.at
	r, size := utf8.DecodeRuneInString(p.text[at:])
	switch {
	case r == utf8.RuneError && size <= 1:
		return 0, p.fail(at, "what stands here is no UTF-8")
	case r == '\n' || r == '\r':
		return 0, p.fail(opened, "this %q is not closed on its line: write a line's end as \\n", p.text[opened:opened+1])
	case r != '\\':
		p.at += size
		return r, nil
	}
	if p.at++; p.at >= len(p.text) {
		return 0, p.fail(at, "nothing follows this backslash")
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '\\', '"', '[', ']', '^', '-':
		return rune(c), nil
	case 'x':
		return p.code(at, 2)
	case 'u':
		return p.code(at, 4)
	case 'U':
		return p.code(at, 8)
	}
	return 0, p.fail(at, "there is no escape \\%c: use \\n \\r \\t \\\\ \\\" \\[ \\] \\xNN \\uNNNN or \\UNNNNNNNN", c)
}

// code reads a character's number of so many digits.
func (p *parser) code(at, digits int) (rune, error) {
	if p.at+digits > len(p.text) {
		return 0, p.fail(at, "the escape has not its %d hexadecimal digits", digits)
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
	if err != nil {
		return 0, p.fail(at, "the escape has not its %d hexadecimal digits", digits)
	}
	p.at += digits
	if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, p.fail(at, "U+%04X is no character", n)
	}
	return rune(n), nil
}

func (p *parser) literal() ([]grammar.Symbol, error) {
	opened := p.at
	p.at++
	var text []byte
	for p.peek() != '"' {
		r, err := p.character(opened)
		if err != nil {
			return nil, err
		}
		text = utf8.AppendRune(text, r)
	}
	p.at++
	out := grammar.Literal(string(text))
	return out, p.count(out)
}

// class reads [abc], [a-z] or [^a-z].
func (p *parser) class() ([]grammar.Symbol, error) {
	opened := p.at
	p.at++
	not := p.peek() == '^'
	if not {
		p.at++
	}
	var spans []span
	for p.peek() != ']' {
		at := p.at
		first, err := p.character(opened)
		if err != nil {
			return nil, err
		}
		s := span{first, first}
		if p.peek() == '-' && p.at+1 < len(p.text) && p.text[p.at+1] != ']' {
			p.at++
			if s.last, err = p.character(opened); err != nil {
				return nil, err
			}
		}
		if s.last < s.first {
			return nil, p.fail(at, "the range ends before it begins")
		}
		spans = append(spans, s)
	}
	p.at++
	if len(spans) == 0 {
		return nil, p.fail(opened, "the class has no character: use . for any")
	}
	if spans = joined(spans); not {
		spans = others(spans)
	}
	if len(spans) == 0 {
		return nil, p.fail(opened, "the class leaves no character")
	}
	return p.anyOf(spans)
}

// any is any character.
func (p *parser) any() ([]grammar.Symbol, error) { return p.anyOf(others(nil)) }

// joined sorts spans and joins those that touch, without surrogates.
func joined(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return without(out, surrogates)
}

// without cuts a span out of others.
func without(spans []span, cut span) []span {
	var out []span
	for _, s := range spans {
		if s.last < cut.first || s.first > cut.last {
			out = append(out, s)
			continue
		}
		if s.first < cut.first {
			out = append(out, span{s.first, cut.first - 1})
		}
		if s.last > cut.last {
			out = append(out, span{cut.last + 1, s.last})
		}
	}
	return out
}

// others is all characters but those.
func others(spans []span) []span {
	out := []span{{0, utf8.MaxRune}}
	for _, s := range append([]span{surrogates}, spans...) {
		out = without(out, s)
	}
	return out
}

// anyOf is one character of the spans, written as the bytes of its UTF-8.
func (p *parser) anyOf(spans []span) ([]grammar.Symbol, error) {
	key := fmt.Sprint(spans)
	if s, ok := p.classes[key]; ok {
		return []grammar.Symbol{s}, nil
	}
	single := new(grammar.Set)
	var alternatives [][]grammar.Symbol
	for _, s := range spans {
		for _, ranges := range encodings(s) {
			if len(ranges) == 1 {
				for b := int(ranges[0][0]); b <= int(ranges[0][1]); b++ {
					single.Add(byte(b)) //nolint:gosec // up to a byte
				}
				continue
			}
			var bytes []grammar.Symbol
			for _, r := range ranges {
				bytes = append(bytes, grammar.Symbol{Bytes: grammar.Bytes(r)})
			}
			alternatives = append(alternatives, bytes)
		}
	}
	if *single != (grammar.Set{}) {
		one := grammar.Symbol{Bytes: single}
		if alternatives == nil {
			p.classes[key] = one
			return []grammar.Symbol{one}, p.count([]grammar.Symbol{one})
		}
		alternatives = append(alternatives, []grammar.Symbol{one})
	}
	s, err := p.add(alternatives...)
	p.classes[key] = s
	return []grammar.Symbol{s}, err
}

// encodings are the sequences of ranges of bytes that UTF-8 has for a span.
func encodings(s span) [][][2]byte {
	for _, most := range []rune{0x7f, 0x7ff, 0xffff} { // of one length
		if s.first <= most && s.last > most {
			return append(encodings(span{s.first, most}), encodings(span{most + 1, s.last})...)
		}
	}
	// The bytes behind the first that differs must have their whole range.
	for bits := 6; bits <= 18 && s.last > 0x7f; bits += 6 {
		low := rune(1)<<bits - 1
		if s.first&^low == s.last&^low {
			continue
		}
		if s.first&low != 0 {
			return append(encodings(span{s.first, s.first | low}), encodings(span{s.first | low + 1, s.last})...)
		}
		if s.last&low != low {
			return append(encodings(span{s.first, s.last&^low - 1}), encodings(span{s.last &^ low, s.last})...)
		}
	}
	first, last := utf8.AppendRune(nil, s.first), utf8.AppendRune(nil, s.last)
	out := make([][2]byte, len(first))
	for i := range first {
		out[i] = [2]byte{first[i], last[i]}
	}
	return [][][2]byte{out}
}
