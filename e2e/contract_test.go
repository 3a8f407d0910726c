package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/explorer/verify/verifytest"
	"github.com/aitbc/aitbc/market"
)

// solc is the compiler that contracts/ is built with, which comes from npm.
func solc(t *testing.T) string {
	t.Helper()
	return filepath.Join(npmPackages(t, filepath.Join("..", "contracts")), "node_modules", ".bin", "solcjs")
}

// counters are a library, a counter that calls it, and a proxy before the counter.
type counters struct {
	sums, counter, proxy common.Address
	abi                  abi.ABI
}

// deploy makes a contract with an account, and waits until the explorer has it.
func deploy(t *testing.T, n *network.Network, key string, code []byte) common.Address {
	t.Helper()
	k, err := crypto.HexToECDSA(strings.TrimPrefix(key, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	chain, from := n.Chain(), crypto.PubkeyToAddress(k.PublicKey)
	id, err := chain.ChainID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nonce, err := chain.Nonce(t.Context(), from, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	base, tip, err := chain.Fees(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	most := new(big.Int).Add(new(big.Int).Mul(base, big.NewInt(4)), tip)
	tx, err := types.SignNewTx(k, types.LatestSignerForChainID(new(big.Int).SetUint64(id)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(id), Nonce: nonce, GasTipCap: tip, GasFeeCap: most, Gas: 4_000_000, Data: code,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chain.SendRaw(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	n.Wait("the contract to be made", func() bool {
		r, err := chain.Receipt(t.Context(), tx.Hash())
		if err == nil && r.Status != types.ReceiptStatusSuccessful {
			t.Fatal("the contract was not made")
		}
		return err == nil
	})
	n.Wait("the explorer to have it", func() bool {
		status, _ := explorer(t, n, "/api/txs/"+tx.Hash().Hex(), "")
		return status == http.StatusOK
	})
	return crypto.CreateAddress(from, nonce)
}

// deployCounters makes them.
func deployCounters(t *testing.T, n *network.Network, key string) (c counters) {
	t.Helper()
	counter := verifytest.Load(t, "Counter")
	var err error
	if c.abi, err = abi.JSON(bytes.NewReader(counter.ABI)); err != nil {
		t.Fatal(err)
	}
	args, err := c.abi.Pack("", big.NewInt(1000), "<i>first</i>")
	if err != nil {
		t.Fatal(err)
	}
	c.sums = deploy(t, n, key, verifytest.Load(t, "Sums").EVM.Creation.Linked(t, common.Address{}))
	c.counter = deploy(t, n, key, append(counter.EVM.Creation.Linked(t, c.sums), args...))
	c.proxy = deploy(t, n, key, append(verifytest.Load(t, "Proxy").EVM.Creation.Linked(t, common.Address{}), common.LeftPadBytes(c.counter[:], 32)...))
	return c
}

// showSource hands a source to the explorer, and returns the status and the answer.
func showSource(t *testing.T, n *network.Network, of common.Address, contract string, input json.RawMessage) (int, string) {
	t.Helper()
	body, err := json.Marshal(httpapi.VerifyRequest{Input: input, Contract: contract})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(n.ExplorerURL()+"/api/contracts/"+of.Hex()+"/verify", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test's
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// Contracts on a real chain are verified by a real compiler: with their constructors,
// immutable values, libraries and proxies. The explorer is killed, and still knows.
func TestContractsAreVerifiedByARealCompiler(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{Env: []string{"AITBC_SOLC=" + solc(t)}})
	key, _ := payer(t, n, market.Coins(10))
	c := deployCounters(t, n, key)
	var other map[string]any
	if err := json.Unmarshal(verifytest.Input(), &other); err != nil {
		t.Fatal(err)
	}
	other["settings"].(map[string]any)["optimizer"] = map[string]any{"enabled": false}
	unlike, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := showSource(t, n, c.counter, "Counter", unlike); status != http.StatusBadRequest {
		t.Errorf("with other settings: %d %s", status, answer)
	}
	commented := json.RawMessage(strings.ReplaceAll(string(verifytest.Input()), "Counts, and says so", "Counts, and says it"))
	for _, step := range []struct {
		of          common.Address
		name, match string
		input       json.RawMessage
	}{
		{c.counter, "Counter", "partial", commented},
		{c.counter, "Counter", "full", verifytest.Input()},
		{c.counter, "Counter", "full", commented},
		{c.sums, "Sums", "full", verifytest.Input()},
		{c.proxy, "Proxy", "full", verifytest.Input()},
	} {
		if status, answer := showSource(t, n, step.of, step.name, step.input); status != http.StatusOK || !strings.Contains(answer, fmt.Sprintf(`"match":%q`, step.match)) {
			t.Fatalf("%s: %d %.500s", step.name, status, answer)
		}
	}
	n.Kill("explorer")
	n.Wait("the explorer", func() bool { status, _ := explorer(t, n, "/health", ""); return status == http.StatusOK })
	got := shown[httpapi.ContractDetail](t, n, "/api/contracts/"+c.proxy.Hex())
	if got.Name != "Proxy" || !got.Created || got.Implementation == nil || got.Implementation.Address != c.counter || got.Implementation.Name != "Counter" {
		t.Errorf("%+v", got)
	}
	got = shown[httpapi.ContractDetail](t, n, "/api/contracts/"+c.counter.Hex())
	if got.Match != "full" || !strings.Contains(string(got.Args), `"most_":"1000"`) || len(got.Libraries) != 1 || got.Libraries[0].Address != c.sums || !strings.Contains(got.Sources[0].Content, verifytest.Planted) {
		t.Errorf("%+v", got)
	}
	market := shown[httpapi.ContractDetail](t, n, "/api/contracts/0x000000000000000000000000000000000000a102")
	if market.Match != "network" || market.Implementation == nil || market.Implementation.Match != "network" {
		t.Errorf("the Market: %s, %+v", market.Match, market.Implementation)
	}
}

// A person with a wallet in a browser shows a contract's source, reads the contract,
// writes to it through a proxy, and is told why it refuses; what is planted in the
// source is text.
func TestContractInABrowser(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	n := network.Start(t, network.Options{Env: []string{"AITBC_SOLC=" + solc(t)}})
	key, account := payer(t, n, market.Coins(10))
	c := deployCounters(t, n, key)
	input := filepath.Join(t.TempDir(), "input.json")
	if err := os.WriteFile(input, verifytest.Input(), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := inPage(t, n.ExplorerURL(), browser, key, "contract.mjs", input, c.counter.Hex(), c.proxy.Hex())
	var saw struct {
		Axe, Violations, Foreign, Asked []string
		Tx                              common.Hash
		Wide                            []int
	}
	if err := json.Unmarshal(raw, &saw); err != nil {
		t.Fatalf("contract.mjs printed %q: %v", raw, err)
	}
	if len(saw.Violations) > 0 || len(saw.Foreign) > 0 || len(saw.Axe) > 0 || slices.Max(saw.Wide) > 0 {
		t.Errorf("policy %q, other origins %q, not accessible %q, too wide by %v", saw.Violations, saw.Foreign, saw.Axe, saw.Wide)
	}
	if want := []string{"eth_requestAccounts", "wallet_switchEthereumChain", "wallet_addEthereumChain", "wallet_switchEthereumChain", "eth_sendTransaction"}; !slices.Equal(saw.Asked, want) {
		t.Errorf("the wallet was asked %v, want %v", saw.Asked, want)
	}
	r, err := n.Chain().Receipt(t.Context(), saw.Tx)
	if err != nil || r.Status != types.ReceiptStatusSuccessful {
		t.Fatalf("%+v, %v", r, err)
	}
	data, err := c.abi.Pack("count")
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Chain().CallContract(t.Context(), chainclient.Message{To: c.proxy, Data: data}, chainclient.Latest)
	if err != nil || new(big.Int).SetBytes(out).Cmp(big.NewInt(7)) != 0 {
		t.Errorf("the proxy counts %x, %v", out, err)
	}
	x := shown[httpapi.TxDetail](t, n, "/api/txs/"+saw.Tx.Hex())
	if x.From != account || *x.To != c.proxy || x.Method != "increase" || x.Call.Contract != "Counter" || len(x.Logs) != 1 || x.Logs[0].Event != "Counted" || x.Value != market.Coins(1) {
		t.Errorf("%+v, %+v", x, x.Call)
	}
}
