package market

import (
	"fmt"
	"slices"
)

// A JobState is one step in a job's life.
type JobState string

// The states of a job. Terminal states never change again.
const (
	Queued    JobState = "queued"
	Assigned  JobState = "assigned"
	Running   JobState = "running"
	Completed JobState = "completed"
	Failed    JobState = "failed"
	Canceled  JobState = "canceled"
	Expired   JobState = "expired"
)

// A PaymentState says where a job's money is.
type PaymentState string

// The states of a payment: reserved in the ledger, charged to the session,
// settled in a block, or given back.
const (
	Reserved PaymentState = "reserved"
	Charged  PaymentState = "charged"
	Settled  PaymentState = "settled"
	Refunded PaymentState = "refunded"
)

// next lists the legal successors of each state. A lost lease puts a job back
// into the queue.
var next = map[JobState][]JobState{
	Queued:   {Assigned, Failed, Canceled, Expired},
	Assigned: {Running, Completed, Queued, Failed, Canceled, Expired},
	Running:  {Completed, Queued, Failed, Canceled, Expired},
}

var nextPayment = map[PaymentState][]PaymentState{
	Reserved: {Charged, Refunded},
	Charged:  {Settled},
}

// A TransitionError reports a change of state that the market forbids.
type TransitionError struct{ From, To string }

func (e *TransitionError) Error() string {
	return fmt.Sprintf("cannot go from %s to %s", e.From, e.To)
}

// Terminal reports whether s never changes again.
func (s JobState) Terminal() bool { return len(next[s]) == 0 }

// To returns t if a job may go from s to t, else a *[TransitionError].
func (s JobState) To(t JobState) (JobState, error) {
	if !slices.Contains(next[s], t) {
		return s, &TransitionError{string(s), string(t)}
	}
	return t, nil
}

// To returns t if a payment may go from p to t, else a *[TransitionError].
func (p PaymentState) To(t PaymentState) (PaymentState, error) {
	if !slices.Contains(nextPayment[p], t) {
		return p, &TransitionError{string(p), string(t)}
	}
	return t, nil
}
