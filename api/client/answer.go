package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Answer is what came of an order.
type Answer struct {
	api.Result
	// Receipt is nil if nothing was delivered.
	Receipt *receipt.Bundle
	// Matches says that the pieces which came are those that the receipt commits
	// to. It is false if they were not seen one by one.
	Matches bool
}

// Follow waits for the end of an order of this session, calls f, if it is not
// nil, with each event on the way, and checks the receipt: that it is signed,
// answers this order, costs what it may, and commits to the pieces that came.
// What does not hold is an [ErrDisagree], and the answer is returned with it.
func (s *Session) Follow(ctx context.Context, o Order, f func(api.Event) error) (Answer, error) {
	var a Answer
	seen := &transcript{order: o, out: receipt.NewOutput(o.Salt), whole: true}
	err := s.client.Follow(ctx, o.JobID, func(e api.Event) error {
		if e.Type != "token" {
			return tell(f, e)
		}
		for _, e := range seen.take(e) {
			if err := tell(f, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	if a.Result, err = s.client.Result(ctx, o.JobID); err != nil {
		return a, err
	}
	if o.Sealed() {
		// What came on the way may be of two miners; what the job ended with is of one.
		lines := a.Output
		seen, a.Output = &transcript{order: o, out: receipt.NewOutput(o.Salt), whole: true}, ""
		for _, e := range seen.take(api.Event{Type: "token", Text: lines}) {
			a.Output += e.Text
		}
		if seen.err != nil {
			return a, seen.err
		}
	}
	if a.ReceiptID == nil {
		if a.State == market.Completed {
			return a, fmt.Errorf("%w: the job is completed and has no receipt", ErrDisagree)
		}
		return a, nil
	}
	list, err := s.client.Receipts(ctx, o.JobID)
	if err != nil {
		return a, err
	}
	if len(list) != 1 {
		return a, fmt.Errorf("%w: %d receipts for one job", ErrDisagree, len(list))
	}
	if a.Receipt, err = s.receipt(ctx, list[0]); err != nil {
		return a, err
	}
	if a.Receipt.Receipt.Order != o.JobID {
		return a, fmt.Errorf("%w: the receipt is for another order", ErrDisagree)
	}
	a.Matches = seen.whole && seen.out.Root() == a.Receipt.Receipt.Output
	late := !o.Sealed() && seen.next == 1 && a.Usage.CompletionTokens > 1 // the job was over before we came
	if seen.whole && !a.Matches && !late {
		return a, fmt.Errorf("%w: the receipt commits to another answer than the one that came", ErrDisagree)
	}
	return a, nil
}

func tell(f func(api.Event) error, e api.Event) error {
	if f == nil {
		return nil
	}
	return f(e)
}

// transcript is an answer as its pieces come.
type transcript struct {
	order Order
	out   *receipt.Output
	whole bool   // no piece is missing
	next  uint64 // piece
	err   error  // the last that did not open
}

// take notes what came, and returns it as it can be read.
func (t *transcript) take(e api.Event) []api.Event {
	if e.Index == 0 { // another miner may have begun anew
		t.out, t.whole, t.next = receipt.NewOutput(t.order.Salt), true, 0
	}
	events := []api.Event{e}
	if t.order.Sealed() {
		pieces, err := t.order.pieces(e.Index, e.Text)
		if events = nil; err != nil {
			t.err, t.whole = err, false
		}
		for _, p := range pieces {
			events = append(events, api.Event{Type: "token", Index: p.Index, Token: p.ID, Text: p.Text, Likely: p.Likely})
		}
	}
	for _, e := range events {
		if t.whole = t.whole && e.Index == t.next; t.whole && e.Token != nil {
			t.out.Token(*e.Token)
		} else if t.whole {
			t.out.Text(e.Text)
		}
		t.next++
	}
	return events
}

// receipt checks a bundle of this session's.
func (s *Session) receipt(ctx context.Context, raw json.RawMessage) (*receipt.Bundle, error) {
	b, by, err := receipt.VerifySigned(raw, s.domain)
	if err != nil {
		return nil, fmt.Errorf("%w: receipt: %w", ErrDisagree, err)
	}
	if by.Spender != s.spender.Address() || b.Order.Session != s.id {
		return nil, fmt.Errorf("%w: the receipt %s is for an order that was not signed here", ErrDisagree, b.ReceiptID)
	}
	if s.Keys == nil {
		return b, nil
	}
	for _, k := range []struct {
		what     string
		valid    func(context.Context, common.Address, common.Address) (bool, error)
		who, key common.Address
	}{{"miner", s.Keys.MinerKey, b.Receipt.Miner, by.Miner}, {"coordinator", s.Keys.CoordinatorKey, b.Receipt.Coordinator, by.Coordinator}} {
		ok, err := k.valid(ctx, k.who, k.key)
		if err != nil {
			return nil, fmt.Errorf("ask for the %s's key: %w", k.what, err)
		}
		if !ok {
			return nil, fmt.Errorf("%w: the chain does not know %s as a key of the %s %s", ErrDisagree, k.key, k.what, k.who)
		}
	}
	return b, nil
}

// newest is how many receipts are looked at: more than may be without a voucher.
const newest = 256

// Vouch signs a voucher for all orders that have ended, and sends it. Before, it
// adds up their receipts from the last voucher on, each checked: [ErrDisagree] if
// the coordinator has another sum. It returns the newest voucher, which is the
// old one if nothing was due.
func (s *Session) Vouch(ctx context.Context) (receipt.Voucher, error) {
	a, err := s.client.Account(ctx)
	if err != nil {
		return receipt.Voucher{}, err
	}
	if a.Session != s.id || a.Vouchers == nil {
		return receipt.Voucher{}, fmt.Errorf("%w: the API key is for session %d", ErrDisagree, a.Session)
	}
	last := receipt.Voucher{Session: s.id}
	if l := a.Vouchers.Last; l != nil {
		last.Through, last.Cumulative = l.Through, l.Cumulative
		if err := receipt.Verify(s.domain, last, l.Signature, s.spender.Address()); err != nil {
			return last, fmt.Errorf("%w: the last voucher was not signed here: %w", ErrDisagree, err)
		}
	}
	due := a.Vouchers.Due
	if due.Through <= last.Through {
		return last, nil
	}
	want, err := s.sum(ctx, last, due.Through)
	if err != nil {
		return last, err
	}
	if due.Session != s.id || due.Cumulative != want {
		return last, fmt.Errorf("%w: orders up to %d cost %s by their receipts, and %s by its ledger", ErrDisagree, due.Through, want, due.Cumulative)
	}
	sig, err := receipt.Sign(s.spender, s.domain, due)
	if err != nil {
		return last, fmt.Errorf("voucher: %w", err)
	}
	_, err = s.client.PutVoucher(ctx, s.id, api.VoucherRequest{Through: due.Through, Cumulative: due.Cumulative, Signature: sig})
	return due, err
}

// sum adds the receipts of the orders behind a voucher, up to a number.
func (s *Session) sum(ctx context.Context, last receipt.Voucher, through uint64) (market.Amount, error) {
	total := last.Cumulative
	list, err := get[struct{ Receipts []json.RawMessage }](ctx, s.client, fmt.Sprintf("/v1/receipts?limit=%d&above=%d", newest, last.Through))
	if err != nil {
		return total, err
	}
	seen := map[uint64]bool{}
	for _, raw := range list.Receipts {
		b, err := s.receipt(ctx, raw)
		if err != nil {
			return total, err
		}
		n := b.Order.Number
		if n <= last.Through || n > through {
			continue
		}
		if seen[n] {
			return total, fmt.Errorf("%w: two receipts for order %d", ErrDisagree, n)
		}
		seen[n] = true
		if total, err = total.Add(b.Receipt.Price); err != nil {
			return total, fmt.Errorf("%w: %w", ErrDisagree, err)
		}
	}
	return total, nil
}
