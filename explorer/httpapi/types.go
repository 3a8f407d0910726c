package httpapi

import (
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

// Status says how far the chain and the index are.
type Status struct {
	ChainID   uint64        `json:"chain_id,string"`
	Genesis   common.Hash   `json:"genesis"`
	Head      uint64        `json:"head"`      // newest block of the index
	NodeHead  uint64        `json:"node_head"` // newest block of the node; 0: it does not answer
	First     uint64        `json:"first"`     // oldest block of the index
	Time      time.Time     `json:"time"`      // of Head
	Txs       uint64        `json:"txs"`
	Failed    uint64        `json:"failed_txs"`
	Events    uint64        `json:"events"`
	GasUsed   uint64        `json:"gas_used"`
	Burned    market.Amount `json:"burned"`
	BlockTime float64       `json:"block_seconds"` // mean of the last hundred blocks
	Version   string        `json:"version"`
}

// Block is a block in a list.
type Block struct {
	Height   uint64         `json:"height"`
	Hash     common.Hash    `json:"hash"`
	Parent   common.Hash    `json:"parent"`
	Time     time.Time      `json:"time"`
	Proposer common.Address `json:"proposer"`
	GasUsed  uint64         `json:"gas_used"`
	GasLimit uint64         `json:"gas_limit"`
	BaseFee  market.Amount  `json:"base_fee"`
	Txs      int            `json:"txs"`
	Events   int            `json:"events"`
}

// BlockDetail is a block with what the node's own calls did in it.
type BlockDetail struct {
	Block
	Validator *common.Address `json:"validator"` // operator of the proposer's key; null if the node does not know it any more
	System    []Event         `json:"system"`
	Round     *int            `json:"round"` // of consensus in which it was decided; null while the node has no commit of it
	Signers   int             `json:"signers"`
	Size      int             `json:"validators"` // how many could sign
}

// Tx is a transaction in a list.
type Tx struct {
	Hash     common.Hash     `json:"hash"`
	Height   uint64          `json:"height"`
	Index    int             `json:"index"`
	Time     time.Time       `json:"time"`
	From     common.Address  `json:"from"`
	To       *common.Address `json:"to"`
	Created  *common.Address `json:"created"`
	Value    market.Amount   `json:"value"`
	Method   string          `json:"method"` // name, or the first four bytes of the data
	OK       bool            `json:"ok"`
	Nonce    uint64          `json:"nonce"`
	GasLimit uint64          `json:"gas_limit"`
	GasUsed  uint64          `json:"gas_used"`
	Fee      market.Amount   `json:"fee"`
	Burned   market.Amount   `json:"burned"`
}

// TxDetail is a transaction with what it called, said and, if it failed, why.
type TxDetail struct {
	Tx
	Call   *Call   `json:"call"`   // null while the node does not have the transaction
	Events []Event `json:"events"` // of the network's contracts
	Logs   []Log   `json:"logs"`   // of other contracts
	Reason string  `json:"reason"` // why it failed
}

// Call is what a transaction called with.
type Call struct {
	Contract string          `json:"contract"` // its name, or empty: one that is not the network's has what name its maker gave it
	Match    string          `json:"match"`    // how its interface is known: network, full, partial, or empty: it is not
	Method   string          `json:"method"`
	Args     json.RawMessage `json:"args"`  // by name, if the method is known
	Bytes    int             `json:"bytes"` // of data
	Data     hexutil.Bytes   `json:"data"`  // of a contract that is not the network's, the beginning
}

// Log is a log of a contract that is not the network's.
type Log struct {
	Address  common.Address  `json:"address"`
	Topics   []common.Hash   `json:"topics"`
	Data     hexutil.Bytes   `json:"data"`     // the beginning
	Contract string          `json:"contract"` // its name, its maker's text, if it is verified
	Match    string          `json:"match"`    // full, partial, or empty
	Event    string          `json:"event"`
	Args     json.RawMessage `json:"args"` // by name, if the event is known
}

// Event is what one of the network's contracts said.
type Event struct {
	Height   uint64          `json:"height"`
	Seq      int             `json:"seq"`
	Time     time.Time       `json:"time"`
	Tx       *common.Hash    `json:"tx"` // null for the node's own calls
	TxIndex  int             `json:"tx_index"`
	Log      int             `json:"log"`
	Call     string          `json:"call"` // the node's call
	Contract string          `json:"contract"`
	Name     string          `json:"name"`
	Args     json.RawMessage `json:"args"`
}

// Page is one page of a list. Next is what to ask for as before; empty: it is the last.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// Address is an account as it stands now.
type Address struct {
	Address     common.Address  `json:"address"`
	Bech32      string          `json:"bech32"`
	Contract    string          `json:"contract"` // name of one of the network's
	Code        bool            `json:"code"`     // it is a contract
	Balance     market.Amount   `json:"balance"`
	Nonce       uint64          `json:"nonce"`
	Waiting     market.Amount   `json:"withdrawable"` // payments that failed and wait for it
	Miner       *Participant    `json:"miner"`
	Coordinator *Participant    `json:"coordinator"`
	Validator   bool            `json:"validator"`
	Operator    *common.Address `json:"operator"` // whose consensus key it is
	Delegations []Delegation    `json:"delegations"`
	Unbonding   []Unbonding     `json:"unbonding"`
}

// Participant is an account's entry in the Registry.
type Participant struct {
	Stake       market.Amount  `json:"stake"`
	Unbonding   market.Amount  `json:"unbonding"`
	Signer      common.Address `json:"signer"`
	Endpoint    string         `json:"endpoint"`
	JailedUntil uint64         `json:"jailed_until"`
}

// Delegation is an account's stake with a validator.
type Delegation struct {
	Operator common.Address `json:"operator"`
	Amount   market.Amount  `json:"amount"`
	Rewards  market.Amount  `json:"rewards"`
}

// Unbonding is stake on its way out.
type Unbonding struct {
	Operator common.Address `json:"operator"`
	Amount   market.Amount  `json:"amount"`
	DueAt    uint64         `json:"due_at"`
}

// Session is a client's deposit with a coordinator.
type Session struct {
	ID          uint64         `json:"id"`
	State       string         `json:"state"`
	Client      common.Address `json:"client"`
	Coordinator common.Address `json:"coordinator"`
	Spender     common.Address `json:"spender"`
	Deposit     market.Amount  `json:"deposit"`
	Debited     market.Amount  `json:"debited"`
	Through     uint64         `json:"through"`
	Expiry      uint64         `json:"expiry"`
	DueAt       uint64         `json:"due_at"`
	FeeBps      uint16         `json:"fee_bps"`
}

// Job is a direct job.
type Job struct {
	ID       uint64         `json:"id"`
	State    string         `json:"state"`
	Client   common.Address `json:"client"`
	Miner    common.Address `json:"miner"`
	Model    common.Hash    `json:"model"`
	Class    common.Hash    `json:"class"`
	Fee      market.Amount  `json:"fee"`
	Price    market.Amount  `json:"price"`
	Bond     market.Amount  `json:"bond"`
	AcceptBy uint64         `json:"accept_by"`
	Deadline uint64         `json:"deadline"`
	DueAt    uint64         `json:"due_at"`
	Receipt  common.Hash    `json:"receipt"`
}

// Validator is a validator with what it signed of the newest blocks.
type Validator struct {
	Operator      common.Address `json:"operator"`
	Consensus     common.Address `json:"consensus"`
	Moniker       string         `json:"moniker"`
	Standing      string         `json:"standing"`
	Power         uint64         `json:"power"`
	Tokens        market.Amount  `json:"tokens"`
	SelfStake     market.Amount  `json:"self_stake"`
	CommissionBps uint16         `json:"commission_bps"`
	Authority     bool           `json:"authority"`
	JailedUntil   uint64         `json:"jailed_until"`
	Missed        uint32         `json:"missed"`
	// Signing has a letter for each of the blocks, the oldest first: s signed, m missed, - was not in the set.
	Signing string `json:"signing"`
	From    uint64 `json:"signing_from"` // height of the first letter
}

// Miner is a miner as the coordinator and the Registry have it.
type Miner struct {
	Miner      common.Address `json:"miner"`
	State      string         `json:"state"`
	Models     []api.Offer    `json:"models"`
	Slots      int            `json:"slots"`
	FreeSlots  int            `json:"free_slots"`
	Completed  uint64         `json:"completed"`
	Reputation uint32         `json:"reputation"`
	LastSeen   int64          `json:"last_seen"`
	Stake      market.Amount  `json:"stake"`
	Jailed     uint64         `json:"jailed_until"`
	Earned     market.Amount  `json:"earned"` // settled by the coordinator so far
}

// Proposal is a proposal of the Governor and how it stands.
type Proposal struct {
	Number      uint64         `json:"number"`
	ID          string         `json:"id"`
	State       string         `json:"state"`
	Proposer    common.Address `json:"proposer"`
	Description string         `json:"description"`
	Actions     []string       `json:"actions"`
	VoteStart   uint64         `json:"vote_start"`
	VoteEnd     uint64         `json:"vote_end"`
	For         market.Amount  `json:"for"`
	Against     market.Amount  `json:"against"`
	Abstain     market.Amount  `json:"abstain"`
	Quorum      market.Amount  `json:"quorum"`
	ETA         uint64         `json:"eta"`
}

// Supply is how many coins there are, and what holds many of them.
type Supply struct {
	Height    uint64        `json:"height"`
	Genesis   market.Amount `json:"genesis"`
	Issued    market.Amount `json:"issued"`
	Burned    market.Amount `json:"burned"`
	Total     market.Amount `json:"total"` // Genesis + Issued − Burned
	Whole     bool          `json:"whole"` // the index has every block, so Burned and Total are of all; coins that a contract destroyed with itself are in neither
	Bonded    market.Amount `json:"bonded"`
	Unbonding market.Amount `json:"unbonding"`
	Market    market.Amount `json:"market"` // in sessions, jobs and accounts
	Treasury  market.Amount `json:"treasury"`
}

// Parameter is a parameter of a contract.
type Parameter struct {
	Contract string `json:"contract"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Value    string `json:"value"`
}

// Found is one thing that a search found.
type Found struct {
	Kind string `json:"kind"` // block, transaction, address, session, job, receipt, validator, miner or proposal
	ID   string `json:"id"`
	Path string `json:"path"` // of its page
	Text string `json:"text"`
}

// Results are what a search found, the likeliest first.
type Results struct {
	Items []Found `json:"items"`
}

// Tick is a message of the live head.
type Tick struct {
	Block
	Status Status `json:"status"`
}

// TokenFacts is what a token says of itself: a stranger's text, which may be untrue.
type TokenFacts struct {
	Token    common.Address `json:"token"`
	Name     string         `json:"name"`
	Symbol   string         `json:"symbol"`
	Decimals *int           `json:"decimals"` // null: it does not say
}

// Token is an ERC-20 token.
type Token struct {
	TokenFacts
	Total string `json:"total_supply"` // in its smallest unit
}

// Holding is what an account has of a token.
type Holding struct {
	TokenFacts
	Balance *string `json:"balance"` // in its smallest unit; null: it does not say
}

// Waiting is a transaction that is in no block yet.
type Waiting struct {
	Hash     common.Hash     `json:"hash"`
	From     common.Address  `json:"from"`
	To       *common.Address `json:"to"`
	Value    market.Amount   `json:"value"`
	Nonce    uint64          `json:"nonce"`
	Method   string          `json:"method"`
	GasLimit uint64          `json:"gas_limit"`
	FeeCap   market.Amount   `json:"fee_cap"` // per gas
	Tip      market.Amount   `json:"tip"`     // per gas
	Ready    bool            `json:"ready"`   // false: an earlier one of its sender's is missing
}

// Consensus is where a node is in deciding the next block.
type Consensus struct {
	Height uint64    `json:"height"` // that is being decided
	Round  int       `json:"round"`
	Step   string    `json:"step"`
	Since  time.Time `json:"since"`
	Ready  int       `json:"ready"`  // transactions that can be in the next block
	Queued int       `json:"queued"` // that wait for an earlier one of their sender's
	Peers  int       `json:"peers"`
}

// Peer is a node that the explorer's node is connected to.
type Peer struct {
	ID       string `json:"id"`
	Moniker  string `json:"moniker"`
	Version  string `json:"version"`
	Outbound bool   `json:"outbound"`
}

// Contract is a contract whose source was shown.
type Contract struct {
	Address  common.Address `json:"address"`
	Name     string         `json:"name"`  // its maker's text
	Path     string         `json:"path"`  // of its file, its maker's text
	Match    string         `json:"match"` // full: these very files; partial: the same code; network: the program knows it; empty: not verified
	Compiler string         `json:"compiler"`
	Time     *time.Time     `json:"time"` // when it was verified
}

// ContractDetail is all that is known of a contract.
type ContractDetail struct {
	Contract
	Bytes          int             `json:"code_bytes"`
	Hash           common.Hash     `json:"code_hash"`
	ABI            json.RawMessage `json:"abi"` // null: not known
	Sources        []Source        `json:"sources"`
	Settings       json.RawMessage `json:"settings"`          // of the compiler
	Created        bool            `json:"creation_compared"` // the code that made it is the source's too
	Arguments      *hexutil.Bytes  `json:"constructor_arguments"`
	Args           json.RawMessage `json:"constructor"` // the arguments by name
	Libraries      []Library       `json:"libraries"`
	Implementation *Implementation `json:"implementation"` // of a proxy as EIP-1967 says
}

// Source is a file that a contract was compiled from.
type Source struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// Library is a contract whose code another one runs.
type Library struct {
	Name    string         `json:"name"`
	Address common.Address `json:"address"`
}

// Implementation is the contract that a proxy hands calls to.
type Implementation struct {
	Address common.Address  `json:"address"`
	Name    string          `json:"name"`
	Match   string          `json:"match"`
	ABI     json.RawMessage `json:"abi"` // null: not known, or that of the proxy
}

// VerifyRequest is what a contract is said to be made from.
type VerifyRequest struct {
	Input     json.RawMessage `json:"input"`                           // Solidity's standard JSON
	Contract  string          `json:"contract"`                        // PATH:Name
	Compiler  string          `json:"compiler,omitempty"`              // version; empty: the one that the code names
	Arguments *hexutil.Bytes  `json:"constructor_arguments,omitempty"` // of the constructor; without: whatever they were
}

// Compilers are the versions of the compiler that there are.
type Compilers struct {
	Versions []string `json:"versions"` // newest first; none: nothing can be verified here
}
