package keystore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	gethkeystore "github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"

	"github.com/aitbc/aitbc/internal/secret"
)

// Bounds of what a file may ask of us: somebody else may have written it.
const (
	maxScryptMemory = 1 << 30 // bytes, 128·N·r
	maxScryptWork   = 1 << 24 // N·r·p
	maxRounds       = 10_000_000
)

// hexBytes is a string of hex digits, with or without 0x.
type hexBytes []byte

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *hexBytes) UnmarshalText(b []byte) error {
	v, err := hex.DecodeString(strings.TrimPrefix(string(b), "0x"))
	if err != nil {
		return ErrFormat
	}
	*h = v
	return nil
}

// addressHex is an address, as these files write it without 0x.
type addressHex [20]byte

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *addressHex) UnmarshalText(b []byte) error {
	var h hexBytes
	if err := h.UnmarshalText(b); err != nil || len(h) != len(a) {
		return ErrFormat
	}
	*a = addressHex(h)
	return nil
}

// keyFile mirrors Web3 Secret Storage, version 3.
type keyFile struct {
	Address *addressHex `json:"address"`
	Version int         `json:"version"`
	Crypto  struct {
		Cipher       string `json:"cipher"`
		CipherParams struct {
			IV hexBytes `json:"iv"`
		} `json:"cipherparams"`
		CipherText hexBytes `json:"ciphertext"`
		KDF        string   `json:"kdf"`
		KDFParams  struct {
			DKLen int      `json:"dklen"`
			Salt  hexBytes `json:"salt"`
			N     int      `json:"n"`
			R     int      `json:"r"`
			P     int      `json:"p"`
			C     int      `json:"c"`
			PRF   string   `json:"prf"`
		} `json:"kdfparams"`
		MAC hexBytes `json:"mac"`
	} `json:"crypto"`
}

// parse checks all that the decryption below takes for granted. It returns [ErrFormat].
func parse(b []byte) (keyFile, error) {
	var k keyFile
	if err := json.Unmarshal(b, &k); err != nil {
		return k, ErrFormat
	}
	c, p := k.Crypto, k.Crypto.KDFParams
	switch {
	case k.Version != 3:
		return k, fmt.Errorf("%w: version %d, want 3", ErrFormat, k.Version)
	case c.Cipher != "aes-128-ctr" || len(c.CipherParams.IV) != 16:
		return k, fmt.Errorf("%w: cipher", ErrFormat)
	case len(c.CipherText) < 30 || len(c.CipherText) > 32 || len(c.MAC) != 32 || p.DKLen != 32 || len(p.Salt) == 0:
		return k, fmt.Errorf("%w: a field has the wrong length", ErrFormat)
	}
	switch c.KDF {
	case "scrypt":
		n, r, q := int64(p.N), int64(p.R), int64(p.P)
		if n < 2 || n&(n-1) != 0 || n > 1<<24 || r < 1 || r > 64 || q < 1 || q > 1024 || 128*n*r > maxScryptMemory || n*r*q > maxScryptWork {
			return k, fmt.Errorf("%w: cost of scrypt out of bounds", ErrFormat)
		}
	case "pbkdf2":
		if p.C < 1 || p.C > maxRounds || p.PRF != "hmac-sha256" {
			return k, fmt.Errorf("%w: cost of pbkdf2 out of bounds", ErrFormat)
		}
	default:
		return k, fmt.Errorf("%w: unknown key derivation", ErrFormat)
	}
	return k, nil
}

// Decrypt opens a Web3 v3 key file's content. It returns [ErrFormat] or
// [ErrPassphrase], wrapped. An address in the file must be the key's.
func Decrypt(file []byte, passphrase secret.Text) (*Key, error) {
	plain, err := DecryptPrivate(file, passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	private, err := crypto.ToECDSA(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: it holds no private key", ErrFormat)
	}
	return &Key{address: crypto.PubkeyToAddress(private.PublicKey), private: private}, nil
}

// DecryptPrivate is [Decrypt] for those who keep keys by themselves: it returns
// the private key's 32 bytes, to be wiped by the caller.
func DecryptPrivate(file []byte, passphrase secret.Text) ([]byte, error) {
	f, err := parse(file)
	if err != nil {
		return nil, err
	}
	plain, err := gethkeystore.DecryptDataV3(f.envelope(), passphrase.Reveal())
	if err != nil {
		return nil, ErrPassphrase
	}
	if short := 32 - len(plain); short > 0 { // old programs left zeros at the front out
		padded := append(make([]byte, short, 32), plain...)
		clear(plain)
		plain = padded
	}
	address, err := addressOf(plain)
	if err != nil {
		clear(plain)
		return nil, fmt.Errorf("%w: it holds no private key", ErrFormat)
	}
	if f.Address != nil && common.Address(*f.Address) != address {
		clear(plain)
		return nil, fmt.Errorf("%w: it holds the key of another address", ErrFormat)
	}
	return plain, nil
}

func addressOf(private []byte) (common.Address, error) {
	k, err := crypto.ToECDSA(private)
	if err != nil {
		return common.Address{}, ErrKey
	}
	return crypto.PubkeyToAddress(k.PublicKey), nil
}

// EncryptPrivate returns a Web3 v3 key file of a private key. It returns
// [ErrKey], or an error for an empty passphrase.
func EncryptPrivate(private []byte, passphrase secret.Text, cost Cost) ([]byte, error) {
	address, err := addressOf(private)
	if err != nil {
		return nil, ErrKey
	}
	if passphrase.Empty() {
		return nil, errors.New("encrypt key: the passphrase is empty")
	}
	box, err := gethkeystore.EncryptDataV3(private, []byte(passphrase.Reveal()), cost.N, cost.P)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	b, err := json.Marshal(map[string]any{"address": hex.EncodeToString(address[:]), "crypto": box, "id": id.String(), "version": 3})
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	return b, nil
}

// envelope returns the encrypted part for go-ethereum, made of checked values
// only: it panics on files that it does not expect.
func (k keyFile) envelope() gethkeystore.CryptoJSON {
	c, p := k.Crypto, k.Crypto.KDFParams
	e := gethkeystore.CryptoJSON{
		Cipher:     c.Cipher,
		CipherText: hex.EncodeToString(c.CipherText),
		KDF:        c.KDF,
		MAC:        hex.EncodeToString(c.MAC),
		KDFParams: map[string]any{
			"salt": hex.EncodeToString(p.Salt), "dklen": p.DKLen,
			"n": p.N, "r": p.R, "p": p.P, "c": p.C, "prf": p.PRF,
		},
	}
	e.CipherParams.IV = hex.EncodeToString(c.CipherParams.IV)
	return e
}
