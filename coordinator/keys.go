package coordinator

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

const (
	maxKeys    = 1000 // of an account
	maxKeyName = 100
	maxKeyRate = 1_000_000
	maxKeyLife = 10 * 365 * 24 * time.Hour
	// adminKeyLife is how long an admin key lives that names no time.
	adminKeyLife = 12 * time.Hour
)

// manages refuses a key that was made for a purpose: only a wallet's signature gives rights over keys.
func (c Caller) manages() error {
	if c.Made {
		return apierr.New(apierr.Forbidden, "a key that was made by POST /v1/keys manages no keys: log in with the wallet")
	}
	return nil
}

// CreateKey makes a key of the caller's account with the limits that it names.
func (s *Service) CreateKey(ctx context.Context, c Caller, r api.CreateKeyRequest) (api.CreateKeyResponse, error) {
	no := func(format string, a ...any) (api.CreateKeyResponse, error) {
		return api.CreateKeyResponse{}, apierr.New(apierr.Invalid, format, a...)
	}
	if err := c.manages(); err != nil {
		return api.CreateKeyResponse{}, err
	}
	now := time.Now()
	k := ledger.Key{Scope: r.Scope, Account: c.Account, Session: r.Session, Name: r.Name, Made: true, Rate: r.RatePerMinute}
	if r.Budget != nil {
		k.Budget = ledger.Budget{Total: r.Budget.Total, Day: r.Budget.Day, Month: r.Budget.Month}
	}
	life := time.Duration(min(r.ExpiresInSeconds, uint64(maxKeyLife/time.Second)+1)) * time.Second
	switch {
	case !slices.Contains([]string{ledger.ScopeClient, ledger.ScopeRead, ledger.ScopeAdmin}, r.Scope):
		return no("scope is %.20q: use client, read or admin", r.Scope)
	case len(r.Name) > maxKeyName || !utf8.ValidString(r.Name):
		return no("name has more than %d bytes, or is no text", maxKeyName)
	case r.RatePerMinute > maxKeyRate:
		return no("rate_per_minute is above %d", maxKeyRate)
	case life > maxKeyLife:
		return no("expires_in_seconds is above %d", int(maxKeyLife.Seconds()))
	case k.Budget.Limits() && r.Scope != ledger.ScopeClient:
		return no("a budget is for keys of scope client")
	case r.Scope == ledger.ScopeAdmin && (c.Scope != ledger.ScopeLogin || !s.isAdmin(c.Account)):
		return api.CreateKeyResponse{}, apierr.New(apierr.Forbidden, "an admin key is made by an admin's wallet: the coordinator's own, or one that the operator names in admins")
	}
	if r.Scope == ledger.ScopeAdmin {
		if k.Session = 0; life == 0 {
			life = adminKeyLife
		}
	} else {
		var err error
		if k.Session, err = s.sessionFor(ctx, c, r.Session); err != nil {
			return api.CreateKeyResponse{}, err
		}
	}
	if life > 0 {
		k.Expires = now.Add(life).UnixMilli()
	}
	have, err := s.cfg.Store.Keys(ctx, ledger.KeyQuery{Account: c.Account, Limit: maxKeys})
	if err != nil {
		return api.CreateKeyResponse{}, err
	}
	if len(have) >= maxKeys {
		return api.CreateKeyResponse{}, apierr.New(apierr.Conflict, "the account has %d keys already: revoke some", maxKeys)
	}
	key, id, err := s.issueKey(ctx, k, c.event(ledger.EventKeyMade))
	if err != nil {
		return api.CreateKeyResponse{}, err
	}
	return api.CreateKeyResponse{APIKey: key, Key: shownKey(ledger.KeyRow{Hash: id, Key: k, Created: now.UnixMilli()}, c)}, nil
}

// sessionFor is the session that a new key is to spend from: the one that is named, the caller's, or the account's newest
// that is open.
func (s *Service) sessionFor(ctx context.Context, c Caller, want uint64) (uint64, error) {
	if c.Scope == ledger.ScopeClient {
		if want != 0 && want != c.Session {
			return 0, apierr.New(apierr.Forbidden, "this key makes keys of session %d only: log in with the wallet", c.Session)
		}
		return c.Session, nil
	}
	if want != 0 {
		x, err := s.cfg.Store.Session(ctx, want)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && x.Client != c.Account {
			return 0, apierr.New(apierr.NotFound, "the account has no session %d here: POST /v1/sessions/%d/key tells the coordinator of it", want, want)
		}
		return want, err
	}
	all, err := s.cfg.Store.Sessions(ctx)
	if err != nil {
		return 0, err
	}
	var newest uint64
	for _, x := range all {
		if x.Client == c.Account && x.State == ledger.SessionOpen {
			newest = max(newest, x.ID)
		}
	}
	if newest == 0 {
		return 0, apierr.New(apierr.NotFound, "the account has no open session here: open one, and ask POST /v1/sessions/{n}/key for its first key")
	}
	return newest, nil
}

