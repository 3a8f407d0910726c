package coordinator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

// share is an answer that another replica's clients read.
type share struct {
	next  int // piece to tell next
	until time.Time
}

const (
	// shareEvery is how often pieces are told, many at once.
	shareEvery = 20 * time.Millisecond
	// followRenew is how often a reader says that it still reads.
	followRenew = time.Second
	// shareFor is how long pieces are told after that was last said.
	shareFor = 3 * followRenew
)

// shareFrom remembers that another replica wants a job's pieces.
func (s *Service) shareFrom(n ledger.Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range n.Jobs {
		if s.leases[id] == nil {
			continue
		}
		x := s.shares[id]
		if x == nil {
			x = &share{next: n.At}
			s.shares[id] = x
		}
		x.next, x.until = min(x.next, n.At), time.Now().Add(shareFor)
	}
}

// tellPieces tells the other replicas what is new of the answers they asked for.
func (s *Service) tellPieces(ctx context.Context) {
	var notes []ledger.Note
	s.mu.Lock()
	for id, x := range s.shares {
		st := s.streams[id]
		if st == nil || s.leases[id] == nil || time.Now().After(x.until) {
			delete(s.shares, id)
			continue
		}
		for {
			raw, n := encodePieces(st.from(x.next))
			if n == 0 {
				break
			}
			notes = append(notes, ledger.Note{Kind: ledger.NotePieces, Jobs: []common.Hash{id}, Pieces: raw})
			x.next += n
		}
	}
	s.mu.Unlock()
	for _, n := range notes {
		if err := s.cluster.Publish(ctx, n); err != nil {
			return // they ask again
		}
	}
}

// encodePieces encodes as many pieces as one note carries.
func encodePieces(pieces []api.Piece) (raw []byte, n int) {
	raw = []byte{'['}
	for _, p := range pieces {
		b, err := json.Marshal(p)
		if err != nil || len(raw)+len(b) > ledger.MaxNote {
			break // what no note carries, a reader gets at the end
		}
		if n > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, b...)
		n++
	}
	return append(raw, ']'), n
}

// mirror takes in pieces of an answer that another replica receives.
func (s *Service) mirror(n ledger.Note) error {
	var pieces []api.Piece
	if err := json.Unmarshal(n.Pieces, &pieces); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range n.Jobs {
		st := s.streams[id]
		if st == nil || s.leases[id] != nil {
			continue
		}
		for _, p := range pieces {
			if st.put(p) != nil {
				break // a gap: it is asked for again; or the end
			}
		}
	}
	return nil
}

// ask tells whoever receives a job's answer that it is read here.
func (s *Service) ask(ctx context.Context, id common.Hash, st *stream) {
	s.mu.Lock()
	mine := s.leases[id] != nil
	s.mu.Unlock()
	if mine {
		return
	}
	from, ok := st.due(time.Now())
	if !ok {
		return
	}
	if err := s.cluster.Publish(ctx, ledger.Note{Kind: ledger.NoteFollow, Jobs: []common.Hash{id}, At: from}); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "pieces were not asked for", "job", id, "err", err)
	}
}
