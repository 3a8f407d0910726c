// Package indextest has a node whose blocks follow from their heights alone:
// transfers, sessions, settlements and the node's own calls. It answers over
// HTTP as a real one does.
package indextest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/contracts"
)

// Node is an [http.Handler] that answers as port 26657 of a node does. Its
// fields are set before it serves, except Head.
type Node struct {
	ChainID uint64
	Seed    uint64 // another seed is another chain
	First   uint64 // block that it still has; 1 for all
	Txs     int    // in each block
	Head    atomic.Uint64
	// Contract, if it is set, is made at [MadeAt], and called in the two blocks after.
	Contract *Contract
	market   abi.ABI
	staking  abi.ABI
}

// New returns a node with blocks 1 to head.
func New(head uint64, txs int) *Node {
	n := &Node{ChainID: 4242, First: 1, Txs: txs}
	n.Head.Store(head)
	var err error
	if n.market, err = contracts.MarketABI(); err != nil {
		panic(err)
	}
	if n.staking, err = contracts.StakingABI(); err != nil {
		panic(err)
	}
	return n
}

// Token is the contract of a token, of which transactions move some.
var Token = common.HexToAddress("0x70ce000000000000000000000000000000000001")

var transfer = crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)"))

// Contract is somebody's contract, at [Node.Made].
type Contract struct {
	Creation []byte // with the constructor's arguments
	Code     map[common.Address][]byte
	// Slot has the implementations of proxies, as EIP-1967 says where.
	Slot   map[common.Address]common.Address
	Input  []byte // that it is called with
	Logs   string // what it says then, in JSON
	Revert []byte // with which it refuses, a block later
}

// MadeAt is the height at which the contract is made, by transaction number 8.
const MadeAt = 7

// Made is where the contract stands.
func (n *Node) Made() common.Address { h := n.digest("made"); return common.Address(h[12:]) }

// Accounts is how many accounts there are.
const Accounts = 1000

// genesisTime is when block 0 was made.
var genesisTime = time.Unix(1_790_000_000, 0).UTC()

// Genesis is the hash of block 0.
func (n *Node) Genesis() common.Hash { return n.Hash(0) }

// Hash is that of a block.
func (n *Node) Hash(height uint64) common.Hash { return n.digest("block", height) }

// Tx is the hash of a transaction.
func (n *Node) Tx(height uint64, i int) common.Hash { return n.digest("tx", height, uint64(i)) } //nolint:gosec // of a test

// Account is one of the accounts.
func (n *Node) Account(i int) common.Address {
	h := n.digest("account", uint64(i%Accounts)) //nolint:gosec // of a test
	return common.Address(h[12:])
}

