package predeploy

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// The events of direct jobs.
type (
	// JobCreated says that a job was ordered and its fee locked. Key is what
	// receipts name it by. Document is empty, or what the job's Spec is the hash of.
	JobCreated struct {
		Position
		Job      uint64
		Client   common.Address
		Model    common.Hash
		Key      common.Hash
		Fee      market.Amount
		Bond     market.Amount
		AcceptBy uint64
		Deadline uint64
		Miners   []common.Address
		Document []byte
	}
	// JobAccepted says that a miner locked its bond; its result is due at DueAt.
	JobAccepted struct {
		Position
		Job   uint64
		Miner common.Address
		Bond  market.Amount
		DueAt uint64
	}
	// JobSubmitted says that a miner committed to a result. R and VS are its
	// signing key's compact signature of the receipt.
	JobSubmitted struct {
		Position
		Job      uint64
		Miner    common.Address
		Receipt  common.Hash // digest of Signed
		Delivery common.Hash
		DueAt    uint64
		R        common.Hash
		Vs       common.Hash
		Signed   receipt.Receipt
	}
	// JobChallenged says that a client was not given the output, by its word.
	JobChallenged struct {
		Position
		Job   uint64
		DueAt uint64
	}
	// JobDelivered holds the output that a miner posted.
	JobDelivered struct {
		Position
		Job    uint64
		Output []byte
	}
	// JobCalledBack says whether the client, a contract, took the output.
	JobCalledBack struct {
		Position
		Job    uint64
		Client common.Address
		Ok     bool
	}
	// JobClosed says how a job ended, and who got what; the amounts hold the bonds.
	JobClosed struct {
		Position
		Job      uint64
		Client   common.Address
		Miner    common.Address
		Outcome  JobOutcome
		ToClient market.Amount
		ToMiner  market.Amount
		Fee      market.Amount
	}
)
