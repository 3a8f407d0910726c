package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/explorer/indextest"
	"github.com/aitbc/aitbc/explorer/verify/verifytest"
)

var (
	sums  = common.HexToAddress("0x5ab5000000000000000000000000000000000001")
	proxy = common.HexToAddress("0x9047000000000000000000000000000000000001")
)

// counting is a chain on which a counter was made, called, and refused a call.
func counting(t *testing.T) *world {
	t.Helper()
	c := verifytest.Load(t, "Counter")
	parsed, err := abi.JSON(bytes.NewReader(c.ABI))
	must(t, err)
	pack := func(b []byte, err error) []byte { must(t, err); return b }
	args := pack(parsed.Pack("", big.NewInt(1000), "first"))
	entry := struct {
		By     common.Address
		Height uint64
		Note   string
	}{sums, 7, "<i>hello</i>"}
	event := parsed.Events["Counted"]
	said := pack(event.Inputs.NonIndexed().Pack(big.NewInt(5), entry))
	refusal := parsed.Errors["TooMuch"]
	n := indextest.New(20, 10)
	log := func(of common.Address) string {
		return fmt.Sprintf(`{"address":%q,"topics":[%q,%q],"data":%q}`, of.Hex(), event.ID.Hex(), common.BytesToHash(sums[:]).Hex(), hexutil.Encode(said))
	}
	n.Contract = &indextest.Contract{
		Creation: append(c.EVM.Creation.Linked(t, sums), args...),
		Code: map[common.Address][]byte{
			n.Made(): c.EVM.Runtime.Linked(t, sums), proxy: verifytest.Load(t, "Proxy").EVM.Runtime.Linked(t, sums), contracts.MarketAddress: {1}, contracts.RegistryAddress: {1},
		},
		Slot:   map[common.Address]common.Address{proxy: n.Made(), contracts.MarketAddress: contracts.Predeploys[1].Implementation()},
		Input:  pack(parsed.Pack("increase", big.NewInt(5), "why <b>not</b>")),
		Logs:   "[" + log(n.Made()) + "," + log(proxy) + "," + log(sums) + "]",
		Revert: append(refusal.ID[:4:4], pack(refusal.Inputs.Pack(big.NewInt(1005), big.NewInt(1000)))...),
	}
	return startWith(t, n)
}

func (w *world) verify(of common.Address, req map[string]any) (int, string) {
	w.t.Helper()
	body, err := json.Marshal(req)
	must(w.t, err)
	status, _, answer := w.ask("POST", "/api/contracts/"+of.Hex()+"/verify", "application/json", string(body))
	return status, answer
}

// escaped is JSON as Go writes it.
func escaped(text string) string {
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(text)
}

