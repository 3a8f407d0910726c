package receipt

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrSignature reports a signature that is malformed, not canonical or by
// somebody else.
var ErrSignature = errors.New("signature does not verify")

// Signature is r‖s‖v with s in the lower half of the curve's order and v 27 or
// 28: the one encoding that we write and read.
type Signature [65]byte

// Signer signs digests. It is a key store's, a hardware device's or a test's.
type Signer interface {
	// Address returns the account whose key signs.
	Address() common.Address
	// SignDigest returns r‖s‖v with v 0 or 1 over the 32 bytes.
	SignDigest(digest common.Hash) ([]byte, error)
}

// Sign signs t in domain d.
func Sign(s Signer, d Domain, t Typed) (Signature, error) {
	b, err := s.SignDigest(Digest(d, t))
	if err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}
	if len(b) != 65 || b[64] > 1 {
		return Signature{}, fmt.Errorf("sign: %w", ErrSignature)
	}
	sig := Signature(b)
	sig[64] += 27
	return sig, nil
}

// Recover returns the account that signed t in domain d, or [ErrSignature].
func Recover(d Domain, t Typed, sig Signature) (common.Address, error) {
	return RecoverDigest(Digest(d, t), sig)
}

// RecoverDigest returns the account that signed the digest, or [ErrSignature].
func RecoverDigest(digest common.Hash, sig Signature) (common.Address, error) {
	v := sig[64] - 27
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64])
	if v > 1 || !crypto.ValidateSignatureValues(v, r, s, true) {
		return common.Address{}, ErrSignature
	}
	raw := sig
	raw[64] = v
	pub, err := crypto.SigToPub(digest[:], raw[:])
	if err != nil {
		return common.Address{}, ErrSignature
	}
	return crypto.PubkeyToAddress(*pub), nil
}

// Verify returns nil if want signed t in domain d, else [ErrSignature].
func Verify(d Domain, t Typed, sig Signature, want common.Address) error {
	got, err := Recover(d, t, sig)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%w: signed by %s, want %s", ErrSignature, got, want)
	}
	return nil
}

// Compact returns the EIP-2098 form (r, vs).
func (s Signature) Compact() (r, vs [32]byte) {
	copy(r[:], s[:32])
	copy(vs[:], s[32:64])
	vs[0] |= (s[64] - 27) << 7
	return r, vs
}

// String returns 0x and 130 hex digits.
func (s Signature) String() string { return "0x" + hex.EncodeToString(s[:]) }

// MarshalJSON writes the hex form.
func (s Signature) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, quotedSignature), `"0x`...)
	return append(hex.AppendEncode(b, s[:]), '"'), nil
}

// quotedSignature is the length of a signature's JSON, unless it has escapes.
const quotedSignature = 2 + 2 + 130

// UnmarshalJSON reads the hex form, in lower case only.
func (s *Signature) UnmarshalJSON(b []byte) error {
	var text string
	if len(b) == quotedSignature && b[0] == '"' { // what is no hex digit is refused below
		text = string(b[1 : len(b)-1])
	} else if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || len(digits) != 130 || strings.ToLower(digits) != digits {
		return fmt.Errorf("signature: want 0x and 130 lower-case hex digits")
	}
	if _, err := hex.Decode(s[:], []byte(digits)); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	return nil
}