func (n *Node) digest(what string, numbers ...uint64) common.Hash {
	b := []byte(what)
	b = binary.BigEndian.AppendUint64(b, n.Seed)
	for _, v := range numbers {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return crypto.Keccak256Hash(b)
}

func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var params struct {
		Height string `json:"height"`
	}
	_ = json.Unmarshal(req.Params, &params)               // other methods have a list
	height, _ := strconv.ParseUint(params.Height, 10, 64) // none: zero
	head := n.Head.Load()
	var out string
	switch req.Method {
	case "chain_info":
		out = fmt.Sprintf(`{"chain_id":%d,"genesis_hash":%q,"height":%d}`, n.ChainID, n.Genesis().Hex(), head)
	case "status":
		out = fmt.Sprintf(`{"sync_info":{"earliest_block_height":"%d"}}`, n.First)
	case "eth_chainId":
		out = fmt.Sprintf(`"0x%x"`, n.ChainID)
	case "eth_blockNumber":
		out = fmt.Sprintf(`"0x%x"`, head)
	case "eth_call":
		out = call(req.Params)
	case "eth_getCode", "eth_getStorageAt":
		out = n.state(req.Method, req.Params)
	case "get_tx":
		out = n.find(req.Params)
	case "debug_traceTransaction":
		if n.Contract != nil {
			out = fmt.Sprintf(`{"error":"execution reverted","output":%q}`, hexutil.Encode(n.Contract.Revert))
		}
	case "txpool_content":
		out = n.pool()
	case "txpool_status":
		out = `{"pending":"0x3","queued":"0x1"}`
	case "consensus_state":
		out = fmt.Sprintf(`{"round_state":{"height/round/step":"%d/1/4","start_time":"2026-09-21T14:13:30Z"}}`, head+1)
	case "net_info":
		out = `{"n_peers":"2","peers":[{"node_info":{"id":"bb","moniker":"two","version":"0.38"},"is_outbound":true,"remote_ip":"10.1.2.3"},` +
			`{"node_info":{"id":"aa","moniker":"<b>one</b>","version":"0.38"},"is_outbound":false,"remote_ip":"10.1.2.4"}]}`
	case "get_block", "block_results":
		if height < n.First || height > head {
			out = ""
			break
		}
		if out = n.results(height); req.Method == "get_block" {
			out = n.block(height)
		}
	}
	if out == "" {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32001,"message":"no such block"}}`, req.ID)
		return
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, req.ID, out)
}

func (n *Node) block(height uint64) string {
	var b strings.Builder
	at := genesisTime.Add(time.Duration(height) * 250 * time.Millisecond) //nolint:gosec // of a test
	fmt.Fprintf(&b, `{"height":%d,"hash":%q,"parent_hash":%q,"time":%q,"proposer":%q,"gas_used":%d,"gas_limit":100000000,"base_fee":"7","tx_count":%d,"txs":[`,
		height, n.Hash(height).Hex(), n.Hash(height-1).Hex(), at.Format(time.RFC3339Nano), n.Account(0).Hex(), 21000*n.Txs, n.Txs)
	for i := range n.Txs {
		if i > 0 {
			b.WriteByte(',')
		}
		n.tx(&b, height, i)
	}
	b.WriteString(`]}`)
	return b.String()
}

func (n *Node) tx(b *strings.Builder, height uint64, i int) {
	k := int(height)*n.Txs + i //nolint:gosec // of a test
	status, to, input, logs := "success", n.Account(k*7+3), "0x", "[]"
	switch k % 10 {
	case 2:
		logs = fmt.Sprintf(`[{"address":%q,"topics":[%q,%q,%q],"data":"0x%064x"}]`, Token.Hex(), transfer.Hex(),
			common.BytesToHash(n.Account(k).Bytes()).Hex(), common.BytesToHash(to.Bytes()).Hex(), k)
		to, input = Token, "0xa9059cbb"
	case 0:
		to, input, logs = contracts.MarketAddress, "0x11223344", n.opened(uint64(k/10+1), k) //nolint:gosec // of a test
	case 5:
		to, input, logs = contracts.MarketAddress, "0x55667788aa", n.settled(uint64(k), k) //nolint:gosec // of a test
	case 9:
		status = "failed"
	}
	receiver, made := strconv.Quote(to.Hex()), "null"
	if c := n.Contract; c != nil && i == 8 {
		at := strconv.Quote(n.Made().Hex())
		switch height {
		case MadeAt:
			receiver, made, input = "null", at, hexutil.Encode(c.Creation)
		case MadeAt + 1:
			receiver, input, logs = at, hexutil.Encode(c.Input), c.Logs
		case MadeAt + 2:
			receiver, input, status = at, hexutil.Encode(c.Input), "failed"
		}
	}
	fmt.Fprintf(b, `{"hash":%q,"status":%q,"from":%q,"to":%s,"value":"%d","nonce":%d,"gas_limit":30000,"gas_used":21000,"fee":"147001","burned":"147000","contract":%s,"input":%q,"logs":%s}`,
		n.Tx(height, i).Hex(), status, n.Account(k).Hex(), receiver, k%97, k, made, input, logs)
}

// pool has three transactions that can be in the next block, of which the second
// sender's offer more, and one that waits for an earlier one.
func (n *Node) pool() string {
	tx := func(from, nonce, tip int) string {
		return fmt.Sprintf(`"%d":{"hash":%q,"from":%q,"to":%q,"value":"0x5","nonce":"0x%x","input":"0x","gas":"0x5208","gasPrice":"0x%x","maxFeePerGas":"0x64","maxPriorityFeePerGas":"0x%x"}`,
			nonce, n.digest("waiting", uint64(from), uint64(nonce)).Hex(), n.Account(from).Hex(), n.Account(9).Hex(), nonce, tip, tip) //nolint:gosec // of a test
	}
	return fmt.Sprintf(`{"pending":{%q:{%s,%s},%q:{%s}},"queued":{%q:{%s}}}`,
		n.Account(1).Hex(), tx(1, 10, 1), tx(1, 9, 1), n.Account(2).Hex(), tx(2, 0, 3), n.Account(3).Hex(), tx(3, 4, 9))
}

// state answers for the code and the slots of contracts.
func (n *Node) state(method string, params json.RawMessage) string {
	var args []json.RawMessage
	var of common.Address
	if json.Unmarshal(params, &args) != nil || len(args) == 0 || json.Unmarshal(args[0], &of) != nil {
		return ""
	}
	if n.Contract == nil {
		return `"0x"`
	}
	if method == "eth_getCode" {
		return strconv.Quote(hexutil.Encode(n.Contract.Code[of]))
	}
	return strconv.Quote(common.BytesToHash(n.Contract.Slot[of].Bytes()).Hex())
}

// find returns one of the contract's transactions.
func (n *Node) find(params json.RawMessage) string {
	var of struct {
		Hash common.Hash `json:"hash"`
	}
	if json.Unmarshal(params, &of) != nil {
		return ""
	}
	for height := uint64(MadeAt); height < MadeAt+3; height++ {
		if of.Hash == n.Tx(height, 8) {
			var b strings.Builder
			n.tx(&b, height, 8)
			return b.String()
		}
	}
	return ""
}

// call answers as [Token] does, which says of itself what a page must not take for its own.
func call(params json.RawMessage) string {
	var args []json.RawMessage
	var m struct {
		To    common.Address `json:"to"`
		Input hexutil.Bytes  `json:"input"`
	}
	if json.Unmarshal(params, &args) != nil || len(args) == 0 || json.Unmarshal(args[0], &m) != nil || len(m.Input) < 4 || m.To != Token {
		return ""
	}
	word := func(n int64) string { return fmt.Sprintf("%064x", n) }
	text := func(s string) string { return word(32) + word(int64(len(s))) + fmt.Sprintf("%x", s) }
	out := map[string]string{
		"06fdde03": text("<img src=x onerror=alert(1)>"), "95d89b41": fmt.Sprintf("%x%s", "TOK", strings.Repeat("0", 58)),
		"313ce567": word(6), "18160ddd": word(1_000_000), "70a08231": word(1234),
	}[fmt.Sprintf("%x", []byte(m.Input[:4]))]
	return `"0x` + out + `"`
}

func (n *Node) opened(session uint64, k int) string {
	return "[" + log(n.market, contracts.MarketAddress, "SessionOpened", session, n.Account(k), n.Account(1), n.Account(k+1),
		big.NewInt(int64(k)), uint64(1_800_000_000), uint16(250)) + "]"
}

func (n *Node) settled(batch uint64, k int) string {
	return "[" + strings.Join([]string{
		log(n.market, contracts.MarketAddress, "Debited", batch/10+1, n.Account(1), uint64(3), big.NewInt(1000), big.NewInt(25)),
		log(n.market, contracts.MarketAddress, "Credited", n.Account(1), n.Account(k+2), big.NewInt(975), big.NewInt(975)),
		log(n.market, contracts.MarketAddress, "Settled", n.Account(1), batch, [32]byte(n.digest("root", batch)), uint32(3), big.NewInt(1000), big.NewInt(975)),
	}, ",") + "]"
}

// log writes a log of an event as a receipt has it.
func log(a abi.ABI, of common.Address, event string, values ...any) string {
	topics, data := encode(a, event, values)
	return fmt.Sprintf(`{"address":%q,"topics":["%s"],"data":%q}`, of.Hex(), strings.Join(topics, `","`), hexutil.Encode(data))
}

func encode(a abi.ABI, event string, values []any) (topics []string, data []byte) {
	def := a.Events[event]
	topics = []string{def.ID.Hex()}
	var rest []any
	for i, v := range values {
		in := def.Inputs[i]
		if !in.Indexed {
			rest = append(rest, v)
			continue
		}
		word, err := (abi.Arguments{{Type: in.Type}}).Pack(v)
		if err != nil {
			panic(err)
		}
		topics = append(topics, hexutil.Encode(word))
	}
	data, err := def.Inputs.NonIndexed().Pack(rest...)
	if err != nil {
		panic(err)
	}
	return topics, data
}

// results are the events of the node's own calls: stakers get their share in
// every fifth block, and every seventh a call is refused.
func (n *Node) results(height uint64) string {
	var list []string
	if height%5 == 0 {
		topics, data := encode(n.staking, "Distributed", []any{big.NewInt(int64(height))}) //nolint:gosec // of a test
		list = append(list, fmt.Sprintf(`{"type":"system_log","attributes":[{"key":"call","value":"Rewards.endBlock"},{"key":"address","value":%q},{"key":"topics","value":%q},{"key":"data","value":%q}]}`,
			contracts.StakingAddress.Hex(), strings.Join(topics, ","), hexutil.Encode(data)))
	}
	if height%7 == 0 {
		list = append(list, `{"type":"system_call","attributes":[{"key":"call","value":"Market.endBlock"},{"key":"ok","value":"false"},{"key":"gas","value":"9"},{"key":"error","value":"execution reverted"},{"key":"data","value":"0x"}]}`)
	}
	return `{"finalize_block_events":[` + strings.Join(list, ",") + `]}`
}
