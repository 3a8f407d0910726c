package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// need names what a use case must have loaded and locked.
type need struct {
	session uint64         // 0 for none
	of      common.Hash    // a job whose session is needed
	miner   common.Address // zero for none
	job     common.Hash    // zero for none
	idemKey string         // of session
	key     common.Hash    // of the API, zero for none; that of a job comes with of
}

type idem struct {
	session uint64
	key     string
}

// set is what a group works on: rows that are locked, and what becomes of them.
type set struct {
	xid      string
	sessions map[uint64]ledger.Session
	miners   map[common.Address]ledger.Miner
	jobs     map[common.Hash]*ledger.Job
	keys     map[idem]*ledger.Job
	budgets  map[common.Hash]ledger.KeyRow

	changedSessions map[uint64]bool
	changedMiners   map[common.Address]bool
	changedJobs     map[common.Hash]bool
	changedBudgets  map[common.Hash]bool
	newJobs         []*ledger.Job
	journal         []ledger.Entry
}

// load begins a transaction and loads what a group needs, in one round trip.
func (l *lane) load(ctx context.Context, group []*op) (*set, error) {
	x := &set{
		sessions: map[uint64]ledger.Session{}, miners: map[common.Address]ledger.Miner{}, jobs: map[common.Hash]*ledger.Job{}, keys: map[idem]*ledger.Job{}, budgets: map[common.Hash]ledger.KeyRow{},
		changedSessions: map[uint64]bool{}, changedMiners: map[common.Address]bool{}, changedJobs: map[common.Hash]bool{}, changedBudgets: map[common.Hash]bool{},
	}
	var sessions, keySessions []uint64
	var of, jobs, budgets []common.Hash
	var miners []common.Address
	var keys [][]byte
	for _, o := range group {
		n := o.need
		if n.session != 0 {
			sessions = append(sessions, n.session)
		}
		if n.of != (common.Hash{}) {
			of, jobs = append(of, n.of), append(jobs, n.of)
		}
		if n.miner != (common.Address{}) {
			miners = append(miners, n.miner)
		}
		if n.job != (common.Hash{}) {
			jobs = append(jobs, n.job)
		}
		if n.key != (common.Hash{}) {
			budgets = append(budgets, n.key)
		}
		if n.idemKey != "" {
			keySessions, keys = append(keySessions, n.session), append(keys, []byte(n.idemKey))
		}
	}
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	if l.soon {
		b.Queue("SET LOCAL synchronous_commit = off")
	}
	b.Queue("SELECT pg_current_xact_id()::text").QueryRow(func(r pgx.Row) error { return r.Scan(&x.xid) })
	if len(sessions)+len(of) > 0 {
		b.Queue("SELECT "+sessionCols+" FROM sessions WHERE id = ANY($1) OR id IN (SELECT session FROM jobs WHERE id = ANY($2)) ORDER BY id FOR UPDATE", sessions, raw(of)).
			Query(each(scanSession, func(s ledger.Session) { x.sessions[s.ID] = s }))
	}
	if len(budgets)+len(of) > 0 {
		b.Queue("SELECT "+keyCols+" FROM api_keys WHERE hash = ANY($1) OR hash IN (SELECT key FROM jobs WHERE id = ANY($2) AND key IS NOT NULL) ORDER BY hash FOR UPDATE", raw(budgets), raw(of)).
			Query(each(scanKey, func(k ledger.KeyRow) { x.budgets[k.Hash] = k }))
	}
	if len(miners) > 0 {
		b.Queue("SELECT "+minerCols+" FROM miners WHERE address = ANY($1) ORDER BY address FOR UPDATE", raw(miners)).
			Query(each(scanMiner, func(m ledger.Miner) { x.miners[m.Address] = m }))
	}
	if len(jobs) > 0 {
		b.Queue("SELECT "+jobCols+jobFrom+"WHERE j.id = ANY($1) ORDER BY j.id FOR UPDATE OF j", raw(jobs)).
			Query(each(scanJob, func(j *ledger.Job) { x.jobs[j.ID] = j }))
	}
	if len(keys) > 0 { // their sessions are locked by now, so nobody adds to them
		b.Queue("SELECT "+jobCols+jobFrom+"JOIN unnest($1::bigint[], $2::bytea[]) AS k (session, key) ON j.session = k.session AND j.idem_key = k.key", keySessions, keys).
			Query(each(scanJob, func(j *ledger.Job) { x.keys[idem{j.Session, j.IdemKey}] = j }))
	}
	return x, l.conn.SendBatch(ctx, b).Close()
}

func each[T any](scan pgx.RowToFunc[T], fn func(T)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scan)
		for _, v := range all {
			fn(v)
		}
		return err
	}
}

func (x *set) session(id uint64) (ledger.Session, error) {
	s, ok := x.sessions[id]
	if !ok {
		return s, fmt.Errorf("session %d: %w", id, ledger.ErrNotFound)
	}
	return s, nil
}

func (x *set) job(id common.Hash) (ledger.Job, error) {
	j := x.jobs[id]
	if j == nil {
		return ledger.Job{}, fmt.Errorf("job %s: %w", id, ledger.ErrNotFound)
	}
	return *j, nil
}

func (x *set) putSession(s ledger.Session) {
	x.sessions[s.ID] = s
	x.changedSessions[s.ID] = true
}

