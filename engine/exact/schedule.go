package exact

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/aitbc/aitbc/engine/internal/kernel"
)

// A job is tokens that one sequence has to read.
type job struct {
	gone   func() error // says that the caller gave up
	seq    *sequence
	tokens []uint32
	wants  wants
	// out takes the rows that it wants, one after another, each valid during the call.
	out func(row []float32)
	// again says that another job of the sequence follows soon, as when it is answered
	// token by token.
	again bool

	read int
	err  error
	turn chan bool // true: the job is done; false: it is this caller's turn to compute
}

// wants says which rows a job asks for.
type wants int

const (
	lastLogits wants = iota
	allLogits
	allValues // normalised, before the output matrix
)

// schedule lets the requests of a model go through the network together: one of the
// callers that wait computes, each step for all, and the others take over when its
// own job is done. There is no goroutine of its own, and nothing runs when nobody
// asks.
type schedule struct {
	known *prefixes

	mu      sync.Mutex
	waiting []*job
	busy    bool // a caller computes
	round   uint64
	away    int           // sequences whose next job will come in this round
	arrived chan struct{} // a job came while a caller gathers

	room *room // of the caller that computes
	last time.Duration
}

func newSchedule(n *network, pages int) *schedule {
	return &schedule{known: newPrefixes(pages), room: newRoom(n), arrived: make(chan struct{}, 1)}
}

// back ends a sequence's absence between two jobs: others wait a moment for it, so
// that answers which are written at the same time go together. The caller holds the
// lock.
func (s *schedule) back(seq *sequence) {
	if seq.away && seq.round == s.round {
		s.away--
	}
	seq.away = false
}

// leave says that no job of the sequence will come.
func (s *schedule) leave(seq *sequence) {
	s.mu.Lock()
	s.back(seq)
	s.mu.Unlock()
	s.wake()
}

func (s *schedule) wake() {
	select {
	case s.arrived <- struct{}{}:
	default: // it is awake
	}
}

// run does a job, together with those of others. The error is that of ctx.
func (s *schedule) run(ctx context.Context, j *job) error {
	j.gone, j.turn = ctx.Err, make(chan bool, 1)
	s.mu.Lock()
	s.back(j.seq)
	s.waiting = append(s.waiting, j)
	wait := s.busy
	s.busy = true
	s.mu.Unlock()
	if wait {
		s.wake()
		if <-j.turn {
			return j.err
		}
	}
	for done := false; !done; {
		s.gather()
		done = s.compute(j)
	}
	return j.err
}

// gather waits for sequences that are away, at most a part of what a step takes.
// Who comes later is not waited for again.
func (s *schedule) gather() {
	limit := time.NewTimer(min(s.last/4, 5*time.Millisecond))
	defer limit.Stop()
	for {
		s.mu.Lock()
		away := s.away
		s.mu.Unlock()
		if away == 0 {
			return
		}
		select {
		case <-s.arrived:
		case <-limit.C:
			s.mu.Lock()
			s.round, s.away = s.round+1, 0
			s.mu.Unlock()
			return
		}
	}
}

// A share is what a job has in a step.
type share struct {
	job   *job
	count int
}

// pick divides a step among the jobs: first those of one token, then the others in
// the order in which they came. Some of the step is always theirs.
func (s *schedule) pick() []share {
	s.mu.Lock()
	defer s.mu.Unlock()
	var singles, rest []*job
	for _, j := range s.waiting {
		if j.err = j.gone(); j.err != nil {
			continue
		}
		if len(j.tokens)-j.read == 1 {
			singles = append(singles, j)
		} else {
			rest = append(rest, j)
		}
	}
	free := chunk
	if len(rest) > 0 {
		free -= chunk / 4
	}
	singles = singles[:min(len(singles), free)]
	var shares []share
	free = chunk
	for _, j := range slices.Concat(singles, rest) {
		if n := min(len(j.tokens)-j.read, free); n > 0 {
			shares = append(shares, share{j, n})
			free -= n
		}
	}
	return shares
}

// compute does one step, ends the jobs that are done, and says whether own is one of
// them. It then hands over to another caller.
func (s *schedule) compute(own *job) bool {
	if shares := s.pick(); len(shares) > 0 {
		began := time.Now()
		s.step(shares)
		s.last = time.Since(began)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(j *job) bool {
		done := j.err != nil || j.read == len(j.tokens)
		if done && j.again && j.err == nil {
			s.away++
			j.seq.away, j.seq.round = true, s.round
		}
		if done && j != own {
			j.turn <- true
		}
		return done
	})
	if slices.Contains(s.waiting, own) {
		return false
	}
	if len(s.waiting) > 0 {
		s.waiting[0].turn <- false
	} else {
		s.busy = false
	}
	return true
}

// step computes the shares' tokens and gives the rows that they want.
func (s *schedule) step(shares []share) {
	slots := make([]slot, 0, chunk)
	var predicted []int
	for _, sh := range shares {
		j := sh.job
		for i := range sh.count {
			if j.wants == allLogits || j.wants == lastLogits && j.read+i == len(j.tokens)-1 {
				predicted = append(predicted, len(slots))
			}
			token := j.tokens[j.read+i]
			slots = append(slots, slot{j.seq, token, j.seq.place(s.room.net, token)})
		}
	}
	s.room.step(slots)
	var logits *kernel.Batch
	if len(predicted) > 0 {
		logits = s.room.predict(predicted)
	}
	at, row := 0, 0
	for _, sh := range shares {
		for range sh.count {
			j := sh.job
			switch {
			case j.wants == allValues:
				s.room.normalise(s.room.final.Row(at), at)
				j.out(s.room.final.Row(at))
			case row < len(predicted) && predicted[row] == at:
				j.out(logits.Row(row))
				row++
			}
			j.read++
			at++
		}
		s.known.keep(sh.job.seq)
	}
	runtime.KeepAlive(s.room.net) // and the file's bytes, to which matrices refer
}
