package contracts

import (
	"bytes"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi"
)

// Names of the artefacts, for [Load].
const (
	NameRegistry        = "Registry"
	NameMarket          = "Market"
	NameTreasury        = "Treasury"
	NameStaking         = "Staking"
	NameRewards         = "Rewards"
	NameTimelock        = "Timelock"
	NameGovernor        = "Governor"
	NameUpgrades        = "Upgrades"
	NameFaucet          = "Faucet"
	NameProxy           = "ERC1967Proxy"
	NameReceiptVerifier = "ReceiptVerifier"
)

//go:embed artifacts/*.json
var artifacts embed.FS

// Artifact is a compiled contract.
type Artifact struct {
	Name string
	// ABI is the interface as JSON; [RegistryABI] and its like have it parsed.
	ABI json.RawMessage
	// Bytecode is the creation code, without constructor arguments.
	Bytecode []byte
	// DeployedBytecode is the runtime code; immutables in it are still zero.
	DeployedBytecode []byte
}

// Load returns the artefact of that name, or an error if there is none.
func Load(name string) (Artifact, error) {
	data, err := artifacts.ReadFile("artifacts/" + name + ".json")
	if err != nil {
		return Artifact{}, fmt.Errorf("load contract %s: %w", name, err)
	}
	var file struct {
		ContractName     string          `json:"contractName"`
		ABI              json.RawMessage `json:"abi"`
		Bytecode         string          `json:"bytecode"`
		DeployedBytecode string          `json:"deployedBytecode"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Artifact{}, fmt.Errorf("load contract %s: %w", name, err)
	}
	if file.ContractName != name {
		return Artifact{}, fmt.Errorf("load contract %s: the file holds %q", name, file.ContractName)
	}
	a := Artifact{Name: name, ABI: file.ABI}
	if a.Bytecode, err = hex.DecodeString(strings.TrimPrefix(file.Bytecode, "0x")); err != nil {
		return Artifact{}, fmt.Errorf("load contract %s: creation code: %w", name, err)
	}
	if a.DeployedBytecode, err = hex.DecodeString(strings.TrimPrefix(file.DeployedBytecode, "0x")); err != nil {
		return Artifact{}, fmt.Errorf("load contract %s: runtime code: %w", name, err)
	}
	return a, nil
}

// RegistryABI and its like return the parsed interfaces. Callers share the value and must not change it. The error is
// that of [Load] or of the parser; for the embedded files there is none.
var (
	RegistryABI        = parsed(NameRegistry)
	MarketABI          = parsed(NameMarket)
	TreasuryABI        = parsed(NameTreasury)
	RewardsABI         = parsed(NameRewards)
	UpgradesABI        = parsed(NameUpgrades)
	ReceiptVerifierABI = parsed(NameReceiptVerifier)
	// StakingABI is that of both halves behind Staking's proxy.
	StakingABI  = parsed(NameStaking)
	TimelockABI = parsed(NameTimelock)
	GovernorABI = parsed(NameGovernor)
	FaucetABI   = parsed(NameFaucet)
)

// interfaces are those of the predeploys, by name.
var interfaces = map[string]func() (abi.ABI, error){
	NameRegistry: RegistryABI, NameMarket: MarketABI, NameTreasury: TreasuryABI, NameStaking: StakingABI,
	NameRewards: RewardsABI, NameTimelock: TimelockABI, NameGovernor: GovernorABI, NameUpgrades: UpgradesABI,
	NameFaucet: FaucetABI,
}

func parsed(name string) func() (abi.ABI, error) {
	return sync.OnceValues(func() (abi.ABI, error) {
		a, err := Load(name)
		if err != nil {
			return abi.ABI{}, err
		}
		i, err := abi.JSON(bytes.NewReader(a.ABI))
		if err != nil {
			return abi.ABI{}, fmt.Errorf("parse interface of %s: %w", name, err)
		}
		return i, nil
	})
}
