package intent_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/intent"
	"github.com/aitbc/aitbc/wallet/siwe"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

var update = flag.Bool("update", false, "rewrite the vectors")

// vector is a request and what a wallet says of it, for other wallets too: extension/ passes the same.
type vector struct {
	Name    string         `json:"name"`
	From    common.Address `json:"from"`
	Chain   uint64         `json:"chain"`
	Tx      *txVector      `json:"tx,omitempty"`
	Typed   string         `json:"typed,omitempty"`
	Message string         `json:"message,omitempty"` // in hex
	Refused bool           `json:"refused,omitempty"`
	Intent  *intent.Intent `json:"intent,omitempty"`
}

type txVector struct {
	ChainID uint64          `json:"chain_id"`
	Nonce   uint64          `json:"nonce"`
	To      *common.Address `json:"to"`
	Value   string          `json:"value"`
	Data    string          `json:"data"`
	Gas     uint64          `json:"gas"`
	FeeCap  uint64          `json:"fee_cap"`
	TipCap  uint64          `json:"tip_cap"`
}

// decide decodes a vector's request.
func (v *vector) decide() (*intent.Intent, error) {
	switch {
	case v.Tx != nil:
		value, _ := new(big.Int).SetString(v.Tx.Value, 10)
		return intent.FromTransaction(types.NewTx(&types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(v.Tx.ChainID), Nonce: v.Tx.Nonce, To: v.Tx.To, Value: value, Data: common.FromHex(v.Tx.Data),
			Gas: v.Tx.Gas, GasFeeCap: new(big.Int).SetUint64(v.Tx.FeeCap), GasTipCap: new(big.Int).SetUint64(v.Tx.TipCap),
		}), v.From, v.Chain)
	case v.Typed != "":
		d, err := typeddata.Parse([]byte(v.Typed))
		if err != nil {
			return nil, err
		}
		return intent.FromTypedData(d, v.From, v.Chain)
	default:
		return intent.FromMessage(common.FromHex(v.Message), v.From, v.Chain)
	}
}

func transactions(t *testing.T) (all []vector) {
	t.Helper()
	pack := func(contract, method string, args ...any) string {
		a, err := contracts.Load(contract)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := abi.JSON(bytes.NewReader(a.ABI))
		if err != nil {
			t.Fatal(err)
		}
		data, err := parsed.Pack(method, args...)
		if err != nil {
			t.Fatal(err)
		}
		return "0x" + hex.EncodeToString(data)
	}
	token := common.Address{9}
	call := func(signature string, words ...string) string {
		s := "0x" + hex.EncodeToString(crypto.Keccak256([]byte(signature))[:4])
		for _, w := range words {
			s += strings.Repeat("0", 64-len(w)) + w
		}
		return s
	}
	it, most := strings.ToLower(alice.Hex()[2:]), strings.Repeat("f", 64)
	add := func(name string, to *common.Address, value, data string) {
		all = append(all, vector{Name: name, From: me, Chain: chain, Tx: &txVector{ChainID: chain, Nonce: 3, To: to, Value: value, Data: data, Gas: 100_000, FeeCap: 2_000_000_000, TipCap: 1_000_000_000}})
	}
	add("transfer", &alice, "5000000000000000000", "0x")
	add("transfer of a part", &alice, "1", "0x")
	session := pack(contracts.NameMarket, "openSession", alice, me, uint64(1_900_000_000))
	add("open a session", &contracts.MarketAddress, "2000000000000000000", session)
	add("bytes behind a call", &contracts.MarketAddress, "0", session+"00")
	add("a call cut short", &contracts.MarketAddress, "0", session[:len(session)-2])
	add("an unknown call of the Market", &contracts.MarketAddress, "7", "0x01020304")
	add("fewer bytes than a selector", &contracts.MarketAddress, "0", "0x01")
	add("top up", &contracts.MarketAddress, "1500000000000000000", pack(contracts.NameMarket, "topUp", uint64(4)))
	add("close", &contracts.MarketAddress, "0", pack(contracts.NameMarket, "requestClose", uint64(4)))
	add("a miner's limit", &contracts.MarketAddress, "0", pack(contracts.NameMarket, "setMinerLimit", alice, market.Coins(3).Big()))
	add("a direct job", &contracts.MarketAddress, "1000000000000000000", pack(contracts.NameMarket, "createJob", struct {
		Spec, Model, Class, SealTo [32]byte
		Level                      uint8
		AcceptBy, Deadline         uint64
		CallbackGas                uint32
	}{Spec: [32]byte{1}, Model: [32]byte{2}, AcceptBy: 1_900_000_000, Deadline: 1_900_000_100}, []common.Address{alice, me}, []byte("{}")))
	add("delegate", &contracts.StakingAddress, "1000000000000000000", pack(contracts.NameStaking, "delegate", alice))
	add("undelegate", &contracts.StakingAddress, "0", pack(contracts.NameStaking, "undelegate", alice, big.NewInt(1_099_511_627_776)))
	add("vote", &contracts.GovernorAddress, "0", pack(contracts.NameGovernor, "castVoteWithReason", big.NewInt(9), uint8(1), "for\u202e it\nall"))
	add("cancel, of two with this name", &contracts.GovernorAddress, "0", pack(contracts.NameGovernor, "cancel0", []common.Address{alice}, []*big.Int{big.NewInt(0)}, [][]byte{{1, 2}}, [32]byte{7}))
	add("drip", &contracts.FaucetAddress, "0", pack(contracts.NameFaucet, "drip", me))
	add("register a miner", &contracts.RegistryAddress, "9", pack(contracts.NameRegistry, "register", uint8(1), alice, [32]byte{3}, "http://x"))
	add("token: transfer", &token, "0", call("transfer(address,uint256)", it, "64"))
	add("token: approve", &token, "0", call("approve(address,uint256)", it, "64"))
	add("token: approve all", &token, "0", call("approve(address,uint256)", it, most))
	add("token: from another", &token, "0", call("transferFrom(address,address,uint256)", it, strings.ToLower(me.Hex()[2:]), "1"))
	add("token: every item", &token, "0", call("setApprovalForAll(address,bool)", it, "1"))
	add("token: no item", &token, "0", call("setApprovalForAll(address,bool)", it, "0"))
	add("token: a boolean of two", &token, "0", call("setApprovalForAll(address,bool)", it, "2"))
	add("token: bits beside the address", &token, "0", call("transfer(address,uint256)", "01"+strings.Repeat("0", 22)+it, "1"))
	add("an unknown contract", &alice, "1000000000000000000", "0xdeadbeef0102")
	add("deploy", nil, "0", "0x6000")
	add("a value beyond all", &alice, "1606938044258990275541962092341162602522202993782792835301376", "0x")
	add("another chain", &alice, "1", "0x")
	all[len(all)-1].Tx.ChainID = 1
	return all
}

