package node_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/contracts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

var update = flag.Bool("update", false, "write the compiled token again")

// packages is a directory of the repository with its npm packages, which are installed if that was not done.
func packages(t *testing.T, dir ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", ".."}, dir...)...))
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(path, "node_modules")); err == nil {
		return path
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = path
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "npm ci: %s", out)
	return path
}

// foundry is one of Foundry's tools, told where the node is.
type foundry struct {
	path string
	env  []string
}

func tool(t *testing.T, name string, n *network) foundry {
	t.Helper()
	cpu := map[string]string{"amd64": "amd64", "arm64": "arm64"}[runtime.GOARCH]
	path := filepath.Join(packages(t, "contracts"), "node_modules", "@foundry-rs", name+"-"+runtime.GOOS+"-"+cpu, "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("Foundry has no %s for this machine: %v", name, err)
	}
	return foundry{path: path, env: append(os.Environ(), "ETH_RPC_URL=http://"+n.doors.EthHTTP, "NO_COLOR=1", "FOUNDRY_DISABLE_NIGHTLY_WARNING=1")}
}

// run runs the tool and returns what it printed.
func (f foundry) run(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, f.path, args...)
	cmd.Env, cmd.Dir = f.env, t.TempDir()
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v\n%s%s", filepath.Base(f.path), args, problems.String(), out)
	return strings.TrimSpace(string(out))
}

// json runs the tool, told to print JSON, and decodes what it printed.
func (f foundry) json(ctx context.Context, t *testing.T, into any, args ...string) {
	t.Helper()
	out := f.run(ctx, t, args...)
	require.NoError(t, json.Unmarshal([]byte(out), into), "%v printed %s", args, out)
}

func private(i int) string { return hexutil.Encode(crypto.FromECDSA(chaintest.Key(i))) }

// sent is a receipt as Foundry prints it.
type sent struct {
	Status   string          `json:"status"`
	Hash     common.Hash     `json:"transactionHash"`
	Block    hexutil.Uint64  `json:"blockNumber"`
	Contract *common.Address `json:"contractAddress"`
	Logs     []struct {
		Topics []common.Hash `json:"topics"`
	} `json:"logs"`
}

func TestCastWorks(t *testing.T) {
	n := create(t)
	n.start(t)
	ctx, cast := limited(t), tool(t, "cast", n)
	require.Equal(t, chaintest.ChainID.String(), cast.run(ctx, t, "chain-id"))

	var pay, made, called sent
	cast.json(ctx, t, &pay, "send", "--json", bob.Hex(), "--value", "7", "--private-key", private(0))
	require.Equal(t, "0x1", pay.Status)
	require.Equal(t, "7", cast.run(ctx, t, "balance", bob.Hex()))
	cast.json(ctx, t, &made, "send", "--json", "--private-key", private(0), "--create", hexutil.Encode(chaintest.Creation(chaintest.Counter)))
	require.Equal(t, hexutil.Encode(chaintest.Counter), cast.run(ctx, t, "code", made.Contract.Hex()))
	cast.json(ctx, t, &called, "send", "--json", made.Contract.Hex(), "anything()", "--private-key", private(1))
	require.Len(t, called.Logs, 1)
	require.Equal(t, common.HexToHash("0x1").Hex(), cast.run(ctx, t, "storage", made.Contract.Hex(), "0"))

	var logs []struct {
		Hash common.Hash `json:"transactionHash"`
	}
	cast.json(ctx, t, &logs, "logs", "--json", "--address", made.Contract.Hex(), "--from-block", "0")
	require.Len(t, logs, 1)
	require.Equal(t, called.Hash, logs[0].Hash)
	var block struct {
		Hash         common.Hash   `json:"hash"`
		Transactions []common.Hash `json:"transactions"`
	}
	cast.json(ctx, t, &block, "block", "--json", fmt.Sprint(uint64(called.Block)))
	require.Equal(t, []common.Hash{called.Hash}, block.Transactions)
	var receipt sent
	cast.json(ctx, t, &receipt, "receipt", "--json", called.Hash.Hex())
	require.Equal(t, called.Block, receipt.Block)

	// The predeploys answer calls as any contract does.
	version := cast.run(ctx, t, "call", contracts.MarketAddress.Hex(), "sessionCount()(uint64)")
	require.Equal(t, "0", version)
	require.Contains(t, cast.run(ctx, t, "run", called.Hash.Hex()), "Transaction successfully executed", "it replays a transaction by itself")
}

// tokenDir holds the source of a token and what it compiles to, which the benchmarks deploy.
var tokenDir = filepath.Join("..", "..", "bench", "chain", "token")

