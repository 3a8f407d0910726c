package valset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Validator is a consensus key and its power. Power 0 in a change means that the validator leaves.
type Validator struct {
	X, Y  common.Hash
	Power uint64
}

// Address is that of the key, in Ethereum and in CometBFT.
func (v Validator) Address() common.Address {
	return common.BytesToAddress(crypto.Keccak256(v.X[:], v.Y[:])[12:])
}

// Compressed is the public key as CometBFT has it: 33 bytes.
func (v Validator) Compressed() []byte {
	return append([]byte{2 + v.Y[len(v.Y)-1]&1}, v.X[:]...)
}

// FromCompressed reads a public key of 33 bytes.
func FromCompressed(key []byte, power uint64) (Validator, error) {
	pub, err := crypto.DecompressPubkey(key)
	if err != nil {
		return Validator{}, fmt.Errorf("consensus key: %w", err)
	}
	raw := crypto.FromECDSAPub(pub) // 4, x, y
	return Validator{X: common.Hash(raw[1:33]), Y: common.Hash(raw[33:]), Power: power}, nil
}

// Bounds of a set. CometBFT allows a total of 2^60, and needs room for its proposer priorities.
const (
	MaxValidators = 200 // twice what may be elected: who leaves may have to wait
	MaxPower      = 1 << 52
)

// ErrSet refuses a set that CometBFT could not work with.
var ErrSet = errors.New("validator set refused")

// Check refuses an empty or too large set, a power that is zero or too great, a key twice, and what is no key.
func Check(set []Validator) error {
	if len(set) == 0 || len(set) > MaxValidators {
		return fmt.Errorf("%w: %d validators, between 1 and %d are allowed", ErrSet, len(set), MaxValidators)
	}
	seen := map[common.Address]bool{}
	for i, v := range set {
		a := v.Address()
		switch {
		case v.Power == 0 || v.Power > MaxPower:
			return fmt.Errorf("%w: power %d of %v is not between 1 and %d", ErrSet, v.Power, a, uint64(MaxPower))
		case seen[a]:
			return fmt.Errorf("%w: %v is in it twice", ErrSet, a)
		case !crypto.S256().IsOnCurve(new(big.Int).SetBytes(v.X[:]), new(big.Int).SetBytes(v.Y[:])):
			return fmt.Errorf("%w: key %d is no point of the curve", ErrSet, i)
		}
		seen[a] = true
	}
	return nil
}

// Diff is what turns one set into another, ordered by address.
func Diff(have, want []Validator) []Validator {
	left := make(map[common.Address]Validator, len(have))
	for _, v := range have {
		left[v.Address()] = v
	}
	var out []Validator
	for _, v := range want {
		a := v.Address()
		if old, ok := left[a]; !ok || old.Power != v.Power {
			out = append(out, v)
		}
		delete(left, a)
	}
	for _, v := range left {
		v.Power = 0
		out = append(out, v)
	}
	Sort(out)
	return out
}

// Sort orders by address.
func Sort(set []Validator) {
	slices.SortFunc(set, func(a, b Validator) int {
		x, y := a.Address(), b.Address()
		return bytes.Compare(x[:], y[:])
	})
}

// Account is where the set is kept. Its code can never run.
var (
	Account = common.HexToAddress("0x000000000000000000000000000000000000A1F0")
	Code    = []byte{0xfe}
)

// Reader and Writer are what Read and Write need of a state.
type (
	Reader interface {
		GetState(common.Address, common.Hash) common.Hash
	}
	Writer interface {
		Reader
		SetState(common.Address, common.Hash, common.Hash) common.Hash
	}
)

// slot i of validator n is 1 + 3n + i; slot 0 holds how many there are.
func slot(n, i int) common.Hash {
	return common.BigToHash(big.NewInt(int64(1 + 3*n + i)))
}

func word(n uint64) common.Hash {
	var h common.Hash
	binary.BigEndian.PutUint64(h[24:], n)
	return h
}

// Read returns the set, in the order in which it was written.
func Read(db Reader) []Validator {
	n := binary.BigEndian.Uint64(bytes24(db.GetState(Account, common.Hash{})))
	out := make([]Validator, 0, min(n, MaxValidators))
	for i := range int(min(n, MaxValidators)) {
		out = append(out, Validator{
			X: db.GetState(Account, slot(i, 0)), Y: db.GetState(Account, slot(i, 1)),
			Power: binary.BigEndian.Uint64(bytes24(db.GetState(Account, slot(i, 2)))),
		})
	}
	return out
}

func bytes24(h common.Hash) []byte { return h[24:] }

// Write replaces the set, and clears what a longer one before it left.
func Write(db Writer, set []Validator) {
	before := len(Read(db))
	db.SetState(Account, common.Hash{}, word(uint64(len(set))))
	for i := range max(before, len(set)) {
		var v Validator
		if i < len(set) {
			v = set[i]
		}
		db.SetState(Account, slot(i, 0), v.X)
		db.SetState(Account, slot(i, 1), v.Y)
		db.SetState(Account, slot(i, 2), word(v.Power))
	}
}

// Storage is the account's storage for a first set.
func Storage(set []Validator) map[common.Hash]common.Hash {
	m := memory{}
	Write(m, set)
	return m
}

type memory map[common.Hash]common.Hash

func (m memory) GetState(_ common.Address, k common.Hash) common.Hash { return m[k] }

func (m memory) SetState(_ common.Address, k, v common.Hash) common.Hash {
	old := m[k]
	if v == (common.Hash{}) {
		delete(m, k)
	} else {
		m[k] = v
	}
	return old
}
