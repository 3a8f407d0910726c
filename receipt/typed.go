package receipt

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/market"
)

// Domain is the EIP-712 domain {AITBC, 1, chainId, Market}: what is signed for
// one network means nothing on another.
type Domain struct {
	ChainID uint64
	Market  common.Address
}

// words builds the ABI encoding of static values, 32 bytes each.
type words []byte

// room returns no words, with room for n.
func room(n int) words { return make(words, 0, 32*n) }

func (w words) hash(h common.Hash) words { return append(w, h[:]...) }
func (w words) address(a common.Address) words {
	return append(append(w, make([]byte, 12)...), a[:]...)
}

func (w words) uint(n uint64) words {
	return binary.BigEndian.AppendUint64(append(w, make([]byte, 24)...), n)
}

func (w words) amount(a market.Amount) words {
	b := a.Bytes16()
	return append(append(w, make([]byte, 16)...), b[:]...)
}

var (
	domainType = crypto.Keccak256Hash([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	nameHash   = crypto.Keccak256Hash([]byte("AITBC"))
	versHash   = crypto.Keccak256Hash([]byte("1"))
)

// lately is the domain of which a separator was computed last. A process mostly has
// one, and signs and verifies in it all the time.
var lately atomic.Pointer[struct {
	domain    Domain
	separator common.Hash
}]

// Separator returns the domain separator of EIP-712.
func (d Domain) Separator() common.Hash {
	if l := lately.Load(); l != nil && l.domain == d {
		return l.separator
	}
	l := &struct {
		domain    Domain
		separator common.Hash
	}{d, d.separator()}
	lately.Store(l)
	return l.separator
}

func (d Domain) separator() common.Hash {
	return crypto.Keccak256Hash(room(5).hash(domainType).hash(nameHash).hash(versHash).uint(d.ChainID).address(d.Market))
}

// ReceiptID returns the id of the receipt of a job: keccak256(abi.encode(chain id, job id)).
func (d Domain) ReceiptID(job common.Hash) common.Hash {
	return crypto.Keccak256Hash(room(2).uint(d.ChainID).hash(job))
}

// Typed is an object of the protocol that can be signed.
type Typed interface {
	// StructHash returns hashStruct of EIP-712.
	StructHash() common.Hash
}

// Digest returns the 32 bytes that are signed for t in domain d.
func Digest(d Domain, t Typed) common.Hash {
	sep, h := d.Separator(), t.StructHash()
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, sep[:], h[:])
}

// Order is a client's authority to charge for one job, signed by the session's
// spender key. Its digest is the job's id.
type Order struct {
	Session  uint64        `json:"session"`  // on-chain session
	Number   uint64        `json:"number"`   // rises by one within a session, from 1
	Model    common.Hash   `json:"model"`    // digest of the weights
	Class    common.Hash   `json:"class"`    // equivalence class, zero for any
	Input    common.Hash   `json:"input"`    // commitment to the request bytes
	Miners   common.Hash   `json:"miners"`   // hash of the accepted miners, zero for any
	MaxPrice market.Amount `json:"maxPrice"` // most that may be charged
	Deadline uint64        `json:"deadline"` // seconds since 1970
}

var orderType = crypto.Keccak256Hash([]byte("Order(uint64 session,uint64 number,bytes32 model,bytes32 class,bytes32 input,bytes32 miners,uint128 maxPrice,uint64 deadline)"))

// StructHash implements [Typed].
func (o Order) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(9).hash(orderType).uint(o.Session).uint(o.Number).hash(o.Model).hash(o.Class).
		hash(o.Input).hash(o.Miners).amount(o.MaxPrice).uint(o.Deadline))
}

// Version is the only version of [Receipt] there is.
const Version = 1

// Receipt says what ran, on which input, with which output, for how much. It is
// signed by the miner and countersigned by the coordinator.
type Receipt struct {
	Version          uint8          `json:"version"`
	Order            common.Hash    `json:"order"` // job id
	Session          uint64         `json:"session"`
	Client           common.Address `json:"client"`
	Coordinator      common.Address `json:"coordinator"`
	Miner            common.Address `json:"miner"`
	Model            common.Hash    `json:"model"`
	Class            common.Hash    `json:"class"`
	Output           common.Hash    `json:"output"` // Merkle root of the output leaves
	PromptTokens     uint64         `json:"promptTokens"`
	CompletionTokens uint64         `json:"completionTokens"`
	ComputeMillis    uint64         `json:"computeMillis"`
	Items            uint64         `json:"items"`          // texts to embed, or 1
	PromptRate       market.Amount  `json:"promptRate"`     // base units per 10^6 tokens
	CompletionRate   market.Amount  `json:"completionRate"` // base units per 10^6 tokens
	SecondRate       market.Amount  `json:"secondRate"`     // base units per second of ComputeMillis
	ItemRate         market.Amount  `json:"itemRate"`       // base units per item
	Price            market.Amount  `json:"price"`
	TemperatureMilli uint32         `json:"temperatureMilli"`
	TopPMilli        uint32         `json:"topPMilli"`
	TopK             uint32         `json:"topK"`
	Seed             uint64         `json:"seed,string"`
	StartedAt        uint64         `json:"startedAt"`  // milliseconds since 1970
	FinishedAt       uint64         `json:"finishedAt"` // milliseconds since 1970
	Level            uint8          `json:"level"`      // verification level, DESIGN section 9
	Evidence         common.Hash    `json:"evidence"`   // root of the evidence, zero at level 0
}