func messages() (all []vector) {
	add := func(name, text string) {
		all = append(all, vector{Name: name, From: me, Chain: chain, Message: "0x" + hex.EncodeToString([]byte(text))})
	}
	add("text", "hello\nworld")
	add("a long line", strings.Repeat("x", 81))
	add("no text", "\xff\x00")
	add("text in two directions", "a\u202eb")
	add("a hash", strings.Repeat("\x01", 32))
	add("nothing", "")
	login := siwe.Message{Domain: "market.example", Address: me, URI: "https://market.example", ChainID: chain, Nonce: "12345678", IssuedAt: time.Unix(1_700_000_000, 0)}
	add("sign-in", login.String())
	login.Statement, login.Resources = "Show me my jobs.", []string{"https://market.example/terms"}
	add("sign-in with a statement", login.String())
	login.Address = alice
	add("sign-in of another", login.String())
	login.Address, login.ChainID = me, 1
	add("sign-in for another chain", login.String())
	return all
}

func typedVectors() (all []vector) {
	add := func(name, typed string) { all = append(all, vector{Name: name, From: me, Chain: chain, Typed: typed}) }
	own := func(name, fields, message string) string {
		return `{"types":{"` + name + `":[` + fields + `]},"primaryType":"` + name +
			`","domain":{"name":"AITBC","version":"1","chainId":35184372088832,"verifyingContract":"0x000000000000000000000000000000000000A102"},"message":{` + message + `}}`
	}
	add("order", order)
	voucher := own("Voucher", `{"name":"session","type":"uint64"},{"name":"through","type":"uint64"},{"name":"cumulative","type":"uint128"}`, `"session":4,"through":7,"cumulative":"3000000000000000000"`)
	add("voucher", voucher)
	add("voucher of another domain", strings.Replace(voucher, `"name":"AITBC"`, `"name":"AITBC2"`, 1))
	add("voucher of another contract", strings.Replace(voucher, "00A102", "00A103", 1))
	add("voucher with another type", strings.Replace(voucher, `"uint128"`, `"uint256"`, 1))
	add("voucher for another chain", strings.Replace(voucher, "35184372088832", "1", 1))
	add("close", own("Close", `{"name":"session","type":"uint64"},{"name":"cumulative","type":"uint128"}`, `"session":4,"cumulative":"0x1"`))
	add("an API key", own("KeyRequest", `{"name":"client","type":"address"},{"name":"session","type":"uint64"},{"name":"issuedAt","type":"uint64"}`, `"client":"`+me.Hex()+`","session":4,"issuedAt":1900000000`))
	add("a miner's login", own("MinerLogin", `{"name":"miner","type":"address"},{"name":"coordinator","type":"address"},{"name":"offers","type":"bytes32"},{"name":"issuedAt","type":"uint64"}`,
		`"miner":"`+strings.ToLower(me.Hex())+`","coordinator":"`+alice.Hex()+`","offers":"0x`+strings.Repeat("ab", 32)+`","issuedAt":1900000000`))
	add("permit", `{"types":{"Permit":[{"name":"spender","type":"address"},{"name":"value","type":"uint256"}]},"primaryType":"Permit","domain":{"name":"<b>\u202eT"},"message":{"spender":"0x0000000000000000000000000000000000000001","value":1}}`)
	add("nested", `{"types":{"Person":[{"name":"name","type":"string"},{"name":"wallets","type":"address[]"}],"Mail":[{"name":"from","type":"Person"},{"name":"to","type":"Person[2]"},{"name":"n","type":"int8"},{"name":"raw","type":"bytes"},{"name":"on","type":"bool"}]},
"primaryType":"Mail","domain":{"name":"Mail","chainId":"0x200000000000","salt":"0x`+strings.Repeat("01", 32)+`"},
"message":{"from":{"name":"a\u202eb","wallets":[]},"to":[{"name":"B","wallets":["`+alice.Hex()+`"]},{"name":"C","wallets":[]}],"n":-5,"raw":"0xAB","on":true}}`)
	return all
}

// The vectors say what this package says; other wallets are held to them.
func TestVectors(t *testing.T) {
	t.Parallel()
	all := append(append(transactions(t), messages()...), typedVectors()...)
	for i := range all {
		got, err := all[i].decide()
		all[i].Refused, all[i].Intent = err != nil, got
	}
	raw, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "vectors", "intents.json")
	if *update {
		if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != string(raw)+"\n" {
		t.Errorf("the vectors differ from what the package says (rewrite them with -update): %v", err)
	}
}
