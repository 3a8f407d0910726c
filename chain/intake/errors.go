package intake

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrFull refuses a transaction while more wait than a second of blocks can carry. The error that comes out may be a
// [*FullError].
var ErrFull = errors.New("transaction pool is full, try again")

// ErrSender refuses a transaction of an account of which too many wait.
var ErrSender = errors.New("too many transactions of this account wait in the pool, try again when one is in a block")

// limitExceeded is the code of EIP-1474 for a request that goes beyond a limit.
const limitExceeded = -32005

// FullError is ErrFull with the fee that would have been taken.
type FullError struct {
	// Tip is the least priority fee for a unit of gas, in base units, with which a transaction is taken now; nil while
	// none is.
	Tip *big.Int
}

// Error implements error.
func (e *FullError) Error() string {
	if e.Tip == nil {
		return ErrFull.Error()
	}
	return fmt.Sprintf("%v: a priority fee of %v or more for a unit of gas would be taken", ErrFull, e.Tip)
}

// Is makes it an ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// ErrorCode is the JSON-RPC code.
func (e *FullError) ErrorCode() int { return limitExceeded }

// SenderError is ErrSender with the account's share.
type SenderError struct{ Waiting int }

// Error implements error.
func (e *SenderError) Error() string { return fmt.Sprintf("%v: %d wait", ErrSender, e.Waiting) }

// Is makes it an ErrSender.
func (e *SenderError) Is(target error) bool { return target == ErrSender }

// ErrorCode is the JSON-RPC code.
func (e *SenderError) ErrorCode() int { return limitExceeded }
