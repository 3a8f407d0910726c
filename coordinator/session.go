package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// prepareRate is how many sessions a minute are prepared for a client.
const prepareRate = 30

// freshness is how old a signed login may be.
const freshness = 5 * time.Minute

func fresh(issued uint64) error {
	age := time.Since(time.Unix(int64(min(issued, 1<<40)), 0))
	if age > freshness || age < -freshness {
		return apierr.New(apierr.Invalid, "issued_at is %s from this server's clock: sign a new request, and check your clock", age.Round(time.Second))
	}
	return nil
}

// Network returns what a client must know to pay.
func (s *Service) Network() api.Network {
	now := s.Stats()
	return api.Network{
		QueuedJobs: now.Queued, RunningJobs: now.Leased,
		ChainID: s.cfg.Domain.ChainID, Coordinator: s.cfg.Account, Market: s.cfg.Domain.Market, Registry: s.cfg.Registry,
		MarginBps: s.cfg.MarginBps, FeeBps: s.params.FeeBps, Version: s.cfg.Version,
	}
}

// Prepare makes the key that a client names as its session's spender.
func (s *Service) Prepare(ctx context.Context, r api.PrepareRequest) (api.PrepareResponse, error) {
	if r.Client == (common.Address{}) {
		return api.PrepareResponse{}, apierr.New(apierr.Invalid, "client is required")
	}
	now := time.Now()
	if wait := s.rates.take("client "+r.Client.Hex(), prepareRate, now); wait > 0 {
		return api.PrepareResponse{}, slow(wait, "at most %d sessions a minute are prepared for one client", prepareRate)
	}
	spender, err := s.cfg.Store.NewSpender(ctx, r.Client, now.UnixMilli(), func(n uint64) (common.Address, error) {
		k, err := s.cfg.Spender(n)
		if err != nil {
			return common.Address{}, err
		}
		return k.Address(), nil
	})
	if err != nil {
		return api.PrepareResponse{}, err
	}
	return api.PrepareResponse{
		Coordinator: s.cfg.Account, Spender: spender, MinDeposit: s.params.MinDeposit,
		MaxExpiry: uint64(now.Add(s.params.MaxSessionDuration).Unix()), FeeBps: s.params.FeeBps,
	}, nil
}

// IssueKey gives the client of an open session an API key for it.
func (s *Service) IssueKey(ctx context.Context, session uint64, r api.KeyRequest) (api.KeyResponse, error) {
	if err := fresh(r.IssuedAt); err != nil {
		return api.KeyResponse{}, err
	}
	request := receipt.KeyRequest{Client: r.Client, Session: session, IssuedAt: r.IssuedAt}
	if r.Mode != "" && r.Mode != api.ModeSelf && r.Mode != api.ModeDelegated {
		return api.KeyResponse{}, apierr.New(apierr.Invalid, "mode is %.20q: use self or delegated", r.Mode)
	}
	if err := receipt.Verify(s.cfg.Domain, request, r.Signature, r.Client); err != nil {
		return api.KeyResponse{}, apierr.Wrap(err, apierr.Forbidden, "the signature is not the client's (check chain id and market address)")
	}
	c, err := s.cfg.Chain.Session(ctx, session)
	if err != nil {
		return api.KeyResponse{}, apierr.Wrap(err, apierr.Unavailable, "the chain cannot be asked about the session")
	}
	switch {
	case c.State == 0:
		return api.KeyResponse{}, apierr.New(apierr.NotFound, "there is no session %d on the chain", session)
	case c.Client != r.Client || c.Coordinator != s.cfg.Account:
		return api.KeyResponse{}, apierr.New(apierr.Forbidden, "session %d is not between this client and this coordinator", session)
	case c.State != ledger.SessionOpen:
		return api.KeyResponse{}, apierr.New(apierr.Conflict, "session %d is closed or closing", session)
	}
	n, mode := uint64(0), api.ModeSelf
	if r.Mode != api.ModeSelf {
		mode = api.ModeDelegated
		if n, err = s.spenderOf(ctx, c); err != nil {
			return api.KeyResponse{}, err
		}
	} else if _, err := s.cfg.Store.Spender(ctx, c.Client, c.Spender); err == nil {
		return api.KeyResponse{}, apierr.New(apierr.Conflict, "session %d names a key of this coordinator's as its spender: leave mode out", session)
	} else if !errors.Is(err, ledger.ErrNotFound) {
		return api.KeyResponse{}, err
	}
	if err := s.once(ctx, request, r.IssuedAt); err != nil {
		return api.KeyResponse{}, err
	}
	if err := s.cfg.Store.PutSession(ctx, stored(session, n, c)); err != nil {
		return api.KeyResponse{}, err
	}
	key, _, err := s.issueKey(ctx, ledger.Key{Scope: ledger.ScopeClient, Account: r.Client, Session: session},
		ledger.Event{At: time.Now().UnixMilli(), Actor: r.Client, Via: "wallet", Action: ledger.EventKeyMade})
	return api.KeyResponse{APIKey: key, Session: session, Mode: mode}, err
}

