package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrCommit reports a header that the given validators did not sign.
var ErrCommit = errors.New("block is not signed by its validators")

// keyField is the number of secp256k1eth in CometBFT's PublicKey message.
const keyField = 5

// maxPower is CometBFT's bound on the sum of powers; it keeps 3·power in 64 bits.
const maxPower = (1<<63 - 1) / 8

// Address returns the Ethereum address of the validator's key.
func (v Validator) Address() (common.Address, error) {
	if len(v.Key) != 33 {
		return common.Address{}, fmt.Errorf("%w: a key of %d bytes", ErrFormat, len(v.Key))
	}
	pub, err := crypto.DecompressPubkey(v.Key)
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return crypto.PubkeyToAddress(*pub), nil
}

// merkle is the RFC 6962 tree over SHA-256.
func merkle(items [][]byte) [32]byte {
	switch n := len(items); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, items[0]...))
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		l, r := merkle(items[:k]), merkle(items[k:])
		return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
	}
}

// Hash returns the header's hash, which validators sign.
func (h *Header) Hash() [32]byte {
	wrap := func(b []byte) []byte { return enc(nil).bytes(1, b) }
	return merkle([][]byte{
		enc(nil).varint(1, h.Block).varint(2, h.App),
		wrap([]byte(h.ChainID)),
		enc(nil).varint(1, h.Height),
		h.Time.encode(),
		h.LastBlockID.encode(),
		wrap(h.LastCommitHash), wrap(h.DataHash), wrap(h.ValidatorsHash), wrap(h.NextValidatorsHash), wrap(h.ConsensusHash),
		wrap(h.AppHash), wrap(h.LastResultsHash), wrap(h.EvidenceHash), wrap(h.ProposerAddress),
	})
}

// ValidatorsHash returns the hash of a set in its order.
func ValidatorsHash(set []Validator) [32]byte {
	items := make([][]byte, len(set))
	for i, v := range set {
		items[i] = enc(nil).message(1, enc(nil).bytes(keyField, v.Key)).varint(2, v.Power)
	}
	return merkle(items)
}

// SignBytes returns what the validator of a vote for the commit's block signed.
func (c *Commit) SignBytes(v Vote, chainID string) []byte {
	parts := enc(nil).varint(1, c.BlockID.PartTotal).bytes(2, c.BlockID.PartHash)
	id := enc(nil).bytes(1, c.BlockID.Hash).message(2, parts)
	body := enc(nil).varint(1, 2).fixed64(2, c.Height).fixed64(3, c.Round).message(4, id).message(5, v.Time.encode()).bytes(6, []byte(chainID))
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

// Verify returns nil if validators with more than two thirds of the set's power
// signed the header on the chain, and the set is the one that the header names.
func Verify(chainID string, h *Header, c *Commit, set []Validator) error {
	hash, setHash := h.Hash(), ValidatorsHash(set)
	switch {
	case h.ChainID != chainID:
		return fmt.Errorf("%w: it is of chain %q, not %q", ErrCommit, h.ChainID, chainID)
	case !bytes.Equal(setHash[:], h.ValidatorsHash):
		return fmt.Errorf("%w: the header names another validator set", ErrCommit)
	case c.Height != h.Height || !bytes.Equal(c.BlockID.Hash, hash[:]):
		return fmt.Errorf("%w: the commit is for another block", ErrCommit)
	case len(c.Votes) != len(set):
		return fmt.Errorf("%w: %d votes for %d validators", ErrCommit, len(c.Votes), len(set))
	}
	var total, signed uint64
	for i, val := range set {
		if val.Power == 0 || val.Power > maxPower || total+val.Power > maxPower {
			return fmt.Errorf("%w: voting power out of range", ErrCommit)
		}
		total += val.Power
		v := c.Votes[i]
		if v.Flag != FlagCommit {
			continue
		}
		if err := checkVote(c.SignBytes(v, chainID), v, val); err != nil {
			return fmt.Errorf("%w: vote %d: %w", ErrCommit, i, err)
		}
		signed += val.Power
	}
	if 3*signed <= 2*total {
		return fmt.Errorf("%w: %d of %d power signed", ErrCommit, signed, total)
	}
	return nil
}

// Carries reports whether validators with more than two thirds of a trusted
// set's power signed a commit that [Verify] accepted with a later set: whoever
// trusts the one may trust the other, whatever changed in between. Forging it
// takes the same keys as forging a block of the trusted set.
func Carries(trusted []Validator, c *Commit, set []Validator) bool {
	signed := make(map[string]bool, len(set))
	for i, v := range set {
		if i < len(c.Votes) && c.Votes[i].Flag == FlagCommit {
			signed[string(v.Key)] = true
		}
	}
	var total, carried uint64
	for _, v := range trusted {
		if v.Power > maxPower || total+v.Power > maxPower {
			return false
		}
		total += v.Power
		if signed[string(v.Key)] {
			carried += v.Power
		}
	}
	return total > 0 && 3*carried > 2*total
}

func checkVote(msg []byte, v Vote, val Validator) error {
	addr, err := val.Address()
	if err != nil {
		return err
	}
	if !bytes.Equal(v.Address, addr[:]) {
		return errors.New("by another validator")
	}
	if len(v.Signature) != 65 || v.Signature[64] > 1 ||
		!crypto.ValidateSignatureValues(v.Signature[64], new(big.Int).SetBytes(v.Signature[:32]), new(big.Int).SetBytes(v.Signature[32:64]), true) {
		return errors.New("malformed signature")
	}
	pub, err := crypto.SigToPub(crypto.Keccak256(msg), v.Signature)
	if err != nil || crypto.PubkeyToAddress(*pub) != addr {
		return errors.New("signature does not verify")
	}
	return nil
}
