package predeploy

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
)

// A Role is what an account registers as.
type Role uint8

// The roles.
const (
	RoleMiner       Role = 1
	RoleCoordinator Role = 2
)

// Participant is an account's entry in the Registry. Times are seconds since 1970.
type Participant struct {
	Stake              market.Amount
	Unbonding          market.Amount
	UnbondAt           uint64
	Reserved           market.Amount
	Signer             common.Address
	NextSigner         common.Address
	NextSignerAt       uint64
	OldSigner          common.Address
	OldSignerUntil     uint64
	SealingKeyHash     common.Hash
	NextSealingKeyHash common.Hash
	JailedUntil        uint64
	Registered         bool
	Endpoint           string
}

// Registry holds miners and coordinators with their stakes and keys.
type Registry struct{ contract }

// NewRegistry returns the Registry of the chain that c is a client of.
func NewRegistry(c *chainclient.Client) *Registry {
	return &Registry{contract{client: c, address: contracts.RegistryAddress, abi: registryABI()}}
}

// Participant returns an account's entry. One that never registered has
// Registered false.
func (r *Registry) Participant(ctx context.Context, role Role, account common.Address, at chainclient.Block) (Participant, error) {
	var p Participant
	err := r.readStruct(ctx, at, &p, "participant", uint8(role), account)
	return p, err
}

// Params returns the parameters in force.
func (r *Registry) Params(ctx context.Context, at chainclient.Block) (contracts.RegistryParams, error) {
	var p contracts.RegistryParams
	err := r.readStruct(ctx, at, &p, "params")
	return p, err
}

// SignerValid reports whether signer may sign for the account in a role: its
// current key, or a replaced one that is still honoured.
func (r *Registry) SignerValid(ctx context.Context, role Role, account, signer common.Address, at chainclient.Block) (bool, error) {
	return r.readBool(ctx, at, "signerValid", uint8(role), account, signer)
}

// Active reports whether the account is registered in a role, holds enough
// stake and is not in jail.
func (r *Registry) Active(ctx context.Context, role Role, account common.Address, at chainclient.Block) (bool, error) {
	return r.readBool(ctx, at, "active", uint8(role), account)
}

func (r *Registry) readBool(ctx context.Context, at chainclient.Block, method string, args ...any) (bool, error) {
	values, err := r.read(ctx, at, method, args...)
	if err != nil {
		return false, err
	}
	b, ok := values[0].(bool)
	if !ok {
		return false, fmt.Errorf("decode %s: not a bool", method)
	}
	return b, nil
}

// Registration is what an account registers with.
type Registration struct {
	Role           Role
	Signer         common.Address // signing key, never used by anyone else
	SealingKeyHash common.Hash    // keccak of the sealing key, zero for none
	Endpoint       string
	Stake          market.Amount
}

// Register registers the sender's account and locks the stake.
func (r *Registry) Register(ctx context.Context, s *chainclient.Sender, reg Registration) (*types.Receipt, error) {
	return r.send(ctx, s, reg.Stake, "register", uint8(reg.Role), reg.Signer, reg.SealingKeyHash, reg.Endpoint)
}

// Increase adds to the sender's stake.
func (r *Registry) Increase(ctx context.Context, s *chainclient.Sender, role Role, amount market.Amount) (*types.Receipt, error) {
	return r.send(ctx, s, amount, "increase", uint8(role))
}

// Unbond takes an amount out of the sender's stake; [Registry.Withdraw] pays it
// after a delay. All of it ends the registration.
func (r *Registry) Unbond(ctx context.Context, s *chainclient.Sender, role Role, amount market.Amount) (*types.Receipt, error) {
	return r.send(ctx, s, market.Amount{}, "requestUnbond", uint8(role), amount.Big())
}

// Withdraw pays the sender what it took out of its stake, once that is due.
func (r *Registry) Withdraw(ctx context.Context, s *chainclient.Sender, role Role) (*types.Receipt, error) {
	return r.send(ctx, s, market.Amount{}, "withdrawUnbonded", uint8(role))
}
