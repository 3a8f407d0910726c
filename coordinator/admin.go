package coordinator

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// What follows is for admins. It shows whose things are and what they cost, and never their content.

func (s *Service) blocked(miner common.Address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.miners[miner]
	return p != nil && p.hold == ledger.HoldBlock
}

func blockedError(miner common.Address) error {
	return apierr.New(apierr.Forbidden, "miner %s was blocked by the coordinator's operator", miner)
}

// sum adds up amounts; what does not fit is the most there is.
func sum(to *market.Amount, a market.Amount) {
	v, err := to.Add(a)
	if err != nil {
		v = market.MaxAmount()
	}
	*to = v
}

// AdminAccounts lists the accounts that have or had a session, by address.
func (s *Service) AdminAccounts(ctx context.Context) (api.AdminAccounts, error) {
	b, err := s.cfg.Store.Books(ctx)
	if err != nil {
		return api.AdminAccounts{}, err
	}
	by := map[common.Address]*api.AdminAccount{}
	for _, x := range b.Sessions {
		a := by[x.Client]
		if a == nil {
			a = &api.AdminAccount{Account: x.Client}
			by[x.Client] = a
		}
		a.Sessions++
		if x.State == ledger.SessionOpen {
			a.OpenSessions++
		}
		sum(&a.Deposit, x.Account.Deposit)
		sum(&a.Reserved, x.Account.Reserved)
		sum(&a.Charged, x.Account.Charged)
	}
	out := api.AdminAccounts{Accounts: []api.AdminAccount{}}
	for _, a := range by {
		out.Accounts = append(out.Accounts, *a)
	}
	slices.SortFunc(out.Accounts, func(a, b api.AdminAccount) int { return a.Account.Cmp(b.Account) })
	return out, nil
}

// AdminKeys lists keys, newest first: an account's, or of the zero account all but miners'.
func (s *Service) AdminKeys(ctx context.Context, c Caller, account common.Address, limit int) (api.KeyList, error) {
	rows, err := s.cfg.Store.Keys(ctx, ledger.KeyQuery{Account: account, Miners: account != common.Address{}, Limit: limit})
	if err != nil {
		return api.KeyList{}, err
	}
	out := api.KeyList{Keys: []api.Key{}}
	for _, row := range rows {
		k := shownKey(row, c)
		k.Account = &row.Account
		out.Keys = append(out.Keys, k)
	}
	return out, nil
}

// AdminRevoke forgets anybody's key.
func (s *Service) AdminRevoke(ctx context.Context, c Caller, id common.Hash) error {
	return s.revoke(ctx, c, common.Address{}, id)
}

// AdminMiners lists the miners with what they earned and what was decided about them, by address.
func (s *Service) AdminMiners(ctx context.Context) (api.AdminMiners, error) {
	public, err := s.Miners(ctx)
	if err != nil {
		return api.AdminMiners{}, err
	}
	rows, err := s.cfg.Store.Miners(ctx)
	if err != nil {
		return api.AdminMiners{}, err
	}
	by := map[common.Address]ledger.Miner{}
	for _, m := range rows {
		by[m.Address] = m
	}
	out := api.AdminMiners{Miners: []api.AdminMiner{}}
	for _, m := range public.Miners {
		row := by[m.Miner]
		out.Miners = append(out.Miners, api.AdminMiner{
			Miner: m, Signer: row.Signer, Hold: cmp.Or(row.Hold, holdNone), Earned: row.Total, Settled: row.Settled, Credited: row.Credited,
		})
	}
	return out, nil
}

// holdNone is how the API spells that nothing is held.
const holdNone = "none"

