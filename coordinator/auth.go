package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

// keyPrefix begins every API key, so that a leaked one can be recognised.
const keyPrefix = "aitbc_"

// hashKey is what is stored of a key: it has 256 random bits, so a plain hash hides it.
func hashKey(key string) common.Hash {
	return crypto.Keccak256Hash([]byte("aitbc/api-key"), []byte(key))
}

func (s *Service) issueKey(ctx context.Context, k ledger.Key) (string, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	key := keyPrefix + hex.EncodeToString(b[:])
	if err := s.cfg.Store.PutKey(ctx, hashKey(key), k, time.Now().UnixMilli()); err != nil {
		return "", err
	}
	return key, nil
}

// Caller is who an API key speaks for.
type Caller struct {
	ledger.Key
	hash common.Hash
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

// Authenticate returns who key speaks for, if it is of the scope. Its errors
// are unauthorized and forbidden.
func (s *Service) Authenticate(ctx context.Context, key, scope string) (Caller, error) {
	if key == "" {
		return Caller{}, apierr.New(apierr.Unauthorized, "no API key: send X-Api-Key or Authorization: Bearer")
	}
	if !strings.HasPrefix(key, keyPrefix) || len(key) > 128 {
		return Caller{}, apierr.New(apierr.Unauthorized, "unknown API key")
	}
	k, err := s.key(ctx, hashKey(key), time.Now())
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return Caller{}, apierr.New(apierr.Unauthorized, "unknown API key")
	case err != nil:
		return Caller{}, err
	case k.Scope != scope:
		return Caller{}, apierr.New(apierr.Forbidden, "this is a %s's key; the route needs a %s's", k.Scope, scope)
	}
	return Caller{Key: k, hash: hashKey(key)}, nil
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

// maxKeys is how many keys are listed.
const maxKeys = 1000

// Keys lists the keys of the caller's account, newest first. Nobody can be shown a key again.
func (s *Service) Keys(ctx context.Context, c Caller) (api.KeyList, error) {
	rows, err := s.cfg.Store.Keys(ctx, c.Account, ledger.ScopeClient, maxKeys)
	if err != nil {
		return api.KeyList{}, err
	}
	out := api.KeyList{Keys: []api.Key{}}
	for _, k := range rows {
		out.Keys = append(out.Keys, api.Key{ID: k.Hash, Session: k.Session, CreatedAt: k.Created, Current: k.Hash == c.hash})
	}
	return out, nil
}

// RevokeKey forgets a key of the caller's account. Work that it ordered goes on.
func (s *Service) RevokeKey(ctx context.Context, c Caller, id common.Hash) error {
	err := s.cfg.Store.RemoveKey(ctx, c.Account, id)
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
