package ledger

import (
	"fmt"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Self reports whether the client signs the session's orders and vouchers itself.
func (x Session) Self() bool { return x.SpenderN == 0 }

// Voucher is one that a client signed.
type Voucher struct {
	receipt.Voucher
	Signature receipt.Signature
}

// Ended is what a voucher must know of an order.
type Ended struct {
	Number  uint64
	Payment market.PaymentState
	Price   market.Amount
}

// VoucherError says that a voucher is not what the ledger says, and which one would be.
type VoucherError struct {
	Reason string
	Due    receipt.Voucher
}

func (e *VoucherError) Error() string {
	return fmt.Sprintf("%s: through %d it is %s", e.Reason, e.Due.Through, e.Due.Cumulative)
}

// Due returns the voucher that a client owes: for all orders up to its oldest
// open one. last is its newest voucher and after are the orders behind that,
// ascending.
func Due(x Session, last Voucher, after []Ended) (receipt.Voucher, error) {
	due := receipt.Voucher{Session: x.ID, Through: last.Through, Cumulative: last.Cumulative}
	for _, j := range after {
		if j.Payment == market.Reserved {
			break
		}
		var err error
		if due, err = take(due, j); err != nil {
			return due, err
		}
	}
	return due, nil
}

// take lets a voucher reach one order further.
func take(v receipt.Voucher, j Ended) (receipt.Voucher, error) {
	v.Through = j.Number
	if j.Payment != market.Charged && j.Payment != market.Settled {
		return v, nil
	}
	var err error
	if v.Cumulative, err = v.Cumulative.Add(j.Price); err != nil {
		return v, fmt.Errorf("session %d: %w", v.Session, err)
	}
	return v, nil
}

// Vouch returns nil if a session's client may have signed v, to the unit. It
// reports whether v is new. The error is a *[VoucherError] if not. What was
// settled alone must be below: the chain counts a voucher against all that it
// debited.
func Vouch(x Session, last Voucher, after []Ended, v receipt.Voucher) (fresh bool, err error) {
	due, err := Due(x, last, after)
	if err != nil {
		return false, err
	}
	refuse := func(format string, a ...any) (bool, error) {
		return false, &VoucherError{fmt.Sprintf(format, a...), due}
	}
	switch {
	case v == last.Voucher:
		return false, nil
	case v.Through <= last.Through:
		return refuse("a voucher through %d was given already", last.Through)
	case v.Through > x.Number:
		return refuse("session %d has no order %d yet", x.ID, v.Through)
	case v.Through > due.Through:
		return refuse("order %d is not finished", due.Through+1)
	case v.Through < x.Alone:
		return refuse("order %d was settled without a voucher", x.Alone)
	}
	want := receipt.Voucher{Session: x.ID, Through: last.Through, Cumulative: last.Cumulative}
	for _, j := range after {
		if j.Number > v.Through {
			break
		}
		if want, err = take(want, j); err != nil {
			return false, err
		}
	}
	if want.Through != v.Through || want.Cumulative != v.Cumulative {
		return refuse("orders up to %d cost %s, the voucher says %s", v.Through, want.Cumulative, v.Cumulative)
	}
	return true, nil
}
