package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

const jobCols = `j.id, j.session, j.number, j.client, j.model, j.class, t.spec, t.request, coalesce(j.idem_key, ''), j.idem_hash, j.state, j.payment, j.max_price, j.miner, j.lease, j.attempts,
	j.price, j.fee, j.earned, j.prompt_tokens, j.completion_tokens, j.finish_reason, t.output, t.receipt, j.receipt_id, coalesce(j.batch, 0), j.cancel, j.error_code, j.error_message, j.created, j.finished, j.expires, j.key, j.first_token, coalesce(b.block, 0), b.tx, coalesce(b.mined, 0)`

const jobFrom = " FROM jobs j JOIN texts t ON t.n = j.texts LEFT JOIN batches b ON b.id = j.batch "

func scanJob(r scanner) (*ledger.Job, error) {
	var j ledger.Job
	var id, client, miner, receiptID, key, tx []byte
	var maxPrice, price, fee, earned amt
	var signed ledger.Signed
	var state, payment string
	err := r.Scan(&id, &j.Session, &j.Number, &client, &j.Model, &j.Class, doc[ledger.Spec]{&j.Spec}, &j.Request, &j.IdemKey, &j.IdemHash, &state, &payment, &maxPrice, &miner, &j.Lease, &j.Attempts,
		&price, &fee, &earned, &j.Usage.PromptTokens, &j.Usage.CompletionTokens, &j.FinishReason, &j.Output, doc[ledger.Signed]{&signed}, &receiptID, &j.Batch, &j.Cancel, &j.ErrorCode, &j.ErrorMessage, &j.Created, &j.Finished, &j.Expires, &key, &j.FirstToken, &j.Block, &tx, &j.SettledAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ledger.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	j.ID, j.Client, j.Miner = common.BytesToHash(id), common.BytesToAddress(client), common.BytesToAddress(miner)
	j.ReceiptID, j.Key, j.Tx = common.BytesToHash(receiptID), common.BytesToHash(key), common.BytesToHash(tx)
	j.State, j.Payment = market.JobState(state), market.PaymentState(payment)
	j.MaxPrice, j.Price, j.Fee, j.Earned = maxPrice.Amount, price.Amount, fee.Amount, earned.Amount
	if signed.Receipt.Version != 0 {
		j.Signed = &signed
	}
	return &j, nil
}

// InsertJob implements coordinator.Store.
func (s *Store) InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error, decided func() (wait bool)) (existing *ledger.Job, err error) {
	if s.crowded() {
		if err := s.catchUp(ctx); err != nil {
			return nil, err
		}
	}
	for {
		var known common.Hash // the job that has the idempotency key
		at := s.moved()
		if j.IdemKey != "" {
			if known, err = s.keyed(ctx, j.Session, j.IdemKey); err != nil {
				return nil, err
			}
		}
		again := false
		g, err := s.decision(ctx, func(v view) (*change, error) {
			if j.IdemKey != "" {
				if again = v.moves != at; again {
					return nil, nil
				}
				if id, ok := v.m.keys[idemKey{j.Session, j.IdemKey}]; ok {
					known = id
				}
				if known != (common.Hash{}) {
					return nil, nil
				}
			}
			x, err := v.session(j.Session)
			if err != nil {
				return nil, err
			}
			key, err := v.key(j.Key)
			if err != nil {
				return nil, err
			}
			if key == nil && j.Key != (common.Hash{}) {
				return nil, fmt.Errorf("key %s: %w", j.Key, ledger.ErrNotFound)
			}
			x, entries, err := ledger.Admit(x, j, sign)
			if err != nil {
				return nil, err
			}
			budget, err := hold(key, j)
			if err != nil {
				return nil, err
			}
			spec, err := encodeJSON(&j.Spec)
			if err != nil {
				return nil, err
			}
			own := *j
			return &change{job: &own, fresh: true, spec: spec, session: balanceOf(x), budget: budget, entries: entries}, nil
		})
		if err == nil {
			wait := true
			if decided != nil && !again && known == (common.Hash{}) {
				wait = decided()
			}
			if wait {
				err = s.await(g)
			} else {
				s.nudge()
			}
		}
		if again && err == nil {
			continue
		}
		if err != nil || known == (common.Hash{}) {
			return nil, err
		}
		if existing, err = s.Job(ctx, known); err == nil && !bytes.Equal(existing.IdemHash, j.IdemHash) {
			return nil, ledger.ErrIdempotency
		}
		return existing, err
	}
}

