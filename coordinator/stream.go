package coordinator

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// stream holds the pieces of one answer while its job is open, for any number
// of readers.
type stream struct {
	client  common.Address // whose job it is
	session uint64

	mu      sync.Mutex
	pieces  []api.Piece
	state   market.JobState
	ended   *ledger.Job // the job as it ended, nil before
	endedAt time.Time
	over    chan struct{} // closed at the end
	seen    bool          // a reader was given a piece
	changed chan struct{} // closed at each change, then replaced
	firstAt time.Time
	made    time.Time
	asked   time.Time // when another replica was last asked for pieces
	broken  bool      // the answer is another than what readers were given
	unlike  bool      // no two miners' pieces are alike
	run     int       // how often the answer began anew
}

func newStream(j *ledger.Job) *stream {
	return &stream{
		client: j.Client, session: j.Session, state: j.State, changed: make(chan struct{}), over: make(chan struct{}), made: time.Now(), unlike: j.Spec.Sealed || j.Spec.Container,
	}
}

func (s *stream) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// put adds pieces. Those that are known already must be the same: a second miner
// may only continue what the first one said.
func (s *stream) put(pieces ...api.Piece) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.pieces)
	defer func() {
		if len(s.pieces) > before {
			s.state = market.Running
			s.changedLocked()
		}
	}()
	for _, p := range pieces {
		if err := s.putLocked(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) putLocked(p api.Piece) error {
	n := uint64(len(s.pieces))
	switch {
	case s.ended != nil:
		return apierr.New(apierr.Conflict, "the job has ended")
	case p.Index > n:
		return apierr.New(apierr.StreamGap, "piece %d came, %d is next", p.Index, n).With(map[string]any{"next": n})
	case p.Index < n:
		if old := s.pieces[p.Index]; old.Text != p.Text || old.Token != p.Token || (old.ID == nil) != (p.ID == nil) || (old.ID != nil && *old.ID != *p.ID) {
			return apierr.New(apierr.Conflict, "piece %d differs from what was delivered", p.Index)
		}
		return nil
	}
	s.pieces = append(s.pieces, p)
	if n == 0 {
		s.firstAt = time.Now()
	}
	return nil
}

func (s *stream) setState(st market.JobState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != st && s.ended == nil {
		s.state = st
		s.changedLocked()
	}
}

// restart prepares for another miner: what nobody has read is forgotten, and what
// another miner will not say again.
func (s *stream) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == market.Queued || s.ended != nil {
		return
	}
	if !s.seen {
		s.pieces = nil
	} else if s.unlike { // readers are told to begin anew
		s.pieces, s.seen = nil, false
		s.run++
	}
	s.state = market.Queued
	s.changedLocked()
}

// finish ends the stream. Nobody changes the job from then on. What another
// replica received last may not have been told here: the answer has it.
func (s *stream) finish(j *ledger.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		close(s.over)
	}
	s.state, s.ended, s.endedAt = j.State, j, time.Now()
	if j.Signed != nil {
		var b strings.Builder
		for _, p := range s.pieces {
			b.WriteString(p.Text)
		}
		rest, continues := strings.CutPrefix(j.Output, b.String())
		switch {
		case continues && rest != "":
			s.pieces = append(s.pieces, api.Piece{Index: uint64(len(s.pieces)), Text: rest})
		case !continues && !strings.HasPrefix(b.String(), j.Output):
			s.broken = true
		}
	}
	s.changedLocked()
}

// due reports whether another replica should be asked for pieces now, and from
// which on.
func (s *stream) due(now time.Time) (from int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil || now.Sub(s.asked) < followRenew {
		return 0, false
	}
	s.asked = now
	return len(s.pieces), true
}

// from returns the pieces from one on, for readers elsewhere.
func (s *stream) from(n int) []api.Piece {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.pieces) {
		return nil
	}
	s.seen = true
	return slices.Clip(s.pieces[n:])
}

// place is a piece of one run of an answer.
type place struct{ piece, run int }

// view is a snapshot of a stream from some piece on.
type view struct {
	pieces []api.Piece
	start  int // index of the first of them
	run    int
	state  market.JobState
	ended  *ledger.Job // nil while the job is open
}

// next returns what lies beyond piece from and state known, waiting for a
// change if there is nothing new. A run that is over goes on with the next from
// its beginning. It returns ctx's error when that is done first.
func (s *stream) next(ctx context.Context, from place, known market.JobState) (view, error) {
	for {
		s.mu.Lock()
		if from.run != s.run {
			from = place{0, s.run}
		}
		v := view{state: s.state, ended: s.ended, start: from.piece, run: s.run}
		if from.piece < len(s.pieces) {
			v.pieces = slices.Clip(s.pieces[from.piece:])
			s.seen = true
		}
		wait, broken := s.changed, s.broken && s.seen
		s.mu.Unlock()
		if broken {
			return view{}, apierr.New(apierr.Unavailable, "the replica that received this answer is gone, and the job ended with another: read its result")
		}
		if len(v.pieces) > 0 || v.ended != nil || v.state != known {
			return v, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return view{}, ctx.Err()
		}
	}
}

// overFor is how long the stream of a job that has ended can still be read. A job
// may end before the one who ordered it comes to read.
const overFor = 2 * time.Second

// isOver reports whether nobody can be expected to read it any more.
func (s *stream) isOver(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.endedAt) > overFor
}

// runs is how often the answer began anew.
func (s *stream) runs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run
}

// first is when the first piece came, zero before.
func (s *stream) first() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.firstAt
}

func (s *stream) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pieces)
}

// answer returns the text so far, its commitment and the number of pieces, and
// whether they carry token ids. Of pieces with ids it takes at most most.
func (s *stream) answer(salt receipt.Salt, most int) (text string, out *receipt.Output, ids bool) {
	s.mu.Lock()
	pieces := slices.Clip(s.pieces)
	s.mu.Unlock()
	var b strings.Builder
	out = receipt.NewOutput(salt)
	for i, p := range pieces {
		token := p.ID != nil || p.Token
		if token && i == most {
			break
		}
		b.WriteString(p.Text)
		if p.ID != nil {
			out.Token(*p.ID)
		} else {
			out.Text(p.Text)
		}
		ids = ids || token
	}
	return b.String(), out, ids
}
