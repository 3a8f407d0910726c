package hd

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Hardened is added to an index whose child cannot be derived from public keys.
const Hardened = 1 << 31

var (
	// ErrPath reports a derivation path that is not one.
	ErrPath = errors.New("not a derivation path such as m/44'/60'/0'/0/0")
	// ErrKey reports bytes that are no private key.
	ErrKey = errors.New("not a private key: it is zero or too large")
	// ErrSeed reports a seed of fewer than 16 or more than 64 bytes.
	ErrSeed = errors.New("a seed has 16 to 64 bytes")
)

// A Path leads from a seed to a key.
type Path []uint32

// Account returns the path of the n-th account of a wallet, as BIP-44 and
// Ethereum's wallets have it: m/44'/60'/0'/0/n.
func Account(n uint32) Path { return Path{44 + Hardened, 60 + Hardened, Hardened, 0, n} }

// String writes the path as m/44'/60'/0'/0/0.
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('m')
	for _, n := range p {
		b.WriteString("/" + strconv.FormatUint(uint64(n&^Hardened), 10))
		if n&Hardened != 0 {
			b.WriteByte('\'')
		}
	}
	return b.String()
}

// ParsePath reads what [Path.String] writes, of at most ten steps. It returns [ErrPath].
func ParsePath(s string) (Path, error) {
	parts := strings.Split(s, "/")
	if parts[0] != "m" || len(parts) > 11 {
		return nil, ErrPath
	}
	p := Path{}
	for _, part := range parts[1:] {
		digits, hardened := strings.CutSuffix(part, "'")
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || digits != strconv.FormatUint(n, 10) {
			return nil, ErrPath
		}
		if hardened {
			n += Hardened
		}
		p = append(p, uint32(n))
	}
	return p, nil
}

// node is a private key of BIP-32 with its chain code.
type node struct {
	key   secp256k1.ModNScalar
	chain [32]byte
}

func (n *node) wipe() {
	n.key.Zero()
	clear(n.chain[:])
}

// master makes the first node of a seed.
func master(seed []byte) (*node, error) {
	if len(seed) < 16 || len(seed) > 64 {
		return nil, ErrSeed
	}
	h := hmac.New(sha512.New, []byte("Bitcoin seed"))
	h.Write(seed)
	sum := h.Sum(nil)
	defer clear(sum)
	n := new(node)
	if n.key.SetByteSlice(sum[:32]) || n.key.IsZero() {
		return nil, ErrKey
	}
	copy(n.chain[:], sum[32:])
	return n, nil
}

// child replaces the node by its i-th child.
func (n *node) child(i uint32) error {
	var data [37]byte
	defer clear(data[:])
	if i >= Hardened {
		n.key.PutBytesUnchecked(data[1:33])
	} else {
		key := secp256k1.NewPrivateKey(&n.key)
		copy(data[:33], key.PubKey().SerializeCompressed())
		key.Zero()
	}
	binary.BigEndian.PutUint32(data[33:], i)
	h := hmac.New(sha512.New, n.chain[:])
	h.Write(data[:])
	sum := h.Sum(nil)
	defer clear(sum)
	var add secp256k1.ModNScalar
	defer add.Zero()
	if add.SetByteSlice(sum[:32]) || n.key.Add(&add).IsZero() {
		return ErrKey // with probability 2^-127
	}
	copy(n.chain[:], sum[32:])
	return nil
}

// Derive returns the private key, 32 bytes, at a path below a seed. It returns
// [ErrSeed] or [ErrKey].
func Derive(seed []byte, p Path) ([]byte, error) {
	n, err := master(seed)
	if err != nil {
		return nil, err
	}
	defer n.wipe()
	for _, i := range p {
		if err := n.child(i); err != nil {
			return nil, fmt.Errorf("derive %s: %w", p, err)
		}
	}
	out := make([]byte, 32)
	n.key.PutBytesUnchecked(out)
	return out, nil
}

// private reads a private key, to be wiped with Zero.
func private(key []byte) (*secp256k1.PrivateKey, error) {
	var k secp256k1.PrivateKey
	if len(key) != 32 || k.Key.SetByteSlice(key) || k.Key.IsZero() {
		k.Zero()
		return nil, ErrKey
	}
	return &k, nil
}

// Address returns the account of a private key, or [ErrKey].
func Address(key []byte) (common.Address, error) {
	k, err := private(key)
	if err != nil {
		return common.Address{}, err
	}
	defer k.Zero()
	pub := k.PubKey().SerializeUncompressed()
	return common.BytesToAddress(crypto.Keccak256(pub[1:])[12:]), nil
}

// Sign returns r‖s‖v with v 0 or 1 over a digest, or [ErrKey]. The same digest
// has the same signature always (RFC 6979).
func Sign(key []byte, digest common.Hash) ([]byte, error) {
	k, err := private(key)
	if err != nil {
		return nil, err
	}
	defer k.Zero()
	c := ecdsa.SignCompact(k, digest[:], false)
	return append(c[1:], c[0]-27), nil
}
