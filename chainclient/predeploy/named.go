package predeploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
)

// named is a contract, or a part of one, by the name that people use for it.
type named struct {
	name    string
	address common.Address
	abi     abi.ABI
	part    string // of whose parameters the methods speak: "Job" for setJobParams
}

// setter is the method that sets all parameters, where there is one.
func (n named) setter() string { return "set" + n.part + "Params" }

// getter is the view that returns them.
func (n named) getter() string { return lowerFirst(n.part + "Params") }

func all() []named {
	return []named{
		{"registry", contracts.RegistryAddress, registryABI(), ""},
		{"market", contracts.MarketAddress, marketABI(), ""},
		{"jobs", contracts.MarketAddress, marketABI(), "Job"}, // the Market's direct jobs
		{"treasury", contracts.TreasuryAddress, treasuryABI(), ""},
		{"staking", contracts.StakingAddress, stakingABI(), ""},
		{"rewards", contracts.RewardsAddress, rewardsABI(), ""},
		{"governor", contracts.GovernorAddress, governorABI(), ""},
		{"timelock", contracts.TimelockAddress, timelockABI(), ""},
		{"upgrades", contracts.UpgradesAddress, upgradesABI(), ""},
		{"faucet", contracts.FaucetAddress, faucetABI(), ""},
	}
}

// Names lists the contracts that can be named.
func Names() []string {
	var names []string
	for _, n := range all() {
		names = append(names, n.name)
	}
	return names
}

// find returns a contract by its name, in any case of letters.
func find(name string) (named, error) {
	list := all()
	i := slices.IndexFunc(list, func(n named) bool { return strings.EqualFold(n.name, name) })
	if i < 0 {
		return named{}, fmt.Errorf("contract %q is none of %s", name, strings.Join(Names(), ", "))
	}
	return list[i], nil
}

func (n named) on(c *chainclient.Client) *contract {
	return &contract{client: c, address: n.address, abi: n.abi}
}

// nameOf returns the name of a contract, or the address itself.
func nameOf(a common.Address) string {
	list := all()
	if i := slices.IndexFunc(list, func(n named) bool { return n.address == a }); i >= 0 {
		return list[i].name
	}
	return a.Hex()
}
