// Package onchain is a miner's door to the chain: it registers the miner with
// its stake, and answers what the miner does not take a coordinator's word for.
package onchain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/receipt"
)

// ErrOtherSigner reports an account that the chain has with another signing
// key: what this miner signs would be worth nothing.
var ErrOtherSigner = errors.New("the chain has another signing key for this account")

// gasMoney is kept beside the stake for transactions.
var gasMoney = market.Units(1e16)

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 3 * time.Second
)

// Chain implements [miner.Chain].
type Chain struct {
	// SealingKeyHash is registered with the miner, zero for none. It is set before
	// the first use.
	SealingKeyHash common.Hash

	client   *chainclient.Client
	sender   *chainclient.Sender
	registry *predeploy.Registry
	market   *predeploy.Market
	account  common.Address
	stake    market.Amount
}

var _ miner.Chain = (*Chain)(nil)

// New returns the door of the account whose key signs. stake is what the miner
// locks when it registers. It makes no call.
func New(client *chainclient.Client, signer receipt.Signer, stake market.Amount) *Chain {
	return &Chain{
		client: client, sender: predeploy.NewSender(client, signer), registry: predeploy.NewRegistry(client),
		market: predeploy.NewMarket(client), account: signer.Address(), stake: stake,
	}
}

// Ensure implements [miner.Chain]. It tries until ctx is done, unless the chain
// refuses for good.
func (c *Chain) Ensure(ctx context.Context, note func(string)) error {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		done, waiting, err := c.register(ctx)
		if done {
			return nil
		}
		if _, refused := errors.AsType[*chainclient.RevertError](err); refused || errors.Is(err, ErrOtherSigner) {
			return err
		}
		if err != nil {
			waiting = "the chain cannot be asked: " + err.Error()
		}
		note(waiting)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// register takes the next step towards being registered. It reports whether
// none is left, or else what to wait for.
func (c *Chain) register(ctx context.Context) (done bool, waiting string, err error) {
	p, err := c.registry.Participant(ctx, predeploy.RoleMiner, c.account, chainclient.Latest)
	if err != nil {
		return false, "", err
	}
	if p.Registered && p.Signer != c.account && p.NextSigner != c.account {
		return false, "", fmt.Errorf("%w: %s", ErrOtherSigner, p.Signer)
	}
	missing, err := c.stake.Sub(p.Stake)
	if err != nil || (p.Registered && !p.Unbonding.IsZero()) {
		missing = market.Amount{} // more than enough, or its owner takes it out
	}
	if p.Registered && missing.IsZero() {
		return true, "", nil
	}
	if waiting, err := c.fundsFor(ctx, missing); waiting != "" || err != nil {
		// A miner that is registered works with the stake that it has.
		return p.Registered, waiting, err
	}
	if p.Registered {
		_, err = c.registry.Increase(ctx, c.sender, predeploy.RoleMiner, missing)
	} else {
		_, err = c.registry.Register(ctx, c.sender, predeploy.Registration{Role: predeploy.RoleMiner, Signer: c.account, SealingKeyHash: c.SealingKeyHash, Stake: missing})
	}
	return err == nil, "", err
}

// fundsFor returns what to tell the owner if the account cannot pay.
func (c *Chain) fundsFor(ctx context.Context, amount market.Amount) (string, error) {
	have, err := c.client.Balance(ctx, c.account, chainclient.Latest)
	if err != nil {
		return "", err
	}
	need, err := amount.Add(gasMoney)
	if err != nil {
		return "", err
	}
	lacking, err := need.Sub(have)
	if err != nil || lacking.IsZero() {
		return "", nil //nolint:nilerr // there is more than enough
	}
	return fmt.Sprintf("waiting for funds: send %s to %s, which has %s and needs %s for its stake and fees", lacking.Coins(), c.account, have.Coins(), need.Coins()), nil
}

// ID implements [miner.Chain].
func (c *Chain) ID(ctx context.Context) (receipt.Domain, error) {
	id, err := c.client.ChainID(ctx)
	return receipt.Domain{ChainID: id, Market: contracts.MarketAddress}, err
}

// Standing implements [miner.Chain].
func (c *Chain) Standing(ctx context.Context, coordinator common.Address) (miner.Standing, error) {
	credited, err := c.market.Credited(ctx, coordinator, c.account, chainclient.Latest)
	if err != nil {
		return miner.Standing{}, err
	}
	limit, err := c.market.Limit(ctx, coordinator, c.account, chainclient.Latest)
	return miner.Standing{Credited: credited, Limit: limit.Amount}, err
}

// Session implements [miner.Chain].
func (c *Chain) Session(ctx context.Context, id uint64) (miner.Session, error) {
	s, err := c.market.Session(ctx, id, chainclient.Latest)
	return miner.Session{Client: s.Client, Coordinator: s.Coordinator, Spender: s.Spender, FeeBps: s.FeeBps}, err
}

// CoordinatorSigner implements [miner.Chain].
func (c *Chain) CoordinatorSigner(ctx context.Context, coordinator, signer common.Address) (bool, error) {
	return c.registry.SignerValid(ctx, predeploy.RoleCoordinator, coordinator, signer, chainclient.Latest)
}
