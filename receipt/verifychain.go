package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/aitbc/aitbc/receipt/light"
	"github.com/aitbc/aitbc/receipt/trie"
)

// settledTopic is the first topic of the Market's Settled event.
var settledTopic = crypto.Keccak256Hash([]byte("Settled(address,uint64,bytes32,uint32,uint128,uint128)"))

// settledLog is what the Settled event says.
type settledLog struct {
	coordinator common.Address
	root        common.Hash
}

// block is an Ethereum header with the consensus header that vouches for it.
type block struct {
	number                  uint64
	stateRoot, receiptsRoot common.Hash
	hash                    common.Hash
	header                  *light.Header
	commit                  *light.Commit
	validators              []light.Validator
	links                   []Link
}

// ethHeader is the part of an Ethereum header that proofs need. Later fields are
// covered by the hash alone.
type ethHeader struct {
	Parent, Uncles common.Hash
	Coinbase       common.Address
	Root, Tx       common.Hash
	Receipts       common.Hash
	Bloom          []byte
	Difficulty     *big.Int
	Number         uint64
	Rest           []rlp.RawValue `rlp:"tail"`
}

// logItem is one log in a transaction's receipt.
type logItem struct {
	Address common.Address
	Topics  []common.Hash
	Data    []byte
}

type txReceipt struct {
	Status  []byte
	GasUsed uint64
	Bloom   []byte
	Logs    []logItem
}

func parseAnchor(a *Anchor) (*block, error) {
	var h ethHeader
	if err := rlp.DecodeBytes(a.EthHeader, &h); err != nil {
		return nil, fmt.Errorf("ethereum header: %w", err)
	}
	out := &block{number: h.Number, stateRoot: h.Root, receiptsRoot: h.Receipts, hash: crypto.Keccak256Hash(a.EthHeader), links: a.Links}
	var err error
	if out.header, err = light.ParseHeader(a.Header); err != nil {
		return nil, err
	}
	if out.commit, err = light.ParseCommit(a.Commit); err != nil {
		return nil, err
	}
	out.validators, err = light.ParseOnlyValidators(a.Validators)
	return out, err
}

// inclusion checks the Merkle path to the root that the Settled log gives. The
// log itself is checked next.
func (v *verifier) inclusion() (string, error) {
	s := v.b.Settlement
	if s == nil {
		return "", errors.New("the receipt is not settled yet: fetch it again in a few seconds")
	}
	var err error
	if v.main, err = parseAnchor(&s.Anchor); err != nil {
		return "", err
	}
	raw, err := trie.Verify(v.main.receiptsRoot, rlp.AppendUint64(nil, s.TxIndex), plain(s.ReceiptProof))
	if err != nil {
		return "", fmt.Errorf("receipts trie: %w", err)
	}
	if v.log_, err = v.findLog(raw, s.LogIndex); err != nil {
		return "", err
	}
	if err := VerifyProof(v.log_.root, Leaf(v.b.ReceiptID, v.b.ReceiptDigest), s.MerkleProof); err != nil {
		return "", err
	}
	return fmt.Sprintf("in the batch with root %s", v.log_.root), nil
}

func (v *verifier) findLog(raw []byte, index int) (settledLog, error) {
	if len(raw) > 0 && raw[0] < 0x80 { // EIP-2718 type byte
		raw = raw[1:]
	}
	var r txReceipt
	if err := rlp.DecodeBytes(raw, &r); err != nil {
		return settledLog{}, fmt.Errorf("transaction receipt: %w", err)
	}
	if !bytes.Equal(r.Status, []byte{1}) {
		return settledLog{}, errors.New("the settlement's transaction failed")
	}
	if index < 0 || index >= len(r.Logs) {
		return settledLog{}, errors.New("there is no such log")
	}
	l := r.Logs[index]
	if l.Address != v.trust.Market || len(l.Topics) != 3 || l.Topics[0] != settledTopic || len(l.Data) != 4*32 {
		return settledLog{}, errors.New("the log is not the Market's Settled event")
	}
	return settledLog{coordinator: common.BytesToAddress(l.Topics[1][:]), root: common.BytesToHash(l.Data[:32])}, nil
}

// log checks whose settlement it is. That the log is in the receipts trie was
// needed to find the root, see inclusion.
func (v *verifier) log() (string, error) {
	if v.log_.coordinator != v.b.Receipt.Coordinator {
		return "", errors.New("another coordinator settled this batch")
	}
	return "Settled by " + v.log_.coordinator.Hex(), nil
}

