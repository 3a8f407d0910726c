package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/aitbc/aitbc/wallet/hd"
)

// Secrets are what a vault protects. Slices that [Vault.Use] hands out are
// views that end with the call.
type Secrets struct {
	Entropy    []byte   // of a BIP-39 phrase; nil for wallets of single keys
	Passphrase []byte   // that some wallets add to the phrase
	Keys       [][]byte // imported private keys, of 32 bytes
	TOTP       []byte   // the second factor's shared secret, or nil
}

// Tags of the encoding: tag, length in two bytes, value. Each tag but tagKey
// stands at most once, in this order.
const (
	tagEntropy = iota + 1
	tagPassphrase
	tagKey
	tagTOTP
)

// maxKeys bounds a wallet of imported keys.
const maxKeys = 1000

// encode returns the bytes of s, to be wiped.
func (s *Secrets) encode() ([]byte, error) {
	if len(s.Keys) > maxKeys || len(s.Passphrase) > 1024 || len(s.TOTP) > 128 {
		return nil, fmt.Errorf("a vault holds at most %d keys, and short passphrases", maxKeys)
	}
	out := make([]byte, 0, 64+len(s.Entropy)+len(s.Passphrase)+len(s.TOTP)+35*len(s.Keys)) // so that nothing is moved
	put := func(tag byte, v []byte) {
		if len(v) > 0 {
			out = append(binary.BigEndian.AppendUint16(append(out, tag), uint16(len(v))), v...) //nolint:gosec // bounded above
		}
	}
	put(tagEntropy, s.Entropy)
	put(tagPassphrase, s.Passphrase)
	for _, k := range s.Keys {
		put(tagKey, k)
	}
	put(tagTOTP, s.TOTP)
	return out, nil
}

// decodeSecrets reads what encode wrote, as views of b. It returns [ErrFormat].
func decodeSecrets(b []byte) (s Secrets, err error) {
	last := byte(0)
	for len(b) > 0 {
		if len(b) < 3 {
			return s, ErrFormat
		}
		tag, n := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if n == 0 || len(b) < 3+n || tag < last || tag == last && tag != tagKey {
			return s, ErrFormat
		}
		v := b[3 : 3+n : 3+n]
		b, last = b[3+n:], tag
		switch {
		case tag == tagEntropy && n >= 16 && n <= 32 && n%4 == 0:
			s.Entropy = v
		case tag == tagPassphrase && n <= 1024 && s.Entropy != nil:
			s.Passphrase = v
		case tag == tagKey && n == 32 && len(s.Keys) < maxKeys:
			s.Keys = append(s.Keys, v)
		case tag == tagTOTP && n <= 128:
			s.TOTP = v
		default:
			return s, ErrFormat
		}
	}
	return s, nil
}

// Private returns the private key of an account, 32 bytes to be wiped by the
// caller. It returns [ErrAccount] if the account is not of these secrets.
func (s *Secrets) Private(a Account) ([]byte, error) {
	if a.Path == "" {
		for _, k := range s.Keys {
			if got, err := hd.Address(k); err == nil && got == a.Address {
				return bytes.Clone(k), nil
			}
		}
		return nil, fmt.Errorf("%w: %s", ErrAccount, a.Address)
	}
	p, err := hd.ParsePath(a.Path)
	if err != nil {
		return nil, err
	}
	key, err := s.derive(p)
	if err != nil {
		return nil, err
	}
	if got, err := hd.Address(key); err != nil || got != a.Address {
		clear(key)
		return nil, fmt.Errorf("%w: %s is not at %s", ErrAccount, a.Address, a.Path)
	}
	return key, nil
}

func (s *Secrets) derive(p hd.Path) ([]byte, error) {
	if s.Entropy == nil {
		return nil, fmt.Errorf("%w: the wallet has no phrase", ErrAccount)
	}
	seed, err := hd.Seed(s.Entropy, s.Passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return hd.Derive(seed, p)
}

// Derived returns the account at a path of the phrase.
func (s *Secrets) Derived(p hd.Path, name string) (Account, error) {
	key, err := s.derive(p)
	if err != nil {
		return Account{}, err
	}
	defer clear(key)
	a, err := hd.Address(key)
	return Account{Name: name, Path: p.String(), Address: a}, err
}

// wipe clears what s holds.
func (s *Secrets) wipe() {
	clear(s.Entropy)
	clear(s.Passphrase)
	clear(s.TOTP)
	for _, k := range s.Keys {
		clear(k)
	}
}
