// Package apierr carries an error from the code that knows what went wrong to
// the edge that tells a user about it.
//
// An Error has a stable machine code and a message that is safe to show. The
// wrapped cause is for the operator's log and never leaves the process.
package apierr

import (
	"errors"
	"fmt"
	"net/http"
)

// A Code names a class of failure. Codes are part of the public API.
type Code string

// The codes a service may return.
const (
	Invalid       Code = "invalid_argument"
	Unauthorized  Code = "unauthorized"
	Insufficient  Code = "insufficient_funds"
	Forbidden     Code = "forbidden"
	NotAssigned   Code = "not_assigned"
	NotFound      Code = "not_found"
	ModelNotFound Code = "model_not_found"
	Conflict      Code = "conflict"
	LeaseLost     Code = "lease_lost"
	StreamGap     Code = "stream_incomplete"
	TooLarge      Code = "too_large"
	TooEarly      Code = "too_early"
	RateLimited   Code = "rate_limited"
	JobFailed     Code = "job_failed"
	Internal      Code = "internal"
	Unavailable   Code = "unavailable"

	// The wallet's.
	Locked         Code = "wallet_locked"
	FactorRequired Code = "second_factor_required"
	PolicyRefused  Code = "policy_refused"
	LimitExceeded  Code = "limit_exceeded"
)

var status = map[Code]int{
	Invalid:       http.StatusBadRequest,
	Unauthorized:  http.StatusUnauthorized,
	Insufficient:  http.StatusPaymentRequired,
	Forbidden:     http.StatusForbidden,
	NotAssigned:   http.StatusForbidden,
	NotFound:      http.StatusNotFound,
	ModelNotFound: http.StatusNotFound,
	Conflict:      http.StatusConflict,
	LeaseLost:     http.StatusConflict,
	StreamGap:     http.StatusConflict,
	TooLarge:      http.StatusRequestEntityTooLarge,
	TooEarly:      http.StatusTooEarly,
	RateLimited:   http.StatusTooManyRequests,
	JobFailed:     http.StatusBadGateway,
	Internal:      http.StatusInternalServerError,
	Unavailable:   http.StatusServiceUnavailable,

	Locked:         http.StatusLocked,
	FactorRequired: http.StatusPreconditionRequired,
	PolicyRefused:  http.StatusForbidden,
	LimitExceeded:  http.StatusPaymentRequired,
}

// Error is an error that is safe to show to a user.
type Error struct {
	Code    Code           // class, from the closed list
	Message string         // what went wrong, and what to do, in words
	Details map[string]any // machine-readable extras, or nil
	cause   error
}

// New returns an Error. The arguments of format must be safe to show.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap attaches a public code and message to a private cause.
func Wrap(cause error, code Code, message string) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// With returns a copy of e with details. They must be safe to show.
func (e *Error) With(details map[string]any) *Error {
	c := *e
	c.Details = details
	return &c
}

func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// Status returns the HTTP status for the code.
func (c Code) Status() int {
	if s, ok := status[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Public returns what may be shown of err. Any error without an *Error in its
// chain becomes a bare internal error.
func Public(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Code: e.Code, Message: e.Message, Details: e.Details}
	}
	return &Error{Code: Internal, Message: "internal error"}
}

// HasCode reports whether err's chain holds an Error with the code.
func HasCode(err error, c Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == c
}
