// Package grammar knows which texts are the beginning of what a context-free grammar over
// bytes says.
package grammar

// Set is a set of bytes.
type Set [4]uint64

// Bytes returns the set of the bytes in the ranges.
func Bytes(ranges ...[2]byte) *Set {
	s := new(Set)
	for _, r := range ranges {
		for b := int(r[0]); b <= int(r[1]); b++ {
			s.Add(byte(b)) //nolint:gosec // up to a byte
		}
	}
	return s
}

// Add puts a byte into the set.
func (s *Set) Add(b byte) { s[b>>6] |= 1 << (b & 63) }

// Remove takes a byte out of the set.
func (s *Set) Remove(b byte) { s[b>>6] &^= 1 << (b & 63) }

// Has says whether a byte is in the set.
func (s *Set) Has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

// A Symbol is one byte of a set, or a rule.
type Symbol struct {
	Bytes *Set
	Rule  int
}

// Literal is these very bytes.
func Literal(text string) []Symbol {
	out := make([]Symbol, len(text))
	for i := range len(text) {
		out[i] = Symbol{Bytes: Bytes([2]byte{text[i], text[i]})}
	}
	return out
}

// A Grammar is rules, each with alternatives, each a sequence of symbols. The zero value
// has none.
type Grammar struct {
	Rules [][][]Symbol

	repeats map[int]bool // rules made by Repeat
}

// Rule adds a rule and returns it as a symbol.
func (g *Grammar) Rule(alternatives ...[]Symbol) Symbol {
	g.Rules = append(g.Rules, alternatives)
	return Symbol{Rule: len(g.Rules) - 1}
}

// Repeat adds a rule for any number of a symbol, which may be nothing itself.
func (g *Grammar) Repeat(s Symbol) Symbol {
	r := g.Rule()
	g.Rules[r.Rule] = [][]Symbol{{s, r}, nil}
	if g.repeats == nil {
		g.repeats = map[int]bool{}
	}
	g.repeats[r.Rule] = true
	return r
}

// LeftRecursive returns a rule that can begin with itself, if there is one: what it begins
// with would never be known.
func (g *Grammar) LeftRecursive() (rule int, ok bool) {
	empty := g.empty()
	const walking, done = 1, 2
	state := make([]int, len(g.Rules))
	// It keeps its own stack, as rules may be as many as a stranger likes.
	type visit struct {
		rule  int
		edges []int
	}
	for first := range g.Rules {
		if state[first] != 0 {
			continue
		}
		state[first] = walking
		path := []visit{{first, g.begins(first, empty)}}
		for len(path) > 0 {
			at := &path[len(path)-1]
			if len(at.edges) == 0 {
				state[at.rule] = done
				path = path[:len(path)-1]
				continue
			}
			next := at.edges[0]
			at.edges = at.edges[1:]
			switch state[next] {
			case walking:
				return next, true
			case 0:
				state[next] = walking
				path = append(path, visit{next, g.begins(next, empty)})
			}
		}
	}
	return 0, false
}

// begins returns the rules that a rule can begin with. A repetition whose part is nothing
// may be left as it is: the same again is no other way to go on.
func (g *Grammar) begins(rule int, empty []bool) []int {
	var out []int
	for _, alternative := range g.Rules[rule] {
		for _, s := range alternative {
			if s.Bytes != nil || g.repeats[rule] && s.Rule == rule {
				break
			}
			out = append(out, s.Rule)
			if !empty[s.Rule] {
				break
			}
		}
	}
	return out
}

// empty says of each rule whether it can be no byte at all.
func (g *Grammar) empty() []bool {
	out := make([]bool, len(g.Rules))
	// users are the rules in which a rule stands: only they can change with it.
	users := make([][]int, len(g.Rules))
	var open []int
	for r, alternatives := range g.Rules {
		open = append(open, r)
		for _, a := range alternatives {
			for _, s := range a {
				if s.Bytes == nil {
					users[s.Rule] = append(users[s.Rule], r)
				}
			}
		}
	}
	for len(open) > 0 {
		r := open[len(open)-1]
		open = open[:len(open)-1]
		if out[r] {
			continue
		}
		for _, a := range g.Rules[r] {
			if nothing(a, out) {
				out[r] = true
				open = append(open, users[r]...)
				break
			}
		}
	}
	return out
}

func nothing(a []Symbol, empty []bool) bool {
	for _, s := range a {
		if s.Bytes != nil || !empty[s.Rule] {
			return false
		}
	}
	return true
}