// TestForgeDeploysAnOpenZeppelinToken compiles an ERC-20 with the settings of our own contracts, deploys it with forge
// create and moves some with cast.
func TestForgeDeploysAnOpenZeppelinToken(t *testing.T) {
	n := create(t)
	n.start(t)
	ctx, forge, cast := limited(t), tool(t, "forge", n), tool(t, "cast", n)
	project := t.TempDir()
	ours := packages(t, "contracts")
	settings, err := os.ReadFile(filepath.Join(ours, "foundry.toml"))
	require.NoError(t, err)
	conf := strings.NewReplacer(`"./solc.sh"`, `"`+filepath.Join(ours, "solc.sh")+`"`, "../market", ours+"/../market", "../receipt", ours+"/../receipt").Replace(string(settings))
	require.NoError(t, os.WriteFile(filepath.Join(project, "foundry.toml"), []byte(conf), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(ours, "node_modules"), filepath.Join(project, "node_modules")))
	source, err := os.ReadFile(filepath.Join(tokenDir, "Token.sol"))
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(project, "src"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(project, "src", "Token.sol"), source, 0o600))

	var made struct {
		At common.Address `json:"deployedTo"`
	}
	holders := fmt.Sprintf("[%s,%s]", chaintest.Address(0), chaintest.Address(1))
	forge.json(ctx, t, &made, "create", "src/Token.sol:Token", "--root", project, "--json", "--broadcast", "--private-key", private(5), "--constructor-args", holders, "1000")
	require.NotZero(t, made.At)
	var moved sent
	cast.json(ctx, t, &moved, "send", "--json", made.At.Hex(), "transfer(address,uint256)", bob.Hex(), "40", "--private-key", private(0))
	require.Equal(t, "0x1", moved.Status)
	require.Len(t, moved.Logs, 1)
	for who, want := range map[common.Address]string{chaintest.Address(0): "960", chaintest.Address(1): "1000", bob: "40"} {
		got := cast.run(ctx, t, "call", made.At.Hex(), "balanceOf(address)(uint256)", who.Hex())
		require.Equal(t, want, strings.Fields(got)[0])
	}

	raw, err := os.ReadFile(filepath.Join(project, "out", "Token.sol", "Token.json"))
	require.NoError(t, err)
	var artifact struct {
		Bytecode struct {
			Object string `json:"object"`
		} `json:"bytecode"`
	}
	require.NoError(t, json.Unmarshal(raw, &artifact))
	golden := filepath.Join(tokenDir, "Token.hex")
	compiled := strings.TrimPrefix(artifact.Bytecode.Object, "0x")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(compiled+"\n"), 0o600))
	}
	committed, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, compiled, strings.TrimSpace(string(committed)), "the compiled token is stale: run this test with -update")
	_, err = hex.DecodeString(compiled)
	require.NoError(t, err)
}

func TestViemWorks(t *testing.T) {
	n := create(t)
	n.start(t)
	dir := packages(t, "sdk", "ts")
	cmd := exec.CommandContext(limited(t), "node", filepath.Join("check", "node.mjs"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HTTP_URL=http://"+n.doors.EthHTTP, "WS_URL=ws://"+n.doors.EthWS, "PRIVATE_KEY="+private(0), "RECEIVER="+bob.Hex())
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, "%s", problems.String())
	type watched struct {
		Count   int  `json:"count"`
		Gapless bool `json:"gapless"`
	}
	var saw struct {
		Chain     uint64         `json:"chain"`
		Type      string         `json:"type"`
		Status    string         `json:"status"`
		Balance   string         `json:"balance"`
		Polled    watched        `json:"polled"`
		Pushed    watched        `json:"pushed"`
		Signature hexutil.Bytes  `json:"signature"`
		Signer    common.Address `json:"signer"`
		Verified  bool           `json:"verified"`
		Account   common.Address `json:"account"`
	}
	require.NoError(t, json.Unmarshal(out, &saw), "%s", out)
	require.Equal(t, chaintest.ChainID.Uint64(), saw.Chain)
	require.Equal(t, "eip1559", saw.Type)
	require.Equal(t, "success", saw.Status)
	require.Equal(t, "5", saw.Balance)
	require.Equal(t, chaintest.Address(0), saw.Account)
	require.Equal(t, saw.Account, saw.Signer)
	require.True(t, saw.Verified)
	require.Len(t, saw.Signature, 65)
	for name, w := range map[string]watched{"polled": saw.Polled, "pushed": saw.Pushed} {
		require.GreaterOrEqual(t, w.Count, 2, name)
		require.True(t, w.Gapless, "a block was left out: %s", name)
	}
}
