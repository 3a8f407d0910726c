package contracts_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// The artefacts name the sources they were made of; npm run check, which needs
// Node, compiles again and compares the code too.
func TestArtifactsMatchSources(t *testing.T) {
	dir := os.DirFS(".")
	var files []string
	err := fs.WalkDir(dir, "src", func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".sol") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	h := sha256.New()
	for _, f := range files {
		text, err := fs.ReadFile(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(slices.Concat([]byte(f), []byte{0}, text, []byte{0}))
	}
	var build struct {
		Sources string `json:"sources"`
	}
	text, err := os.ReadFile("artifacts/build.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &build); err != nil {
		t.Fatal(err)
	}
	if got := "0x" + hex.EncodeToString(h.Sum(nil)); got != build.Sources {
		t.Errorf("sources hash to %s, artefacts were made of %s: run npm run build", got, build.Sources)
	}
}

func TestLoadEveryArtifact(t *testing.T) {
	for _, name := range []string{
		contracts.NameRegistry, contracts.NameMarket, contracts.NameTreasury,
		contracts.NameStaking, contracts.NameRewards, contracts.NameTimelock, contracts.NameGovernor, contracts.NameUpgrades,
		contracts.NameFaucet,
		contracts.NameProxy, contracts.NameReceiptVerifier,
	} {
		a, err := contracts.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if a.Name != name || len(a.Bytecode) == 0 || len(a.DeployedBytecode) == 0 {
			t.Errorf("%s: incomplete artefact", name)
		}
		// EIP-170: a larger contract could not be deployed by a transaction.
		if len(a.DeployedBytecode) > 24_576 {
			t.Errorf("%s: %d bytes of code", name, len(a.DeployedBytecode))
		}
		// EIP-3860: nor one whose creation code, with the halves that it makes, is longer.
		if len(a.Bytecode) > 49_152 {
			t.Errorf("%s: %d bytes of creation code", name, len(a.Bytecode))
		}
	}
	if _, err := contracts.Load("Nothing"); err == nil {
		t.Error("an artefact that does not exist was loaded")
	}
}

// The words of docs/PROTOCOL.md, as clients compute them.
func TestInterfaceIsTheProtocols(t *testing.T) {
	market, err := contracts.MarketABI()
	if err != nil {
		t.Fatal(err)
	}
	registry, err := contracts.RegistryABI()
	if err != nil {
		t.Fatal(err)
	}
	order := "(uint64,uint64,bytes32,bytes32,bytes32,bytes32,uint128,uint64)"
	receipt := "(uint8,bytes32,uint64,address,address,address,bytes32,bytes32,bytes32,uint64,uint64,uint64,uint64,uint128,uint128,uint128,uint128,uint128,uint32,uint32,uint32,uint64,uint64,uint64,uint8,bytes32)"
	single := "(" + order + ",bytes32,bytes32,address[]," + receipt + ",bytes32,bytes32,uint128,bytes32,bytes32)"
	for name, want := range map[string]string{
		"openSession":        "openSession(address,address,uint64)",
		"topUp":              "topUp(uint64)",
		"requestClose":       "requestClose(uint64)",
		"closeByAgreement":   "closeByAgreement(uint64,uint128,bytes)",
		"settle":             "settle(address,bytes," + single + "[],bytes,bytes32,uint32)",
		"claimReceipt":       "claimReceipt(" + receipt + ",uint128,bytes32,bytes32)",
		"setMinerLimit":      "setMinerLimit(address,uint128)",
		"applyLimit":         "applyLimit(address,address)",
		"withdrawSettlement": "withdrawSettlement(uint128)",
		"withdraw":           "withdraw(address)",
		"refund":             "refund(uint64)",
		"endBlock":           "endBlock()",
		"createJob":          "createJob((bytes32,bytes32,bytes32,bytes32,uint8,uint64,uint64,uint32),address[],bytes)",
		"cancelJob":          "cancelJob(uint64)",
		"acceptJob":          "acceptJob(uint64)",
		"submitResult":       "submitResult(uint64," + receipt + ",bytes32,bytes32,bytes32)",
		"acknowledgeJob":     "acknowledgeJob(uint64)",
		"challengeJob":       "challengeJob(uint64)",
		"deliverJob":         "deliverJob(uint64,bytes)",
		"expireJob":          "expireJob(uint64)",
		"endJobs":            "endJobs()",
	} {
		if got := market.Methods[name].Sig; got != want {
			t.Errorf("Market.%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"register":         "register(uint8,address,bytes32,string)",
		"increase":         "increase(uint8)",
		"requestUnbond":    "requestUnbond(uint8,uint128)",
		"withdrawUnbonded": "withdrawUnbonded(uint8)",
		"replaceSigner":    "replaceSigner(uint8,address,bytes32)",
		"unjail":           "unjail(uint8)",
		"participant":      "participant(uint8,address)",
		"signerValid":      "signerValid(uint8,address,address)",
		"signerOwner":      "signerOwner(address)",
	} {
		if got := registry.Methods[name].Sig; got != want {
			t.Errorf("Registry.%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"SessionOpened": "SessionOpened(uint64,address,address,address,uint128,uint64,uint16)",
		"Debited":       "Debited(uint64,address,uint64,uint128,uint128)",
		"Settled":       "Settled(address,uint64,bytes32,uint32,uint128,uint128)",
		"EntrySkipped":  "EntrySkipped(address,uint8,uint32,uint8)",
		"Claimed":       "Claimed(address,address,bytes32,uint128,uint128)",
		"JobClosed":     "JobClosed(uint64,address,address,uint8,uint128,uint128,uint128)",
	} {
		if got := market.Events[name].Sig; got != want {
			t.Errorf("event %s is %q, want %q", name, got, want)
		}
	}
}

func TestCreationsAreThePredeploysInOrder(t *testing.T) {
	g := contracts.DefaultGenesis()
	g.Governor = common.HexToAddress("0x01")
	faucet := contracts.DefaultFaucetParams()
	g.Faucet = &faucet
	g.Validators = []contracts.GenesisValidator{{Operator: common.HexToAddress("0x02"), Stake: market.Coins(10_000)}}
	all, err := g.Creations()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(contracts.Predeploys) {
		t.Fatalf("%d creations", len(all))
	}
	proxy, err := contracts.Load(contracts.NameProxy)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range contracts.Predeploys {
		c := all[i]
		if c.Predeploy != p {
			t.Errorf("creation %d is of %s, want %s", i, c.Name, p.Name)
		}
		if len(c.Code) == 0 || !bytes.HasPrefix(c.ProxyCode, proxy.Bytecode) {
			t.Errorf("%s: no code", p.Name)
		}
		args := c.ProxyCode[len(proxy.Bytecode):]
		if got := common.BytesToAddress(args[:32]); got != p.Implementation() {
			t.Errorf("%s: the proxy delegates to %s", p.Name, got)
		}
	}
}

func TestParamsSurviveJSON(t *testing.T) {
	want := contracts.DefaultGenesis()
	want.Mode = 0 // not a parameter
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got contracts.Genesis
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v came back as %+v", want, got)
	}
}
