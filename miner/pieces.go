package miner

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// pieces is an answer as it grows. It keeps everything, so that a stream that
// breaks can be sent again, and is gone with its job.
type pieces struct {
	mu      sync.Mutex // guards the fields below
	all     []api.Piece
	shown   []api.Piece    // what the coordinator is sent of them
	answer  *sealed.Answer // nil where the coordinator may read
	ended   bool
	changed chan struct{} // closed at each change, then replaced
}

func newPieces(answer *sealed.Answer) *pieces {
	return &pieces{answer: answer, changed: make(chan struct{})}
}

func (p *pieces) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// add appends a piece under the next index.
func (p *pieces) add(x api.Piece) (err error) {
	p.change(func() {
		x.Index = uint64(len(p.all))
		show := x
		if p.answer != nil {
			if show, err = seal(p.answer, x); err != nil {
				return
			}
		}
		p.all, p.shown = append(p.all, x), append(p.shown, show)
	})
	return err
}

// end says that there will be no more.
func (p *pieces) end() { p.change(func() { p.ended = true }) }

func (p *pieces) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}

// complete reports whether there are n pieces and will be no more.
func (p *pieces) complete(n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended && uint64(len(p.all)) == n
}

// ahead reports whether n is more than there are or will be.
func (p *pieces) ahead(n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended && uint64(len(p.all)) < n
}

// commitment returns the commitment to the first n pieces.
func (p *pieces) commitment(salt receipt.Salt, n int) *receipt.Output {
	p.mu.Lock()
	first := p.all[:n:n]
	p.mu.Unlock()
	out := receipt.NewOutput(salt)
	for _, x := range first {
		if x.ID != nil {
			out.Token(*x.ID)
		} else {
			out.Text(x.Text)
		}
	}
	return out
}

// reader reads an answer from its first piece as NDJSON lines, waiting for
// pieces to come. It ends when the answer does, or when it is closed.
type reader struct {
	from   *pieces
	next   int
	rest   []byte
	closed chan struct{}
	once   sync.Once
}

func (p *pieces) reader() *reader { return &reader{from: p, closed: make(chan struct{})} }

// Read implements [io.Reader]. It gives what is there rather than wait for more.
func (r *reader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		p := r.from
		p.mu.Lock()
		fresh, ended, changed := p.shown[min(r.next, len(p.shown)):], p.ended, p.changed
		p.mu.Unlock()
		for _, x := range fresh {
			line, err := json.Marshal(x)
			if err != nil {
				return 0, err
			}
			r.rest = append(append(r.rest, line...), '\n')
		}
		r.next += len(fresh)
		if len(r.rest) > 0 {
			break
		}
		if ended {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.closed:
			return 0, io.ErrClosedPipe
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close makes a Read that waits return.
func (r *reader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}
