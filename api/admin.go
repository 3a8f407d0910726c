package api

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// AdminAccounts is the answer to GET /v1/admin/accounts.
type AdminAccounts struct {
	Accounts []AdminAccount `json:"accounts"`
}

// AdminAccount is what an account has in its sessions, together.
type AdminAccount struct {
	Account      common.Address `json:"account"`
	Sessions     int            `json:"sessions"`
	OpenSessions int            `json:"open_sessions"`
	Deposit      market.Amount  `json:"deposit"`
	Reserved     market.Amount  `json:"reserved"`
	Charged      market.Amount  `json:"charged"`
}

// AdminMiners is the answer to GET /v1/admin/miners.
type AdminMiners struct {
	Miners []AdminMiner `json:"miners"`
}

// AdminMiner is a miner with its account, and what the operator decided about it.
type AdminMiner struct {
	Miner

	Signer   common.Address `json:"signer"`
	Hold     string         `json:"hold"` // none, drain or block
	Earned   market.Amount  `json:"earned"`
	Settled  market.Amount  `json:"settled"`
	Credited market.Amount  `json:"credited"`
}

// HoldRequest is the body of POST /v1/admin/miners/{miner}/hold.
type HoldRequest struct {
	Hold string `json:"hold"` // none, drain or block
}

// AdminJobs is the answer to GET /v1/admin/jobs.
type AdminJobs struct {
	Jobs []AdminJob `json:"jobs"`
}

// AdminJob is a job without its content.
type AdminJob struct {
	Job

	Client  common.Address `json:"client"`
	Session uint64         `json:"session"`
	Number  uint64         `json:"number"`
}

// AdminLedger is the answer to GET /v1/admin/ledger: the books, added up.
type AdminLedger struct {
	Sessions     int           `json:"sessions"`
	OpenSessions int           `json:"open_sessions"`
	Deposit      market.Amount `json:"deposit"`
	Reserved     market.Amount `json:"reserved"`
	Charged      market.Amount `json:"charged"`
	Vouched      market.Amount `json:"vouched"` // by vouchers in batches
	Settled      market.Amount `json:"settled"` // of it, by the chain
	Unsettled    market.Amount `json:"unsettled"`
	Miners       int           `json:"miners"`
	Earned       market.Amount `json:"earned"`   // by miners, here
	Credited     market.Amount `json:"credited"` // of it, by the chain
	Owed         market.Amount `json:"owed"`
	OpenBatches  int           `json:"open_batches"`
}
