package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// ttl is how long a replica that says nothing counts as alive, by the
// database's clock, and how long the leader leads.
const ttl = 4 * time.Second

// identity is who this process is among the replicas.
type identity struct {
	id    uint64 // 0 for none
	token uint64 // with which it leads, 0 for not
}

// Join gives this process an identity of its own among the replicas; an earlier
// one is forgotten.
func (s *Store) Join(ctx context.Context) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		var id uint64
		if err := tx.QueryRow(ctx, "INSERT INTO replicas (beat) VALUES (clock_timestamp()) RETURNING id").Scan(&id); err != nil {
			return err
		}
		s.me.Store(&identity{id: id})
		return nil
	})
}

// Leave ends the identity: others take over at once.
func (s *Store) Leave(ctx context.Context) error {
	me := s.me.Swap(&identity{})
	return s.tx(ctx, func(tx pgx.Tx) error {
		_, err1 := tx.Exec(ctx, "DELETE FROM replicas WHERE id = $1", me.id)
		_, err2 := tx.Exec(ctx, "UPDATE leader SET until = clock_timestamp() WHERE holder = $1", me.id)
		return errors.Join(err1, err2)
	})
}

// Beat says that this replica lives, with something about it for the others, and
// leads if nobody else does. It returns [ledger.ErrNotFound] when the others have
// given it up: it must join again.
func (s *Store) Beat(ctx context.Context, state []byte) (v ledger.View, err error) {
	me := *s.me.Load()
	err = s.tx(ctx, func(tx pgx.Tx) error {
		v = ledger.View{Me: me.id, For: ttl}
		tag, err := tx.Exec(ctx, "UPDATE replicas SET beat = clock_timestamp(), state = $2 WHERE id = $1", me.id, state)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ledger.ErrNotFound
		}
		me.token = 0
		err = tx.QueryRow(ctx, `INSERT INTO leader (holder, token, until) VALUES ($1, 1, clock_timestamp() + $2::interval)
			ON CONFLICT (one) DO UPDATE SET holder = $1, until = clock_timestamp() + $2::interval, token = CASE WHEN leader.holder = $1 THEN leader.token ELSE leader.token + 1 END
			WHERE leader.holder = $1 OR leader.until < clock_timestamp() RETURNING token`, me.id, ttl).Scan(&me.token)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		v.Leader = err == nil
		return rows(ctx, tx, func(r pgx.CollectableRow) (p ledger.Peer, err error) {
			err = r.Scan(&p.ID, &p.State)
			return p, err
		}, func(p ledger.Peer) { v.Peers = append(v.Peers, p) }, "SELECT id, state FROM replicas WHERE id <> $1 AND beat > clock_timestamp() - $2::interval ORDER BY id", me.id, ttl)
	})
	if err == nil {
		s.me.Store(&me)
	}
	return v, err
}

// fence fails a transaction with [ledger.ErrNotLeader] unless this replica leads,
// and keeps it so until the transaction's end. A store that has not joined is
// alone.
func (s *Store) fence(ctx context.Context, tx pgx.Tx) error {
	me := s.me.Load()
	if me.id == 0 {
		return nil
	}
	var one bool
	err := tx.QueryRow(ctx, "SELECT one FROM leader WHERE holder = $1 AND token = $2 AND until > clock_timestamp() FOR SHARE", me.id, me.token).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.ErrNotLeader
	}
	return err
}

// PinNonce decides with which nonce a batch is sent: always the same, until that
// was used for something. It returns false if the nonce is another than before,
// so that whatever used the old one must be looked at first. It returns
// [ledger.ErrNotLeader] if another replica settles by now.
func (s *Store) PinNonce(ctx context.Context, batch, next uint64) (nonce uint64, same bool, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		if err := s.fence(ctx, tx); err != nil {
			return err
		}
		var old *uint64
		if err := tx.QueryRow(ctx, "SELECT nonce FROM batches WHERE id = $1 FOR UPDATE", batch).Scan(&old); err != nil {
			return fmt.Errorf("batch %d: %w", batch, err)
		}
		if old != nil && *old >= next {
			nonce, same = *old, true
			return nil
		}
		nonce, same = next, old == nil
		_, err := tx.Exec(ctx, "UPDATE batches SET nonce = $2 WHERE id = $1", batch, nonce)
		return err
	})
	return nonce, same, err
}

// TakeOver makes the leased jobs of replicas that are gone this one's, and
// returns them.
func (s *Store) TakeOver(ctx context.Context) (out []*ledger.Job, err error) {
	me := s.me.Load().id
	err = s.tx(ctx, func(tx pgx.Tx) error {
		out = nil
		if _, err := tx.Exec(ctx, "DELETE FROM replicas WHERE id IN (SELECT id FROM replicas WHERE beat < clock_timestamp() - $1::interval ORDER BY id FOR UPDATE SKIP LOCKED)", ttl); err != nil {
			return err
		}
		var ids [][]byte
		if err := rows(ctx, tx, pgx.RowTo[[]byte], func(id []byte) { ids = append(ids, id) }, `UPDATE jobs SET owner = $1 WHERE id IN (
			SELECT id FROM jobs WHERE payment = 'reserved' AND state <> 'queued' AND owner NOT IN (SELECT id FROM replicas) ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING id`, me); err != nil || len(ids) == 0 {
			return err
		}
		if err := rows(ctx, tx, scanJob, func(j *ledger.Job) { out = append(out, j) }, "SELECT "+jobCols+jobFrom+"WHERE j.id = ANY($1) ORDER BY j.id", ids); err != nil {
			return err
		}
		b := &pgx.Batch{}
		if err := s.tell(b, out); err != nil {
			return err
		}
		return tx.SendBatch(ctx, b).Close()
	})
	return out, err
}

