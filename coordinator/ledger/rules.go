package ledger

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Accounts of the journal. Each session has its own available and reserved.
const (
	accAvailable = "available"
	accReserved  = "reserved"
	accFees      = "fees"
	accMargin    = "margin"
	accMiner     = "miner:"
)

// An Entry moves an amount from one account of the journal to another. Entries
// of nothing are not made.
type Entry struct {
	At       int64
	Session  uint64
	Job      common.Hash
	Kind     string // reserve, release or charge
	From, To string
	Amount   market.Amount
}

// entries drops what moves nothing.
func entries(at int64, j *Job, kind string, moves ...Entry) []Entry {
	var out []Entry
	for _, e := range moves {
		if !e.Amount.IsZero() {
			e.At, e.Session, e.Job, e.Kind = at, j.Session, j.ID, kind
			out = append(out, e)
		}
	}
	return out
}

// Admit reserves a new job's MaxPrice, gives it the session's next number and
// has it signed, which sets its id. It returns the session as it then is and
// what goes into the journal, or [market.ErrInsufficient].
func Admit(x Session, j *Job, sign func(*Job) error) (Session, []Entry, error) {
	var err error
	if x.Account, err = x.Account.Reserve(j.MaxPrice); err != nil {
		return x, nil, err
	}
	x.Number++
	j.Number, j.State, j.Payment = x.Number, market.Queued, market.Reserved
	if err := sign(j); err != nil {
		return x, nil, err
	}
	return x, entries(j.Created, j, "reserve", Entry{From: accAvailable, To: accReserved, Amount: j.MaxPrice}), nil
}

// Lease gives a queued job to a miner.
func Lease(j Job, miner common.Address, lease string) (Job, error) {
	var err error
	if j.State, err = j.State.To(market.Assigned); err != nil {
		return j, err
	}
	j.Miner, j.Lease, j.Attempts = miner, lease, j.Attempts+1
	return j, nil
}

// Requeue takes a lease away, or returns [ErrNotAssigned] if it is another one.
// A lease that its miner never heard of is no attempt.
func Requeue(j Job, lease string, unheard bool) (Job, error) {
	if j.Lease != lease {
		return j, ErrNotAssigned
	}
	var err error
	if j.State, err = j.State.To(market.Queued); err != nil {
		return j, err
	}
	j.Miner, j.Lease = common.Address{}, ""
	if unheard {
		j.Attempts--
	}
	return j, nil
}

// Release ends an open job without payment and gives its reservation back. A
// job that is under another lease than the ending says is [ErrNotAssigned].
func Release(x Session, j Job, e Ending) (Session, Job, []Entry, error) {
	if !e.Anyhow && j.Lease != e.Lease {
		return x, j, nil, ErrNotAssigned
	}
	var err error
	if j.State, err = j.State.To(e.State); err != nil {
		return x, j, nil, err
	}
	if j.Payment, err = j.Payment.To(market.Refunded); err != nil {
		return x, j, nil, err
	}
	if x.Account, err = x.Account.Release(j.MaxPrice); err != nil {
		return x, j, nil, err
	}
	j.ErrorCode, j.ErrorMessage, j.Finished = e.Code, e.Message, e.At
	return x, j, entries(e.At, &j, "release", Entry{From: accReserved, To: accAvailable, Amount: j.MaxPrice}), nil
}

// Charge ends a job with payment: its price leaves the reservation for miner,
// fees and margin, and the rest goes back. total is all that the miner earned
// until now; the new total is countersigned. It returns [ErrNotAssigned]
// unless the miner holds the lease.
func Charge(x Session, j Job, total market.Amount, c Completion) (Session, Job, []Entry, error) {
	if j.Miner != c.Miner || j.Lease != c.Lease {
		return x, j, nil, ErrNotAssigned
	}
	var err error
	if j.State, err = j.State.To(c.State); err != nil {
		return x, j, nil, err
	}
	if j.Payment, err = j.Payment.To(market.Charged); err != nil {
		return x, j, nil, err
	}
	split, err := market.Divide(x.Account.Charged, c.Receipt.Price, x.FeeBps, c.MarginBps)
	if err != nil {
		return x, j, nil, err
	}
	if x.Account, err = x.Account.Charge(j.MaxPrice, c.Receipt.Price); err != nil {
		return x, j, nil, err
	}
	rest, err := j.MaxPrice.Sub(c.Receipt.Price)
	if err != nil {
		return x, j, nil, err
	}
	if total, err = total.Add(split.Miner); err != nil {
		return x, j, nil, err
	}
	sig, err := c.Countersign(total)
	if err != nil {
		return x, j, nil, err
	}
	j.Signed = &Signed{Receipt: c.Receipt, MinerSignature: c.Signature, MinerTotal: total, Countersignature: sig, MinerSigner: c.MinerSigner, CoordinatorSigner: c.CoordinatorSigner}
	j.ReceiptID, j.Class, j.Price, j.Fee, j.Earned = c.ReceiptID, c.Class, c.Receipt.Price, split.Fee, split.Miner
	j.Usage = market.Usage{PromptTokens: c.Receipt.PromptTokens, CompletionTokens: c.Receipt.CompletionTokens}
	j.FinishReason, j.Output, j.Finished, j.FirstToken = c.Reason, c.Output, c.At, c.FirstToken
	return x, j, entries(c.At, &j, "charge",
		Entry{From: accReserved, To: accMiner + c.Miner.Hex(), Amount: split.Miner}, Entry{From: accReserved, To: accFees, Amount: split.Fee},
		Entry{From: accReserved, To: accMargin, Amount: split.Margin}, Entry{From: accReserved, To: accAvailable, Amount: rest}), nil
}

// Merge brings what the chain says about a session into what is known. On the
// chain deposit, debits, due time and state only go one way, so an answer that
// was overtaken by a newer one changes nothing. What the ledger has reserved,
// charged and vouched stays.
func Merge(old, chain Session) Session {
	if chain.Account.Deposit.Cmp(old.Account.Deposit) > 0 {
		old.Account.Deposit = chain.Account.Deposit
	}
	if chain.Debited.Cmp(old.Debited) > 0 {
		old.Debited = chain.Debited
	}
	old.DueAt, old.State = min(chain.DueAt, old.DueAt), max(chain.State, old.State)
	return old
}
