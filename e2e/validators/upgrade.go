package validators

import (
	"math/big"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
)

// Governor is the account that governs a cluster whose Params name it: the
// operator of node 0.
func Governor() common.Address { return operator(0).address }

// PlanUpgrade has the governor plan an upgrade of the node's program.
func (c *Cluster) PlanUpgrade(name string, height uint64, info string) {
	c.t.Helper()
	c.invoke(operator(0), contracts.UpgradesAddress, contracts.UpgradesABI, new(big.Int), "schedule", name, height, info)
}

// BuildKnowing builds the node's program with one more plan that it knows.
func BuildKnowing(t testing.TB, plan string) (program string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(t.TempDir(), "aitbcd")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X github.com/aitbc/aitbc/chain/upgrade.extra="+plan, "-o", program, "./cmd/aitbcd") //nolint:gosec // our own sources
	cmd.Dir = filepath.Join(root, "chain")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build a node that knows %q: %v\n%s", plan, err, out)
	}
	return program
}

// Upgrade gives node i another program from its next start on.
func (c *Cluster) Upgrade(i int, program string) { c.Nodes[i].program = program }
