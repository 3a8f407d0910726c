package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// balance is what orders and results change of a session. All else of it is
// changed in the database directly.
type balance struct {
	session           uint64
	reserved, charged market.Amount
	number            uint64
}

func (b balance) apply(x ledger.Session) ledger.Session {
	x.Account.Reserved, x.Account.Charged, x.Number = b.reserved, b.charged, b.number
	return x
}

func balanceOf(x ledger.Session) *balance {
	return &balance{x.ID, x.Account.Reserved, x.Account.Charged, x.Number}
}

// earnings is what results change of a miner.
type earnings struct {
	miner     common.Address
	total     market.Amount
	completed uint64
}

func (e earnings) apply(m ledger.Miner) ledger.Miner {
	m.Total, m.Completed = e.total, e.completed
	return m
}

// spending is what orders and results change of a key with a budget.
type spending struct {
	key   common.Hash
	spent ledger.Spent
}

func (p spending) apply(k ledger.KeyRow) ledger.KeyRow {
	k.Spent = p.spent
	return k
}

// change is what one use case did: a job as it then is, with what moved. It is
// one record of the log.
type change struct {
	job          *ledger.Job // never changed once it is in here
	fresh        bool        // the job is new
	spec, signed []byte      // JSON; of a new job, and of one that got its receipt
	session      *balance
	miner        *earnings
	budget       *spending // of the job's key
	entries      []ledger.Entry
}

// format is the first byte of every record.
const format = 1

const (
	hasAll     = 1 << iota // of the job, not only what changes
	hasSession             // balance
	hasMiner               // earnings
	hasBudget              // spending
	hasFirst               // time of the first token
)

var errRecord = errors.New("a record of the log is not what this program writes: was it written by a newer one?")

// encode appends the change as bytes.
func (c *change) encode(b []byte) []byte {
	var has byte
	if c.fresh {
		has |= hasAll
	}
	if c.session != nil {
		has |= hasSession
	}
	if c.miner != nil {
		has |= hasMiner
	}
	if c.budget != nil {
		has |= hasBudget
	}
	if c.job.FirstToken != 0 {
		has |= hasFirst
	}
	j, w := c.job, writer(append(b, format, has))
	w.raw(j.ID[:])
	w.number(j.Session)
	w.text(string(j.State))
	w.text(string(j.Payment))
	w.raw(j.Miner[:])
	w.text(j.Lease)
	w.number(uint64(j.Attempts))
	w.number(flag(j.Cancel))
	w.text(j.ErrorCode)
	w.text(j.ErrorMessage)
	w.number(uint64(j.Finished))
	w.text(j.Class)
	w.amount(j.Price)
	w.amount(j.Fee)
	w.amount(j.Earned)
	w.number(j.Usage.PromptTokens)
	w.number(j.Usage.CompletionTokens)
	w.text(j.FinishReason)
	w.text(j.Output)
	w.bytes(c.signed)
	w.raw(j.ReceiptID[:])
	if c.fresh {
		w.number(j.Number)
		w.raw(j.Client[:])
		w.text(j.Model)
		w.bytes(c.spec)
		w.bytes(j.Request)
		w.text(j.IdemKey)
		w.bytes(j.IdemHash)
		w.amount(j.MaxPrice)
		w.number(uint64(j.Created))
		w.number(uint64(j.Expires))
	}
	if s := c.session; s != nil {
		w.amount(s.reserved)
		w.amount(s.charged)
		w.number(s.number)
	}
	if m := c.miner; m != nil {
		w.raw(m.miner[:])
		w.amount(m.total)
		w.number(m.completed)
	}
	if p := c.budget; p != nil {
		w.raw(p.key[:])
		w.amount(p.spent.Total)
		for _, x := range []ledger.Window{p.spent.Day, p.spent.Month} {
			w.number(uint64(x.N))
			w.amount(x.Amount)
		}
	}
	if j.FirstToken != 0 {
		w.number(uint64(j.FirstToken))
	}
	w.number(uint64(len(c.entries)))
	for _, e := range c.entries {
		w.number(uint64(e.At))
		w.text(e.Kind)
		w.text(e.From)
		w.text(e.To)
		w.amount(e.Amount)
	}
	return w
}

