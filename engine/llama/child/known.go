package child

// leastKnown is how many tokens two requests must have in common for the second to go on behind
// the first. Fewer are read again as quickly.
const leastKnown = 16

// known is what the sequence of a free slot holds: the tokens of an answer that ended. Only a
// request of the same scope may begin with them, as others could tell by its speed what was asked.
type known struct {
	scope  string // "" for nothing
	tokens []int32
	ended  uint64 // the number of the answer that ended
}

// shared is how many tokens of an answer's beginning a slot holds, or 0. The last is never one of
// them: it must be read to see what follows.
func (k *known) shared(a *answer) int {
	if a.scope == "" || k.scope != a.scope {
		return 0
	}
	n, most := 0, min(len(k.tokens), len(a.next)-1)
	for n < most && k.tokens[n] == a.next[n] {
		n++
	}
	if n < leastKnown {
		return 0
	}
	return n
}

// place returns the free slot that holds most of an answer's beginning, of those that hold nothing of it
// an empty one, else the one that was left first; -1 if none is free.
func (e *engineOf) place(a *answer) int {
	best, most := -1, 0
	for i, taken := range e.slots {
		if taken != nil {
			continue
		}
		n := e.known[i].shared(a)
		if best < 0 || n > most || n == most && e.known[i].ended < e.known[best].ended {
			best, most = i, n
		}
	}
	return best
}

// resume has an answer go on behind what its slot holds of its beginning.
func (e *engineOf) resume(a *answer) {
	k := &e.known[a.sequence]
	n := k.shared(a)
	*k = known{}
	if n == 0 || !e.context.Keep(a.sequence, n) {
		e.context.Forget(a.sequence)
		return
	}
	a.read = append(a.read, a.next[:n]...)
	a.next, a.position = a.next[n:], n
}

// leave keeps what an answer's sequence holds for requests of its scope.
func (e *engineOf) leave(a *answer) {
	if a.scope == "" || a.embedded != nil || len(a.read) < leastKnown {
		e.context.Forget(a.sequence)
		return
	}
	e.ended++
	e.known[a.sequence] = known{scope: a.scope, tokens: a.read, ended: e.ended}
}
