package predeploy_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// chain answers calls of the predeploys with fixed return data, and takes
// every transaction.
type chain struct {
	views map[string][]byte // return data by the call's data, in hex
	logs  []*types.Log

	mu   sync.Mutex
	sent *types.Transaction
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var result any
	switch req.Method {
	case "eth_call":
		var msg struct {
			To    common.Address
			Input hexutil.Bytes
		}
		if err := json.Unmarshal(req.Params[0], &msg); err != nil {
			panic(err)
		}
		result = hexutil.Bytes(c.views[msg.To.Hex()+hexutil.Encode(msg.Input)])
	case "eth_getBlockByNumber":
		result = &types.Header{BaseFee: big.NewInt(1), Number: big.NewInt(1), Difficulty: new(big.Int)}
	case "eth_chainId", "eth_maxPriorityFeePerGas", "eth_estimateGas":
		result = "0x5"
	case "eth_getTransactionCount":
		result = "0x0"
	case "eth_sendRawTransaction":
		var raw hexutil.Bytes
		tx := new(types.Transaction)
		if err := json.Unmarshal(req.Params[0], &raw); err != nil {
			panic(err)
		}
		if err := tx.UnmarshalBinary(raw); err != nil {
			panic(err)
		}
		c.sent, result = tx, tx.Hash()
	case "eth_getTransactionReceipt":
		result = &types.Receipt{Status: 1, TxHash: c.sent.Hash(), BlockNumber: big.NewInt(1), Logs: c.logs}
	case "eth_getLogs":
		result = c.logs
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result}); err != nil {
		panic(err)
	}
}

