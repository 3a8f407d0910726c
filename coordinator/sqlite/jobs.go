package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Accounts of the journal. Each session has its own available and reserved.
const (
	accAvailable = "available"
	accReserved  = "reserved"
	accFees      = "fees"
	accMargin    = "margin"
	accMiner     = "miner:"
)

// A posting moves an amount from one account of the journal to another.
type posting struct {
	from, to string
	amount   market.Amount
}

// post writes postings to the journal, but for those of nothing.
func post(tx *txn, at int64, j *Job, kind string, entries ...posting) error {
	var args []any
	for _, e := range entries {
		if !e.amount.IsZero() {
			args = append(args, at, j.Session, j.ID[:], kind, e.from, e.to, amt{e.amount})
		}
	}
	const columns, row = 7, "(?, ?, ?, ?, ?, ?, ?)"
	if len(args) == 0 {
		return nil
	}
	_, err := tx.Exec("INSERT INTO journal (at, session, job, kind, source, target, amount) VALUES "+row+strings.Repeat(", "+row, len(args)/columns-1), args...)
	return err
}

const jobCols = `j.id, j.session, j.number, j.client, j.model, j.class, j.spec, j.request, coalesce(j.idem_key, ''), j.idem_hash, j.state, j.payment, j.max_price, j.miner, j.lease, j.attempts,
	j.price, j.fee, j.earned, j.prompt_tokens, j.completion_tokens, j.finish_reason, j.output, j.receipt, coalesce(j.batch, 0), j.cancel, j.error_code, j.error_message, j.created, j.finished, j.expires, coalesce(b.block, 0), b.tx`

const jobFrom = " FROM jobs j LEFT JOIN batches b ON b.id = j.batch "