// keyed returns the job that the database has under an idempotency key, zero for none.
func (s *Store) keyed(ctx context.Context, session uint64, key string) (id common.Hash, err error) {
	var b []byte
	err = s.read.QueryRowContext(ctx, "SELECT id FROM jobs WHERE session = ? AND idem_key = ?", session, key).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return id, nil
	}
	return common.BytesToHash(b), err
}

func (s *Store) jobs(ctx context.Context, where string, args ...any) ([]*ledger.Job, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
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
	if err := s.catchUp(ctx); err != nil {
		return common.Hash{}, err
	}
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
	err = s.decide(ctx, soon, func(v view) (*change, error) {
		j, err := v.job(id)
		if err != nil {
			return nil, err
		}
		now, err := ledger.Lease(*j, miner, lease)
		if err != nil {
			return nil, err
		}
		own := now
		job = &own
		return &change{job: &now}, nil
	})
	return job, err
}

// Requeue implements coordinator.Store.
func (s *Store) Requeue(ctx context.Context, id common.Hash, lease string, unheard bool) error {
	return s.decide(ctx, onDisk, func(v view) (*change, error) {
		j, err := v.job(id)
		if err != nil {
			return nil, err
		}
		now, err := ledger.Requeue(*j, lease, unheard)
		return &change{job: &now}, err
	})
}

// RequestCancel implements coordinator.Store.
func (s *Store) RequestCancel(ctx context.Context, id common.Hash) error {
	err := s.decide(ctx, onDisk, func(v view) (*change, error) {
		j, err := v.job(id)
		if err != nil || j.Payment != market.Reserved {
			return nil, err
		}
		now := *j
		now.Cancel = true
		return &change{job: &now}, nil
	})
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}

// End implements coordinator.Store.
func (s *Store) End(ctx context.Context, e ledger.Ending) (job *ledger.Job, err error) {
	err = s.decide(ctx, onDisk, func(v view) (*change, error) {
		j, err := v.job(e.Job)
		if err != nil {
			return nil, err
		}
		if j.State.Terminal() {
			own := *j
			job = &own
			return nil, nil
		}
		x, err := v.session(j.Session)
		if err != nil {
			return nil, err
		}
		key, err := v.key(j.Key)
		if err != nil {
			return nil, err
		}
		x, ended, entries, err := ledger.Release(x, *j, e)
		if err != nil {
			return nil, err
		}
		budget, err := give(key, &ended)
		if err != nil {
			return nil, err
		}
		own := ended
		job = &own
		return &change{job: &ended, session: balanceOf(x), budget: budget, entries: entries}, nil
	})
	return job, err
}

// Complete implements coordinator.Store.
func (s *Store) Complete(ctx context.Context, c ledger.Completion) (job *ledger.Job, err error) {
	err = s.decide(ctx, onDisk, func(v view) (*change, error) {
		j, err := v.job(c.Job)
		if err != nil {
			return nil, err
		}
		x, err := v.session(j.Session)
		if err != nil {
			return nil, err
		}
		m, err := v.miner(c.Miner)
		if err != nil {
			return nil, err
		}
		key, err := v.key(j.Key)
		if err != nil {
			return nil, err
		}
		x, done, entries, err := ledger.Charge(x, *j, m.Total, c)
		if err != nil {
			return nil, err
		}
		budget, err := give(key, &done)
		if err != nil {
			return nil, err
		}
		signed, err := encodeJSON(done.Signed)
		if err != nil {
			return nil, err
		}
		own := done
		job = &own
		return &change{job: &done, signed: signed, session: balanceOf(x), miner: &earnings{c.Miner, done.Signed.MinerTotal, m.Completed + 1}, budget: budget, entries: entries}, nil
	})
	return job, err
}