func stored(id, n uint64, c ChainSession) ledger.Session {
	return ledger.Session{
		ID: id, Client: c.Client, Spender: c.Spender, SpenderN: n, Account: market.SessionAccount{Deposit: c.Deposit},
		Debited: c.Debited, Expiry: c.Expiry, DueAt: c.DueAt, FeeBps: c.FeeBps, State: c.State,
	}
}

// spenderOf finds which of the client's keys the session names.
func (s *Service) spenderOf(ctx context.Context, c ChainSession) (uint64, error) {
	n, err := s.cfg.Store.Spender(ctx, c.Client, c.Spender)
	if errors.Is(err, ledger.ErrNotFound) {
		return 0, apierr.New(apierr.Forbidden, "the session's spender is no key of this coordinator's: ask POST /v1/sessions/prepare for one, or send mode self and sign orders yourself")
	}
	return n, err
}

// Account returns how a client's session stands.
func (s *Service) Account(ctx context.Context, c Caller) (api.Account, error) {
	x, err := s.cfg.Store.Session(ctx, c.Session)
	if err != nil {
		return api.Account{}, err
	}
	a := describe(x)
	if x.Self() {
		if a.Vouchers, err = s.vouchers(ctx, x); err != nil {
			return api.Account{}, err
		}
	}
	return a, nil
}

func describe(x ledger.Session) api.Account {
	state := map[int]string{ledger.SessionOpen: "open", ledger.SessionClosing: "closing", ledger.SessionClosed: "closed"}[x.State]
	a := api.Account{
		Client: x.Client, Session: x.ID, State: state, Deposit: x.Account.Deposit, Reserved: x.Account.Reserved, Charged: x.Account.Charged,
		Available: x.Account.Available(), Debited: x.Debited, Expiry: x.Expiry, Spender: x.Spender, Mode: api.ModeDelegated, Orders: x.Number,
	}
	if x.Self() {
		a.Mode = api.ModeSelf
	}
	return a
}

// AccountSessions returns all sessions of the caller's account that are not closed.
func (s *Service) AccountSessions(ctx context.Context, c Caller) (api.SessionList, error) {
	all, err := s.cfg.Store.Sessions(ctx)
	if err != nil {
		return api.SessionList{}, err
	}
	out := api.SessionList{Sessions: []api.Account{}}
	for _, x := range all {
		if x.Client == c.Account {
			out.Sessions = append(out.Sessions, describe(x))
		}
	}
	return out, nil
}

// signer returns the key that signs a session's orders.
func (s *Service) signer(x ledger.Session) (receipt.Signer, error) {
	s.mu.Lock()
	k := s.signers[x.ID]
	s.mu.Unlock()
	if k != nil {
		return k, nil
	}
	k, err := s.cfg.Spender(x.SpenderN)
	if err != nil {
		return nil, err
	}
	if k.Address() != x.Spender {
		return nil, errors.New("the key store does not hold the session's spender key")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signers[x.ID] = k
	return k, nil
}
