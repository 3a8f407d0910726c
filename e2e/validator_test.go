package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// nodeKeys makes the keys of another node of a network. What it returns runs aitbcd keys on them and keeps what that
// prints in a file, whose path it returns.
func nodeKeys(t *testing.T, n *network.Network) func(name string, args ...string) string {
	t.Helper()
	node, keys := filepath.Join(t.TempDir(), "node"), t.TempDir()
	aitbcd := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(network.Binaries(t), "aitbcd"), append(args, "--home", node, "--json")...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("aitbcd %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
	write := func(path string, text []byte) string {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	aitbcd("init")
	genesis, err := os.ReadFile(n.GenesisFile())
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(node, "genesis.json"), genesis)
	return func(name string, args ...string) string {
		t.Helper()
		return write(filepath.Join(keys, name), aitbcd(append([]string{"keys"}, args...)...))
	}
}

// An account becomes a validator with the key of another node, which says so
// itself: a key is nobody's to take.
func TestAccountBecomesAValidator(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	before := n.Audit()

	node := nodeKeys(t, n)
	public := node("public.json", "validator")
	proof := node("proof.json", "prove", "--operator", n.Miner.Hex())
	others := node("others.json", "prove", "--operator", n.Network.Client.Hex())

	if _, err := n.Run("validator", "prove", public, "--operator", "miner"); err == nil || !strings.Contains(err.Error(), "aitbc: hint: on the node's machine: aitbcd keys prove --operator "+n.Miner.Hex()) {
		t.Errorf("a key without proof: %v", err)
	}
	var checked struct {
		Operator common.Address `json:"operator"`
		Proven   bool           `json:"proven"`
		Used     bool           `json:"used"`
	}
	n.JSON(&checked, "validator", "prove", proof)
	if checked.Operator != n.Miner || !checked.Proven || checked.Used {
		t.Errorf("the proof: %+v", checked)
	}
	if _, err := n.Run("validator", "create", "--key-file", others, "--stake", "10000", "--from", "miner"); err == nil || !strings.Contains(err.Error(), "does not prove that the key belongs to") {
		t.Errorf("a proof for another account: %v", err)
	}
	if _, err := n.Run("validator", "create", "--key-file", proof, "--stake", "1"); err == nil || !strings.Contains(err.Error(), "must be at least 10000 AITBC") {
		t.Errorf("too little stake: %v", err)
	}
	var created struct {
		Operator common.Address `json:"operator"`
		Stake    market.Amount  `json:"stake"`
	}
	n.JSON(&created, "validator", "create", "--key-file", proof, "--stake", "10000", "--commission", "7.5%", "--moniker", "second")
	if created.Operator != n.Miner || created.Stake != market.Coins(10_000) {
		t.Errorf("created: %+v", created)
	}
	status := func(want string) {
		t.Helper()
		var list []validatorLine
		n.JSON(&list, "validator", "list")
		i := slices.IndexFunc(list, func(v validatorLine) bool { return v.Operator == n.Miner })
		if len(list) != 2 || i != 1 || list[i].Status != want || list[i].Power != 0 {
			t.Errorf("want it %s: %+v", want, list)
		}
	}
	status("unadmitted") // until stake decides to admit it
	for hint, args := range map[string][]string{
		"a key can be registered once":   {"validator", "prove", others},
		"operates a validator already":   {"validator", "create", "--key-file", proof, "--stake", "10000"},
		"the validator is not in jail":   {"validator", "unjail", "--from", "miner"},
		"changes once in 24 hours":       {"validator", "edit", "--commission", "8", "--from", "miner"},
		"name one of the list":           {"stake", "delegate", "client", "--amount", "1"},
		"operates no validator: name on": {"validator", "edit", "--moniker", "x"},
	} {
		if _, err := n.Run(args...); err == nil || !strings.Contains(err.Error(), "aitbc: hint: ") || !strings.Contains(err.Error(), hint) {
			t.Errorf("aitbc %s: %v, want %q", strings.Join(args, " "), err, hint)
		}
	}
	if _, err := n.Run("validator", "edit", "--moniker", "another", "--from", "miner"); err != nil {
		t.Error(err)
	}
	out, err := n.Run("validator", "show", "miner")
	if err != nil || !strings.Contains(string(out), "another") || !strings.Contains(string(out), "7.50 %, changing by at most 1 % a day") {
		t.Errorf("validator show: %v\n%s", err, out)
	}

	// Its stake moves on, and is locked where it went.
	var m moved
	n.JSON(&m, "stake", "redelegate", "miner", "operator", "--amount", "1000", "--from", "miner")
	if m.Amount != market.Coins(1000) {
		t.Errorf("redelegated %+v", m)
	}
	if _, err := n.Run("stake", "undelegate", "operator", "--all", "--from", "miner"); err == nil || !strings.Contains(err.Error(), "stays liable for the former validator until") {
		t.Errorf("redelegated stake left: %v", err)
	}
	n.JSON(&m, "stake", "undelegate", "miner", "--all", "--from", "miner")
	if m.Amount != market.Coins(9000) {
		t.Errorf("undelegated %+v", m)
	}
	n.Conserved(before, n.Audit())
}