func scanJob(r scanner) (*Job, error) {
	var j Job
	var id, client, miner, tx []byte
	var maxPrice, price, fee, earned amt
	var signed Signed
	var state, payment string
	err := r.Scan(&id, &j.Session, &j.Number, &client, &j.Model, &j.Class, doc[Spec]{&j.Spec}, &j.Request, &j.IdemKey, &j.IdemHash, &state, &payment, &maxPrice, &miner, &j.Lease, &j.Attempts,
		&price, &fee, &earned, &j.Usage.PromptTokens, &j.Usage.CompletionTokens, &j.FinishReason, &j.Output, doc[Signed]{&signed}, &j.Batch, &j.Cancel, &j.ErrorCode, &j.ErrorMessage, &j.Created, &j.Finished, &j.Expires, &j.Block, &tx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	j.ID, j.Client, j.Miner = common.BytesToHash(id), common.BytesToAddress(client), common.BytesToAddress(miner)
	j.Tx = common.BytesToHash(tx)
	j.State, j.Payment = market.JobState(state), market.PaymentState(payment)
	j.MaxPrice, j.Price, j.Fee, j.Earned = maxPrice.Amount, price.Amount, fee.Amount, earned.Amount
	if signed.Receipt.Version != 0 {
		j.Signed = &signed
	}
	return &j, nil
}

func jobIn(tx *txn, id common.Hash) (*Job, error) {
	j, err := scanJob(tx.QueryRow("SELECT "+jobCols+jobFrom+"WHERE j.id = ?", id[:]))
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	return j, nil
}

// InsertJob reserves the job's MaxPrice and stores it as queued. If its
// idempotency key was used before by the session, it returns that job instead,
// or [ErrIdempotency] if the request differed. It returns
// [market.ErrInsufficient] when the deposit does not suffice.
func (s *Store) InsertJob(ctx context.Context, j *Job) (existing *Job, err error) {
	err = s.do(ctx, func(tx *txn) error {
		existing = nil
		if j.IdemKey != "" {
			old, err := scanJob(tx.QueryRow("SELECT "+jobCols+jobFrom+"WHERE j.session = ? AND j.idem_key = ?", j.Session, j.IdemKey))
			if err == nil {
				if !bytes.Equal(old.IdemHash, j.IdemHash) {
					return ErrIdempotency
				}
				existing = old
				return nil
			}
			if !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		x, err := sessionIn(tx, j.Session)
		if err != nil {
			return err
		}
		if x.Account, err = x.Account.Reserve(j.MaxPrice); err != nil {
			return err
		}
		if err := saveAccount(tx, x); err != nil {
			return err
		}
		if err := post(tx, j.Created, j, "reserve", posting{accAvailable, accReserved, j.MaxPrice}); err != nil {
			return err
		}
		var idem any
		if j.IdemKey != "" {
			idem = j.IdemKey
		}
		_, err = tx.Exec(`INSERT INTO jobs (id, session, number, client, model, spec, request, idem_key, idem_hash, state, payment, max_price, created, expires)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			j.ID[:], j.Session, j.Number, j.Client[:], j.Model, doc[Spec]{&j.Spec}, j.Request, idem, j.IdemHash, string(market.Queued), string(market.Reserved), amt{j.MaxPrice}, j.Created, j.Expires)
		return err
	})
	return existing, err
}

// Job returns a job, or [ErrNotFound].
func (s *Store) Job(ctx context.Context, id common.Hash) (*Job, error) {
	return scanJob(s.read.QueryRowContext(ctx, "SELECT "+jobCols+jobFrom+"WHERE j.id = ?", id[:]))
}

func (s *Store) jobs(ctx context.Context, where string, args ...any) ([]*Job, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+jobCols+jobFrom+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Job
	for rows.Next() {
		j, err := scanJob(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// Jobs returns the newest jobs of a client, at most limit.
func (s *Store) Jobs(ctx context.Context, client common.Address, session uint64, limit int) ([]*Job, error) {
	return s.jobs(ctx, "WHERE j.session = ? AND j.client = ? ORDER BY j.created DESC LIMIT ?", session, client[:], limit)
}

// ReceiptJobs returns the newest jobs that have a receipt, of a client or, with
// session 0, of a miner.
func (s *Store) ReceiptJobs(ctx context.Context, account common.Address, session uint64, limit int) ([]*Job, error) {
	if session == 0 {
		return s.jobs(ctx, "WHERE j.miner = ? AND j.receipt_id IS NOT NULL ORDER BY j.created DESC LIMIT ?", account[:], limit)
	}
	return s.jobs(ctx, "WHERE j.session = ? AND j.client = ? AND j.receipt_id IS NOT NULL ORDER BY j.created DESC LIMIT ?", session, account[:], limit)
}

// JobByReceipt returns the job of a receipt id, or [ErrNotFound].
func (s *Store) JobByReceipt(ctx context.Context, id common.Hash) (common.Hash, error) {
	var job []byte
	err := s.read.QueryRowContext(ctx, "SELECT id FROM jobs WHERE receipt_id = ?", id[:]).Scan(&job)
	if errors.Is(err, sql.ErrNoRows) {
		return common.Hash{}, ErrNotFound
	}
	return common.BytesToHash(job), err
}

// OpenJobs returns all jobs that are not terminal, oldest first.
func (s *Store) OpenJobs(ctx context.Context) ([]*Job, error) {
	return s.jobs(ctx, "WHERE j.payment = ? ORDER BY j.created", string(market.Reserved))
}

// Assign leases a queued job to a miner. It returns before the lease is on the
// disk: a crash may undo it, and the job is then queued again.
func (s *Store) Assign(ctx context.Context, id common.Hash, miner common.Address, lease string) (job *Job, err error) {
	err = s.doSoon(ctx, func(tx *txn) error {
		j, err := jobIn(tx, id)
		if err != nil {
			return err
		}
		if j.State, err = j.State.To(market.Assigned); err != nil {
			return err
		}
		j.Miner, j.Lease, j.Attempts = miner, lease, j.Attempts+1
		job = j
		_, err = tx.Exec("UPDATE jobs SET state = ?, miner = ?, lease = ?, attempts = ? WHERE id = ?", string(j.State), miner[:], lease, j.Attempts, id[:])
		return err
	})
	return job, err
}

// Requeue takes a lease away. It returns [ErrNotAssigned] if another holds it.
func (s *Store) Requeue(ctx context.Context, id common.Hash, lease string) error {
	return s.do(ctx, func(tx *txn) error {
		j, err := jobIn(tx, id)
		if err != nil {
			return err
		}
		if j.Lease != lease {
			return ErrNotAssigned
		}
		to, err := j.State.To(market.Queued)
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE jobs SET state = ?, miner = NULL, lease = '' WHERE id = ?", string(to), id[:])
		return err
	})
}

// End finishes a job without payment: failed, canceled or expired. The whole
// reservation is released. A job that is terminal already is left as it is.
func (s *Store) End(ctx context.Context, id common.Hash, state market.JobState, code, message string, at int64) (job *Job, err error) {
	err = s.do(ctx, func(tx *txn) error {
		j, err := jobIn(tx, id)
		if err != nil {
			return err
		}
		job = j
		if j.State.Terminal() {
			return nil
		}
		if j.State, err = j.State.To(state); err != nil {
			return err
		}
		if j.Payment, err = j.Payment.To(market.Refunded); err != nil {
			return err
		}
		x, err := sessionIn(tx, j.Session)
		if err != nil {
			return err
		}
		if x.Account, err = x.Account.Release(j.MaxPrice); err != nil {
			return err
		}
		if err := saveAccount(tx, x); err != nil {
			return err
		}
		if err := post(tx, at, j, "release", posting{accReserved, accAvailable, j.MaxPrice}); err != nil {
			return err
		}
		j.ErrorCode, j.ErrorMessage, j.Finished = code, message, at
		_, err = tx.Exec("UPDATE jobs SET state = ?, payment = ?, error_code = ?, error_message = ?, finished = ? WHERE id = ?", string(j.State), string(j.Payment), code, message, at, id[:])
		return err
	})
	return job, err
}

// RequestCancel remembers that the client wants an unfinished job stopped.
func (s *Store) RequestCancel(ctx context.Context, id common.Hash) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("UPDATE jobs SET cancel = 1 WHERE id = ? AND payment = ?", id[:], string(market.Reserved))
		return err
	})
}

// Completion is a job's end with payment.
type Completion struct {
	Job               common.Hash
	Miner             common.Address
	MinerSigner       common.Address // whose Signature is
	CoordinatorSigner common.Address // who signs in Countersign
	Lease             string
	State             market.JobState // completed, or canceled after the first token
	Receipt           receipt.Receipt
	ReceiptID         common.Hash
	Signature         receipt.Signature
	Class             string
	Reason            string
	Output            string
	MarginBps         uint16
	At                int64
	// Countersign signs the miner's new total. It runs inside the transaction.
	Countersign func(total market.Amount) (receipt.Signature, error)
}

// Complete charges the session, credits the miner's account and stores the
// signed receipt, all or nothing. It returns [ErrNotAssigned] unless the miner
// holds the lease.
func (s *Store) Complete(ctx context.Context, c Completion) (job *Job, err error) {
	err = s.do(ctx, func(tx *txn) error {
		j, err := jobIn(tx, c.Job)
		if err != nil {
			return err
		}
		if j.Miner != c.Miner || j.Lease != c.Lease {
			return ErrNotAssigned
		}
		if j.State, err = j.State.To(c.State); err != nil {
			return err
		}
		if j.Payment, err = j.Payment.To(market.Charged); err != nil {
			return err
		}
		x, err := sessionIn(tx, j.Session)
		if err != nil {
			return err
		}
		split, err := market.Divide(x.Account.Charged, c.Receipt.Price, x.FeeBps, c.MarginBps)
		if err != nil {
			return err
		}
		if x.Account, err = x.Account.Charge(j.MaxPrice, c.Receipt.Price); err != nil {
			return err
		}
		if err := saveAccount(tx, x); err != nil {
			return err
		}
		rest, err := j.MaxPrice.Sub(c.Receipt.Price)
		if err != nil {
			return err
		}
		if err := post(tx, c.At, j, "charge",
			posting{accReserved, accMiner + c.Miner.Hex(), split.Miner}, posting{accReserved, accFees, split.Fee},
			posting{accReserved, accMargin, split.Margin}, posting{accReserved, accAvailable, rest}); err != nil {
			return err
		}
		var total amt
		if err := tx.QueryRow("SELECT total FROM miners WHERE address = ?", c.Miner[:]).Scan(&total); err != nil {
			return fmt.Errorf("account of miner %s: %w", c.Miner, err)
		}
		if total.Amount, err = total.Add(split.Miner); err != nil {
			return err
		}
		sig, err := c.Countersign(total.Amount)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE miners SET total = ?, completed = completed + 1 WHERE address = ?", total, c.Miner[:]); err != nil {
			return err
		}
		j.Signed = &Signed{Receipt: c.Receipt, MinerSignature: c.Signature, MinerTotal: total.Amount, Countersignature: sig, MinerSigner: c.MinerSigner, CoordinatorSigner: c.CoordinatorSigner}
		j.Class, j.Price, j.Fee, j.Earned = c.Class, c.Receipt.Price, split.Fee, split.Miner
		j.Usage = market.Usage{PromptTokens: c.Receipt.PromptTokens, CompletionTokens: c.Receipt.CompletionTokens}
		j.FinishReason, j.Output, j.Finished = c.Reason, c.Output, c.At
		job = j
		_, err = tx.Exec(`UPDATE jobs SET state = ?, payment = ?, class = ?, price = ?, fee = ?, earned = ?, prompt_tokens = ?, completion_tokens = ?, finish_reason = ?, output = ?, receipt = ?, receipt_id = ?, finished = ? WHERE id = ?`,
			string(j.State), string(j.Payment), j.Class, amt{j.Price}, amt{j.Fee}, amt{j.Earned}, j.Usage.PromptTokens, j.Usage.CompletionTokens, j.FinishReason, j.Output, doc[Signed]{j.Signed}, c.ReceiptID[:], j.Finished, c.Job[:])
		return err
	})
	return job, err
}