var receiptType = crypto.Keccak256Hash([]byte("Receipt(uint8 version,bytes32 order,uint64 session,address client,address coordinator,address miner,bytes32 model,bytes32 class,bytes32 output,uint64 promptTokens,uint64 completionTokens,uint64 computeMillis,uint64 items,uint128 promptRate,uint128 completionRate,uint128 secondRate,uint128 itemRate,uint128 price,uint32 temperatureMilli,uint32 topPMilli,uint32 topK,uint64 seed,uint64 startedAt,uint64 finishedAt,uint8 level,bytes32 evidence)"))

// Usage is what the receipt charges for.
func (r Receipt) Usage() market.Usage {
	return market.Usage{PromptTokens: r.PromptTokens, CompletionTokens: r.CompletionTokens, ComputeMillis: r.ComputeMillis, Items: r.Items}
}

// Rates are the miner's prices that the receipt names.
func (r Receipt) Rates() market.Rates {
	return market.Rates{Prompt: r.PromptRate, Completion: r.CompletionRate, Second: r.SecondRate, Item: r.ItemRate}
}

// StructHash implements [Typed].
func (r Receipt) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(27).hash(receiptType).uint(uint64(r.Version)).hash(r.Order).uint(r.Session).
		address(r.Client).address(r.Coordinator).address(r.Miner).hash(r.Model).hash(r.Class).hash(r.Output).
		uint(r.PromptTokens).uint(r.CompletionTokens).uint(r.ComputeMillis).uint(r.Items).amount(r.PromptRate).amount(r.CompletionRate).amount(r.SecondRate).amount(r.ItemRate).amount(r.Price).
		uint(uint64(r.TemperatureMilli)).uint(uint64(r.TopPMilli)).uint(uint64(r.TopK)).uint(r.Seed).
		uint(r.StartedAt).uint(r.FinishedAt).uint(uint64(r.Level)).hash(r.Evidence))
}

// Countersignature is the coordinator's word that it owes the miner, for
// everything up to this receipt, MinerTotal in all.
type Countersignature struct {
	Receipt    common.Hash    `json:"receipt"` // digest of the receipt
	Miner      common.Address `json:"miner"`
	MinerTotal market.Amount  `json:"minerTotal"`
}

var counterType = crypto.Keccak256Hash([]byte("Countersignature(bytes32 receipt,address miner,uint128 minerTotal)"))

// StructHash implements [Typed].
func (c Countersignature) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(4).hash(counterType).hash(c.Receipt).address(c.Miner).amount(c.MinerTotal))
}

// Voucher pays for all orders of a session up to number Through.
type Voucher struct {
	Session    uint64        `json:"session"`
	Through    uint64        `json:"through"`
	Cumulative market.Amount `json:"cumulative"`
}

var voucherType = crypto.Keccak256Hash([]byte("Voucher(uint64 session,uint64 through,uint128 cumulative)"))

// StructHash implements [Typed].
func (v Voucher) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(4).hash(voucherType).uint(v.Session).uint(v.Through).amount(v.Cumulative))
}

// Close is the coordinator's consent to end a session at a final amount.
type Close struct {
	Session    uint64        `json:"session"`
	Cumulative market.Amount `json:"cumulative"`
}

var closeType = crypto.Keccak256Hash([]byte("Close(uint64 session,uint128 cumulative)"))

// StructHash implements [Typed].
func (c Close) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(3).hash(closeType).uint(c.Session).amount(c.Cumulative))
}

// MinerLogin introduces a miner, with its offers, to a coordinator.
type MinerLogin struct {
	Miner       common.Address `json:"miner"`
	Coordinator common.Address `json:"coordinator"`
	Offers      common.Hash    `json:"offers"` // keccak256 of the offers' JSON as sent
	IssuedAt    uint64         `json:"issuedAt"`
}

var loginType = crypto.Keccak256Hash([]byte("MinerLogin(address miner,address coordinator,bytes32 offers,uint64 issuedAt)"))

// StructHash implements [Typed].
func (l MinerLogin) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(5).hash(loginType).address(l.Miner).address(l.Coordinator).hash(l.Offers).uint(l.IssuedAt))
}

// KeyRequest asks a coordinator for an API key to a session of the client's.
type KeyRequest struct {
	Client   common.Address `json:"client"`
	Session  uint64         `json:"session"`
	IssuedAt uint64         `json:"issuedAt"`
}

var keyRequestType = crypto.Keccak256Hash([]byte("KeyRequest(address client,uint64 session,uint64 issuedAt)"))

// StructHash implements [Typed].
func (k KeyRequest) StructHash() common.Hash {
	return crypto.Keccak256Hash(room(4).hash(keyRequestType).address(k.Client).uint(k.Session).uint(k.IssuedAt))
}
