package coordinator

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/wallet/siwe"
)

const (
	nonceLife = 5 * time.Minute
	tokenLife = time.Hour
	// walletSkew is how far ahead a wallet's clock may be.
	walletSkew = time.Minute
)

// nonces makes and knows nonces: time, chance, and a MAC of both, so that nobody writes to the disk by asking for one.
type nonces struct {
	secret func() ([]byte, error)
}

// newNonces derives the secret from the coordinator's key, so that replicas know each other's nonces.
func newNonces(cfg Config) nonces {
	return nonces{sync.OnceValues(func() ([]byte, error) {
		k, err := cfg.Spender(0) // the sessions' begin with 1
		if err != nil {
			return nil, fmt.Errorf("key of nonces: %w", err)
		}
		sig, err := k.SignDigest(crypto.Keccak256Hash([]byte("aitbc/login-nonce")))
		if err != nil {
			return nil, fmt.Errorf("key of nonces: %w", err)
		}
		return crypto.Keccak256(sig), nil
	})}
}

const nonceHead, nonceMAC = 16, 16 // bytes

func (n nonces) mac(head []byte) ([]byte, error) {
	secret, err := n.secret()
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, secret)
	h.Write(head)
	return h.Sum(nil)[:nonceMAC], nil
}

func (n nonces) make(now time.Time) (string, error) {
	head := make([]byte, nonceHead)
	binary.BigEndian.PutUint64(head, uint64(now.UnixMilli()))
	_, _ = rand.Read(head[8:]) // never fails: crypto/rand
	mac, err := n.mac(head)
	return hex.EncodeToString(slices.Concat(head, mac)), err
}

// made returns when a nonce was made here, false if it was not.
func (n nonces) made(text string) (time.Time, bool, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != nonceHead+nonceMAC || hex.EncodeToString(b) != text {
		return time.Time{}, false, nil
	}
	mac, err := n.mac(b[:nonceHead])
	if err != nil || !hmac.Equal(mac, b[nonceHead:]) {
		return time.Time{}, false, err
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))), true, nil
}

// LoginNonce makes what the message of a wallet's login must hold. It counts once, for some minutes.
func (s *Service) LoginNonce() (api.LoginNonce, error) {
	now := time.Now()
	n, err := s.nonces.make(now)
	return api.LoginNonce{Nonce: n, ChainID: s.cfg.Domain.ChainID, ExpiresAt: now.Add(nonceLife).UnixMilli()}, err
}

// Login gives the wallet that signed a message of EIP-4361 a token for an hour. The token makes, lists and revokes the
// account's keys.
func (s *Service) Login(ctx context.Context, r api.LoginRequest) (api.LoginResponse, error) {
	m, err := siwe.Verify(r.Message, r.Signature)
	switch {
	case errors.Is(err, siwe.ErrFormat):
		return api.LoginResponse{}, apierr.Wrap(err, apierr.Invalid, err.Error())
	case err != nil:
		return api.LoginResponse{}, apierr.Wrap(err, apierr.Forbidden, "the signature is not of the account that the message names")
	}
	now := time.Now()
	if err := s.checkLogin(m, now); err != nil {
		return api.LoginResponse{}, err
	}
	at, ours, err := s.nonces.made(m.Nonce)
	switch {
	case err != nil:
		return api.LoginResponse{}, err
	case !ours:
		return api.LoginResponse{}, apierr.New(apierr.Forbidden, "the nonce is not of this coordinator: ask POST /v1/login/nonce for one")
	case now.Sub(at) > nonceLife:
		return api.LoginResponse{}, apierr.New(apierr.Forbidden, "the nonce is older than %s: ask POST /v1/login/nonce for one", nonceLife)
	}
	err = s.cfg.Store.Use(ctx, crypto.Keccak256Hash([]byte("aitbc/nonce"), []byte(m.Nonce)), at.Add(2*nonceLife).UnixMilli())
	if errors.Is(err, ledger.ErrUsed) {
		return api.LoginResponse{}, apierr.New(apierr.Forbidden, "the nonce was used already: ask POST /v1/login/nonce for another")
	}
	if err != nil {
		return api.LoginResponse{}, err
	}
	end := now.Add(tokenLife)
	if !m.Expires.IsZero() && m.Expires.Before(end) {
		end = m.Expires
	}
	token, _, err := s.issueKey(ctx, ledger.Key{Scope: ledger.ScopeLogin, Account: m.Address, Expires: end.UnixMilli(), Rate: loginRate},
		ledger.Event{At: now.UnixMilli(), Actor: m.Address, Via: "wallet", Action: ledger.EventLogin})
	return api.LoginResponse{Token: token, Account: m.Address, ExpiresAt: end.UnixMilli(), Admin: s.isAdmin(m.Address)}, err
}

// loginRate is how many requests a minute a token may send.
const loginRate = 120

// checkLogin judges what a message says.
func (s *Service) checkLogin(m siwe.Message, now time.Time) error {
	no := func(format string, a ...any) error { return apierr.New(apierr.Forbidden, format, a...) }
	uri, err := url.Parse(m.URI)
	switch {
	case m.ChainID != s.cfg.Domain.ChainID:
		return no("the message is for chain %d, this is %d", m.ChainID, s.cfg.Domain.ChainID)
	case !s.ourDomain(m.Domain):
		return no("the message signs in to %.100s, which is not this service: the operator sets login_domains", m.Domain)
	case err != nil || uri.Scheme != "http" && uri.Scheme != "https" || !s.ourDomain(uri.Host):
		return no("the message's URI is not of this service: the operator sets login_domains")
	case m.IssuedAt.After(now.Add(walletSkew)):
		return no("the message was issued in the future: check your clock")
	case now.Sub(m.IssuedAt) > nonceLife:
		return no("the message is older than %s: sign a new one", nonceLife)
	case !m.Expires.IsZero() && !m.Expires.After(now):
		return no("the message has expired: sign a new one")
	case m.NotBefore.After(now.Add(walletSkew)):
		return no("the message does not count yet")
	}
	return nil
}

// ourDomain reports whether an authority is one that this service is reached by: one that the operator names, and
// without such, this machine itself.
func (s *Service) ourDomain(authority string) bool {
	if len(s.cfg.LoginDomains) > 0 {
		return slices.Contains(s.cfg.LoginDomains, authority)
	}
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isAdmin reports whether an account may make admin keys.
func (s *Service) isAdmin(a common.Address) bool {
	return a == s.cfg.Account || slices.Contains(s.cfg.Admins, a)
}
