package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// States of a batch: built and to be sent, in a block, and with its proofs stored.
const (
	BatchBuilt  = "built"
	BatchMined  = "mined"
	BatchProved = "proved"
)

// Plan is what one settlement transaction pays.
type Plan struct {
	Vouchers []receipt.Voucher `json:"vouchers"`
	Credits  []Credit          `json:"credits"`
	Jobs     []common.Hash     `json:"jobs"`
	Leaves   []common.Hash     `json:"leaves"`

	Spenders []uint64         `json:"spenders"` // key numbers, beside Vouchers
	Signers  []common.Address `json:"signers"`  // keys that signed the jobs' receipts and countersignatures, each once

	Receipts []*receipt.Receipt `json:"-"` // beside Jobs
}

// Credit is a miner's cumulative earnings of all batches.
type Credit struct {
	Miner common.Address `json:"miner"`
	Total market.Amount  `json:"total"`
}

// Batch is a settlement.
type Batch struct {
	ID        uint64
	Root      common.Hash
	Plan      Plan
	State     string
	FromBlock uint64
	Tx        common.Hash
	Block     uint64
	Proof     string // JSON of the anchor and state proofs, once proved
}

// BuildBatch gathers charged jobs that are in no batch, at most maxJobs, and
// stores the batch with the root that finish makes of the plan's receipts; finish
// also sets the leaves.
// It returns nil if there is nothing to settle.
//
// A session's voucher reaches up to its oldest open job, as it pays for all
// orders up to a number.
func (s *Store) BuildBatch(ctx context.Context, maxJobs int, fromBlock uint64, at int64, finish func(*Plan) (root common.Hash)) (batch *Batch, err error) {
	var some int
	if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM jobs WHERE payment = 'charged' AND batch IS NULL)").Scan(&some); err != nil || some == 0 {
		return nil, err
	}
	err = s.do(ctx, func(tx *txn) error {
		batch = nil
		jobs, err := settleable(tx, maxJobs)
		if err != nil || len(jobs) == 0 {
			return err
		}
		p := &Plan{}
		earned := map[common.Address]market.Amount{}
		for start := 0; start < len(jobs); {
			end := start
			x, err := sessionIn(tx, jobs[start].Session)
			if err != nil {
				return err
			}
			for ; end < len(jobs) && jobs[end].Session == x.ID; end++ {
				j := jobs[end]
				if x.Vouched, err = x.Vouched.Add(j.Price); err != nil {
					return err
				}
				if earned[j.Miner], err = earned[j.Miner].Add(j.Earned); err != nil {
					return err
				}
				x.Through = max(x.Through, j.Number)
				p.Jobs, p.Receipts = append(p.Jobs, j.ID), append(p.Receipts, &j.Signed.Receipt)
				for _, k := range []common.Address{j.Signed.MinerSigner, j.Signed.CoordinatorSigner} {
					if !slices.Contains(p.Signers, k) {
						p.Signers = append(p.Signers, k)
					}
				}
			}
			start = end
			p.Vouchers = append(p.Vouchers, receipt.Voucher{Session: x.ID, Through: x.Through, Cumulative: x.Vouched})
			p.Spenders = append(p.Spenders, x.SpenderN)
			if _, err := tx.Exec("UPDATE sessions SET vouched = ?, through = ? WHERE id = ?", amt{x.Vouched}, x.Through, x.ID); err != nil {
				return err
			}
		}
		for m, a := range earned {
			var batched amt
			if err := tx.QueryRow("SELECT batched FROM miners WHERE address = ?", m[:]).Scan(&batched); err != nil {
				return fmt.Errorf("account of miner %s: %w", m, err)
			}
			if batched.Amount, err = batched.Add(a); err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE miners SET batched = ? WHERE address = ?", batched, m[:]); err != nil {
				return err
			}
			p.Credits = append(p.Credits, Credit{m, batched.Amount})
		}
		slices.SortFunc(p.Credits, func(a, b Credit) int { return a.Miner.Cmp(b.Miner) })
		root := finish(p)
		r, err := tx.Exec("INSERT INTO batches (root, payload, state, block_from, created) VALUES (?, ?, ?, ?, ?)", root[:], doc[Plan]{p}, BatchBuilt, fromBlock, at)
		if err != nil {
			return err
		}
		id, err := r.LastInsertId()
		if err != nil {
			return err
		}
		for _, j := range p.Jobs {
			if _, err := tx.Exec("UPDATE jobs SET batch = ? WHERE id = ?", id, j[:]); err != nil {
				return err
			}
		}
		batch = &Batch{ID: uint64(id), Root: root, Plan: *p, State: BatchBuilt, FromBlock: fromBlock}
		return nil
	})
	return batch, err
}

