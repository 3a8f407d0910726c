package onchain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/onchain"
)

type account struct{}

func (account) Address() common.Address {
	return crypto.PubkeyToAddress(crypto.ToECDSAUnsafe(bytes.Repeat([]byte{1}, 32)).PublicKey)
}

func (account) SignDigest(d common.Hash) ([]byte, error) {
	return crypto.Sign(d[:], crypto.ToECDSAUnsafe(bytes.Repeat([]byte{1}, 32)))
}

// participant is the ABI's tuple.
type participant struct {
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
}

// chain is a registry with one account.
type chain struct {
	t *testing.T

	mu      sync.Mutex // guards the fields below
	entry   participant
	balance *big.Int
	calls   []string // methods sent in transactions
	last    common.Hash
	down    int // requests that fail
}

func newChain(t *testing.T) (*chain, *chainclient.Client) {
	t.Helper()
	c := &chain{t: t, entry: participant{Stake: new(big.Int), Unbonding: new(big.Int), Reserved: new(big.Int)}, balance: market.Coins(20_000).Big()}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	client, err := chainclient.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down > 0 {
		c.down--
		panic(http.ErrAbortHandler)
	}
	registry, err := contracts.RegistryABI()
	if err != nil {
		panic(err)
	}
	var result any
	switch req.Method {
	case "eth_call":
		out, err := registry.Methods["participant"].Outputs.Pack(c.entry)
		if err != nil {
			panic(err)
		}
		result = hexutil.Bytes(out)
	case "eth_getBalance":
		result = (*hexutil.Big)(c.balance)
	case "eth_getBlockByNumber":
		result = &types.Header{BaseFee: big.NewInt(1), Number: big.NewInt(1), Difficulty: new(big.Int)}
	case "eth_getTransactionCount":
		result = hexutil.Uint64(len(c.calls))
	case "eth_sendRawTransaction":
		result = c.take(req.Params[0])
	case "eth_getTransactionReceipt":
		result = &types.Receipt{Status: 1, TxHash: c.last, BlockNumber: big.NewInt(1), Logs: []*types.Log{}}
	default: // chain id, tip, gas
		result = "0x5"
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result}); err != nil {
		panic(err)
	}
}

func (c *chain) take(param json.RawMessage) common.Hash {
	var raw hexutil.Bytes
	tx := new(types.Transaction)
	registry, err := contracts.RegistryABI()
	err = errors.Join(err, json.Unmarshal(param, &raw), tx.UnmarshalBinary(raw))
	if err != nil {
		panic(err)
	}
	method, err := registry.MethodById(tx.Data())
	if err != nil {
		panic(err)
	}
	args, err := method.Inputs.Unpack(tx.Data()[4:])
	if err != nil || args[0] != uint8(1) {
		panic(err)
	}
	if method.Name == "register" {
		c.entry.Registered, c.entry.Signer = true, args[1].(common.Address)
	}
	c.entry.Stake = new(big.Int).Add(c.entry.Stake, tx.Value())
	c.calls, c.last = append(c.calls, method.Name), tx.Hash()
	return c.last
}

func (c *chain) sent() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.calls, " ")
}

var stake = market.Coins(10_000)

func TestNewMinerRegistersWithItsStake(t *testing.T) {
	t.Parallel()
	c, client := newChain(t)
	c.down = 2 // the node is not up yet
	if err := onchain.New(client, account{}, stake).Ensure(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	if c.sent() != "register" || c.entry.Stake.Cmp(stake.Big()) != 0 || c.entry.Signer != (account{}).Address() {
		t.Fatalf("%s, %+v", c.sent(), c.entry)
	}
}

func TestRegisteredMinerSendsNothing(t *testing.T) {
	t.Parallel()
	c, client := newChain(t)
	c.entry.Registered, c.entry.Signer, c.entry.Stake = true, account{}.Address(), stake.Big()
	if err := onchain.New(client, account{}, stake).Ensure(t.Context(), func(string) {}); err != nil || c.sent() != "" {
		t.Fatalf("%s, %v", c.sent(), err)
	}
}

func TestMissingStakeIsAddedUnlessItsOwnerTakesItOut(t *testing.T) {
	t.Parallel()
	c, client := newChain(t)
	c.entry.Registered, c.entry.Signer, c.entry.Stake = true, account{}.Address(), market.Coins(4_000).Big()
	c.entry.Unbonding = market.Coins(1).Big()
	door := onchain.New(client, account{}, stake)
	if err := door.Ensure(t.Context(), func(string) {}); err != nil || c.sent() != "" {
		t.Fatalf("%s, %v", c.sent(), err)
	}
	c.entry.Unbonding = new(big.Int)
	if err := door.Ensure(t.Context(), func(string) {}); err != nil || c.sent() != "increase" || c.entry.Stake.Cmp(stake.Big()) != 0 {
		t.Fatalf("%s, %s, %v", c.sent(), c.entry.Stake, err)
	}
}

func TestMinerWithoutFundsSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	c, client := newChain(t)
	c.balance = market.Coins(3).Big()
	var notes []string
	err := onchain.New(client, account{}, stake).Ensure(t.Context(), func(note string) {
		notes = append(notes, note)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.balance = market.Coins(10_001).Big() // somebody sends it
	})
	if err != nil || len(notes) != 1 || c.sent() != "register" {
		t.Fatalf("%q, %s, %v", notes, c.sent(), err)
	}
	for _, want := range []string{"send 9997.01 AITBC to " + account{}.Address().Hex(), "has 3 AITBC"} {
		if !strings.Contains(notes[0], want) {
			t.Errorf("%q does not say %q", notes[0], want)
		}
	}
}

func TestAnotherSigningKeyIsRefused(t *testing.T) {
	t.Parallel()
	c, client := newChain(t)
	c.entry.Registered, c.entry.Signer = true, common.Address{7}
	if err := onchain.New(client, account{}, stake).Ensure(t.Context(), func(string) {}); !errors.Is(err, onchain.ErrOtherSigner) {
		t.Fatalf("err = %v", err)
	}
}

func TestEnsureEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, client := newChain(t)
	c.down = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	err := onchain.New(client, account{}, stake).Ensure(ctx, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
}
