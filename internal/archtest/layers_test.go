package archtest_test

import (
	"slices"
	"strings"
	"testing"
)

// rootLayers lists the directories of the root module, bottom first. A package
// may import packages of its own directory and of layers below, never above or
// beside.
var rootLayers = [][]string{
	{"internal"},
	{"market", "apierr", "lifecycle", "config", "trace"},
	{"receipt"},
	{"api", "contracts", "engine"},
	{"httpx", "wallet", "supervise", "web"},
	{"chainclient"},
	{"web/origin"},
	{"api/client", "coordinator", "miner", "wallet/daemon", "explorer", "marketplace"},
	{"cmd"},
	{"e2e", "bench"},
}

// chainLayers lists those of the node's module.
var chainLayers = [][]string{
	{"valset", "metrics", "intake"},
	{"exec"},
	{"evm", "genesis", "upgrade"},
	{"audit", "config", "export", "internal", "proof", "snapshot", "stream"},
	{"abci"},
	{"home", "consensus"},
	{"setup", "rpc"},
	{"node"},
	{"cmd"},
}

// rootForChain is what the node may use of the root module.
var rootForChain = []string{"contracts", "market", "receipt", "lifecycle", "apierr", "internal"}

func layer(table [][]string, dir string) int {
	return slices.IndexFunc(table, func(l []string) bool { return slices.Contains(l, dir) })
}

// own are directories that stand in another layer than the one that they lie in.
var own = []string{"api/client", "wallet/daemon", "web/origin"}

func first(path string) string {
	for _, dir := range own {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return dir
		}
	}
	dir, _, _ := strings.Cut(path, "/")
	return dir
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	each(t, func(s source) {
		table, prefix, dir := rootLayers, module, first(s.dir)
		if dir == "chain" {
			table, prefix, dir = chainLayers, chainModule, first(strings.TrimPrefix(s.dir, "chain/"))
		}
		from := layer(table, dir)
		if from < 0 {
			t.Errorf("%s: directory %q is in no layer: give it a row in the table", s.path, dir)
			return
		}
		for _, imported := range s.imports {
			sub, ours := strings.CutPrefix(imported, prefix)
			if !ours {
				continue
			}
			// A test may use what stands above, as long as Go lets it.
			if to := layer(table, first(sub)); first(sub) != dir && to >= from && !s.test {
				t.Errorf("%s imports %s: %s/ may not import %s/", s.path, imported, dir, first(sub))
			}
		}
	})
}

// Only chain/ links CometBFT and go-ethereum's node and EVM; everything else
// stays light.
func TestOnlyTheNodeLinksANode(t *testing.T) {
	t.Parallel()
	light := []string{"accounts/abi", "accounts/keystore", "common", "core/types", "crypto", "rlp"}
	each(t, func(s source) {
		inChain := strings.HasPrefix(s.dir, "chain/")
		for _, imported := range s.imports {
			if sub, ours := strings.CutPrefix(imported, module); inChain && ours && first(sub) != "chain" && !slices.Contains(rootForChain, first(sub)) {
				t.Errorf("%s imports %s: the node uses only %v of the root module", s.path, imported, rootForChain)
			}
			if inChain {
				continue
			}
			if strings.HasPrefix(imported, chainModule) {
				t.Errorf("%s imports %s: the root module does not link the node", s.path, imported)
			}
			if strings.HasPrefix(imported, "github.com/cometbft/") || strings.HasPrefix(imported, "github.com/cosmos/") {
				t.Errorf("%s imports %s: only chain/ links consensus", s.path, imported)
			}
			sub, geth := strings.CutPrefix(imported, "github.com/ethereum/go-ethereum/")
			if geth && !slices.ContainsFunc(light, func(l string) bool { return sub == l || strings.HasPrefix(sub, l+"/") }) {
				t.Errorf("%s imports %s: outside chain/ only %v of go-ethereum", s.path, imported, light)
			}
		}
	})
}
