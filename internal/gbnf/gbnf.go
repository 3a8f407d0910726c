// Package gbnf reads grammars in llama.cpp's notation: rules of characters, such as
//
//	root  ::= item ("," " "? item)*   # a list
//	item  ::= [a-z] [a-z0-9]{0,7}
//
// Beside literals and classes there are groups, alternatives, "." for any character, and
// ? * + {m} {m,} {m,n} {,n}. A rule goes on on the next line behind "::=" and "|", and within
// parentheses. An answer begins with the rule "root".
package gbnf

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/internal/grammar"
)

// MaxBytes is the most that a grammar may have.
const MaxBytes = 64 << 10

// Bounds on grammars, which come from strangers.
const (
	maxSymbols = 1 << 15 // places in all rules together
	maxTimes   = 1000    // of a repetition
	maxNested  = 64      // parentheses
)

// root is the rule that an answer begins with.
const root = "root"

// Error says what is wrong with a grammar, and where: lines and columns count from 1,
// columns in characters.
type Error struct {
	Line, Column int
	Message      string
}

// Error tells the place and what is wrong there.
func (e *Error) Error() string {
	return fmt.Sprintf("grammar: line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Compile returns the empty prefix of what the grammar allows. Errors are of type [*Error].
func Compile(text string) (grammar.Prefix, error) {
	if len(text) > MaxBytes {
		text = text[:strings.LastIndexByte(text[:MaxBytes], '\n')+1]
		p := &parser{text: text, at: len(text)}
		return grammar.Prefix{}, p.fail(p.at, "the grammar goes on beyond %d bytes", MaxBytes)
	}
	p := &parser{text: text, named: map[string]*named{}, classes: map[string]grammar.Symbol{}, owner: map[int]*named{}}
	if err := p.rules(); err != nil {
		return grammar.Prefix{}, err
	}
	for _, r := range p.order {
		if !r.defined {
			return grammar.Prefix{}, p.fail(r.at, "there is no rule %q", r.name)
		}
	}
	first, ok := p.named[root]
	if !ok {
		return grammar.Prefix{}, p.fail(len(text), "there is no rule %q, with which an answer begins", root)
	}
	if r, endless := p.LeftRecursive(); endless {
		r := p.owner[r]
		return grammar.Prefix{}, p.fail(r.at, "the rule %q begins with itself (left recursion): write it as a repetition, as in  a ::= b (\"+\" b)*", r.name)
	}
	return p.Begin(first.symbol), nil
}

// named is a rule of the grammar.
type named struct {
	name    string
	at      int // where it is defined, or first named
	defined bool
	symbol  grammar.Symbol
}

type parser struct {
	grammar.Grammar
	text    string
	at      int
	symbols int
	nested  int
	named   map[string]*named
	order   []*named                  // as they come
	classes map[string]grammar.Symbol // by their ranges
	owner   map[int]*named            // of rules without a name, and with one
	current *named
}

// fail returns the error of a place.
func (p *parser) fail(at int, format string, args ...any) error {
	before := p.text[:min(at, len(p.text))]
	line := strings.LastIndexByte(before, '\n') + 1
	return &Error{Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[line:]) + 1, Message: fmt.Sprintf(format, args...)}
}

// add makes a rule of what was read, as long as there are not too many.
func (p *parser) add(alternatives ...[]grammar.Symbol) (grammar.Symbol, error) {
	if err := p.count(alternatives...); err != nil {
		return grammar.Symbol{}, err
	}
	r := p.Rule(alternatives...)
	p.owner[r.Rule] = p.current
	return r, nil
}

func (p *parser) count(alternatives ...[]grammar.Symbol) error {
	for _, a := range alternatives {
		p.symbols += len(a) + 1
	}
	if p.symbols > maxSymbols {
		return p.fail(p.at, "the grammar is too large here: with its repetitions written out it has more than %d symbols", maxSymbols)
	}
	return nil
}

// rule returns the rule of that name, which may be defined later.
func (p *parser) rule(name string, at int) (*named, error) {
	if r, ok := p.named[name]; ok {
		return r, nil
	}
	s, err := p.add()
	if err != nil {
		return nil, err
	}
	r := &named{name: name, at: at, symbol: s}
	p.named[name], p.owner[s.Rule] = r, r
	p.order = append(p.order, r)
	return r, nil
}

// blanks skips blanks and comments; lines says that the rule may go on on the next line.
func (p *parser) blanks(lines bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || lines && (c == '\n' || c == '\r'):
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
				p.at++
			}
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// name reads the name of a rule, "" if there is none.
func (p *parser) name() string {
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

func (p *parser) rules() error {
	for p.blanks(true); p.at < len(p.text); p.blanks(true) {
		at := p.at
		name := p.name()
		if name == "" {
			return p.fail(at, "here stands %s, where a rule should begin: a name of letters, digits and \"-\". A rule goes on on the next line only behind \"::=\" and \"|\" and within parentheses", p.here())
		}
		r, err := p.rule(name, at)
		if err != nil {
			return err
		}
		if r.defined {
			return p.fail(at, "the rule %q is there already", name)
		}
		r.defined, r.at, p.current = true, at, r
		if p.blanks(false); !strings.HasPrefix(p.text[p.at:], "::=") {
			return p.fail(p.at, "here stands %s, where \"::=\" should follow the name %q", p.here(), name)
		}
		p.at += len("::=")
		p.blanks(true)
		alternatives, err := p.alternatives()
		if err != nil {
			return err
		}
		if c := p.peek(); c != 0 && c != '\n' && c != '\r' {
			return p.fail(p.at, "here stands %s, which cannot follow in a rule", p.here())
		}
		p.Rules[r.symbol.Rule] = alternatives
	}
	return nil
}

// here says what stands at the place, for an error.
func (p *parser) here() string {
	if p.at >= len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return fmt.Sprintf("%q", string(r))
}

func (p *parser) alternatives() ([][]grammar.Symbol, error) {
	var out [][]grammar.Symbol
	for {
		s, err := p.sequence()
		if err != nil {
			return nil, err
		}
		if out = append(out, s); p.peek() != '|' {
			return out, p.count(out...)
		}
		p.at++
		p.blanks(true)
	}
}

func (p *parser) sequence() ([]grammar.Symbol, error) {
	var out []grammar.Symbol
	for {
		item, ok, err := p.item()
		if err != nil || !ok {
			return out, err
		}
		p.blanks(p.nested > 0)
		for strings.IndexByte("?*+{", p.peek()) >= 0 && p.at < len(p.text) {
			if item, err = p.repeated(item); err != nil {
				return nil, err
			}
			p.blanks(p.nested > 0)
		}
		out = append(out, item...)
	}
}

// item reads what can be repeated. ok is false if none begins here.
func (p *parser) item() (item []grammar.Symbol, ok bool, err error) {
	at := p.at
	switch c := p.peek(); {
	case c == '"':
		item, err = p.literal()
	case c == '[':
		item, err = p.class()
	case c == '.':
		p.at++
		item, err = p.any()
	case c == '(':
		item, err = p.group()
	case c == '<' || c == '!':
		return nil, false, p.fail(at, "tokens of a model (<…>, !<…>) are not offered: a grammar is of characters")
	default:
		name := p.name()
		if name == "" {
			return nil, false, nil
		}
		r, err := p.rule(name, at)
		if err != nil {
			return nil, false, err
		}
		return []grammar.Symbol{r.symbol}, true, nil
	}
	return item, err == nil, err
}

func (p *parser) group() ([]grammar.Symbol, error) {
	at := p.at
	if p.nested++; p.nested > maxNested {
		return nil, p.fail(at, "more than %d parentheses within one another", maxNested)
	}
	p.at++
	p.blanks(true)
	alternatives, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.peek() != ')' {
		if p.at >= len(p.text) {
			return nil, p.fail(at, "this parenthesis is not closed")
		}
		return nil, p.fail(p.at, "here stands %s, where \")\" or more of the rule should follow", p.here())
	}
	p.at++
	p.nested--
	s, err := p.add(alternatives...)
	return []grammar.Symbol{s}, err
}
