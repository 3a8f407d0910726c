package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/receipt"
)

// keyPrefix begins every API key, so that a leaked one can be recognised.
const keyPrefix = "aitbc_"

// minerKeyLife is how long a miner's key lives: it logs in anew when its key is refused.
const minerKeyLife = 30 * 24 * time.Hour

// hashKey is what is stored of a key: it has 256 random bits, so a plain hash hides it.
func hashKey(key string) common.Hash {
	return crypto.Keccak256Hash([]byte("aitbc/api-key"), []byte(key))
}

// issueKey makes a key and has the audit log say so.
func (s *Service) issueKey(ctx context.Context, k ledger.Key, e ledger.Event) (string, common.Hash, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	key := keyPrefix + hex.EncodeToString(b[:])
	hash := hashKey(key)
	e.Account = k.Account
	e.Subject, e.Detail = "key "+hash.Hex(), "scope "+k.Scope
	if err := s.cfg.Store.PutKey(ctx, hash, k, e.At, e); err != nil {
		return "", hash, err
	}
	return key, hash, nil
}

// once refuses a signed request that was used before. It counts until its time of issue is too old for any.
func (s *Service) once(ctx context.Context, t receipt.Typed, issued uint64) error {
	id := crypto.Keccak256Hash([]byte("aitbc/used"), receipt.Digest(s.cfg.Domain, t).Bytes())
	err := s.cfg.Store.Use(ctx, id, time.Unix(int64(issued), 0).Add(2*freshness).UnixMilli())
	if errors.Is(err, ledger.ErrUsed) {
		return apierr.New(apierr.Conflict, "this signed request was used already: sign one with a later issued_at").With(map[string]any{"used": true})
	}
	return err
}

// Caller is who an API key speaks for.
type Caller struct {
	ledger.Key
	hash common.Hash
}

// event is what the audit log says of what the caller does now.
func (c Caller) event(action string) ledger.Event {
	return ledger.Event{At: time.Now().UnixMilli(), Account: c.Account, Actor: c.Account, Via: "key " + c.hash.Hex()[:10], Action: action}
}

// keyFresh is how long a key counts without another look at the database, and keysKnown how many are remembered. A key that
// is revoked is forgotten at once, and at other replicas when they hear of it or after this time.
const (
	keyFresh  = 30 * time.Second
	keysKnown = 100_000
)

// knownKey is a key as it was read.
type knownKey struct {
	ledger.Key
	at time.Time
}

// Authenticate returns who key speaks for, if it is of one of the scopes and does not ask too often. Its errors are
// unauthorized, forbidden and rate_limited.
func (s *Service) Authenticate(ctx context.Context, key string, scopes ...string) (Caller, error) {
	if key == "" {
		return Caller{}, apierr.New(apierr.Unauthorized, "no API key: send X-Api-Key or Authorization: Bearer")
	}
	if !strings.HasPrefix(key, keyPrefix) || len(key) > 128 {
		return Caller{}, apierr.New(apierr.Unauthorized, "unknown API key")
	}
	now, h := time.Now(), hashKey(key)
	k, err := s.key(ctx, h, now)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return Caller{}, apierr.New(apierr.Unauthorized, "unknown API key")
	case err != nil:
		return Caller{}, err
	case k.Expires != 0 && k.Expires <= now.UnixMilli():
		return Caller{}, apierr.New(apierr.Unauthorized, "this API key has expired")
	case !slices.Contains(scopes, k.Scope):
		return Caller{}, apierr.New(apierr.Forbidden, "this key is of scope %s; the route needs %s", k.Scope, strings.Join(scopes, " or "))
	case k.Scope == ledger.ScopeMiner && s.blocked(k.Account):
		return Caller{}, blockedError(k.Account)
	}
	if wait := s.rates.take("key "+h.Hex(), k.Rate, now); wait > 0 {
		return Caller{}, slow(wait, "this key may send %d requests a minute", k.Rate)
	}
	return Caller{Key: k, hash: h}, nil
}

func (s *Service) key(ctx context.Context, h common.Hash, now time.Time) (ledger.Key, error) {
	s.mu.Lock()
	k, ok := s.keys[h]
	s.mu.Unlock()
	if ok && now.Sub(k.at) < keyFresh {
		return k.Key, nil
	}
	fresh, err := s.cfg.Store.Key(ctx, h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.keys, h)
		return fresh, err
	}
	if len(s.keys) >= keysKnown {
		clear(s.keys)
	}
	s.keys[h] = knownKey{fresh, now}
	return fresh, nil
}

// forgetKeys has the database asked again about some keys, or about all.
func (s *Service) forgetKeys(ids ...common.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ids) == 0 {
		clear(s.keys)
	}
	for _, id := range ids {
		delete(s.keys, id)
	}
}