func shownKey(k ledger.KeyRow, c Caller) api.Key {
	out := api.Key{
		ID: k.Hash, Session: k.Session, CreatedAt: k.Created, Current: k.Hash == c.hash, Name: k.Name, Scope: k.Scope, ExpiresAt: k.Expires,
		RatePerMinute: k.Rate, Made: k.Made,
	}
	if b := k.Budget; b.Limits() {
		// A window that is over has nothing spent in it.
		now, err := b.Hold(k.Spent, time.Now().UnixMilli(), market.Amount{})
		if err == nil {
			k.Spent = now
		}
		out.Budget = &api.Budget{Total: b.Total, Day: b.Day, Month: b.Month}
		out.Spent = &api.Budget{Total: k.Spent.Total, Day: k.Spent.Day.Amount, Month: k.Spent.Month.Amount}
	}
	return out
}

// Keys lists the keys of the caller's account, newest first. Nobody can be shown a key again.
func (s *Service) Keys(ctx context.Context, c Caller) (api.KeyList, error) {
	if err := c.manages(); err != nil {
		return api.KeyList{}, err
	}
	rows, err := s.cfg.Store.Keys(ctx, ledger.KeyQuery{Account: c.Account, Limit: maxKeys})
	if err != nil {
		return api.KeyList{}, err
	}
	out := api.KeyList{Keys: []api.Key{}}
	for _, k := range rows {
		out.Keys = append(out.Keys, shownKey(k, c))
	}
	return out, nil
}

// RevokeKey forgets a key of the caller's account. Work that it ordered goes on.
func (s *Service) RevokeKey(ctx context.Context, c Caller, id common.Hash) error {
	if id != c.hash { // whoever has a key may give it up
		if err := c.manages(); err != nil {
			return err
		}
	}
	return s.revoke(ctx, c, c.Account, id)
}

// revoke forgets a key of an account's, or of anybody's.
func (s *Service) revoke(ctx context.Context, c Caller, account common.Address, id common.Hash) error {
	e := c.event(ledger.EventKeyRevoked)
	e.Subject = "key " + id.Hex()
	if account == (common.Address{}) { // the log of whose key it is shows it
		k, err := s.cfg.Store.Key(ctx, id)
		if err == nil {
			e.Account = k.Account
		}
	}
	err := s.cfg.Store.RemoveKey(ctx, account, id, e)
	if errors.Is(err, ledger.ErrNotFound) {
		return apierr.New(apierr.NotFound, "there is no such key of this account: GET /v1/keys lists them")
	}
	if err != nil {
		return err
	}
	s.forgetKeys(id)
	if s.cluster != nil {
		return s.cluster.Publish(ctx, ledger.Note{Kind: ledger.NoteKeys, Jobs: []common.Hash{id}})
	}
	return nil
}

// Audit returns what was done about the caller's account, newest first.
func (s *Service) Audit(ctx context.Context, c Caller, before uint64, limit int) (api.AuditLog, error) {
	if err := c.manages(); err != nil {
		return api.AuditLog{}, err
	}
	return s.audit(ctx, c.Account, before, limit)
}

func (s *Service) audit(ctx context.Context, account common.Address, before uint64, limit int) (api.AuditLog, error) {
	rows, err := s.cfg.Store.Records(ctx, account, before, limit)
	if err != nil {
		return api.AuditLog{}, err
	}
	out := api.AuditLog{Records: []api.AuditRecord{}}
	for _, r := range rows {
		out.Records = append(out.Records, api.AuditRecord{
			N: r.N, At: r.At, Account: r.Account, Actor: r.Actor, Via: r.Via, Action: r.Action, Subject: r.Subject, Detail: r.Detail, Prev: r.Prev, Hash: r.Hash,
		})
	}
	return out, nil
}
