package market

import (
	"errors"
	"fmt"
)

// ErrInsufficient reports a reservation beyond what a deposit has left.
var ErrInsufficient = errors.New("not enough left in the deposit")

// SessionAccount is the money of one session as its coordinator's ledger has
// it. Deposit = Available + Reserved + Charged, always.
type SessionAccount struct {
	Deposit  Amount // locked on chain
	Reserved Amount // promised to jobs under way
	Charged  Amount // earned by finished jobs
}

// Available returns what new jobs may reserve. It is zero, not negative, when
// the deposit is overdrawn.
func (s SessionAccount) Available() Amount {
	used, err := s.Reserved.Add(s.Charged)
	if err != nil {
		return Amount{}
	}
	free, err := s.Deposit.Sub(used)
	if err != nil {
		return Amount{}
	}
	return free
}

// Reserve returns s with most set aside for a job, or [ErrInsufficient].
func (s SessionAccount) Reserve(most Amount) (SessionAccount, error) {
	if free := s.Available(); free.Cmp(most) < 0 {
		return s, fmt.Errorf("%w: %s needed, %s available", ErrInsufficient, most, free)
	}
	var err error
	s.Reserved, err = s.Reserved.Add(most)
	return s, err
}

// Release returns s with a reservation given back.
func (s SessionAccount) Release(most Amount) (SessionAccount, error) {
	var err error
	s.Reserved, err = s.Reserved.Sub(most)
	return s, err
}

// Charge returns s with price taken out of a reservation of most and the rest
// given back. It returns [ErrAmount] if price is above most.
func (s SessionAccount) Charge(most, price Amount) (SessionAccount, error) {
	if price.Cmp(most) > 0 {
		return s, fmt.Errorf("%w: charge of %s on a reservation of %s", ErrAmount, price, most)
	}
	s, err := s.Release(most)
	if err != nil {
		return s, err
	}
	s.Charged, err = s.Charged.Add(price)
	return s, err
}
