package audit_test

import (
	"slices"
	"testing"

	"github.com/aitbc/aitbc/contracts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// A Market whose jobs do not hold what it says is a problem; one that was made before there were jobs is none.
func TestDirectJobsThatDoNotAddUpAreAProblem(t *testing.T) {
	owed := crypto.Keccak256([]byte("owed()"))[:4]
	for name, c := range map[string]struct {
		code    []byte
		problem string
		jobs    *audit.Jobs
	}{
		// CALLDATASIZE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN: 4 to a question without arguments, 68 to one with two.
		"another sum": {[]byte{0x36, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3}, "direct jobs hold 68, the Market says 4", &audit.Jobs{Count: "4", Locked: "4", Sum: "68"}},
		// PUSH1 1 PUSH0 MSTORE …: one job, which holds 1; and 1 is owed.
		"a sum that is right": {[]byte{0x60, 0x01, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3}, "", &audit.Jobs{Count: "1", Locked: "1", Sum: "1"}},
		// PUSH4 owed() PUSH0 CALLDATALOAD PUSH1 224 SHR EQ PUSH1 17 JUMPI PUSH0 PUSH0 REVERT JUMPDEST …: nothing is owed,
		// and it has not heard of jobs.
		"a Market of before": {slices.Concat([]byte{0x63}, owed, common.FromHex("5f3560e01c14601157"+"5f5ffd"+"5b5f5f5260205ff3")), "", nil},
		"a broken Market":    {chaintest.Reverter, "Market does not say what it owes", nil},
	} {
		spec := chaintest.Spec(chaintest.Holder, 50_000)
		spec.Predeploys = append(spec.Predeploys, genesis.Predeploy{
			Name: contracts.NameMarket, Proxy: contracts.MarketAddress, Implementation: contracts.Predeploys[1].Implementation(),
			Creation: chaintest.Creation(c.code), ProxyCreation: chaintest.Creation(c.code),
		})
		n := chaintest.Open(t, spec)
		n.Block(n.Send(0, &chaintest.Vault, 10, nil))
		r := check(t, n, audit.Latest)
		require.Equal(t, c.jobs, r.Jobs, name)
		var problems []string
		for _, p := range r.Problems {
			if p != "Market owes 4 and holds 0" && p != "Market owes 1 and holds 0" { // nobody gave it coins
				problems = append(problems, p)
			}
		}
		if c.problem == "" {
			require.Empty(t, problems, name)
			continue
		}
		require.Len(t, problems, 1, name)
		require.Contains(t, problems[0], c.problem, name)
	}
}
