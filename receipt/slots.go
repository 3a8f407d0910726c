package receipt

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Roles of signing keys in the Registry.
const (
	RoleMiner       = 1
	RoleCoordinator = 2
)

var (
	registryBase = namespace("aitbc.storage.Registry")
	marketBase   = namespace("aitbc.storage.Market")
)

// namespace returns the storage base of ERC-7201.
func namespace(name string) common.Hash {
	n := new(big.Int).SetBytes(crypto.Keccak256([]byte(name)))
	h := crypto.Keccak256Hash(words(nil).hash(common.BigToHash(n.Sub(n, big.NewInt(1)))))
	h[31] = 0
	return h
}

// SignerSlot returns the storage key of the Registry's binding of a signing key.
func SignerSlot(signer common.Address) common.Hash {
	return crypto.Keccak256Hash(words(nil).address(signer).hash(registryBase))
}

// binding is what [SignerSlot] holds for a key of the account in the role.
func binding(role byte, account common.Address) common.Hash {
	var h common.Hash
	h[11] = role
	copy(h[12:], account[:])
	return h
}

// SessionSlots returns the storage keys of a session's client, coordinator and
// spender in the Market.
func SessionSlots(session uint64) (client, coordinator, spender common.Hash) {
	base := crypto.Keccak256Hash(words(nil).uint(session).hash(marketBase)).Big()
	at := func(i int64) common.Hash { return common.BigToHash(new(big.Int).Add(base, big.NewInt(i))) }
	return at(0), at(1), at(2)
}
