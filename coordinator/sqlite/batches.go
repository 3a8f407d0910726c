package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// BuildBatch implements coordinator.Store.
func (s *Store) BuildBatch(ctx context.Context, g ledger.Gathering, finish func(*ledger.Plan) (root common.Hash)) (batch *ledger.Batch, err error) {
	if !s.behind() { // else the database is written anyway
		var some int
		if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM jobs j WHERE "+ripe+")", g.Alone, g.Due).Scan(&some); err != nil || some == 0 {
			return nil, err
		}
	}
	err = s.do(ctx, func(tx *txn) error {
		batch = nil
		jobs, err := settleable(tx, g)
		if err != nil || len(jobs) == 0 {
			return err
		}
		sessions := map[uint64]ledger.Session{}
		batched := map[common.Address]market.Amount{}
		vouchers := map[uint64][]ledger.Voucher{}
		for _, j := range jobs {
			if _, ok := sessions[j.Session]; !ok {
				x, err := sessionIn(tx, j.Session)
				if err != nil {
					return err
				}
				if sessions[j.Session] = x; x.Self() {
					if vouchers[x.ID], err = vouchersIn(tx, x.ID, x.Through); err != nil {
						return err
					}
				}
			}
			if _, ok := batched[j.Miner]; !ok {
				var a amt
				if err := tx.QueryRow("SELECT batched FROM miners WHERE address = ?", j.Miner[:]).Scan(&a); err != nil {
					return fmt.Errorf("account of miner %s: %w", j.Miner, err)
				}
				batched[j.Miner] = a.Amount
			}
		}
		p, changed, err := ledger.Settle(g, jobs, sessions, batched, vouchers)
		if err != nil || p == nil {
			return err
		}
		for _, x := range changed {
			tx.touched.session(x.ID)
			if _, err := tx.Exec("UPDATE sessions SET vouched = ?, through = ?, alone = ? WHERE id = ?", amt{x.Vouched}, x.Through, x.Alone, x.ID); err != nil {
				return err
			}
		}
		for _, c := range p.Credits {
			tx.touched.miner(c.Miner)
			if _, err := tx.Exec("UPDATE miners SET batched = ? WHERE address = ?", amt{c.Total}, c.Miner[:]); err != nil {
				return err
			}
		}
		root := finish(p)
		r, err := tx.Exec("INSERT INTO batches (root, payload, state, block_from, created) VALUES (?, ?, ?, ?, ?)", root[:], doc[ledger.Plan]{p}, ledger.BatchBuilt, g.FromBlock, g.At)
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
			delete(tx.receipts, j) // if this is undone, the database has it
		}
		batch = &ledger.Batch{ID: uint64(id), Root: root, Plan: *p, State: ledger.BatchBuilt, FromBlock: g.FromBlock}
		return nil
	})
	return batch, err
}

// ripe jobs are charged and in no batch, and paid by a voucher or to be settled
// alone.
const ripe = `j.payment = 'charged' AND j.batch IS NULL AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = j.session
	AND (s.spender_n <> 0 OR j.finished <= ? OR s.due_at <= ? OR j.number <= (SELECT max(v.through) FROM vouchers v WHERE v.session = j.session)))`

// settleCols are what of a job its settlement needs, beside its receipt.
const settleCols = "j.id, j.session, j.number, j.miner, j.price, j.earned"

func scanCharged(r scanner) (*ledger.Job, error) {
	var j ledger.Job
	var id, miner []byte
	var price, earned amt
	err := r.Scan(&id, &j.Session, &j.Number, &miner, &price, &earned)
	j.ID, j.Miner, j.Price, j.Earned = common.BytesToHash(id), common.BytesToAddress(miner), price.Amount, earned.Amount
	return &j, err
}

// keepReceipts bounds the receipts that stay in memory until their jobs are settled.
const keepReceipts = 8192

// keep remembers the receipts of a delta, most of which are settled within seconds.
func (t *txn) keep(d *delta) {
	for id, r := range d.jobs {
		if r.signed != nil && r.job.Signed != nil && len(t.receipts) < keepReceipts {
			t.receipts[id] = r.job.Signed
		}
	}
}

// receipt returns what was signed about a job, nil for nothing.
func (t *txn) receipt(job common.Hash) (*ledger.Signed, error) {
	if signed := t.receipts[job]; signed != nil {
		return signed, nil
	}
	var signed ledger.Signed
	if err := t.QueryRow("SELECT t.receipt FROM jobs j JOIN texts t ON t.n = j.texts WHERE j.id = ?", job[:]).Scan(doc[ledger.Signed]{&signed}); err != nil || signed.Receipt.Version == 0 {
		return nil, err
	}
	return &signed, nil
}

