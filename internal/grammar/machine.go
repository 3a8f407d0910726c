package grammar

import (
	"cmp"
	"errors"
	"fmt"
)

// ErrTooMuch says that a text can be read in more ways, or nests deeper, or takes more work,
// than is followed.
var ErrTooMuch = errors.New("the grammar is too ambiguous")

// Bounds on what is followed. Grammars come from strangers.
const (
	maxFrames = 2048    // ways of reading a text at a time
	maxDepth  = 2048    // rules within rules
	maxVisits = 1 << 14 // symbols looked at for one byte
	maxWork   = 1 << 22 // of those between two calls of Take
	maxCached = 1 << 15 // frames of states that are kept, a state counting as sixteen
)

// An op is a symbol where it stands in an alternative; end is behind the last one.
type op struct {
	bytes *Set
	rule  int
	end   bool
}

// A frame is what has yet to come: the symbols from a place on, and then those of another
// frame. Frames are shared, and never change.
type frame struct {
	at    int
	then  *frame
	hash  uint64
	depth int
}

// A state is all the ways in which a text can be read.
type state struct {
	frames   []*frame // each begins with a byte
	complete bool     // the text may end here
	begins   Set      // bytes of the frames
	hash     uint64

	age  uint64
	next *[256]*state // as far as it was asked, of this age
}

// none is the state of texts that are not followed.
var none = new(state)

// perState is what a state counts beside its frames.
const perState = 16

// A machine reads texts. It belongs to one goroutine.
type machine struct {
	ops   []op
	rules [][]int // where each alternative begins

	states  map[uint64]*state // by hash, of this age
	age     uint64
	cached  int
	work    int
	trouble error

	seen map[uint64]*frame // while frames are expanded
	out  state
	left int // visits
}

// A Prefix is a beginning of a text that a grammar allows. Prefixes are values: to try a
// continuation, copy one. A prefix and its copies belong to one goroutine.
type Prefix struct {
	machine *machine
	state   *state
}

// Begin returns the empty prefix of what the root allows. The grammar must not be left
// recursive, and belongs to the prefix then.
func (g *Grammar) Begin(root Symbol) Prefix {
	m := &machine{states: map[uint64]*state{}, seen: map[uint64]*frame{}}
	m.ops = append(m.ops, op{bytes: root.Bytes, rule: root.Rule}, op{end: true})
	for _, alternatives := range g.Rules {
		var starts []int
		for _, a := range alternatives {
			starts = append(starts, len(m.ops))
			for _, s := range a {
				m.ops = append(m.ops, op{bytes: s.Bytes, rule: s.Rule})
			}
			m.ops = append(m.ops, op{end: true})
		}
		m.rules = append(m.rules, starts)
	}
	m.clear()
	m.expand(0, nil)
	return Prefix{machine: m, state: m.settle()}
}

// Complete says that the text may end here.
func (p *Prefix) Complete() bool { return p.state.complete }

// Ended says that the text must end here.
func (p *Prefix) Ended() bool { return p.state.complete && len(p.state.frames) == 0 }

// Add continues the text. It returns false, and leaves p in no useful state, when no text
// that the grammar allows begins like that, or when it is too much to find out.
func (p *Prefix) Add(text []byte) bool {
	for _, b := range text {
		if p.state = p.machine.step(p.state, b); p.state == nil {
			return false
		}
	}
	return true
}

// Take is Add for what was chosen: a new allowance of work begins.
func (p *Prefix) Take(text []byte) bool {
	p.machine.work = 0
	return p.Add(text)
}

// Err returns an error that wraps [ErrTooMuch] if some text was refused because it was too much,
// and not because the grammar does not allow it. spent says that nothing is followed any more.
func (p *Prefix) Err() (spent bool, err error) {
	return p.machine.work > maxWork, p.machine.trouble
}

func (m *machine) step(s *state, b byte) *state {
	if !s.begins.Has(b) {
		return nil
	}
	if s.age != m.age {
		s.age, s.next = m.age, nil
	}
	if s.next != nil {
		if next := s.next[b]; next == none {
			return nil
		} else if next != nil {
			return next
		}
	}
	if m.work > maxWork {
		m.trouble = fmt.Errorf("%w: more than %d steps for one token", ErrTooMuch, maxWork)
		return nil
	}
	m.clear()
	for _, f := range s.frames {
		if m.ops[f.at].bytes.Has(b) {
			m.expand(f.at+1, f.then)
		}
	}
	next := m.settle()
	if s.next == nil || s.age != m.age { // settle may have begun another age
		s.age, s.next = m.age, new([256]*state)
	}
	s.next[b] = cmp.Or(next, none)
	return next
}

func (m *machine) clear() {
	clear(m.seen)
	m.out, m.left = state{frames: m.out.frames[:0]}, maxVisits
}

// expand adds the frames that what stands at a place, and then a frame, can begin with.
func (m *machine) expand(at int, then *frame) {
	for m.ops[at].end && then != nil {
		at, then = then.at, then.then
	}
	if m.left--; m.left < 0 || then != nil && then.depth >= maxDepth || len(m.out.frames) > maxFrames {
		m.left = -1
		return
	}
	o := m.ops[at]
	if o.end {
		m.out.complete = true
		return
	}
	f := push(at, then)
	if old, ok := m.seen[f.hash]; ok {
		if old.equal(f) {
			return
		}
	} else {
		m.seen[f.hash] = f
	}
	if o.bytes != nil {
		m.out.frames = append(m.out.frames, f)
		return
	}
	if !m.ops[at+1].end {
		then = push(at+1, then)
	}
	for _, start := range m.rules[o.rule] {
		m.expand(start, then)
	}
}

func push(at int, then *frame) *frame {
	f := &frame{at: at, then: then, depth: 1}
	h := uint64(at) + 1 //nolint:gosec // a place
	if then != nil {
		h ^= then.hash
		f.depth = then.depth + 1
	}
	f.hash = mix(h)
	return f
}

// mix spreads a number over all bits, as splitmix64 does.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func (f *frame) equal(g *frame) bool {
	for f != g {
		if f == nil || g == nil || f.hash != g.hash || f.at != g.at {
			return false
		}
		f, g = f.then, g.then
	}
	return true
}

// settle returns the state of the frames that were found, nil if there are too many.
func (m *machine) settle() *state {
	m.work += maxVisits - max(m.left, 0)
	if m.left < 0 {
		m.trouble = fmt.Errorf("%w: more than %d ways to read the answer, or %d rules within another", ErrTooMuch, maxFrames, maxDepth)
		return nil
	}
	for _, f := range m.out.frames {
		m.out.hash = mix(m.out.hash ^ f.hash)
	}
	if old, ok := m.states[m.out.hash]; ok && old.equal(&m.out) {
		return old
	}
	s := &state{complete: m.out.complete, hash: m.out.hash}
	s.frames = append(s.frames, m.out.frames...)
	for _, f := range s.frames {
		for i, word := range m.ops[f.at].bytes {
			s.begins[i] |= word
		}
	}
	if m.cached += perState + len(s.frames); m.cached > maxCached {
		clear(m.states)
		m.age++
		m.cached = perState + len(s.frames)
	}
	s.age = m.age
	m.states[s.hash] = s
	return s
}

func (s *state) equal(o *state) bool {
	if s.complete != o.complete || len(s.frames) != len(o.frames) {
		return false
	}
	for i, f := range s.frames {
		if !f.equal(o.frames[i]) {
			return false
		}
	}
	return true
}