func start(t *testing.T) (*chain, *chainclient.Client) {
	t.Helper()
	c := &chain{views: map[string][]byte{}, logs: []*types.Log{}}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	client, err := chainclient.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

type account struct{}

func (account) Address() common.Address {
	return crypto.PubkeyToAddress(crypto.ToECDSAUnsafe(bytes.Repeat([]byte{1}, 32)).PublicKey)
}

func (account) SignDigest(d common.Hash) ([]byte, error) {
	return crypto.Sign(d[:], crypto.ToECDSAUnsafe(bytes.Repeat([]byte{1}, 32)))
}

func marketABI(t *testing.T) abi.ABI {
	t.Helper()
	a, err := contracts.MarketABI()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func registryABI(t *testing.T) abi.ABI {
	t.Helper()
	a, err := contracts.RegistryABI()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// view makes the chain answer a call with the values.
func (c *chain) view(t *testing.T, to common.Address, a abi.ABI, method string, args []any, values ...any) {
	t.Helper()
	data, err := a.Pack(method, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.Methods[method].Outputs.Pack(values...)
	if err != nil {
		t.Fatal(err)
	}
	c.views[to.Hex()+hexutil.Encode(data)] = out
}

func TestSessionIsReadFieldByField(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	c.view(t, contracts.MarketAddress, marketABI(t), "session", []any{uint64(7)}, struct {
		Client      common.Address
		Expiry      uint64
		Coordinator common.Address
		DueAt       uint64
		Spender     common.Address
		Through     uint64
		FeeBps      uint16
		State       uint8
		Deposit     *big.Int
		Debited     *big.Int
	}{common.Address{1}, 2, common.Address{3}, 4, common.Address{5}, 6, 7, 2, big.NewInt(9), big.NewInt(10)})
	got, err := predeploy.NewMarket(client).Session(t.Context(), 7, chainclient.Latest)
	want := predeploy.Session{
		Client: common.Address{1}, Expiry: 2, Coordinator: common.Address{3}, DueAt: 4, Spender: common.Address{5},
		Through: 6, FeeBps: 7, State: predeploy.StateClosing, Deposit: market.Units(9), Debited: market.Units(10),
	}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestParamsAreRead(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	m, r := contracts.DefaultMarketParams(), contracts.DefaultRegistryParams()
	c.view(t, contracts.MarketAddress, marketABI(t), "params", nil, m.ABI())
	c.view(t, contracts.RegistryAddress, registryABI(t), "params", nil, r.ABI())
	if got, err := predeploy.NewMarket(client).Params(t.Context(), chainclient.Latest); err != nil || got != m {
		t.Errorf("market %+v, %v", got, err)
	}
	if got, err := predeploy.NewRegistry(client).Params(t.Context(), chainclient.Latest); err != nil || got != r {
		t.Errorf("registry %+v, %v", got, err)
	}
}

func TestParticipantAndAmounts(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	who := common.Address{8}
	c.view(t, contracts.RegistryAddress, registryABI(t), "participant", []any{uint8(1), who}, struct {
		Stake, Unbonding                   *big.Int
		UnbondAt                           uint64
		Reserved                           *big.Int
		Signer, NextSigner                 common.Address
		NextSignerAt                       uint64
		OldSigner                          common.Address
		OldSignerUntil                     uint64
		SealingKeyHash, NextSealingKeyHash [32]byte
		JailedUntil                        uint64
		Registered                         bool
		Endpoint                           string
	}{big.NewInt(1), big.NewInt(2), 3, big.NewInt(4), common.Address{5}, common.Address{6}, 7, common.Address{8}, 9, [32]byte{10}, [32]byte{11}, 12, true, "here"})
	c.view(t, contracts.MarketAddress, marketABI(t), "credited", []any{common.Address{2}, who}, big.NewInt(77))
	c.view(t, contracts.RegistryAddress, registryABI(t), "signerValid", []any{uint8(2), who, common.Address{3}}, true)
	p, err := predeploy.NewRegistry(client).Participant(t.Context(), predeploy.RoleMiner, who, chainclient.Latest)
	if err != nil || !p.Registered || p.Stake != market.Units(1) || p.Signer != (common.Address{5}) || p.SealingKeyHash != (common.Hash{10}) || p.JailedUntil != 12 || p.Endpoint != "here" {
		t.Errorf("%+v, %v", p, err)
	}
	if got, err := predeploy.NewMarket(client).Credited(t.Context(), common.Address{2}, who, chainclient.Latest); err != nil || got != market.Units(77) {
		t.Errorf("credited %s, %v", got, err)
	}
	if ok, err := predeploy.NewRegistry(client).SignerValid(t.Context(), predeploy.RoleCoordinator, who, common.Address{3}, chainclient.Latest); err != nil || !ok {
		t.Errorf("signer %v, %v", ok, err)
	}
	if _, err := predeploy.NewMarket(client).Session(t.Context(), 1, chainclient.Latest); err == nil {
		t.Error("no code at the address, and no error")
	}
}

func TestSettlePacksAsTheProtocolSays(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	s := predeploy.NewSender(client, account{})
	d := receipt.Domain{ChainID: 5, Market: contracts.MarketAddress}
	v := receipt.Voucher{Session: 0x0102, Through: 3, Cumulative: market.Units(4)}
	sig, err := receipt.Sign(account{}, d, v)
	if err != nil {
		t.Fatal(err)
	}
	single := predeploy.SingleOrder{
		Order:      receipt.Order{Session: 1, Number: 2, Model: common.Hash{3}, MaxPrice: market.Units(4), Deadline: 5},
		Receipt:    receipt.Receipt{Version: 1, Seed: 1 << 63, Price: market.MaxAmount(), Evidence: common.Hash{9}},
		MinerTotal: market.Units(6), OrderSignature: sig, MinerSignature: sig, Countersignature: sig, Candidates: []common.Address{{7}},
	}
	_, err = predeploy.NewMarket(client).Settle(t.Context(), s, predeploy.Batch{
		Coordinator: common.Address{1}, Vouchers: []predeploy.SignedVoucher{{Voucher: v, Signature: sig}}, Orders: []predeploy.SingleOrder{single},
		Credits: []predeploy.Credit{{Miner: common.Address{2}, Total: market.Units(5)}}, Root: common.Hash{6}, Count: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	if *c.sent.To() != contracts.MarketAddress {
		t.Fatalf("sent to %s", c.sent.To())
	}
	settle := marketABI(t).Methods["settle"]
	args, err := settle.Inputs.Unpack(c.sent.Data()[4:])
	if err != nil {
		t.Fatal(err)
	}
	r, vs := sig.Compact()
	wantVoucher := append(common.FromHex("0x0000000000000102"+"0000000000000003"+"00000000000000000000000000000004"), append(r[:], vs[:]...)...)
	wantCredit := append(common.Address{2}.Bytes(), common.FromHex("0x00000000000000000000000000000005")...)
	if !bytes.Equal(args[1].([]byte), wantVoucher) || !bytes.Equal(args[3].([]byte), wantCredit) || args[4] != [32]byte{6} || args[5] != uint32(7) {
		t.Fatalf("packed %x, %x", args[1], args[3])
	}
	order := reflect.ValueOf(args[2]).Index(0)
	rec := order.FieldByName("Receipt")
	if rec.FieldByName("Seed").Uint() != 1<<63 || rec.FieldByName("Price").Interface().(*big.Int).Cmp(market.MaxAmount().Big()) != 0 ||
		rec.FieldByName("Evidence").Interface() != [32]byte{9} || order.FieldByName("CounterVS").Interface() != vs || order.FieldByName("Order").FieldByName("Deadline").Uint() != 5 {
		t.Fatalf("order %+v", order)
	}
}

// logOf builds the log that the Market would emit.
func logOf(t *testing.T, name string, topics []common.Hash, data ...any) *types.Log {
	t.Helper()
	def := marketABI(t).Events[name]
	b, err := def.Inputs.NonIndexed().Pack(data...)
	if err != nil {
		t.Fatal(err)
	}
	return &types.Log{Address: contracts.MarketAddress, Topics: append([]common.Hash{def.ID}, topics...), Data: b, BlockNumber: 5, TxHash: common.Hash{1}, Index: 2}
}

func TestOpenSessionReturnsItsNumber(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	c.logs = []*types.Log{logOf(t, "SessionOpened", []common.Hash{common.BigToHash(big.NewInt(41)), {}, {}}, common.Address{4}, big.NewInt(100), uint64(9), uint16(250))}
	id, _, err := predeploy.NewMarket(client).OpenSession(t.Context(), predeploy.NewSender(client, account{}), predeploy.Opening{Deposit: market.Units(100), Expiry: 9})
	if err != nil || id != 41 || c.sent.Value().Int64() != 100 {
		t.Fatalf("%d, %v", id, err)
	}
}

func TestEventsAreDecoded(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	coordinator, miner := common.Address{1}, common.Address{2}
	topic := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	number := func(n int64) common.Hash { return common.BigToHash(big.NewInt(n)) }
	amount := big.NewInt
	c.logs = []*types.Log{
		logOf(t, "SessionOpened", []common.Hash{number(3), topic(miner), topic(coordinator)}, common.Address{4}, amount(100), uint64(9), uint16(250)),
		logOf(t, "SessionToppedUp", []common.Hash{number(3)}, amount(1), amount(101)),
		logOf(t, "SessionClosing", []common.Hash{number(3)}, uint64(8)),
		logOf(t, "SessionClosed", []common.Hash{number(3), topic(miner)}, amount(5), amount(96), true),
		logOf(t, "Debited", []common.Hash{number(3), topic(coordinator)}, uint64(2), amount(5), amount(1)),
		logOf(t, "OrderSettled", []common.Hash{number(3)}, uint64(2), amount(5)),
		logOf(t, "Credited", []common.Hash{topic(coordinator), topic(miner)}, amount(4), amount(2)),
		logOf(t, "Settled", []common.Hash{topic(coordinator), number(6)}, [32]byte{7}, uint32(8), amount(9), amount(10)),
		logOf(t, "EntrySkipped", []common.Hash{topic(coordinator)}, uint8(1), uint32(2), uint8(3)),
		logOf(t, "Claimed", []common.Hash{topic(coordinator), topic(miner)}, [32]byte{5}, amount(6), amount(7)),
		logOf(t, "LimitSet", []common.Hash{topic(coordinator), topic(miner)}, amount(6), uint64(7)),
		logOf(t, "Withdrawable", []common.Hash{topic(miner)}, amount(6)),
		logOf(t, "Swept", nil, amount(1)), // not one of ours
	}
	at := predeploy.Position{Block: 5, Tx: common.Hash{1}, Index: 2}
	units := market.Units
	want := []predeploy.Event{
		&predeploy.SessionOpened{Position: at, Session: 3, Client: miner, Coordinator: coordinator, Spender: common.Address{4}, Deposit: units(100), Expiry: 9, FeeBps: 250},
		&predeploy.SessionToppedUp{Position: at, Session: 3, Amount: units(1), Deposit: units(101)},
		&predeploy.SessionClosing{Position: at, Session: 3, DueAt: 8},
		&predeploy.SessionClosed{Position: at, Session: 3, Client: miner, Debited: units(5), Refunded: units(96), Pushed: true},
		&predeploy.Debited{Position: at, Session: 3, Coordinator: coordinator, Through: 2, Debited: units(5), Fee: units(1)},
		&predeploy.OrderSettled{Position: at, Session: 3, Number: 2, Price: units(5)},
		&predeploy.Credited{Position: at, Coordinator: coordinator, Miner: miner, Credited: units(4), Paid: units(2)},
		&predeploy.Settled{Position: at, Coordinator: coordinator, Batch: 6, Root: common.Hash{7}, Count: 8, Debited: units(9), Paid: units(10)},
		&predeploy.EntrySkipped{Position: at, Coordinator: coordinator, Kind: 1, Index: 2, Reason: 3},
		&predeploy.Claimed{Position: at, Coordinator: coordinator, Miner: miner, Receipt: common.Hash{5}, Paid: units(6), FromBond: units(7)},
		&predeploy.LimitSet{Position: at, Coordinator: coordinator, Miner: miner, Amount: units(6), EffectiveAt: 7},
		&predeploy.Withdrawable{Position: at, Account: miner, Amount: units(6)},
	}
	got, err := predeploy.NewMarket(client).Events(t.Context(), 1, 5, "Settled")
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d events, %v", len(got), err)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("event %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	if _, err := predeploy.NewMarket(client).Events(t.Context(), 1, 5, "Nonsense"); err == nil {
		t.Error("an event of that name was looked for")
	}
}
