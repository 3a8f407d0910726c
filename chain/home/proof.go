package home

import (
	"fmt"

	"github.com/aitbc/aitbc/receipt"
	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// PublicKey is the consensus key's point, as Staking wants it.
type PublicKey struct {
	X common.Hash `json:"x"`
	Y common.Hash `json:"y"`
}

// PublicKey is the point of the consensus key.
func (k Keys) PublicKey() (PublicKey, error) {
	pub, err := k.Consensus.GetPubKey()
	if err != nil {
		return PublicKey{}, fmt.Errorf("consensus key: %w", err)
	}
	point, err := crypto.DecompressPubkey(pub.Bytes())
	if err != nil {
		return PublicKey{}, fmt.Errorf("consensus key: %w", err)
	}
	raw := crypto.FromECDSAPub(point) // 4, x, y
	return PublicKey{X: common.BytesToHash(raw[1:33]), Y: common.BytesToHash(raw[33:])}, nil
}

// Possession is what the operator of a validator hands to Staking.createValidator.
type Possession struct {
	Operator common.Address `json:"operator"`
	PublicKey
	Digest common.Hash   `json:"digest"`
	Proof  hexutil.Bytes `json:"proof"`
}

// validatorKey is the typed data by which a consensus key says whose it is.
type validatorKey struct {
	operator common.Address
	PublicKey
}

// StructHash implements receipt.Typed.
func (v validatorKey) StructHash() common.Hash {
	kind := crypto.Keccak256([]byte("ValidatorKey(address operator,bytes32 x,bytes32 y)"))
	return crypto.Keccak256Hash(kind, common.LeftPadBytes(v.operator[:], 32), v.X[:], v.Y[:])
}

// Prove has the consensus key sign that it is the operator's, for the Staking contract of one chain. It signs nothing
// that others have hashed: that could be a vote.
func (k Keys) Prove(chainID uint64, staking, operator common.Address) (*Possession, error) {
	pub, err := k.PublicKey()
	if err != nil {
		return nil, err
	}
	secret, ok := k.Consensus.Key.PrivKey.(secp256k1eth.PrivKey)
	if !ok {
		return nil, fmt.Errorf("consensus key: not of type %s", secp256k1eth.KeyType)
	}
	key, err := crypto.ToECDSA(secret)
	if err != nil {
		return nil, fmt.Errorf("consensus key: %w", err)
	}
	domain := receipt.Domain{ChainID: chainID, Market: staking} // of the same name and version as all of AITBC's
	digest := receipt.Digest(domain, validatorKey{operator, pub})
	sig, err := crypto.Sign(digest[:], key)
	if err != nil {
		return nil, fmt.Errorf("sign the proof: %w", err)
	}
	sig[64] += 27
	return &Possession{Operator: operator, PublicKey: pub, Digest: digest, Proof: sig}, nil
}
