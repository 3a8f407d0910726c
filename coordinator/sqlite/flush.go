package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

const (
	// flushEvery is how far the database may be behind the log. A job that lives
	// shorter is one row, written once.
	flushEvery = time.Second
	// flushJobs is how many jobs may wait for the database before it is given them
	// early, and fullJobs before new ones wait for it: they are in memory.
	flushJobs = 4096
	fullJobs  = 4 * flushJobs
	// keepJobs is how many jobs may stay in memory that the database has, as they
	// are open: a lease then costs the same however many wait.
	keepJobs = 200_000
)

// take takes what the database does not have yet, to the newest decision. The log
// goes on in its other file if the database has all that this holds.
func (s *Store) take() *delta {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.write()
	s.shows.Lock()
	d := s.pending
	s.pending = newDelta()
	s.flushing = s.flushing || !d.empty()
	s.shows.Unlock()
	if s.spare && s.log.Used() > 0 {
		s.log.Switch()
		s.spare = false
	}
	return d
}

// giveBack undoes take.
func (s *Store) giveBack(d *delta) {
	s.shows.Lock()
	defer s.shows.Unlock()
	s.flushing = false
	d.merge(s.pending)
	s.pending = d
}

// behind reports whether the database lacks something that readers may see.
func (s *Store) behind() bool {
	s.shows.RLock()
	defer s.shows.RUnlock()
	return !s.pending.empty() || s.flushing
}

// crowded reports whether too much waits for the database.
func (s *Store) crowded() bool {
	s.shows.RLock()
	defer s.shows.RUnlock()
	return len(s.pending.jobs) >= fullJobs
}

// catchUp returns when the database has all that is shown.
func (s *Store) catchUp(ctx context.Context) error {
	if !s.behind() {
		return nil
	}
	return s.do(ctx, func(*txn) error { return nil })
}

// save writes a delta into the transaction, and how far the database then is.
func (d *delta) save(tx *txn) error {
	if d.empty() {
		return nil
	}
	for id, b := range d.sessions {
		if _, err := tx.Exec("UPDATE sessions SET reserved = ?, charged = ?, number = ? WHERE id = ?", amt{b.reserved}, amt{b.charged}, b.number, id); err != nil {
			return fmt.Errorf("session %d: %w", id, err)
		}
	}
	for id, e := range d.miners {
		if _, err := tx.Exec("UPDATE miners SET total = ?, completed = ? WHERE address = ?", amt{e.total}, e.completed, id[:]); err != nil {
			return fmt.Errorf("miner %s: %w", id, err)
		}
	}
	for id, p := range d.budgets { // a key that was revoked has none
		if _, err := tx.Exec("UPDATE api_keys SET spent = ?, day = ?, spent_day = ?, month = ?, spent_month = ? WHERE hash = ?",
			amt{p.spent.Total}, p.spent.Day.N, amt{p.spent.Day.Amount}, p.spent.Month.N, amt{p.spent.Month.Amount}, id[:]); err != nil {
			return fmt.Errorf("key %s: %w", id, err)
		}
	}
	for _, id := range d.order {
		if err := d.jobs[id].save(tx); err != nil {
			return fmt.Errorf("job %s: %w", id, err)
		}
	}
	if err := post(tx, d.journal); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err := tx.Exec("UPDATE log SET applied = ?", d.number); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// orNull returns nil for what is not set.
func orNull(b []byte) any {
	for _, x := range b {
		if x != 0 {
			return b
		}
	}
	return nil
}

func (r *row) save(tx *txn) (err error) {
	j := r.job
	if r.fresh {
		var idem any
		if j.IdemKey != "" {
			idem = j.IdemKey
		}
		texts, err := tx.Exec("INSERT INTO texts (spec, request, output, receipt) VALUES (?, ?, ?, ?)", string(r.spec), j.Request, j.Output, string(r.signed))
		if err != nil {
			return err
		}
		n, err := texts.LastInsertId()
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO jobs (id, session, number, client, model, class, idem_key, idem_hash, state, payment, max_price, miner, lease, attempts,
			price, fee, earned, prompt_tokens, completion_tokens, finish_reason, receipt_id, cancel, error_code, error_message, created, finished, expires, key, first_token, texts)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			j.ID[:], j.Session, j.Number, j.Client[:], j.Model, j.Class, idem, j.IdemHash, string(j.State), string(j.Payment), amt{j.MaxPrice}, orNull(j.Miner[:]), j.Lease, j.Attempts,
			amt{j.Price}, amt{j.Fee}, amt{j.Earned}, j.Usage.PromptTokens, j.Usage.CompletionTokens, j.FinishReason, orNull(j.ReceiptID[:]), j.Cancel, j.ErrorCode, j.ErrorMessage, j.Created, j.Finished, j.Expires, orNull(j.Key[:]), j.FirstToken, n)
		return err
	}
	if r.signed != nil {
		if _, err := tx.Exec("UPDATE texts SET output = ?, receipt = ? WHERE n = (SELECT texts FROM jobs WHERE id = ?)", j.Output, string(r.signed), j.ID[:]); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`UPDATE jobs SET class = ?, state = ?, payment = ?, miner = ?, lease = ?, attempts = ?, price = ?, fee = ?, earned = ?, prompt_tokens = ?, completion_tokens = ?,
		finish_reason = ?, receipt_id = ?, cancel = ?, error_code = ?, error_message = ?, finished = ?, first_token = ? WHERE id = ?`,
		j.Class, string(j.State), string(j.Payment), orNull(j.Miner[:]), j.Lease, j.Attempts, amt{j.Price}, amt{j.Fee}, amt{j.Earned}, j.Usage.PromptTokens, j.Usage.CompletionTokens,
		j.FinishReason, orNull(j.ReceiptID[:]), j.Cancel, j.ErrorCode, j.ErrorMessage, j.Finished, j.FirstToken, j.ID[:])
	return err
}