// AdminHold decides about a miner: none, drain (it gets no new work) or block (it is not let in, and what it runs goes
// to others, what runs at other replicas when its heartbeats are missed).
func (s *Service) AdminHold(ctx context.Context, c Caller, miner common.Address, hold string) error {
	switch hold {
	case holdNone:
		hold = ""
	case ledger.HoldDrain, ledger.HoldBlock:
	default:
		return apierr.New(apierr.Invalid, "hold is %.20q: use none, drain or block", hold)
	}
	e := c.event(ledger.EventMinerHeld)
	e.Account, e.Subject, e.Detail = miner, "miner "+miner.Hex(), "hold "+cmp.Or(hold, holdNone)
	err := s.cfg.Store.HoldMiner(ctx, miner, hold, e)
	if errors.Is(err, ledger.ErrNotFound) {
		return apierr.New(apierr.NotFound, "miner %s never logged in here", miner)
	}
	if err != nil {
		return err
	}
	if s.cluster != nil {
		if err := s.cluster.Publish(ctx, ledger.Note{Kind: ledger.NoteMiner, Miner: miner}); err != nil {
			return err
		}
	}
	var held []*lease
	s.mu.Lock()
	if p := s.miners[miner]; p != nil {
		p.hold = hold
		s.put(p)
	}
	for _, l := range s.leases {
		if l.miner == miner && hold == ledger.HoldBlock {
			held = append(held, l)
		}
	}
	s.mu.Unlock()
	for _, l := range held {
		if err := s.lose(ctx, l, loss{code: "miner_blocked", message: "the miner was blocked", exclude: true}); err != nil {
			return err
		}
	}
	return nil
}

// AdminJobs lists what is known of jobs beside their content: those that are open or, of a session, its newest.
func (s *Service) AdminJobs(ctx context.Context, session uint64, limit int) (api.AdminJobs, error) {
	var rows []*ledger.Job
	var err error
	if session == 0 {
		rows, err = s.cfg.Store.OpenJobs(ctx)
		rows = rows[:min(len(rows), limit)]
	} else {
		x, e := s.cfg.Store.Session(ctx, session)
		if errors.Is(e, ledger.ErrNotFound) {
			return api.AdminJobs{}, apierr.New(apierr.NotFound, "there is no session %d here", session)
		}
		if e != nil {
			return api.AdminJobs{}, e
		}
		rows, err = s.cfg.Store.Jobs(ctx, x.Client, session, limit)
	}
	if err != nil {
		return api.AdminJobs{}, err
	}
	out := api.AdminJobs{Jobs: []api.AdminJob{}}
	for _, j := range rows {
		d := s.Describe(j)
		if d.Error != nil { // a miner's words may quote what it was given
			d.Error.Message = ""
		}
		out.Jobs = append(out.Jobs, api.AdminJob{Job: d, Client: j.Client, Session: j.Session, Number: j.Number})
	}
	return out, nil
}

// AdminLedger adds up the books.
func (s *Service) AdminLedger(ctx context.Context) (api.AdminLedger, error) {
	b, err := s.cfg.Store.Books(ctx)
	if err != nil {
		return api.AdminLedger{}, err
	}
	return totals(b), nil
}

func totals(b *ledger.Books) api.AdminLedger {
	out := api.AdminLedger{Sessions: len(b.Sessions), Miners: len(b.Miners), OpenBatches: len(b.Open)}
	for _, x := range b.Sessions {
		sum(&out.Deposit, x.Account.Deposit)
		sum(&out.Reserved, x.Account.Reserved)
		sum(&out.Charged, x.Account.Charged)
		sum(&out.Vouched, x.Vouched)
		sum(&out.Settled, x.Settled)
		if x.State == ledger.SessionOpen {
			out.OpenSessions++
		}
	}
	for _, m := range b.Miners {
		sum(&out.Earned, m.Total)
		sum(&out.Credited, m.Credited)
	}
	if v, err := out.Charged.Sub(out.Settled); err == nil {
		out.Unsettled = v
	}
	if v, err := out.Earned.Sub(out.Credited); err == nil {
		out.Owed = v
	}
	return out
}

// AdminReconcile compares ledger and chain now.
func (s *Service) AdminReconcile(ctx context.Context, c Caller) (*Reconciliation, error) {
	if !s.comparing.TryLock() {
		return nil, apierr.New(apierr.Conflict, "a comparison is under way: wait for its end")
	}
	defer s.comparing.Unlock()
	out, err := s.reconciler().Run(ctx)
	if errors.Is(err, errBusy) {
		return nil, apierr.Wrap(err, apierr.Unavailable, errBusy.Error())
	}
	if err != nil {
		return nil, err
	}
	e := c.event(ledger.EventReconciled)
	if e.Subject = "ledger and chain agree"; !out.OK {
		e.Subject = "ledger and chain differ"
	}
	return out, s.cfg.Store.Log(ctx, e)
}

// AdminAudit returns what was done about an account, or about all, newest first.
func (s *Service) AdminAudit(ctx context.Context, account common.Address, before uint64, limit int) (api.AuditLog, error) {
	return s.audit(ctx, account, before, limit)
}
