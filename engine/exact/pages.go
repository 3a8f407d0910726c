package exact

import (
	"container/list"
	"slices"
	"sync"
)

// pageSize is the number of tokens whose keys and values stand together. A page that
// is full does not change any more, so that sequences which begin alike can share it.
const pageSize = 32

type page struct {
	id           uint64    // once it is shared
	keys, values []float32 // of each layer and head, pageSize vectors
	tokens       [pageSize]uint32
	shared       bool
}

func newPage(n *network) *page {
	size := n.layers * n.kvWidth() * pageSize
	return &page{keys: make([]float32, size), values: make([]float32, size)}
}

// head returns the keys and values of one head in one layer.
func (p *page) head(n *network, layer, h int) (keys, values []float32) {
	size := pageSize * n.headWidth
	at := (layer*n.kvHeads + h) * size
	return p.keys[at : at+size], p.values[at : at+size]
}

// sequence is a text so far: its tokens and what the network remembers of them. It
// belongs to one request.
type sequence struct {
	scope  string // "" shares nothing
	length int
	pages  []*page

	away  bool   // between two jobs; the schedule's lock guards this and round
	round uint64 // in which it went
}

// place makes room for one more token and returns its position.
func (s *sequence) place(n *network, token uint32) int {
	at := s.length
	if at%pageSize == 0 {
		s.pages = append(s.pages, newPage(n))
	}
	s.pages[at/pageSize].tokens[at%pageSize] = token
	s.length++
	return at
}

// prefixes are pages that a later request of the same scope may begin with. The
// oldest go when there are more tokens than the limit.
type prefixes struct {
	limit int // in pages

	mu    sync.Mutex
	next  uint64
	known map[prefix]*list.Element // of *page
	order *list.List               // the last used first
}

// prefix names a page by all that its values depend on.
type prefix struct {
	scope  string
	parent uint64
	tokens [pageSize]uint32
}

func newPrefixes(limit int) *prefixes {
	return &prefixes{limit: limit, known: map[prefix]*list.Element{}, order: list.New()}
}

// stored is a page and its name, so that it can be forgotten.
type stored struct {
	page *page
	name prefix
}

// begin returns a sequence with as many of the tokens as are known, but never the
// last one: it must be computed to see what follows.
func (c *prefixes) begin(scope string, tokens []uint32) *sequence {
	s := &sequence{scope: scope}
	if scope == "" || c.limit == 0 {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	parent := uint64(0)
	var used []*list.Element
	for part := range slices.Chunk(tokens[:len(tokens)-1], pageSize) {
		if len(part) < pageSize {
			break
		}
		e, ok := c.known[prefix{scope, parent, [pageSize]uint32(part)}]
		if !ok {
			break
		}
		p := e.Value.(stored).page
		s.pages, s.length, parent = append(s.pages, p), s.length+pageSize, p.id
		used = append(used, e)
	}
	for _, e := range slices.Backward(used) { // a page is never older than what follows it
		c.order.MoveToFront(e)
	}
	return s
}

// keep makes the sequence's full pages known. Where another sequence has computed
// the same, bit for bit, its page takes the place.
func (c *prefixes) keep(s *sequence) {
	if s.scope == "" || c.limit == 0 {
		return
	}
	full := s.length / pageSize
	if full == 0 || s.pages[full-1].shared {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	parent := uint64(0)
	elements := make([]*list.Element, 0, full)
	for i, p := range s.pages[:full] {
		name := prefix{s.scope, parent, p.tokens}
		e, ok := c.known[name]
		if !ok {
			if !p.shared { // else it was forgotten, and comes back
				c.next++
				p.id, p.shared = c.next, true
			}
			e = c.order.PushFront(stored{p, name})
			c.known[name] = e
		}
		s.pages[i] = e.Value.(stored).page
		parent = s.pages[i].id
		elements = append(elements, e)
	}
	for _, e := range slices.Backward(elements) {
		c.order.MoveToFront(e)
	}
	for c.order.Len() > c.limit {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.known, last.Value.(stored).name)
	}
}