// Whoever has the source shows it; from then on calls, events and refusals are told in
// its words, through a proxy too.
func TestAVerifiedContractIsUnderstood(t *testing.T) {
	t.Parallel()
	w := counting(t)
	of := "/api/contracts/" + w.node.Made().Hex()
	call := "/api/txs/" + w.node.Tx(indextest.MadeAt+1, 8).Hex()
	before := get[httpapi.ContractDetail](w, of)
	if before.Match != "" || before.Bytes == 0 || string(before.ABI) != "null" || before.Time != nil || before.Implementation != nil {
		t.Errorf("before: %+v", before)
	}
	if x := get[httpapi.TxDetail](w, call); x.Method[:2] != "0x" || x.Call.Match != "" || len(x.Logs) != 3 || x.Logs[0].Event != "" {
		t.Errorf("before: %+v", x)
	}
	status, answer := w.verify(w.node.Made(), map[string]any{"input": verifytest.Input(), "contract": verifytest.Path + ":Counter"})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	c := get[httpapi.ContractDetail](w, of)
	if c.Match != "full" || c.Name != "Counter" || c.Path != verifytest.Path || c.Compiler != verifytest.Version || !c.Created || c.Time == nil ||
		len(c.Sources) != 1 || !strings.Contains(c.Sources[0].Content, verifytest.Planted) || len(c.Libraries) != 1 || c.Libraries[0].Address != sums {
		t.Errorf("%+v", c)
	}
	if string(c.Args) != `{"most_":"1000","note":"first"}` || c.Arguments == nil || !strings.Contains(string(c.Settings), "prague") {
		t.Errorf("%s, %v, %s", c.Args, c.Arguments, c.Settings)
	}
	list := get[httpapi.Page[httpapi.Contract]](w, "/api/contracts?limit=1")
	if len(list.Items) != 1 || list.Items[0].Address != w.node.Made() || list.Next != "" {
		t.Errorf("%+v", list)
	}
	if _, _, table := w.ask("GET", "/api/contracts?format=csv", "", ""); !strings.HasPrefix(table, "address,name,path,match,compiler,time\n0x") {
		t.Errorf("%s", table)
	}
	x := get[httpapi.TxDetail](w, call)
	if x.Method != "increase" || x.Call.Contract != "Counter" || x.Call.Match != "full" || string(x.Call.Args) != escaped(`{"by":"5","note":"why <b>not</b>"}`) {
		t.Errorf("%+v, %s", x.Call, x.Call.Args)
	}
	want := escaped(fmt.Sprintf(`{"by":"%#x","count":"5","entry":{"by":"%#x","height":"7","note":"<i>hello</i>"}}`, sums, sums))
	for i, known := range []bool{true, true, false} { // the counter, a proxy to it, and a stranger
		l := x.Logs[i]
		if known && (l.Contract != "Counter" || l.Event != "Counted" || string(l.Args) != want) || !known && (l.Event != "" || string(l.Args) != "null") {
			t.Errorf("log %d: %+v, %s", i, l, l.Args)
		}
	}
	refused := get[httpapi.TxDetail](w, "/api/txs/"+w.node.Tx(indextest.MadeAt+2, 8).Hex())
	if refused.Reason != "TooMuch(asked 1005, most 1000)" {
		t.Errorf("%s", refused.Reason)
	}
	txs := get[httpapi.Page[httpapi.Tx]](w, "/api/addresses/"+w.node.Made().Hex()+"/txs")
	if len(txs.Items) < 3 || txs.Items[0].Method != "increase" {
		t.Errorf("%+v", txs.Items)
	}
	p := get[httpapi.ContractDetail](w, "/api/contracts/"+proxy.Hex())
	if p.Match != "" || p.Implementation == nil || p.Implementation.Address != w.node.Made() || p.Implementation.Name != "Counter" || !strings.Contains(string(p.Implementation.ABI), "increase") {
		t.Errorf("the proxy: %+v", p)
	}
	// The proxy's own source too: its implementation is understood as before.
	if status, answer := w.verify(proxy, map[string]any{"input": verifytest.Input(), "contract": "Proxy"}); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	if x := get[httpapi.TxDetail](w, call); x.Logs[1].Event != "Counted" {
		t.Errorf("through a verified proxy: %+v", x.Logs[1])
	}
	if list := get[httpapi.Page[httpapi.Contract]](w, "/api/contracts?limit=1"); list.Items[0].Name != "Proxy" || list.Next == "" ||
		get[httpapi.Page[httpapi.Contract]](w, "/api/contracts?limit=1&before="+list.Next).Items[0].Name != "Counter" {
		t.Errorf("%+v", list)
	}
}

func TestTheNetworksContractsAreKnownWithoutASource(t *testing.T) {
	t.Parallel()
	w := counting(t)
	c := get[httpapi.ContractDetail](w, "/api/contracts/"+contracts.MarketAddress.Hex())
	if c.Name != "Market" || c.Match != "network" || !strings.Contains(string(c.ABI), "openSession") || c.Implementation == nil || c.Implementation.Match != "network" {
		t.Errorf("%+v", c)
	}
	if status, answer := w.verify(contracts.MarketAddress, map[string]any{"input": verifytest.Input(), "contract": "Counter"}); status != http.StatusConflict {
		t.Errorf("%d %s", status, answer)
	}
}

func TestWhatIsNotTheSourceIsRefused(t *testing.T) {
	t.Parallel()
	w := counting(t)
	good := func(change map[string]any) map[string]any {
		req := map[string]any{"input": verifytest.Input(), "contract": "Counter"}
		maps.Copy(req, change)
		return req
	}
	for _, c := range []struct {
		of     common.Address
		change map[string]any
		status int
		says   string
	}{
		{w.node.Account(1), nil, 404, "no contract at this address"},
		{w.node.Made(), map[string]any{"contract": "Maker"}, 400, "the code is not that of this source"},
		{w.node.Made(), map[string]any{"compiler": "0.8.1"}, 400, "does not have the compiler 0.8.1, but 0.8.37"},
		{w.node.Made(), map[string]any{"constructor_arguments": "0x00"}, 400, "arguments were others: 0x"},
		{w.node.Made(), map[string]any{"nonsense": 1}, 400, "the body is not"},
		{w.node.Made(), map[string]any{"input": "text"}, 400, "standard JSON"},
		{w.node.Made(), map[string]any{"input": strings.Repeat("x", 5<<20)}, 413, ""},
	} {
		if status, answer := w.verify(c.of, good(c.change)); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%v: %d %.300s", c.says, status, answer)
		}
	}
	if status, _, answer := w.ask("POST", "/api/contracts/"+w.node.Made().Hex()+"/verify", "text/plain", "{}"); status != 400 {
		t.Errorf("%d %s", status, answer)
	}
	if list := get[httpapi.Page[httpapi.Contract]](w, "/api/contracts"); len(list.Items) != 0 {
		t.Errorf("%+v", list)
	}
	if v := get[httpapi.Compilers](w, "/api/compilers").Versions; len(v) != 1 || v[0] != verifytest.Version {
		t.Errorf("%v", v)
	}
}
