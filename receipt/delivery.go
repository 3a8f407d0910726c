package receipt

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// ErrSealed is returned when a sealed output cannot be opened: it is another
// job's, is sealed to another key, or was changed.
var ErrSealed = errors.New("the sealed output does not open with this key for this job")

// deliveryInfo separates these envelopes from all others made with HPKE.
const deliveryInfo = "aitbc/job-output"

// SealOutput returns the bytes by which a direct job's output is delivered, and
// which a challenge is answered with: HPKE in base mode (RFC 9180; X25519,
// HKDF-SHA256, AES-256-GCM) of salt ‖ output, to the key that the job's terms
// name. job is the job's digest. They differ each time, so they must be kept.
func SealOutput(to, job common.Hash, salt Salt, output []byte) ([]byte, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(to[:])
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), sealInfo(job), slices.Concat(salt[:], output))
	if err != nil {
		return nil, fmt.Errorf("seal output: %w", err)
	}
	return sealed, nil
}

// OpenOutput opens what [SealOutput] made with the 32 bytes of the private key.
// It returns [ErrSealed] if that fails.
func OpenOutput(key [32]byte, job common.Hash, sealed []byte) (Salt, []byte, error) {
	private, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(key[:])
	if err != nil {
		return Salt{}, nil, fmt.Errorf("sealing key: %w", err)
	}
	plain, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), sealInfo(job), sealed)
	if err != nil || len(plain) < len(Salt{}) {
		return Salt{}, nil, ErrSealed
	}
	return Salt(plain[:32]), plain[32:], nil
}

// SealingKey returns the public key of a private X25519 key.
func SealingKey(key [32]byte) (common.Hash, error) {
	private, err := ecdh.X25519().NewPrivateKey(key[:])
	if err != nil {
		return common.Hash{}, fmt.Errorf("sealing key: %w", err)
	}
	return common.Hash(private.PublicKey().Bytes()), nil
}

func sealInfo(job common.Hash) []byte { return append([]byte(deliveryInfo), job[:]...) }
