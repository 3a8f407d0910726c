// Package schema keeps a model's answer to a JSON schema: it compiles one to a grammar
// over bytes and knows which texts are the beginning of a fitting object.
package schema

// set is a set of bytes.
type set [4]uint64

func (s *set) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *set) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func bytesOf(ranges ...[2]byte) *set {
	s := new(set)
	for _, r := range ranges {
		for b := int(r[0]); b <= int(r[1]); b++ {
			s.add(byte(b)) //nolint:gosec // up to a byte
		}
	}
	return s
}

// A symbol is one byte of a set, or a rule.
type symbol struct {
	bytes *set
	rule  int
}

// grammar is rules, each with alternatives, each a sequence of symbols.
type grammar struct {
	rules [][][]symbol
	// empty says of each rule whether it can be no byte at all.
	empty []bool
}

// frame is what has yet to come, as a list that several states share.
type frame struct {
	rest []symbol
	then *frame
}

// maxFrames bounds how many ways of reading a text are followed at a time. Beyond it some
// texts that fit are not found, but none that does not fit is taken.
const maxFrames = 512

// A Prefix is a beginning of a fitting object. Prefixes are values: to try a
// continuation, copy one.
type Prefix struct {
	grammar *grammar
	frames  []*frame // each begins with a byte, nil is the end
}

// Complete says that the text is a whole object.
func (p *Prefix) Complete() bool {
	for _, f := range p.frames {
		if f == nil {
			return true
		}
	}
	return false
}

// Add continues the text. It returns false, and leaves p in no useful state, when no
// fitting object begins like that.
func (p *Prefix) Add(text []byte) bool {
	for _, b := range text {
		var next []*frame
		for _, f := range p.frames {
			if f != nil && f.rest[0].bytes.has(b) {
				next = p.grammar.expand(next, &frame{rest: f.rest[1:], then: f.then})
			}
		}
		if p.frames = next; len(next) == 0 {
			return false
		}
	}
	return true
}

// expand adds to out the frames that f can begin with a byte.
func (g *grammar) expand(out []*frame, f *frame) []*frame {
	for f != nil && len(f.rest) == 0 {
		f = f.then
	}
	if len(out) >= maxFrames {
		return out
	}
	if f == nil || f.rest[0].bytes != nil {
		return append(out, f)
	}
	then := f.then
	if len(f.rest) > 1 {
		then = &frame{rest: f.rest[1:], then: f.then}
	}
	for _, alternative := range g.rules[f.rest[0].rule] {
		out = g.expand(out, &frame{rest: alternative, then: then})
	}
	return out
}

// endless says whether a rule can begin with itself, so that expand would not end.
func (g *grammar) endless() bool {
	g.empty = make([]bool, len(g.rules))
	for changed := true; changed; {
		changed = false
		for r, alternatives := range g.rules {
			for _, a := range alternatives {
				if !g.empty[r] && g.nothing(a) {
					g.empty[r], changed = true, true
				}
			}
		}
	}
	const walking, done = 1, 2
	state := make([]int, len(g.rules))
	var walk func(r int) bool
	walk = func(r int) bool {
		switch state[r] {
		case walking:
			return true
		case done:
			return false
		}
		state[r] = walking
		for _, alternative := range g.rules[r] {
			for _, s := range alternative {
				if s.bytes != nil {
					break
				}
				if walk(s.rule) {
					return true
				}
				if !g.empty[s.rule] {
					break
				}
			}
		}
		state[r] = done
		return false
	}
	for r := range g.rules {
		if walk(r) {
			return true
		}
	}
	return false
}

func (g *grammar) nothing(a []symbol) bool {
	for _, s := range a {
		if s.bytes != nil || !g.empty[s.rule] {
			return false
		}
	}
	return true
}