// settleable returns ripe jobs below their session's oldest open job, by
// session and number, with [settleCols].
func settleable(tx *txn, g ledger.Gathering) ([]*ledger.Job, error) {
	const rest = ` AND j.number < coalesce((SELECT min(o.number) FROM jobs o WHERE o.session = j.session AND o.payment = 'reserved'), 9223372036854775807)
		ORDER BY j.session, j.number LIMIT ?`
	var out []*ledger.Job
	for _, span := range []string{" AND j.session >= ?", " AND j.session < ?"} {
		rows, err := tx.Query("SELECT "+settleCols+" FROM jobs j WHERE "+ripe+span+rest, g.Alone, g.Due, g.From, g.Max-len(out))
		if err != nil {
			return nil, err
		}
		jobs, err := collect(rows, scanCharged)
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			if j.Signed, err = tx.receipt(j.ID); err != nil {
				return nil, fmt.Errorf("receipt of job %s: %w", j.ID, err)
			}
		}
		if out = append(out, jobs...); len(out) == g.Max || g.From == 0 {
			break
		}
	}
	return out, nil
}

const batchCols = "id, root, payload, state, block_from, tx, block, anchor"

func scanBatch(r scanner) (*ledger.Batch, error) {
	var b ledger.Batch
	var root, tx []byte
	var p ledger.Plan
	err := r.Scan(&b.ID, &root, doc[ledger.Plan]{&p}, &b.State, &b.FromBlock, &tx, &b.Block, &b.Proof)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ledger.ErrNotFound
	}
	b.Root, b.Tx, b.Plan = common.BytesToHash(root), common.BytesToHash(tx), p
	return &b, err
}

// OpenBatches implements coordinator.Store.
func (s *Store) OpenBatches(ctx context.Context) ([]*ledger.Batch, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+batchCols+" FROM batches WHERE state <> 'proved' ORDER BY id")
	if err != nil {
		return nil, err
	}
	return collect(rows, scanBatch)
}

// Batch implements coordinator.Store.
func (s *Store) Batch(ctx context.Context, id uint64) (*ledger.Batch, error) {
	return scanBatch(s.read.QueryRowContext(ctx, "SELECT "+batchCols+" FROM batches WHERE id = ?", id))
}

// BatchMined implements coordinator.Store.
func (s *Store) BatchMined(ctx context.Context, id uint64, txHash common.Hash, block uint64, paid ledger.Paid, at int64) error {
	return s.doBehind(ctx, func(tx *txn) error {
		b, err := scanBatch(tx.QueryRow("SELECT "+batchCols+" FROM batches WHERE id = ?", id))
		if err != nil {
			return fmt.Errorf("batch %d: %w", id, err)
		}
		if b.State != ledger.BatchBuilt {
			return nil
		}
		if _, err := tx.Exec("UPDATE batches SET state = ?, tx = ?, block = ?, mined = ? WHERE id = ?", ledger.BatchMined, txHash[:], block, at, id); err != nil {
			return err
		}
		vouchers, singles := b.Paid(paid)
		for _, v := range vouchers {
			// Left to itself SQLite goes through all jobs that the session ever had.
			if _, err := tx.Exec("UPDATE jobs INDEXED BY jobs_batch SET payment = ? WHERE batch = ? AND session = ? AND number <= ? AND payment = ?", string(market.Settled), id, v.Session, v.Through, string(market.Charged)); err != nil {
				return err
			}
		}
		for _, o := range singles {
			if _, err := tx.Exec("UPDATE jobs SET payment = ? WHERE id = ? AND payment = ?", string(market.Settled), o.Job[:], string(market.Charged)); err != nil {
				return err
			}
		}
		for _, session := range b.Plan.Sessions() {
			x, err := sessionIn(tx, session)
			if err != nil {
				return err
			}
			if x, err = x.Pay(vouchers, singles); err != nil {
				return err
			}
			tx.touched.session(x.ID)
			if _, err := tx.Exec("UPDATE sessions SET settled = ?, settled_through = ? WHERE id = ?", amt{x.Settled}, x.SettledThrough, x.ID); err != nil {
				return err
			}
		}
		for _, c := range b.Plan.Credits {
			tx.touched.miner(c.Miner)
			if _, err := tx.Exec("UPDATE miners SET settled = ? WHERE address = ?", amt{c.Total}, c.Miner[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// BatchProved implements coordinator.Store.
func (s *Store) BatchProved(ctx context.Context, id uint64, proof string) error {
	return s.doBehind(ctx, func(tx *txn) error {
		_, err := tx.Exec("UPDATE batches SET state = ?, anchor = ? WHERE id = ?", ledger.BatchProved, proof, id)
		return err
	})
}
