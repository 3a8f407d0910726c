package gbnf

import (
	"strconv"
	"strings"

	"github.com/aitbc/aitbc/internal/grammar"
)

// repeated reads how often an item may come, and writes that out.
func (p *parser) repeated(item []grammar.Symbol) ([]grammar.Symbol, error) {
	at := p.at
	least, most := 0, -1 // -1 is any number
	switch p.peek() {
	case '?':
		most = 1
	case '+':
		least = 1
	case '{':
		var err error
		if least, most, err = p.times(); err != nil {
			return nil, err
		}
	}
	if p.text[at] != '{' {
		p.at++
	}
	if most >= 0 && most < least {
		return nil, p.fail(at, "at least %d and at most %d times is never", least, most)
	}
	if len(item) != 1 { // a literal is repeated as a whole
		s, err := p.add(item)
		if err != nil {
			return nil, err
		}
		item = []grammar.Symbol{s}
	}
	return p.writeOut(item[0], least, most)
}

// writeOut makes least to most of a symbol; each that may be left out is a rule with what
// may follow it.
func (p *parser) writeOut(s grammar.Symbol, least, most int) ([]grammar.Symbol, error) {
	out := make([]grammar.Symbol, 0, least+1)
	for range least {
		out = append(out, s)
	}
	if err := p.count(out); err != nil {
		return nil, err
	}
	if most < 0 {
		if err := p.count([]grammar.Symbol{s, s}, nil); err != nil {
			return nil, err
		}
		r := p.Repeat(s)
		p.owner[r.Rule] = p.current
		return append(out, r), nil
	}
	var rest []grammar.Symbol
	for range most - least {
		r, err := p.add(append([]grammar.Symbol{s}, rest...), nil)
		if err != nil {
			return nil, err
		}
		rest = []grammar.Symbol{r}
	}
	return append(out, rest...), nil
}

// times reads {m}, {m,}, {,n} or {m,n}.
func (p *parser) times() (least, most int, err error) {
	at := p.at
	end := strings.IndexByte(p.text[at:], '}')
	if end < 0 {
		return 0, 0, p.fail(at, "this brace is not closed")
	}
	p.at += end + 1
	from, to, both := strings.Cut(p.text[at+1:at+end], ",")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	number := func(s string) int {
		n, e := strconv.ParseUint(s, 10, 32)
		switch {
		case e != nil && err == nil:
			err = p.fail(at, "write how often as {m}, {m,}, {,n} or {m,n}")
		case n > maxTimes && err == nil:
			err = p.fail(at, "%d times; at most %d are taken", n, maxTimes)
		}
		return int(min(n, maxTimes))
	}
	most = -1
	switch {
	case !both:
		least = number(from)
		most = least
	case from == "" && to == "":
		number("")
	default:
		if from != "" {
			least = number(from)
		}
		if to != "" {
			most = number(to)
		}
	}
	return least, most, err
}