// blocks returns the settlement's block, and that of the state proof if it is another.
func (v *verifier) blocks() ([]*block, error) {
	out := []*block{v.main}
	if a := v.b.Settlement.State.Anchor; a != nil {
		b, err := parseAnchor(a)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func (v *verifier) header() (string, error) {
	blocks, err := v.blocks()
	if err != nil {
		return "", err
	}
	for _, b := range blocks {
		if !bytes.Equal(b.header.AppHash, b.hash[:]) || b.header.Height != b.number+1 {
			return "", fmt.Errorf("block %d is not what the next header commits to", b.number)
		}
	}
	v.report.Block = v.main.number
	return fmt.Sprintf("block %d, %s", v.main.number, v.main.hash), nil
}

func (v *verifier) commit() (string, error) {
	blocks, err := v.blocks()
	if err != nil {
		return "", err
	}
	for _, b := range blocks {
		if err := light.Verify(v.trust.CometID, b.header, b.commit, b.validators); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d validators", len(v.main.validators)), nil
}

// trusted follows the validator sets from the trusted one to those that signed.
func (v *verifier) trusted() (string, error) {
	blocks, err := v.blocks()
	if err != nil {
		return "", err
	}
	for _, b := range blocks {
		t := trail{chain: v.trust.CometID, next: v.trust.ValidatorsHash[:], height: v.trust.Height}
		for i, l := range b.links {
			if err := t.follow(l); err != nil {
				return "", fmt.Errorf("link %d: %w", i, err)
			}
		}
		if !t.leads(b.header, b.commit, b.validators) {
			return "", errors.New("the block was signed by validators that you do not trust")
		}
		if b.header.Height < t.height {
			return "", errors.New("the block is older than the validators that you trust")
		}
	}
	return fmt.Sprintf("validators %s of height %d", v.trust.ValidatorsHash, v.trust.Height), nil
}

// keys checks, in the chain's state, whose keys signed.
func (v *verifier) keys() (string, error) {
	s, r := v.b.Settlement.State, v.b.Receipt
	blocks, err := v.blocks()
	if err != nil {
		return "", err
	}
	root := blocks[len(blocks)-1].stateRoot
	registry, err := storage(root, v.trust.Registry, s.Registry)
	if err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	market, err := storage(root, v.trust.Market, s.Market)
	if err != nil {
		return "", fmt.Errorf("market: %w", err)
	}
	if len(s.Registry.Slots) != 2 || len(s.Market.Slots) != 3 {
		return "", errors.New("it proves more or less than who signed")
	}
	client, coordinator, spender := SessionSlots(r.Session)
	for _, c := range []struct {
		what string
		get  func(common.Hash) (common.Hash, error)
		slot common.Hash
		ok   func(common.Hash) bool
	}{
		{"the miner's signing key", registry, SignerSlot(v.minerKey), func(h common.Hash) bool { return h == binding(RoleMiner, r.Miner) }},
		{"the coordinator's signing key", registry, SignerSlot(v.coordinatorKey), func(h common.Hash) bool { return h == binding(RoleCoordinator, r.Coordinator) }},
		{"the session's client", market, client, holds(r.Client)},
		{"the session's coordinator", market, coordinator, holds(r.Coordinator)},
		{"the session's spender", market, spender, holds(v.spender)},
	} {
		got, err := c.get(c.slot)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.what, err)
		}
		if !c.ok(got) {
			return "", fmt.Errorf("%s is another on the chain", c.what)
		}
	}
	return "spender, miner and coordinator as the chain has them", nil
}

// holds reports whether a slot's low 20 bytes are the address.
func holds(a common.Address) func(common.Hash) bool {
	return func(h common.Hash) bool { return common.BytesToAddress(h[:]) == a }
}

// storage verifies an account's proof and returns a reader of its proved slots.
func storage(root common.Hash, account common.Address, p StorageProof) (func(common.Hash) (common.Hash, error), error) {
	raw, err := trie.Verify(root, crypto.Keccak256(account[:]), plain(p.Account))
	if err != nil {
		return nil, err
	}
	var a struct {
		Nonce, Balance []byte
		Root           common.Hash
		Code           []byte
	}
	if err := rlp.DecodeBytes(raw, &a); err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	return func(slot common.Hash) (common.Hash, error) {
		nodes, ok := p.Slots[slot]
		if !ok {
			return common.Hash{}, errors.New("its proof is missing")
		}
		raw, err := trie.Verify(a.Root, crypto.Keccak256(slot[:]), plain(nodes))
		if err != nil {
			return common.Hash{}, err
		}
		var value []byte
		if err := rlp.DecodeBytes(raw, &value); err != nil || len(value) > 32 {
			return common.Hash{}, errors.New("malformed value")
		}
		return common.BytesToHash(value), nil
	}, nil
}

func plain(nodes []hexutil.Bytes) [][]byte {
	out := make([][]byte, len(nodes))
	for i, n := range nodes {
		out[i] = n
	}
	return out
}

// trail is how far trust has come: to the validators of the block after a
// height, by their hash, and, from the first link on, to those of the height.
type trail struct {
	chain  string
	next   []byte
	height uint64
	known  []light.Validator
}

// leads reports whether whoever trusts the trail may trust a block that its own
// validators signed: they are those that the trail names, or two thirds of
// those that it knows are among them.
func (t *trail) leads(h *light.Header, c *light.Commit, set []light.Validator) bool {
	return bytes.Equal(h.ValidatorsHash, t.next) || light.Carries(t.known, c, set)
}

func (t *trail) follow(l Link) error {
	h, err := light.ParseHeader(l.Header)
	if err != nil {
		return err
	}
	c, err := light.ParseCommit(l.Commit)
	if err != nil {
		return err
	}
	set, err := light.ParseOnlyValidators(l.Validators)
	if err != nil {
		return err
	}
	if err := light.Verify(t.chain, h, c, set); err != nil {
		return err
	}
	if h.Height < t.height || !t.leads(h, c, set) {
		return errors.New("it does not follow")
	}
	t.next, t.height, t.known = h.NextValidatorsHash, h.Height, set
	return nil
}
