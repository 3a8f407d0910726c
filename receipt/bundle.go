package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/market"
)

// BundleVersion is the only version of [Bundle] there is.
const BundleVersion = 1

// maxBundle bounds a bundle's JSON, in bytes.
const maxBundle = 4 << 20

// Bundle is a receipt with everything that a verifier needs, except what it
// trusts. See docs/PROTOCOL.md section 6.
type Bundle struct {
	Version          int              `json:"version"`
	ChainID          uint64           `json:"chain_id,string"`
	ReceiptID        common.Hash      `json:"receipt_id"`
	ReceiptDigest    common.Hash      `json:"receipt_digest"`
	Order            Order            `json:"order"`
	OrderSignature   Signature        `json:"order_signature"`
	Candidates       []common.Address `json:"candidates"`
	Receipt          Receipt          `json:"receipt"`
	MinerSignature   Signature        `json:"miner_signature"`
	MinerTotal       market.Amount    `json:"miner_total"`
	Countersignature Signature        `json:"countersignature"`
	Class            string           `json:"class"` // descriptor whose hash is in the receipt
	Settlement       *Settlement      `json:"settlement"`
}

// Settlement shows that a receipt is on the chain.
type Settlement struct {
	MerkleProof []common.Hash `json:"merkle_proof"`
	ChainProof
}

// ChainProof shows that a settlement is in a block of the trusted chain, and
// who signs for whom there. All receipts of a batch share it.
type ChainProof struct {
	TxIndex      uint64          `json:"tx_index"`
	LogIndex     int             `json:"log_index"` // of Settled, within the transaction's receipt
	Anchor       Anchor          `json:"anchor"`
	ReceiptProof []hexutil.Bytes `json:"receipt_proof"` // nodes of the receipts trie
	State        StateProof      `json:"state"`
}

// Anchor ties an Ethereum block to validators: the block's hash is the app hash
// of the next CometBFT header, which they signed.
type Anchor struct {
	EthHeader  hexutil.Bytes `json:"eth_header"` // RLP
	Header     hexutil.Bytes `json:"header"`     // protobuf
	Commit     hexutil.Bytes `json:"commit"`     // protobuf
	Validators hexutil.Bytes `json:"validators"` // protobuf
	Links      []Link        `json:"links"`      // from the trusted set to the block's
}

// Link is a header that carries trust to later validators: its set follows the
// one before, and names the next or signs for a later one.
type Link struct {
	Header     hexutil.Bytes `json:"header"`
	Commit     hexutil.Bytes `json:"commit"`
	Validators hexutil.Bytes `json:"validators"`
}

// StateProof shows accounts' storage in a block.
type StateProof struct {
	Anchor   *Anchor      `json:"anchor"` // nil: the block of the settlement
	Registry StorageProof `json:"registry"`
	Market   StorageProof `json:"market"`
}

// StorageProof shows storage slots of one contract. Slots are by storage key.
type StorageProof struct {
	Account []hexutil.Bytes                 `json:"account_proof"`
	Slots   map[common.Hash][]hexutil.Bytes `json:"slots"`
}

// Pick returns a copy with only the slots named.
func (p StorageProof) Pick(keys ...common.Hash) StorageProof {
	out := StorageProof{Account: p.Account, Slots: map[common.Hash][]hexutil.Bytes{}}
	for _, k := range keys {
		if nodes, ok := p.Slots[k]; ok {
			out.Slots[k] = nodes
		}
	}
	return out
}

// ErrBundle reports JSON that is not a bundle as we write it.
var ErrBundle = errors.New("not a receipt bundle")

// ParseBundle reads a bundle. Unknown fields, and anything that encoding the
// bundle again would not give, are [ErrBundle].
func ParseBundle(b []byte) (*Bundle, error) {
	if len(b) > maxBundle {
		return nil, fmt.Errorf("%w: %d bytes", ErrBundle, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var out Bundle
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: bytes after it", ErrBundle)
	}
	again, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if !bytes.Equal(again, compact.Bytes()) {
		return nil, fmt.Errorf("%w: it is spelled otherwise than we write it", ErrBundle)
	}
	return &out, nil
}
