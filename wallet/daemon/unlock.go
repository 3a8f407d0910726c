package daemon

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/guard"
)

// capID is the hash of a capability: the capability itself is kept nowhere.
type capID [sha256.Size]byte

// A capability is what its holder may do with an unlocked wallet.
type capability struct {
	wallet  string
	scope   []string
	expires time.Time
	limited bool
	left    market.Amount // of what may be spent, if limited
}

const (
	capPrefix     = "wcap_"
	defaultUnlock = 15 * time.Minute
	longestUnlock = 24 * time.Hour
	maxCaps       = 1000
)

// Unlock opens a wallet and returns a capability.
func (s *Service) Unlock(ctx context.Context, r walletapi.UnlockRequest) (out walletapi.UnlockResponse, err error) {
	w, err := s.find(r.Wallet)
	if err != nil {
		return out, err
	}
	for _, scope := range r.Scope {
		if scope != walletapi.ScopeSend && scope != walletapi.ScopeSign {
			return out, apierr.New(apierr.Invalid, "scope is of send and sign")
		}
	}
	c := &capability{wallet: w.id, scope: r.Scope, expires: s.now().Add(defaultUnlock)}
	if len(c.scope) == 0 {
		c.scope = []string{walletapi.ScopeSend, walletapi.ScopeSign}
	}
	if r.ExpiresInSeconds != 0 {
		if r.ExpiresInSeconds < 1 || r.ExpiresInSeconds > int64(longestUnlock/time.Second) {
			return out, apierr.New(apierr.Invalid, "expires_in_seconds is 1 to %d", int64(longestUnlock/time.Second))
		}
		c.expires = s.now().Add(time.Duration(r.ExpiresInSeconds) * time.Second)
	}
	if r.Amount != nil {
		c.limited, c.left = true, *r.Amount
	}
	release, err := w.take(ctx)
	if err != nil {
		return out, err
	}
	defer release()
	if err := s.unlock(w, r); err != nil {
		return out, err
	}
	token := capPrefix + rand.Text()
	s.mu.Lock()
	full := len(s.caps) >= maxCaps
	if !full {
		s.caps[sha256.Sum256([]byte(token))] = c
	}
	s.mu.Unlock()
	if full {
		return out, apierr.New(apierr.RateLimited, "too many capabilities are in use: lock wallets, or wait until some expire")
	}
	return walletapi.UnlockResponse{Wallet: w.id, Capability: token, Scope: c.scope, Amount: r.Amount, ExpiresAt: c.expires.UnixMilli()}, nil
}

// unlock opens the wallet unless it is open already. It needs the turn.
func (s *Service) unlock(w *wallet, r walletapi.UnlockRequest) error {
	return s.prove(w, walletapi.Proof{Passphrase: r.Passphrase, Code: r.Code, Passkey: r.Passkey}, false, func(p *proven) error {
		if err := w.note(s.now(), record{Action: "unlock", Result: done, Detail: map[string]any{"scope": r.Scope, "amount": r.Amount, "seconds": r.ExpiresInSeconds}}); err != nil {
			return err
		}
		p.state.Audit = w.audit.Head()
		if err := w.save(p.vault, p.state); err != nil {
			return err
		}
		if w.open == nil {
			w.open, w.state, p.keep = p.vault, p.state, true
		}
		return nil
	})
}

// Lock locks a wallet, or all of them.
func (s *Service) Lock(ctx context.Context, which string) (walletapi.LockResponse, error) {
	out := walletapi.LockResponse{Locked: []string{}}
	var all []*wallet
	if which != "" {
		w, err := s.find(which)
		if err != nil {
			return out, err
		}
		all = []*wallet{w}
	} else {
		s.mu.Lock()
		all = slices.Collect(mapValues(s.wallets))
		s.mu.Unlock()
	}
	var errs []error
	for _, w := range all {
		s.revoke(w.id)
		was, err := s.lockNow(ctx, w)
		if was {
			out.Locked = append(out.Locked, w.id)
		}
		errs = append(errs, err)
	}
	slices.Sort(out.Locked)
	return out, errors.Join(errs...)
}

func (s *Service) revoke(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, c := range s.caps {
		if c.wallet == id {
			delete(s.caps, k)
		}
	}
}

func (s *Service) lockNow(ctx context.Context, w *wallet) (was bool, err error) {
	release, err := w.take(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if w.open == nil {
		return false, nil
	}
	return true, s.lockHeld(w)
}

// lockHeld locks a wallet that is open. It needs the turn.
func (s *Service) lockHeld(w *wallet) error {
	err := w.lock()
	guard.Sweep()
	return errors.Join(err, w.note(s.now(), record{Action: "lock", Result: done}))
}

// expire locks the wallets whose last capability has ended.
func (s *Service) expire() error {
	now := s.now()
	live := map[string]bool{}
	s.mu.Lock()
	for k, c := range s.caps {
		if !now.Before(c.expires) {
			delete(s.caps, k)
			continue
		}
		live[c.wallet] = true
	}
	all := slices.Collect(mapValues(s.wallets))
	s.mu.Unlock()
	var errs []error
	for _, w := range all {
		if live[w.id] {
			continue
		}
		select {
		case w.turn <- struct{}{}:
			// Nobody unlocked it meanwhile: that takes the turn too, and adds its capability before it gives it back.
			if w.open != nil && s.unlockedUntil(w.id).IsZero() {
				errs = append(errs, s.lockHeld(w))
			}
			<-w.turn
		default: // busy: the next time
		}
	}
	return errors.Join(errs...)
}

// unlockedUntil returns when a wallet's last capability ends.
func (s *Service) unlockedUntil(id string) (last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.caps {
		if c.wallet == id && c.expires.After(last) {
			last = c.expires
		}
	}
	return last
}

// capable returns the capability of a token for a scope, and its wallet.
func (s *Service) capable(token, which, scope string) (*capability, *wallet, error) {
	s.mu.Lock()
	c, ok := s.caps[sha256.Sum256([]byte(token))]
	s.mu.Unlock()
	if !ok || !s.now().Before(c.expires) {
		w, err := s.find(which)
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, apierr.New(apierr.Locked, "the wallet %s is locked: POST /v1/wallet/unlock, and send its answer's capability as %s", w.header.Name, walletapi.CapabilityHeader)
	}
	w, err := s.find(c.wallet)
	if err != nil {
		return nil, nil, err
	}
	if which != "" {
		if named, err := s.find(which); err != nil || named != w {
			return nil, nil, errors.Join(err, apierr.New(apierr.Locked, "the capability is for the wallet %s", w.header.Name))
		}
	}
	if !slices.Contains(c.scope, scope) {
		return nil, nil, apierr.New(apierr.PolicyRefused, "the capability is not for %s: unlock with that scope", scope)
	}
	return c, w, nil
}

// spend takes worth from what a capability may spend, or refuses: also what may
// cost more than worth says.
func (s *Service) spend(c *capability, worth market.Amount, unknown bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.limited {
		return nil
	}
	if unknown {
		return apierr.New(apierr.PolicyRefused, "what this could cost is not known, and this capability may spend only so much: unlock without an amount to sign it")
	}
	left, err := c.left.Sub(worth)
	if err != nil {
		return apierr.New(apierr.LimitExceeded, "it can cost %s, and this capability may spend %s more", worth.Coins(), c.left.Coins())
	}
	c.left = left
	return nil
}

// giveBack is the reverse of spend.
func (s *Service) giveBack(c *capability, worth market.Amount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sum, err := c.left.Add(worth); err == nil && c.limited {
		c.left = sum
	}
}

// capText names a capability in the audit log without giving it away.
func capText(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}
