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
type Caller struct{ ledger.Key }

// Authenticate returns who key speaks for, if it is of the scope. Its errors
// are unauthorized and forbidden.
func (s *Service) Authenticate(ctx context.Context, key, scope string) (Caller, error) {
	if key == "" {
		return Caller{}, apierr.New(apierr.Unauthorized, "no API key: send X-Api-Key or Authorization: Bearer")
	}
	if !strings.HasPrefix(key, keyPrefix) || len(key) > 128 {
		return Caller{}, apierr.New(apierr.Unauthorized, "unknown API key")
	}
	h := hashKey(key)
	s.mu.Lock()
	k, ok := s.keys[h]
	s.mu.Unlock()
	if !ok {
		var err error
		if k, err = s.cfg.Store.Key(ctx, h); errors.Is(err, ledger.ErrNotFound) {
			return Caller{}, apierr.New(apierr.Unauthorized, "unknown API key")
		} else if err != nil {
			return Caller{}, err
		}
		s.mu.Lock()
		s.keys[h] = k
		s.mu.Unlock()
	}
	if k.Scope != scope {
		return Caller{}, apierr.New(apierr.Forbidden, "this is a %s's key; the route needs a %s's", k.Scope, scope)
	}
	return Caller{k}, nil
}