func (x *set) putJob(j ledger.Job) *ledger.Job {
	x.jobs[j.ID] = &j
	x.changedJobs[j.ID] = true
	return &j
}

// addJob takes in a new job.
func (x *set) addJob(j *ledger.Job) {
	x.jobs[j.ID] = j
	x.newJobs = append(x.newJobs, j)
	if j.IdemKey != "" {
		x.keys[idem{j.Session, j.IdemKey}] = j
	}
}

// hold reserves a new job's price in the budget of its key, as sqlite's does.
func (x *set) hold(j *ledger.Job) (err error) {
	if j.Key == (common.Hash{}) {
		return nil
	}
	k, ok := x.budgets[j.Key]
	if !ok {
		return fmt.Errorf("key %s: %w", j.Key, ledger.ErrNotFound)
	}
	if k.Spent, err = k.Budget.Hold(k.Spent, j.Created, j.MaxPrice); err == nil {
		x.budgets[j.Key], x.changedBudgets[j.Key] = k, true
	}
	return err
}

// given is the budget of a finished job's key with what the job did not cost, nil if there is none.
func (x *set) given(j *ledger.Job) (*ledger.KeyRow, error) {
	k, ok := x.budgets[j.Key]
	if !ok {
		return nil, nil
	}
	left, err := j.Left()
	if err != nil {
		return nil, err
	}
	if k.Spent, err = k.Spent.Give(j.Created, left); err != nil {
		return nil, fmt.Errorf("key %s: %w", j.Key, err)
	}
	return &k, nil
}

func (x *set) putBudget(k *ledger.KeyRow) {
	if k != nil {
		x.budgets[k.Hash], x.changedBudgets[k.Hash] = *k, true
	}
}

// writes returns the statements that save what changed.
func (x *set) writes(s *Store) (*pgx.Batch, error) {
	b := &pgx.Batch{}
	for id := range x.changedSessions {
		a := x.sessions[id]
		b.Queue("UPDATE sessions SET reserved = $2, charged = $3, number = $4 WHERE id = $1", id, amt{a.Account.Reserved}, amt{a.Account.Charged}, a.Number)
	}
	for h := range x.changedBudgets {
		k := x.budgets[h]
		b.Queue("UPDATE api_keys SET spent = $2, day = $3, spent_day = $4, month = $5, spent_month = $6 WHERE hash = $1",
			h[:], amt{k.Spent.Total}, k.Spent.Day.N, amt{k.Spent.Day.Amount}, k.Spent.Month.N, amt{k.Spent.Month.Amount})
	}
	for a := range x.changedMiners {
		m := x.miners[a]
		b.Queue("UPDATE miners SET total = $2, completed = $3 WHERE address = $1", a[:], amt{m.Total}, m.Completed)
	}
	for _, j := range x.newJobs {
		spec, err := encode(j.Spec)
		if err != nil {
			return nil, err
		}
		var key any
		if j.Key != (common.Hash{}) {
			key = j.Key[:]
		}
		b.Queue(`INSERT INTO jobs (id, session, number, client, model, spec, request, idem_key, idem_hash, state, payment, max_price, created, expires, key)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			j.ID[:], j.Session, j.Number, j.Client[:], []byte(j.Model), spec, j.Request, optional([]byte(j.IdemKey)), optional(j.IdemHash), string(j.State), string(j.Payment), amt{j.MaxPrice}, j.Created, j.Expires, key)
	}
	for id := range x.changedJobs {
		j := x.jobs[id]
		var signed []byte
		var receiptID any
		if j.Signed != nil {
			var err error
			if signed, err = encode(j.Signed); err != nil {
				return nil, err
			}
			receiptID = j.ReceiptID[:]
		}
		var miner any
		if j.Miner != (common.Address{}) {
			miner = j.Miner[:]
		}
		b.Queue(`UPDATE jobs SET state = $2, payment = $3, miner = $4, lease = $5, attempts = $6, class = $7, price = $8, fee = $9, earned = $10, prompt_tokens = $11, completion_tokens = $12,
			finish_reason = $13, output = $14, receipt = $15, receipt_id = $16, cancel = $17, error_code = $18, error_message = $19, finished = $20, owner = $21, first_token = $22 WHERE id = $1`,
			id[:], string(j.State), string(j.Payment), miner, j.Lease, j.Attempts, []byte(j.Class), amt{j.Price}, amt{j.Fee}, amt{j.Earned}, j.Usage.PromptTokens, j.Usage.CompletionTokens,
			[]byte(j.FinishReason), []byte(j.Output), signed, receiptID, j.Cancel, []byte(j.ErrorCode), []byte(j.ErrorMessage), j.Finished, j.Owner, j.FirstToken)
	}
	for _, e := range x.journal {
		b.Queue("INSERT INTO journal (at, session, job, kind, source, target, amount) VALUES ($1, $2, $3, $4, $5, $6, $7)", e.At, e.Session, e.Job[:], e.Kind, e.From, e.To, amt{e.Amount})
	}
	if len(x.newJobs)+len(x.changedJobs) > 0 {
		tell := slices.Clone(x.newJobs)
		for id := range x.changedJobs {
			tell = append(tell, x.jobs[id])
		}
		return b, s.tell(b, tell)
	}
	return b, nil
}
