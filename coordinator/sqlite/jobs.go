package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// post writes entries to the journal.
func post(tx *txn, entries []ledger.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	const columns, row = 7, "(?, ?, ?, ?, ?, ?, ?)"
	args := make([]any, 0, columns*len(entries))
	for _, e := range entries {
		args = append(args, e.At, e.Session, e.Job[:], e.Kind, e.From, e.To, amt{e.Amount})
	}
	_, err := tx.Exec("INSERT INTO journal (at, session, job, kind, source, target, amount) VALUES "+row+strings.Repeat(", "+row, len(entries)-1), args...)
	return err
}

const jobCols = `j.id, j.session, j.number, j.client, j.model, j.class, j.spec, j.request, coalesce(j.idem_key, ''), j.idem_hash, j.state, j.payment, j.max_price, j.miner, j.lease, j.attempts,
	j.price, j.fee, j.earned, j.prompt_tokens, j.completion_tokens, j.finish_reason, j.output, j.receipt, j.receipt_id, coalesce(j.batch, 0), j.cancel, j.error_code, j.error_message, j.created, j.finished, j.expires, coalesce(b.block, 0), b.tx`

const jobFrom = " FROM jobs j LEFT JOIN batches b ON b.id = j.batch "

func scanJob(r scanner) (*ledger.Job, error) {
	var j ledger.Job
	var id, client, miner, receiptID, tx []byte
	var maxPrice, price, fee, earned amt
	var signed ledger.Signed
	var state, payment string
	err := r.Scan(&id, &j.Session, &j.Number, &client, &j.Model, &j.Class, doc[ledger.Spec]{&j.Spec}, &j.Request, &j.IdemKey, &j.IdemHash, &state, &payment, &maxPrice, &miner, &j.Lease, &j.Attempts,
		&price, &fee, &earned, &j.Usage.PromptTokens, &j.Usage.CompletionTokens, &j.FinishReason, &j.Output, doc[ledger.Signed]{&signed}, &receiptID, &j.Batch, &j.Cancel, &j.ErrorCode, &j.ErrorMessage, &j.Created, &j.Finished, &j.Expires, &j.Block, &tx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ledger.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	j.ID, j.Client, j.Miner = common.BytesToHash(id), common.BytesToAddress(client), common.BytesToAddress(miner)
	j.ReceiptID, j.Tx = common.BytesToHash(receiptID), common.BytesToHash(tx)
	j.State, j.Payment = market.JobState(state), market.PaymentState(payment)
	j.MaxPrice, j.Price, j.Fee, j.Earned = maxPrice.Amount, price.Amount, fee.Amount, earned.Amount
	if signed.Receipt.Version != 0 {
		j.Signed = &signed
	}
	return &j, nil
}

func jobIn(tx *txn, id common.Hash) (*ledger.Job, error) {
	j, err := scanJob(tx.QueryRow("SELECT "+jobCols+jobFrom+"WHERE j.id = ?", id[:]))
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	return j, nil
}

// InsertJob implements coordinator.Store.
func (s *Store) InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error) (existing *ledger.Job, err error) {
	err = s.do(ctx, func(tx *txn) error {
		existing = nil
		if j.IdemKey != "" {
			old, err := scanJob(tx.QueryRow("SELECT "+jobCols+jobFrom+"WHERE j.session = ? AND j.idem_key = ?", j.Session, j.IdemKey))
			if err == nil {
				if !bytes.Equal(old.IdemHash, j.IdemHash) {
					return ledger.ErrIdempotency
				}
				existing = old
				return nil
			}
			if !errors.Is(err, ledger.ErrNotFound) {
				return err
			}
		}
		x, err := sessionIn(tx, j.Session)
		if err != nil {
			return err
		}
		x, entries, err := ledger.Admit(x, j, sign)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE sessions SET reserved = ?, number = ? WHERE id = ?", amt{x.Account.Reserved}, x.Number, x.ID); err != nil {
			return err
		}
		if err := post(tx, entries); err != nil {
			return err
		}
		var idem any
		if j.IdemKey != "" {
			idem = j.IdemKey
		}
		_, err = tx.Exec(`INSERT INTO jobs (id, session, number, client, model, spec, request, idem_key, idem_hash, state, payment, max_price, created, expires)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			j.ID[:], j.Session, j.Number, j.Client[:], j.Model, doc[ledger.Spec]{&j.Spec}, j.Request, idem, j.IdemHash, string(j.State), string(j.Payment), amt{j.MaxPrice}, j.Created, j.Expires)
		return err
	})
	return existing, err
}

// Job implements coordinator.Store.
func (s *Store) Job(ctx context.Context, id common.Hash) (*ledger.Job, error) {
	return scanJob(s.read.QueryRowContext(ctx, "SELECT "+jobCols+jobFrom+"WHERE j.id = ?", id[:]))
}

func (s *Store) jobs(ctx context.Context, where string, args ...any) ([]*ledger.Job, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+jobCols+jobFrom+where, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanJob)
}

// Jobs implements coordinator.Store.
func (s *Store) Jobs(ctx context.Context, client common.Address, session uint64, limit int) ([]*ledger.Job, error) {
	return s.jobs(ctx, "WHERE j.session = ? AND j.client = ? ORDER BY j.created DESC, j.number DESC LIMIT ?", session, client[:], limit)
}

// ReceiptJobs implements coordinator.Store.
func (s *Store) ReceiptJobs(ctx context.Context, account common.Address, session uint64, limit int) ([]*ledger.Job, error) {
	if session == 0 {
		return s.jobs(ctx, "WHERE j.miner = ? AND j.receipt_id IS NOT NULL ORDER BY j.created DESC, j.number DESC LIMIT ?", account[:], limit)
	}
	return s.jobs(ctx, "WHERE j.session = ? AND j.client = ? AND j.receipt_id IS NOT NULL ORDER BY j.created DESC, j.number DESC LIMIT ?", session, account[:], limit)
}

// JobByReceipt implements coordinator.Store.
func (s *Store) JobByReceipt(ctx context.Context, id common.Hash) (common.Hash, error) {
	var job []byte
	err := s.read.QueryRowContext(ctx, "SELECT id FROM jobs WHERE receipt_id = ?", id[:]).Scan(&job)
	if errors.Is(err, sql.ErrNoRows) {
		return common.Hash{}, ledger.ErrNotFound
	}
	return common.BytesToHash(job), err
}

// OpenJobs implements coordinator.Store.
func (s *Store) OpenJobs(ctx context.Context) ([]*ledger.Job, error) {
	return s.jobs(ctx, "WHERE j.payment = ? ORDER BY j.created, j.session, j.number", string(market.Reserved))
}

// Assign implements coordinator.Store. It returns before the lease is on the disk.
func (s *Store) Assign(ctx context.Context, id common.Hash, miner common.Address, lease string) (job *ledger.Job, err error) {
	err = s.doSoon(ctx, func(tx *txn) error {
		j, err := jobIn(tx, id)
		if err != nil {
			return err
		}
		if *j, err = ledger.Lease(*j, miner, lease); err != nil {
			return err
		}
		job = j
		_, err = tx.Exec("UPDATE jobs SET state = ?, miner = ?, lease = ?, attempts = ? WHERE id = ?", string(j.State), miner[:], lease, j.Attempts, id[:])
		return err
	})
	return job, err
}

// Requeue implements coordinator.Store.
func (s *Store) Requeue(ctx context.Context, id common.Hash, lease string) error {
	return s.do(ctx, func(tx *txn) error {
		j, err := jobIn(tx, id)
		if err != nil {
			return err
		}
		if *j, err = ledger.Requeue(*j, lease); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE jobs SET state = ?, miner = NULL, lease = '' WHERE id = ?", string(j.State), id[:])
		return err
	})
}

// RequestCancel implements coordinator.Store.
func (s *Store) RequestCancel(ctx context.Context, id common.Hash) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("UPDATE jobs SET cancel = 1 WHERE id = ? AND payment = ?", id[:], string(market.Reserved))
		return err
	})
}

// End implements coordinator.Store.
func (s *Store) End(ctx context.Context, e ledger.Ending) (job *ledger.Job, err error) {
	err = s.do(ctx, func(tx *txn) error {
		j, err := jobIn(tx, e.Job)
		if err != nil {
			return err
		}
		job = j
		if j.State.Terminal() {
			return nil
		}
		x, err := sessionIn(tx, j.Session)
		if err != nil {
			return err
		}
		x, ended, entries, err := ledger.Release(x, *j, e)
		if err != nil {
			return err
		}
		job = &ended
		if err := saveAccount(tx, x); err != nil {
			return err
		}
		if err := post(tx, entries); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE jobs SET state = ?, payment = ?, error_code = ?, error_message = ?, finished = ? WHERE id = ?", string(ended.State), string(ended.Payment), ended.ErrorCode, ended.ErrorMessage, ended.Finished, e.Job[:])
		return err
	})
	return job, err
}

// Complete implements coordinator.Store.
func (s *Store) Complete(ctx context.Context, c ledger.Completion) (job *ledger.Job, err error) {
	err = s.do(ctx, func(tx *txn) error {
		j, err := jobIn(tx, c.Job)
		if err != nil {
			return err
		}
		x, err := sessionIn(tx, j.Session)
		if err != nil {
			return err
		}
		var total amt
		if err := tx.QueryRow("SELECT total FROM miners WHERE address = ?", c.Miner[:]).Scan(&total); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("account of miner %s: %w", c.Miner, ledger.ErrNotFound)
		} else if err != nil {
			return fmt.Errorf("account of miner %s: %w", c.Miner, err)
		}
		x, done, entries, err := ledger.Charge(x, *j, total.Amount, c)
		if err != nil {
			return err
		}
		if err := saveAccount(tx, x); err != nil {
			return err
		}
		if err := post(tx, entries); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE miners SET total = ?, completed = completed + 1 WHERE address = ?", amt{done.Signed.MinerTotal}, c.Miner[:]); err != nil {
			return err
		}
		job = &done
		_, err = tx.Exec(`UPDATE jobs SET state = ?, payment = ?, class = ?, price = ?, fee = ?, earned = ?, prompt_tokens = ?, completion_tokens = ?, finish_reason = ?, output = ?, receipt = ?, receipt_id = ?, finished = ? WHERE id = ?`,
			string(done.State), string(done.Payment), done.Class, amt{done.Price}, amt{done.Fee}, amt{done.Earned}, done.Usage.PromptTokens, done.Usage.CompletionTokens, done.FinishReason, done.Output, doc[ledger.Signed]{done.Signed}, done.ReceiptID[:], done.Finished, c.Job[:])
		return err
	})
	return job, err
}