// post writes entries to the journal, many in a statement.
func post(tx *txn, entries []ledger.Entry) error {
	const columns, row = 7, "(?, ?, ?, ?, ?, ?, ?)"
	args := make([]any, 0, columns*64)
	for len(entries) > 0 {
		n := 64
		for n > len(entries) {
			n /= 8
		}
		args = args[:0]
		for _, e := range entries[:n] {
			args = append(args, e.At, e.Session, e.Job[:], e.Kind, e.From, e.To, amt{e.Amount})
		}
		if _, err := tx.Exec("INSERT INTO journal (at, session, job, kind, source, target, amount) VALUES "+row+strings.Repeat(", "+row, n-1), args...); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// saved forgets the jobs of a delta that are over and in the database, and takes in what
// the transaction did to sessions, miners and keys besides.
func (s *Store) saved(d *delta, t *touched) error {
	var sessions []ledger.Session
	for id := range t.sessions {
		x, err := scanSession(s.read.QueryRowContext(context.Background(), "SELECT "+sessionCols+" FROM sessions WHERE id = ?", id))
		if err != nil {
			return fmt.Errorf("session %d: %w", id, err)
		}
		sessions = append(sessions, x)
	}
	var miners []ledger.Miner
	for id := range t.miners {
		m, err := scanMiner(s.read.QueryRowContext(context.Background(), "SELECT "+minerCols+" FROM miners WHERE address = ?", id[:]))
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("miner %s: %w", id, err)
		}
		miners = append(miners, m)
	}
	keys := map[common.Hash]*ledger.KeyRow{}
	for id := range t.keys {
		k, err := scanKey(s.read.QueryRowContext(context.Background(), "SELECT "+keyCols+" FROM api_keys WHERE hash = ?", id[:]))
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			keys[id] = nil
		case err != nil:
			return fmt.Errorf("key %s: %w", id, err)
		default:
			keys[id] = &k
		}
	}
	s.run.Lock()
	defer s.run.Unlock()
	s.shows.Lock()
	defer s.shows.Unlock()
	s.moves++
	s.flushing = false
	for _, r := range d.jobs {
		if r.job.Payment == market.Reserved && len(s.working.jobs) < keepJobs {
			continue // it is to be leased yet, or completed
		}
		s.working.drop(r.job)
		s.shown.drop(r.job)
	}
	for _, m := range []*memory{&s.working, &s.shown} {
		for id, k := range keys {
			// What a key has spent is memory's to say: the database says that it came or went.
			if old, ok := m.budgets[id]; ok && (old == nil) != (k == nil) {
				m.budgets[id] = k
			}
		}
		for _, x := range sessions {
			if old := m.sessions[x.ID]; old != nil {
				now := balanceOf(*old).apply(x)
				m.sessions[x.ID] = &now
			}
		}
		for _, x := range miners {
			if old := m.miners[x.Address]; old != nil {
				now := earnings{total: old.Total, completed: old.Completed}.apply(x)
				m.miners[x.Address] = &now
			}
		}
	}
	return nil
}

// touched is what a transaction may have changed of sessions, miners and keys by itself.
type touched struct {
	sessions map[uint64]bool
	miners   map[common.Address]bool
	keys     map[common.Hash]bool // that came or went
}

func (t *touched) session(id uint64)       { t.sessions[id] = true }
func (t *touched) miner(id common.Address) { t.miners[id] = true }
func (t *touched) key(id common.Hash)      { t.keys[id] = true }

// recover brings what a crash left in the log into the database, and begins a new
// epoch: nothing of the old one is read again.
func (s *Store) recover() error {
	var applied uint64
	if err := s.tx.QueryRow("SELECT epoch, applied FROM log").Scan(&s.epoch, &applied); err != nil {
		return err
	}
	d := newDelta()
	err := s.log.Replay(s.epoch, applied, func(number uint64, payload []byte) error {
		c, err := decode(payload)
		if err != nil {
			return err
		}
		if old := d.jobs[c.job.ID]; old != nil && old.fresh {
			inherit(c.job, old.job)
		}
		d.add(number, c)
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := s.tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := d.save(s.tx); err != nil {
		return s.tx.undo(err)
	}
	s.epoch++
	s.number = 0
	if _, err := s.tx.Exec("UPDATE log SET epoch = ?, applied = 0", s.epoch); err != nil {
		return s.tx.undo(err)
	}
	if _, err := s.tx.Exec("COMMIT"); err != nil {
		return s.tx.undo(err)
	}
	return nil
}

// inherit gives a job what only its first record says.
func inherit(j, first *ledger.Job) {
	j.Number, j.Client, j.Model, j.Request, j.IdemKey, j.IdemHash = first.Number, first.Client, first.Model, first.Request, first.IdemKey, first.IdemHash
	j.MaxPrice, j.Created, j.Expires, j.Key = first.MaxPrice, first.Created, first.Expires, first.Key
}
