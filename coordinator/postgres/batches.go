package postgres

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// BuildBatch implements coordinator.Store.
func (s *Store) BuildBatch(ctx context.Context, g ledger.Gathering, finish func(*ledger.Plan) (root common.Hash)) (batch *ledger.Batch, err error) {
	var some []uint64
	for _, span := range spans {
		ids, err := query(ctx, s, pgx.RowTo[uint64], "SELECT DISTINCT j.session FROM jobs j WHERE "+ripe+span+" ORDER BY j.session LIMIT $4", g.Alone, g.Due, g.From, g.Max-len(some))
		if err != nil {
			return nil, err
		}
		if some = append(some, ids...); len(some) == g.Max || g.From == 0 {
			break
		}
	}
	if len(some) == 0 {
		return nil, nil
	}
	err = s.tx(ctx, func(tx pgx.Tx) error {
		batch = nil
		if err := s.fence(ctx, tx); err != nil {
			return err
		}
		p, err := plan(ctx, tx, some, g)
		if err != nil || p == nil {
			return err
		}
		root := finish(p)
		payload, err := encode(p)
		if err != nil {
			return err
		}
		batch = &ledger.Batch{Root: root, Plan: *p, State: ledger.BatchBuilt, FromBlock: g.FromBlock}
		if err := tx.QueryRow(ctx, "INSERT INTO batches (root, payload, state, block_from, created) VALUES ($1, $2, $3, $4, $5) RETURNING id", root[:], payload, ledger.BatchBuilt, g.FromBlock, g.At).Scan(&batch.ID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE jobs SET batch = $1 WHERE id = ANY($2)", batch.ID, raw(p.Jobs))
		return err
	})
	return batch, err
}

// ripe jobs are charged and in no batch, and paid by a voucher or to be settled
// alone.
const ripe = `j.payment = 'charged' AND j.batch IS NULL AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = j.session
	AND (s.spender_n <> 0 OR j.finished <= $1 OR s.due_at <= $2 OR j.number <= (SELECT max(v.through) FROM vouchers v WHERE v.session = j.session)))`

// spans are the sessions that come first in a batch, and those that come last.
var spans = []string{" AND j.session >= $3", " AND j.session < $3"}

// plan gathers what is to be settled of some sessions and books it as batched.
func plan(ctx context.Context, tx pgx.Tx, ids []uint64, g ledger.Gathering) (*ledger.Plan, error) {
	// The sessions' locks keep their jobs as they are.
	sessions := map[uint64]ledger.Session{}
	if err := rows(ctx, tx, scanSession, func(x ledger.Session) { sessions[x.ID] = x }, "SELECT "+sessionCols+" FROM sessions WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids); err != nil {
		return nil, err
	}
	var jobs []*ledger.Job
	for _, span := range spans {
		if err := rows(ctx, tx, scanJob, func(j *ledger.Job) { jobs = append(jobs, j) }, "SELECT "+jobCols+jobFrom+"WHERE "+ripe+span+` AND j.session = ANY($4)
		AND j.number < coalesce((SELECT min(o.number) FROM jobs o WHERE o.session = j.session AND o.payment = 'reserved'), 9223372036854775807)
		ORDER BY j.session, j.number LIMIT $5`, g.Alone, g.Due, g.From, ids, g.Max-len(jobs)); err != nil {
			return nil, err
		}
		if len(jobs) == g.Max || g.From == 0 {
			break
		}
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	var miners []common.Address
	for _, j := range jobs {
		miners = append(miners, j.Miner)
	}
	batched := map[common.Address]market.Amount{}
	if err := rows(ctx, tx, scanMiner, func(m ledger.Miner) { batched[m.Address] = m.Batched }, "SELECT "+minerCols+" FROM miners WHERE address = ANY($1) ORDER BY address FOR UPDATE", raw(miners)); err != nil {
		return nil, err
	}
	vouchers := map[uint64][]ledger.Voucher{}
	if err := rows(ctx, tx, scanVoucher, func(v ledger.Voucher) { vouchers[v.Session] = append(vouchers[v.Session], v) },
		"SELECT v.session, v.through, v.cumulative, v.signature FROM vouchers v JOIN sessions s ON s.id = v.session AND v.through > s.through WHERE v.session = ANY($1) ORDER BY v.session, v.through", ids); err != nil {
		return nil, err
	}
	p, changed, err := ledger.Settle(g, jobs, sessions, batched, vouchers)
	if err != nil || p == nil {
		return nil, err
	}
	b := &pgx.Batch{}
	for _, x := range changed {
		b.Queue("UPDATE sessions SET vouched = $2, through = $3, alone = $4 WHERE id = $1", x.ID, amt{x.Vouched}, x.Through, x.Alone)
	}
	for _, c := range p.Credits {
		b.Queue("UPDATE miners SET batched = $2 WHERE address = $1", c.Miner[:], amt{c.Total})
	}
	return p, tx.SendBatch(ctx, b).Close()
}

// rows hands each row of a query to fn.
func rows[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[T], fn func(T), sql string, args ...any) error {
	r, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	return each(scan, fn)(r)
}

// OpenBatches implements coordinator.Store.
func (s *Store) OpenBatches(ctx context.Context) ([]*ledger.Batch, error) {
	return query(ctx, s, scanBatch, "SELECT "+batchCols+" FROM batches WHERE state <> 'proved' ORDER BY id")
}

// Batch implements coordinator.Store.
func (s *Store) Batch(ctx context.Context, id uint64) (*ledger.Batch, error) {
	return one(ctx, s, scanBatch, "SELECT "+batchCols+" FROM batches WHERE id = $1", id)
}

// BatchMined implements coordinator.Store.
func (s *Store) BatchMined(ctx context.Context, id uint64, txHash common.Hash, block uint64, paid ledger.Paid, at int64) error {
	b, err := s.Batch(ctx, id)
	if err != nil {
		return fmt.Errorf("batch %d: %w", id, err)
	}
	return s.tx(ctx, func(tx pgx.Tx) error {
		// Sessions before all else, as everywhere.
		var sessions []ledger.Session
		if err := rows(ctx, tx, scanSession, func(x ledger.Session) { sessions = append(sessions, x) }, "SELECT "+sessionCols+" FROM sessions WHERE id = ANY($1) ORDER BY id FOR UPDATE", b.Plan.Sessions()); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE batches SET state = $2, tx = $3, block = $4, mined = $6 WHERE id = $1 AND state = $5", id, ledger.BatchMined, txHash[:], block, ledger.BatchBuilt, at)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		vouchers, singles := b.Paid(paid)
		for _, x := range sessions {
			if x, err = x.Pay(vouchers, singles); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "UPDATE sessions SET settled = $2, settled_through = $3 WHERE id = $1", x.ID, amt{x.Settled}, x.SettledThrough); err != nil {
				return err
			}
		}
		for _, v := range vouchers {
			if _, err := tx.Exec(ctx, "UPDATE jobs SET payment = $3 WHERE batch = $1 AND session = $2 AND number <= $5 AND payment = $4", id, v.Session, string(market.Settled), string(market.Charged), v.Through); err != nil {
				return err
			}
		}
		for _, o := range singles {
			if _, err := tx.Exec(ctx, "UPDATE jobs SET payment = $2 WHERE id = $1 AND payment = $3", o.Job[:], string(market.Settled), string(market.Charged)); err != nil {
				return err
			}
		}
		for _, c := range b.Plan.Credits { // by address, as every batch of statements locks them
			if _, err := tx.Exec(ctx, "UPDATE miners SET settled = $2 WHERE address = $1", c.Miner[:], amt{c.Total}); err != nil {
				return err
			}
		}
		return nil
	})
}

// BatchProved implements coordinator.Store.
func (s *Store) BatchProved(ctx context.Context, id uint64, proof string) error {
	return s.exec(ctx, "UPDATE batches SET state = $2, anchor = $3 WHERE id = $1", id, ledger.BatchProved, []byte(proof))
}
