package genesis_test

import (
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/genesis"
)

var (
	alice = common.HexToAddress("0xa11ce")
	proxy = common.HexToAddress("0xA101")
	impl  = common.HexToAddress("0x1a101")
	at    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// selfish is creation code that stores address(this) in slot 1 and the chain id in slot 2, and returns two bytes of
// code: what a constructor with immutables and a domain separator does.
//
//	ADDRESS PUSH1 1 SSTORE CHAINID PUSH1 2 SSTORE PUSH2 0x6000 PUSH1 0 MSTORE PUSH1 2 PUSH1 30 RETURN
var selfish = common.FromHex("30600155466002556160006000526002601ef3")

// reverting is PUSH1 0 DUP1 REVERT.
var reverting = common.FromHex("600080fd")

func spec() genesis.Spec {
	return genesis.Spec{
		ChainID: big.NewInt(1<<40 + 7), Time: at, Mode: genesis.PoA,
		Alloc:      map[common.Address]*big.Int{alice: big.NewInt(1000)},
		Predeploys: []genesis.Predeploy{{Name: "Registry", Proxy: proxy, Implementation: impl, Creation: selfish, ProxyCreation: selfish}},
		EndBlock:   []genesis.Call{{Name: "Registry.endBlock", To: proxy, Data: []byte{1, 2, 3, 4}, Gas: 50_000}},
	}
}

func TestConstructorsRunAtTheirFinalAddresses(t *testing.T) {
	s, err := genesis.Build(spec())
	require.NoError(t, err)
	for _, a := range []common.Address{proxy, impl} {
		acc := s.EVM.Alloc[a]
		require.Equal(t, []byte{0x60, 0x00}, acc.Code, "the account holds what the constructor returned")
		require.Equal(t, uint64(1), acc.Nonce)
		require.Equal(t, common.BytesToHash(a[:]), acc.Storage[common.BigToHash(big.NewInt(1))], "address(this)")
		require.Equal(t, common.BigToHash(big.NewInt(1<<40+7)), acc.Storage[common.BigToHash(big.NewInt(2))], "chain id")
	}
	require.Equal(t, big.NewInt(1000), s.Supply())
	require.Equal(t, "aitbc-1099511627783", s.CometID())
}

func TestGenesisFileReproducesTheState(t *testing.T) {
	s, err := genesis.Build(spec())
	require.NoError(t, err)
	key := secp256k1eth.GenPrivKeySecp256k1Eth([]byte("validator"))
	doc, err := genesis.Document(s, at, []genesis.Validator{{Key: key.PubKey(), Power: genesis.AuthorityPower}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "genesis.json")
	require.NoError(t, doc.SaveAs(path))
	_, got, err := genesis.Load(path)
	require.NoError(t, err)
	require.Equal(t, s.Hash(), got.Hash())
	require.Equal(t, s.Predeploys, got.Predeploys)
	require.Equal(t, s.EndBlock, got.EndBlock)

	again, err := genesis.Build(spec())
	require.NoError(t, err)
	require.Equal(t, s.Hash(), again.Hash(), "building is deterministic")

	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, c := range map[string]struct{ change, want string }{
		"another balance": {`"0x3e8"`, "app state hashes to"},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := []byte(replace(t, string(raw), c.change, `"0x3e9"`))
			_, _, err := genesis.Read(spoilt)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestWhatCannotBeAGenesisIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*genesis.Spec)
		want   string
	}{
		"chain id 0":         {func(s *genesis.Spec) { s.ChainID = new(big.Int) }, "positive"},
		"no time":            {func(s *genesis.Spec) { s.Time = time.Time{} }, "no time"},
		"staking mode":       {func(s *genesis.Spec) { s.Mode = "pow" }, "none of poa, pos, hybrid"},
		"negative balance":   {func(s *genesis.Spec) { s.Alloc[alice] = big.NewInt(-1) }, "2^128"},
		"enormous balance":   {func(s *genesis.Spec) { s.Alloc[alice] = new(big.Int).Lsh(big.NewInt(1), 128) }, "2^128"},
		"balance on a proxy": {func(s *genesis.Spec) { s.Alloc[proxy] = big.NewInt(1) }, "taken"},
		"no creation code":   {func(s *genesis.Spec) { s.Predeploys[0].Creation = nil }, "no creation code"},
		"reverting":          {func(s *genesis.Spec) { s.Predeploys[0].Creation = reverting }, "constructor"},
		"returns nothing":    {func(s *genesis.Spec) { s.Predeploys[0].Creation = []byte{0} }, "0 bytes long"},
		"same address twice": {func(s *genesis.Spec) { s.Predeploys[0].Implementation = proxy }, "taken"},
	} {
		t.Run(name, func(t *testing.T) {
			sp := spec()
			c.change(&sp)
			_, err := genesis.Build(sp)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A parameter that a contract does not take is named.
func TestWhatAConstructorRefusesIsSaid(t *testing.T) {
	word := func(b ...byte) []byte { return common.RightPadBytes(b, 32) }
	says := slices.Concat(crypto.Keccak256([]byte("BadParameter(string)"))[:4], common.LeftPadBytes([]byte{32}, 32), common.LeftPadBytes([]byte{5}, 32), word([]byte("delay")...))
	s := spec()
	// PUSH1 100 PUSH1 12 PUSH1 0 CODECOPY PUSH1 100 PUSH1 0 REVERT
	s.Predeploys[0].Creation = slices.Concat(common.FromHex("6064600c60003960646000fd"), says)
	_, err := genesis.Build(s)
	require.ErrorContains(t, err, "Registry")
	require.ErrorContains(t, err, "the parameter delay is out of its bounds")
}

func TestAppStateDecoderIsStrict(t *testing.T) {
	s, err := genesis.Build(spec())
	require.NoError(t, err)
	raw, err := json.Marshal(s)
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, now, want string }{
		"unknown field": {`{"consensus_mode"`, `{"extra":1,"consensus_mode"`, "unknown field"},
		"mode":          {`"poa"`, `"pow"`, "none of poa, pos, hybrid"},
		"difficulty":    {`"difficulty":"0x0"`, `"difficulty":"0x1"`, "difficulty"},
		"extra data":    {`"extraData":"0x6169`, `"extraData":"0x6269`, "extra data"},
		"gas limit":     {`"gasLimit":"0x5f5e100"`, `"gasLimit":"0x1"`, "gas limit"},
		"chain id":      {`"chainId":1099511627783`, `"chainId":0`, "chain id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := genesis.Parse([]byte(replace(t, string(raw), c.old, c.now)))
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err = genesis.Parse(append(raw, '{'))
	require.Error(t, err)
}

func FuzzParse(f *testing.F) {
	s, err := genesis.Build(spec())
	require.NoError(f, err)
	raw, err := json.Marshal(s)
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte(`{"consensus_mode":"poa","evm":{"config":{"chainId":1},"difficulty":"0x0","gasLimit":"0x5f5e100","alloc":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := genesis.Parse(b)
		if err != nil {
			return
		}
		if got.Supply().Sign() < 0 || got.CometID() == "" {
			t.Fatalf("accepted a state that makes no sense: %s", b)
		}
	})
}

func TestAddressesAreThoseOfTheKeys(t *testing.T) {
	// The well-known first account of development chains: CometBFT's address is Ethereum's.
	k, err := crypto.HexToECDSA("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	require.NoError(t, err)
	require.Equal(t, crypto.PubkeyToAddress(k.PublicKey).Bytes(), []byte(secp256k1eth.PrivKey(crypto.FromECDSA(k)).PubKey().Address()))
}

func replace(t *testing.T, s, old, now string) string {
	t.Helper()
	require.Contains(t, s, old)
	return strings.Replace(s, old, now, 1)
}
