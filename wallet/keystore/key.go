package keystore

import (
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Key is an unlocked private key. It signs and shows nothing but its address,
// whatever prints, logs or encodes it. It is safe for concurrent use.
type Key struct {
	address common.Address
	private *ecdsa.PrivateKey
}

// Address returns the account of the key.
func (k *Key) Address() common.Address { return k.address }

// SignDigest returns r‖s‖v with v 0 or 1 over a digest.
func (k *Key) SignDigest(digest common.Hash) ([]byte, error) {
	sig, err := crypto.Sign(digest[:], k.private)
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", k.address, err)
	}
	return sig, nil
}

func (k *Key) shown() string { return "key of " + k.address.Hex() }

// String names the key by its address.
func (k *Key) String() string { return k.shown() }

// GoString names the key by its address.
func (k *Key) GoString() string { return k.shown() }

// Format names the key by its address, for every verb.
func (k *Key) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, k.shown()) } // as fmt does

// LogValue names the key by its address.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.shown()) }

// MarshalText names the key by its address.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.shown()), nil }

// Derive returns a key of its own for a purpose: HKDF-SHA256 (RFC 5869) of the
// private key with the purpose as info. It is the same each time, and does not
// lead back to k.
func (k *Key) Derive(purpose string) (*Key, error) {
	raw := crypto.FromECDSA(k.private)
	for i := range 16 { // a derived number is no key with probability 2^-128
		b, err := hkdf.Key(sha256.New, raw, nil, fmt.Sprintf("%s/%d", purpose, i), 32)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		if p, err := crypto.ToECDSA(b); err == nil {
			return &Key{crypto.PubkeyToAddress(p.PublicKey), p}, nil
		}
	}
	return nil, errors.New("derive key: no valid key")
}
