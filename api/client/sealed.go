package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// ErrNoSealing reports that no miner on offer has a sealing key that the chain
// knows: only a job that the coordinator may read can be ordered.
var ErrNoSealing = errors.New("no miner that may run this takes sealed jobs")

// recipients picks the miners that a job is sealed to: the cheapest whose keys
// the Registry has.
func (s *Session) recipients(ctx context.Context, q api.Quote) ([]sealed.Recipient, error) {
	if s.Keys == nil {
		return nil, errors.New("seal job: Session.Keys says which sealing keys are right: set it, or Plain")
	}
	var to []sealed.Recipient
	for _, o := range q.Offers {
		if len(to) == sealed.MaxMiners {
			break
		}
		want, err := s.Keys.SealingKey(ctx, o.Miner)
		if err != nil {
			return nil, fmt.Errorf("ask for the sealing key of %s: %w", o.Miner, err)
		}
		if want != (common.Hash{}) && sealed.Fingerprint(o.SealingKey) == want {
			to = append(to, sealed.Recipient{Miner: o.Miner, Public: o.SealingKey})
		}
	}
	if len(to) == 0 {
		return nil, ErrNoSealing
	}
	return to, nil
}

// narrow makes an order one for some miners, at no more than the dearest of them
// may ask.
func (o *Order) narrow(r api.SubmitRequest, bound market.Usage, to []sealed.Recipient) error {
	var miners []common.Address
	for _, m := range to {
		miners = append(miners, m.Miner)
	}
	o.Miners = receipt.Miners(miners)
	if r.MaxPrice != nil {
		return nil
	}
	o.MaxPrice = market.Amount{}
	for _, x := range o.Quote.Offers {
		p, err := market.Price(x.Rates, bound)
		if err != nil {
			return fmt.Errorf("price: %w", err)
		}
		for _, m := range miners {
			if x.Miner == m && p.Cmp(o.MaxPrice) > 0 {
				o.MaxPrice = p
			}
		}
	}
	return nil
}

// Sealed reports whether only the client can read the job's answer.
func (o Order) Sealed() bool { return len(o.answers) > 0 }

// open opens one line of a sealed answer.
func (o Order) open(index uint64, line string) (api.Piece, error) {
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return api.Piece{}, fmt.Errorf("%w: piece %d is not sealed", ErrDisagree, index)
	}
	for _, a := range o.answers {
		plain, err := a.Open(index, raw)
		if err != nil {
			continue // another of the miners made it
		}
		var p api.Piece
		if err := api.Decode(plain, &p); err != nil || p.Index != index {
			return p, fmt.Errorf("%w: piece %d is not as miners write them", ErrDisagree, index)
		}
		return p, nil
	}
	return api.Piece{}, fmt.Errorf("%w: piece %d was sealed by none of the job's miners", ErrDisagree, index)
}

// pieces opens the lines that a text holds, the first of them at an index.
func (o Order) pieces(index uint64, text string) ([]api.Piece, error) {
	var out []api.Piece
	for line := range strings.Lines(text) {
		p, err := o.open(index+uint64(len(out)), strings.TrimSuffix(line, "\n"))
		if err != nil {
			return out, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Kept is an order as it can be stored, to read its answer later. It is secret.
type Kept struct {
	Order   receipt.Order             `json:"order"`
	Salt    []byte                    `json:"salt"`
	Answers map[common.Address][]byte `json:"answers"`
}

// Keep returns what [Session.Resume] needs.
func (o Order) Keep() Kept {
	k := Kept{Order: o.Order, Salt: o.Salt[:], Answers: map[common.Address][]byte{}}
	for m, a := range o.answers {
		k.Answers[m] = a.Key()
	}
	return k
}

// Resume returns an order of this session that was kept.
func (s *Session) Resume(k Kept) (Order, error) {
	o := Order{Order: k.Order, JobID: receipt.Digest(s.domain, k.Order), answers: map[common.Address]*sealed.Answer{}}
	if k.Order.Session != s.id || len(k.Salt) != len(o.Salt) {
		return o, fmt.Errorf("the order is of session %d, not %d, or its salt is damaged", k.Order.Session, s.id)
	}
	o.Salt = receipt.Salt(k.Salt)
	for m, key := range k.Answers {
		var err error
		if o.answers[m], err = sealed.AnswerOf(o.JobID, key); err != nil {
			return o, err
		}
	}
	return o, nil
}

// String hides what is secret in a log.
func (k Kept) String() string { return "order kept of session " + fmt.Sprint(k.Order.Session) }
