package httpapi

import (
	"context"
	"net/http"
	"time"
)

// An answer about a block stays what it is: keepBlock is for how long it is worth its memory. What is not of a block is
// given again for keepOther.
const (
	keepBlock = time.Minute
	keepOther = 2 * time.Second
)

// kept is an answer that is the same for all who ask about the same block, or about none. While one finds it out, the
// others wait for that.
type kept[T any] struct {
	turn  chan struct{} // holds one token while somebody looks at what follows
	value T
	of    uint64 // block; 0: none
	until time.Time
}

func newKept[T any]() kept[T] { return kept[T]{turn: make(chan struct{}, 1)} }

// get returns the answer, which ask finds out if it is not known. An error is nobody's but the one's who asked.
func (k *kept[T]) get(ctx context.Context, block uint64, ask func(context.Context) (T, error)) (T, error) {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	defer func() { <-k.turn }()
	if k.of == block && time.Now().Before(k.until) {
		return k.value, nil
	}
	v, err := ask(ctx)
	if err == nil {
		keep := keepOther
		if block != 0 {
			keep = keepBlock
		}
		k.value, k.of, k.until = v, block, time.Now().Add(keep)
	}
	return v, err
}

// latest writes a list about the newest block, which is found out once for all who ask.
func latest[T any](s *Server, w http.ResponseWriter, r *http.Request, k *kept[Page[T]], ask func(ctx context.Context, head uint64) (Page[T], error)) error {
	head, err := s.Eth.BlockNumber(r.Context())
	if err != nil {
		return node(err)
	}
	p, err := k.get(r.Context(), head, func(ctx context.Context) (p Page[T], err error) {
		release, err := s.busy.Claim(ctx)
		if err != nil {
			return p, err
		}
		defer release()
		return ask(ctx, head)
	})
	if err != nil {
		return err
	}
	return writePage(w, r, p)
}

// lists are the answers that cost a question, or several, for each of their rows.
type lists struct {
	validators kept[Page[Validator]]
	miners     kept[Page[Miner]]
	proposals  kept[Page[Proposal]]
	parameters kept[Page[Parameter]]
}

func newLists() lists {
	return lists{newKept[Page[Validator]](), newKept[Page[Miner]](), newKept[Page[Proposal]](), newKept[Page[Parameter]]()}
}