// Adopt makes a leased job this replica's, as its miner talks to this one now.
// It returns [ledger.ErrNotAssigned] unless the miner holds the lease; an empty
// one stands for whichever it holds.
func (s *Store) Adopt(ctx context.Context, id common.Hash, miner common.Address, lease string) (j *ledger.Job, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE jobs SET owner = $1 WHERE id = $2 AND miner = $3 AND payment = 'reserved' AND state <> 'queued' AND ($4 = '' OR lease = $4)", s.me.Load().id, id[:], miner[:], lease)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ledger.ErrNotAssigned
		}
		if err := rows(ctx, tx, scanJob, func(x *ledger.Job) { j = x }, "SELECT "+jobCols+jobFrom+"WHERE j.id = $1", id[:]); err != nil {
			return err
		}
		b := &pgx.Batch{}
		if err := s.tell(b, []*ledger.Job{j}); err != nil {
			return err
		}
		return tx.SendBatch(ctx, b).Close()
	})
	return j, err
}

// Briefs returns how jobs stand: the open ones of all, or those of the ids.
func (s *Store) Briefs(ctx context.Context, ids []common.Hash) ([]ledger.Brief, error) {
	const cols = "SELECT id, session, client, state, payment, owner, miner, lease, cancel, expires FROM jobs WHERE "
	scan := func(r pgx.CollectableRow) (b ledger.Brief, err error) {
		var id, client, miner []byte
		var state, payment string
		err = r.Scan(&id, &b.Session, &client, &state, &payment, &b.Owner, &miner, &b.Lease, &b.Cancel, &b.Expires)
		b.ID, b.Client, b.Miner = common.BytesToHash(id), common.BytesToAddress(client), common.BytesToAddress(miner)
		b.State, b.Payment = market.JobState(state), market.PaymentState(payment)
		return b, err
	}
	if ids == nil {
		return query(ctx, s, scan, cols+"payment = 'reserved' ORDER BY created, session, number")
	}
	return query(ctx, s, scan, cols+"id = ANY($1) ORDER BY created, session, number", raw(ids))
}

// Load returns jobs.
func (s *Store) Load(ctx context.Context, ids []common.Hash) ([]*ledger.Job, error) {
	return query(ctx, s, scanJob, "SELECT "+jobCols+jobFrom+"WHERE j.id = ANY($1) ORDER BY j.created, j.session, j.number", raw(ids))
}

// maxIDs bounds the jobs that one note names: a payload has less than 8,000 bytes.
const maxIDs = 100

// tell queues notes about jobs; they are sent if the transaction commits.
func (s *Store) tell(b *pgx.Batch, jobs []*ledger.Job) error {
	me := s.me.Load().id
	if me == 0 {
		return nil
	}
	for len(jobs) > 0 {
		n := ledger.Note{From: me, Kind: ledger.NoteJobs}
		for _, j := range jobs[:min(maxIDs, len(jobs))] {
			n.Jobs = append(n.Jobs, j.ID)
		}
		jobs = jobs[len(n.Jobs):]
		payload, err := encode(n)
		if err != nil {
			return err
		}
		b.Queue("SELECT pg_notify($1, $2)", s.channel, string(payload))
	}
	return nil
}

// Publish tells the other replicas something.
func (s *Store) Publish(ctx context.Context, n ledger.Note) error {
	n.From = s.me.Load().id
	payload, err := encode(n)
	if err != nil {
		return err
	}
	return s.exec(ctx, "SELECT pg_notify($1, $2)", s.channel, string(payload))
}

// Listen calls fn with what other replicas tell, until ctx is done. When notes
// may have been missed, and at first, it calls fn with one that says so.
func (s *Store) Listen(ctx context.Context, fn func(ledger.Note)) error {
	for n := 0; ; n++ {
		err := s.listen(ctx, func(x ledger.Note) { n = 0; fn(x) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if pause(ctx, n) != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (s *Store) listen(ctx context.Context, fn func(ledger.Note)) error {
	conn, err := pgx.ConnectConfig(ctx, s.config.ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it holds nothing
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		return err
	}
	fn(ledger.Note{Kind: ledger.NoteLost})
	for {
		got, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var n ledger.Note
		if err := json.Unmarshal([]byte(got.Payload), &n); err != nil {
			return fmt.Errorf("note: %w", err)
		}
		if n.From != s.me.Load().id {
			fn(n)
		}
	}
}

// Exclusively runs fn while no other process does something of that name.
func (s *Store) Exclusively(ctx context.Context, name string, fn func() error) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('aitbc/' || $1::text, 0))", name); err != nil {
			return err
		}
		return fn()
	})
}
