package intent_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/intent"
	"github.com/aitbc/aitbc/wallet/siwe"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

const chain = 1 << 45

var (
	me    = common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
	alice = common.HexToAddress("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
)

// decode makes a transaction of a value and data and decodes it.
func decode(t *testing.T, to *common.Address, value market.Amount, data []byte) *intent.Intent {
	t.Helper()
	tx := types.NewTx(&types.DynamicFeeTx{ChainID: big.NewInt(chain), Nonce: 3, Gas: 100, GasFeeCap: big.NewInt(7), GasTipCap: big.NewInt(1), To: to, Value: value.Big(), Data: data})
	i, err := intent.FromTransaction(tx, me, chain)
	if err != nil {
		t.Fatal(err)
	}
	if i.Digest != types.LatestSignerForChainID(big.NewInt(chain)).Hash(tx) || i.From != me {
		t.Errorf("%+v", i)
	}
	return i
}

func TestTransfers(t *testing.T) {
	t.Parallel()
	i := decode(t, &alice, market.Coins(5), nil)
	worth, err := market.Coins(5).Add(market.Units(700))
	if err != nil {
		t.Fatal(err)
	}
	if i.Kind != intent.Transfer || i.Amount != market.Coins(5) || i.Worth != worth || i.Opaque || i.Unknown || len(i.Parties) != 1 || i.Parties[0] != alice ||
		i.Summary != "Send 5 AITBC to "+alice.Hex() {
		t.Errorf("%+v", i)
	}
}

func TestCallsOfOurContracts(t *testing.T) {
	t.Parallel()
	a, err := contracts.MarketABI()
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.Pack("openSession", alice, me, uint64(1_900_000_000))
	if err != nil {
		t.Fatal(err)
	}
	i := decode(t, &contracts.MarketAddress, market.Coins(2), data)
	if i.Kind != intent.Call || i.Opaque || i.Unknown || i.Summary != "Call openSession of AITBC's Market with 2 AITBC" || !strings.Contains(fmt.Sprint(i.Fields), alice.Hex()) {
		t.Errorf("%+v", i)
	}
	for name, bad := range map[string][]byte{"more bytes": append(data, 0), "fewer": data[:len(data)-1], "unknown": {1, 2, 3, 4}, "short": {1}} {
		if i := decode(t, &contracts.MarketAddress, market.Amount{}, bad); !i.Opaque || !i.Unknown {
			t.Errorf("%s: %+v", name, i)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	token := common.Address{9}
	call := func(signature string, words ...common.Hash) []byte {
		data := crypto.Keccak256([]byte(signature))[:4]
		for _, w := range words {
			data = append(data, w[:]...)
		}
		return data
	}
	to, all := common.BytesToHash(alice[:]), common.HexToHash("0x"+strings.Repeat("f", 64))
	i := decode(t, &token, market.Amount{}, call("transfer(address,uint256)", to, common.HexToHash("0x64")))
	if i.Opaque || !i.Unknown || len(i.Parties) != 2 || i.Parties[1] != alice || !strings.HasPrefix(i.Summary, "Send 100 units of the token") {
		t.Errorf("%+v", i)
	}
	i = decode(t, &token, market.Amount{}, call("approve(address,uint256)", to, all))
	if i.Warning == "" || !strings.Contains(i.Summary, "any number") || i.Parties[1] != alice {
		t.Errorf("%+v", i)
	}
	i = decode(t, &token, market.Amount{}, call("setApprovalForAll(address,bool)", to, common.HexToHash("0x1")))
	if i.Warning == "" || !strings.Contains(i.Summary, "every item") {
		t.Errorf("%+v", i)
	}
	dirty := common.HexToHash("0x01" + strings.Repeat("0", 22) + alice.Hex()[2:])
	if i := decode(t, &token, market.Amount{}, call("transfer(address,uint256)", dirty, all)); !i.Opaque {
		t.Errorf("bits beside the address: %+v", i)
	}
	if i := decode(t, nil, market.Amount{}, []byte{0x60}); i.Kind != intent.Deploy || !i.Opaque || !i.Unknown {
		t.Errorf("%+v", i)
	}
}

func TestTransactionsThatAreNeverSigned(t *testing.T) {
	t.Parallel()
	for name, tx := range map[string]types.TxData{
		"another chain": &types.DynamicFeeTx{ChainID: big.NewInt(1), Gas: 1, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), To: &alice},
		"a fee beyond all": &types.DynamicFeeTx{
			ChainID: big.NewInt(chain), Gas: 1 << 60, GasFeeCap: new(big.Int).Lsh(big.NewInt(1), 100), GasTipCap: big.NewInt(1), To: &alice,
		},
		"a value beyond all": &types.LegacyTx{Gas: 1, GasPrice: big.NewInt(1), To: &alice, Value: new(big.Int).Lsh(big.NewInt(1), 200)},
		"an authorisation":   &types.SetCodeTx{},
	} {
		if i, err := intent.FromTransaction(types.NewTx(tx), me, chain); !errors.Is(err, intent.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, i, err)
		}
	}
}

func typed(t *testing.T, raw string) (*intent.Intent, error) {
	t.Helper()
	d, err := typeddata.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return intent.FromTypedData(d, me, chain)
}

const order = `{"types":{"Order":[{"name":"session","type":"uint64"},{"name":"number","type":"uint64"},{"name":"model","type":"bytes32"},{"name":"class","type":"bytes32"},{"name":"input","type":"bytes32"},{"name":"miners","type":"bytes32"},{"name":"maxPrice","type":"uint128"},{"name":"deadline","type":"uint64"}]},
"primaryType":"Order","domain":{"name":"AITBC","version":"1","chainId":35184372088832,"verifyingContract":"0x000000000000000000000000000000000000A102"},
"message":{"session":4,"number":"7","model":"0x0100000000000000000000000000000000000000000000000000000000000000","class":"0x0000000000000000000000000000000000000000000000000000000000000000","input":"0x0000000000000000000000000000000000000000000000000000000000000000","miners":"0x0000000000000000000000000000000000000000000000000000000000000000","maxPrice":"2000000000000000000","deadline":1900000000}}`

func TestTypedDataOfTheProtocol(t *testing.T) {
	t.Parallel()
	i, err := typed(t, order)
	want := receipt.Digest(receipt.Domain{ChainID: chain, Market: contracts.MarketAddress}, receipt.Order{Session: 4, Number: 7, Model: common.Hash{1}, MaxPrice: market.Coins(2), Deadline: 1900000000})
	if err != nil || i.Digest != want || i.Worth != market.Coins(2) || i.Unknown || i.Summary != "Order job 7 of session 4 for at most 2 AITBC, until 2030-03-17 17:46:40Z" {
		t.Errorf("%+v, %v", i, err)
	}
	voucher := `{"types":{"Voucher":[{"name":"session","type":"uint64"},{"name":"through","type":"uint64"},{"name":"cumulative","type":"uint128"}]},"primaryType":"Voucher",
"domain":{"name":"AITBC","version":"1","chainId":35184372088832,"verifyingContract":"0x000000000000000000000000000000000000A102"},"message":{"session":4,"through":7,"cumulative":"3000000000000000000"}}`
	i, err = typed(t, voucher)
	if err != nil || i.Unknown || i.Action().Voucher == nil || i.Action().Voucher.Cumulative != market.Coins(3) {
		t.Errorf("%+v, %v", i, err)
	}
	// One that only looks like ours is not taken for it.
	for name, c := range map[string][2]string{
		"another domain": {`"name":"AITBC"`, `"name":"AITBC2"`}, "another contract": {"00A102", "00A103"}, "another type": {`"uint128"`, `"uint256"`},
	} {
		i, err = typed(t, strings.Replace(voucher, c[0], c[1], 1))
		if err != nil || !i.Unknown || i.Action().Voucher != nil || !strings.HasPrefix(i.Summary, "Sign Voucher of") {
			t.Errorf("%s: %+v, %v", name, i, err)
		}
	}
	if i, err := typed(t, strings.Replace(order, "35184372088832", "1", 1)); !errors.Is(err, intent.ErrRefused) {
		t.Errorf("another chain: %+v, %v", i, err)
	}
	permit := `{"types":{"Permit":[{"name":"spender","type":"address"},{"name":"value","type":"uint256"}]},"primaryType":"Permit","domain":{"name":"<b>\u202eT"},"message":{"spender":"0x0000000000000000000000000000000000000001","value":1}}`
	if i, err := typed(t, permit); err != nil || !i.Unknown || i.Warning == "" || strings.Contains(i.Summary, "\u202e") {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	i, err := intent.FromMessage([]byte("hello\nworld"), me, chain)
	if err != nil || i.Kind != intent.Message || i.Opaque || i.Summary != "Sign the message: hello …" || i.Digest != common.BytesToHash(crypto.Keccak256([]byte("\x19Ethereum Signed Message:\n11hello\nworld"))) {
		t.Errorf("%+v, %v", i, err)
	}
	for _, m := range []string{"\xff\x00", "a\u202eb", strings.Repeat("\x01", 32)} {
		if i, err := intent.FromMessage([]byte(m), me, chain); err != nil || !i.Opaque {
			t.Errorf("%q: %+v, %v", m, i, err)
		}
	}
	login := siwe.Message{Domain: "market.example", Address: me, URI: "https://market.example", ChainID: chain, Nonce: "12345678", IssuedAt: time.Unix(1_700_000_000, 0)}
	if i, err := intent.FromMessage([]byte(login.String()), me, chain); err != nil || i.Kind != intent.SignIn || i.Summary != "Sign in to market.example as "+me.Hex() {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := intent.FromMessage([]byte(login.String()), alice, chain); !errors.Is(err, intent.ErrRefused) {
		t.Errorf("of another: %v", err)
	}
	if _, err := intent.FromMessage([]byte(login.String()), me, 1); !errors.Is(err, intent.ErrRefused) {
		t.Errorf("for another chain: %v", err)
	}
}

func FuzzCall(f *testing.F) {
	f.Add(crypto.Keccak256([]byte("transfer(address,uint256)"))[:4])
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range contracts.Predeploys {
			decode(t, &p.Proxy, market.Amount{}, data)
		}
		decode(t, &alice, market.Amount{}, data)
	})
}