// decode is the inverse of encode.
func decode(b []byte) (*change, error) {
	if len(b) < 2 || b[0] != format {
		return nil, errRecord
	}
	has, r := b[1], &fields{b: b[2:]}
	j := &ledger.Job{}
	c := &change{job: j, fresh: has&hasAll != 0}
	r.raw(j.ID[:])
	j.Session = r.number()
	j.State, j.Payment = market.JobState(r.text()), market.PaymentState(r.text())
	r.raw(j.Miner[:])
	j.Lease = r.text()
	j.Attempts, j.Cancel = int(r.number()), r.number() != 0
	j.ErrorCode, j.ErrorMessage = r.text(), r.text()
	j.Finished = int64(r.number())
	j.Class = r.text()
	j.Price, j.Fee, j.Earned = r.amount(), r.amount(), r.amount()
	j.Usage.PromptTokens, j.Usage.CompletionTokens = r.number(), r.number()
	j.FinishReason, j.Output = r.text(), r.text()
	c.signed = r.bytes()
	r.raw(j.ReceiptID[:])
	if c.fresh {
		j.Number = r.number()
		r.raw(j.Client[:])
		j.Model = r.text()
		c.spec, j.Request = r.bytes(), r.bytes()
		j.IdemKey, j.IdemHash = r.text(), r.bytes()
		j.MaxPrice = r.amount()
		j.Created, j.Expires = int64(r.number()), int64(r.number())
	}
	if has&hasSession != 0 {
		c.session = &balance{j.Session, r.amount(), r.amount(), r.number()}
	}
	if has&hasMiner != 0 {
		c.miner = &earnings{}
		r.raw(c.miner.miner[:])
		c.miner.total, c.miner.completed = r.amount(), r.number()
	}
	if has&hasBudget != 0 {
		c.budget = &spending{}
		r.raw(c.budget.key[:])
		c.budget.spent.Total = r.amount()
		for _, x := range []*ledger.Window{&c.budget.spent.Day, &c.budget.spent.Month} {
			x.N, x.Amount = int64(r.number()), r.amount()
		}
		j.Key = c.budget.key
	}
	if has&hasFirst != 0 {
		j.FirstToken = int64(r.number())
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		e := ledger.Entry{At: int64(r.number()), Session: j.Session, Job: j.ID, Kind: r.text(), From: r.text(), To: r.text()}
		e.Amount = r.amount()
		c.entries = append(c.entries, e)
	}
	if r.bad || len(r.b) > 0 {
		return nil, errRecord
	}
	return c, nil
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// writer appends fields: those of varying length begin with it.
type writer []byte

func (w *writer) raw(b []byte)           { *w = append(*w, b...) }
func (w *writer) number(n uint64)        { *w = binary.AppendUvarint(*w, n) }
func (w *writer) bytes(b []byte)         { w.number(uint64(len(b))); *w = append(*w, b...) }
func (w *writer) text(s string)          { w.number(uint64(len(s))); *w = append(*w, s...) }
func (w *writer) amount(a market.Amount) { b := a.Bytes16(); *w = append(*w, b[:]...) }

// fields takes what a writer wrote from the front. What is too short makes it bad.
type fields struct {
	b   []byte
	bad bool
}

func (r *fields) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *fields) raw(to []byte) { copy(to, r.take(uint64(len(to)))) }

func (r *fields) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// bytes returns nil for none.
func (r *fields) bytes() []byte {
	if b := r.take(r.number()); len(b) > 0 {
		return b
	}
	return nil
}

func (r *fields) text() string { return string(r.take(r.number())) }

func (r *fields) amount() market.Amount {
	var b [16]byte
	r.raw(b[:])
	return market.AmountFromBytes16(b)
}

func encodeJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b, nil
}

// row is a job that the database is to have.
type row struct {
	job          *ledger.Job
	fresh        bool
	spec, signed []byte
}

// delta is what changes came to, taken together: each row once.
type delta struct {
	number   uint64 // of the last record
	jobs     map[common.Hash]*row
	order    []common.Hash // of jobs, as they came
	sessions map[uint64]*balance
	miners   map[common.Address]*earnings
	budgets  map[common.Hash]*spending
	journal  []ledger.Entry
}

func newDelta() *delta {
	return &delta{jobs: map[common.Hash]*row{}, sessions: map[uint64]*balance{}, miners: map[common.Address]*earnings{}, budgets: map[common.Hash]*spending{}}
}

func (d *delta) empty() bool { return d.number == 0 }

// add takes a change in.
func (d *delta) add(number uint64, c *change) {
	d.number = number
	d.put(c.job.ID, row{c.job, c.fresh, c.spec, c.signed})
	if c.session != nil {
		d.sessions[c.session.session] = c.session
	}
	if c.miner != nil {
		d.miners[c.miner.miner] = c.miner
	}
	if c.budget != nil {
		d.budgets[c.budget.key] = c.budget
	}
	d.journal = append(d.journal, c.entries...)
}

func (d *delta) put(id common.Hash, r row) {
	old := d.jobs[id]
	if old == nil {
		d.jobs[id] = &r
		d.order = append(d.order, id)
		return
	}
	if r.spec == nil {
		r.spec = old.spec
	}
	if r.signed == nil {
		r.signed = old.signed
	}
	r.fresh = r.fresh || old.fresh
	*old = r
}

// merge takes in what came later.
func (d *delta) merge(later *delta) {
	if later.empty() {
		return
	}
	d.number = later.number
	for _, id := range later.order {
		d.put(id, *later.jobs[id])
	}
	maps.Copy(d.sessions, later.sessions)
	maps.Copy(d.miners, later.miners)
	maps.Copy(d.budgets, later.budgets)
	d.journal = append(d.journal, later.journal...)
}