// settleable returns charged jobs below their session's oldest open job, by
// session and number.
func settleable(tx *txn, limit int) ([]*Job, error) {
	rows, err := tx.Query("SELECT "+jobCols+jobFrom+`WHERE j.payment = 'charged' AND j.batch IS NULL
		AND j.number < coalesce((SELECT min(o.number) FROM jobs o WHERE o.session = j.session AND o.payment = 'reserved'), 9223372036854775807)
		ORDER BY j.session, j.number LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var jobs []*Job
	for rows.Next() {
		j, err := scanJob(rows)
		if err != nil {
			return nil, err
		}
		if j.Signed == nil {
			return nil, fmt.Errorf("job %s: %w", j.ID, errors.New("charged without a receipt"))
		}
		jobs = append(jobs, j)
	}
	slices.SortStableFunc(jobs, func(a, b *Job) int { return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Number, b.Number)) })
	return jobs, rows.Err()
}

const batchCols = "id, root, payload, state, block_from, tx, block, anchor"

func scanBatch(r scanner) (*Batch, error) {
	var b Batch
	var root, tx []byte
	var p Plan
	err := r.Scan(&b.ID, &root, doc[Plan]{&p}, &b.State, &b.FromBlock, &tx, &b.Block, &b.Proof)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	b.Root, b.Tx, b.Plan = common.BytesToHash(root), common.BytesToHash(tx), p
	return &b, err
}

// OpenBatches returns the batches that are not proved yet, oldest first.
func (s *Store) OpenBatches(ctx context.Context) ([]*Batch, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+batchCols+" FROM batches WHERE state <> ? ORDER BY id", BatchProved)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Batch
	for rows.Next() {
		b, err := scanBatch(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// Batch returns a batch, or [ErrNotFound].
func (s *Store) Batch(ctx context.Context, id uint64) (*Batch, error) {
	return scanBatch(s.read.QueryRowContext(ctx, "SELECT "+batchCols+" FROM batches WHERE id = ?", id))
}

// BatchMined records the block of a batch. Jobs of the paid sessions are
// settled; those of others stay charged, as the chain did not pay for them.
func (s *Store) BatchMined(ctx context.Context, id uint64, txHash common.Hash, block uint64, paid []uint64) error {
	return s.do(ctx, func(tx *txn) error {
		if _, err := tx.Exec("UPDATE batches SET state = ?, tx = ?, block = ? WHERE id = ? AND state = ?", BatchMined, txHash[:], block, id, BatchBuilt); err != nil {
			return err
		}
		for _, session := range paid {
			if _, err := tx.Exec("UPDATE jobs SET payment = ? WHERE batch = ? AND session = ? AND payment = ?", string(market.Settled), id, session, string(market.Charged)); err != nil {
				return err
			}
		}
		return nil
	})
}

// BatchProved stores the proofs of a batch.
func (s *Store) BatchProved(ctx context.Context, id uint64, proof string) error {
	return s.do(ctx, func(tx *txn) error {
		_, err := tx.Exec("UPDATE batches SET state = ?, anchor = ? WHERE id = ?", BatchProved, proof, id)
		return err
	})
}
