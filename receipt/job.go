package receipt

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/market"
)

// DirectJob is a job that was ordered on the chain, without a coordinator.
// Nobody signs it: the client's transaction is the order. Its digest stands in
// receipts where that of an [Order] stands otherwise.
type DirectJob struct {
	Job         uint64         `json:"job"` // number on the chain, from 1
	Client      common.Address `json:"client"`
	Spec        common.Hash    `json:"spec"`   // keccak256 of the document that says what to do
	Model       common.Hash    `json:"model"`  // digest of the weights, zero for none
	Class       common.Hash    `json:"class"`  // equivalence class, zero for any
	SealTo      common.Hash    `json:"sealTo"` // X25519 key that the output is sealed to, zero for an open output
	Miners      common.Hash    `json:"miners"` // hash of the accepted miners, zero for any
	Level       uint8          `json:"level"`
	Fee         market.Amount  `json:"fee"`      // most that may be charged
	AcceptBy    uint64         `json:"acceptBy"` // seconds since 1970
	Deadline    uint64         `json:"deadline"` // seconds since 1970
	CallbackGas uint32         `json:"callbackGas"`
}

var directJobType = crypto.Keccak256Hash([]byte("DirectJob(uint64 job,address client,bytes32 spec,bytes32 model,bytes32 class,bytes32 sealTo,bytes32 miners,uint8 level,uint128 fee,uint64 acceptBy,uint64 deadline,uint32 callbackGas)"))

// StructHash implements [Typed].
func (j DirectJob) StructHash() common.Hash {
	return crypto.Keccak256Hash(words(nil).hash(directJobType).uint(j.Job).address(j.Client).hash(j.Spec).hash(j.Model).
		hash(j.Class).hash(j.SealTo).hash(j.Miners).uint(uint64(j.Level)).amount(j.Fee).uint(j.AcceptBy).uint(j.Deadline).
		uint(uint64(j.CallbackGas)))
}

// JobOutput commits to the output of a direct job: one leaf, which holds all of it.
func JobOutput(salt Salt, output []byte) common.Hash {
	o := NewOutput(salt)
	o.Text(string(output))
	return o.Root()
}
