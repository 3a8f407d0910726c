package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// ErrWrongNetwork reports a coordinator and a node that serve different chains.
var ErrWrongNetwork = errors.New("coordinator and node serve different chains")

// Wallet opens and closes sessions of one account with one coordinator.
type Wallet struct {
	Coordinator *Client
	Chain       *chainclient.Client
	Key         receipt.Signer
}

// Open locks a deposit in a new session until expiry, or until the coordinator's
// latest if expiry is zero, and returns its number once that is in a block. The
// deposit is the most that the session can cost; what is left comes back after
// expiry by itself. The coordinator signs for it. Refusals of the Market are
// explained in the error.
func (w Wallet) Open(ctx context.Context, deposit market.Amount, expiry time.Time) (uint64, error) {
	return w.open(ctx, deposit, expiry, common.Address{})
}

// OpenSelf is [Wallet.Open] for a client that signs orders and vouchers itself,
// with the key of spender. [Wallet.APIKey] and [Client.Session] are next.
func (w Wallet) OpenSelf(ctx context.Context, deposit market.Amount, expiry time.Time, spender common.Address) (uint64, error) {
	if spender == (common.Address{}) {
		return 0, errors.New("open session: no spender is named")
	}
	return w.open(ctx, deposit, expiry, spender)
}

func (w Wallet) open(ctx context.Context, deposit market.Amount, expiry time.Time, spender common.Address) (uint64, error) {
	network, err := w.network(ctx)
	if err != nil {
		return 0, fmt.Errorf("open session: %w", err)
	}
	var p api.PrepareResponse
	if spender == (common.Address{}) {
		p, err = w.Coordinator.Prepare(ctx, w.Key.Address())
	} else {
		p, err = w.terms(ctx, network, spender)
	}
	if err != nil {
		return 0, fmt.Errorf("open session: %w", err)
	}
	if p.Coordinator != network.Coordinator {
		return 0, fmt.Errorf("open session: the coordinator calls itself %s and %s", network.Coordinator, p.Coordinator)
	}
	if p.Spender == (common.Address{}) {
		return 0, errors.New("open session: the coordinator names no key")
	}
	if deposit.Cmp(p.MinDeposit) < 0 {
		return 0, fmt.Errorf("open session: a deposit of %s is below the least, %s", deposit.Coins(), p.MinDeposit.Coins())
	}
	until, err := w.latestExpiry(ctx)
	if err != nil {
		return 0, fmt.Errorf("open session: %w", err)
	}
	until = min(until, p.MaxExpiry)
	if !expiry.IsZero() && expiry.Unix() > 0 {
		until = min(until, uint64(expiry.Unix())) //nolint:gosec // positive
	}
	session, _, err := predeploy.NewMarket(w.Chain).OpenSession(ctx, predeploy.NewSender(w.Chain, w.Key), predeploy.Opening{
		Coordinator: p.Coordinator, Spender: p.Spender, Expiry: until, Deposit: deposit,
	})
	if err != nil {
		return 0, fmt.Errorf("open session: %w", err)
	}
	return session, nil
}

// terms are those of a session for which the coordinator need make no key.
func (w Wallet) terms(ctx context.Context, n api.Network, spender common.Address) (api.PrepareResponse, error) {
	params, err := predeploy.NewMarket(w.Chain).Params(ctx, chainclient.Latest)
	if err != nil {
		return api.PrepareResponse{}, err
	}
	until, err := w.latestExpiry(ctx)
	return api.PrepareResponse{Coordinator: n.Coordinator, Spender: spender, MinDeposit: params.MinDeposit, MaxExpiry: until, FeeBps: params.FeeBps}, err
}

// Domain returns the domain of what is signed on the network, on which
// coordinator and node must agree.
func (w Wallet) Domain(ctx context.Context) (receipt.Domain, error) {
	n, err := w.network(ctx)
	return receipt.Domain{ChainID: n.ChainID, Market: contracts.MarketAddress}, err
}

// TopUp adds to a session's deposit. The coordinator learns of it from the chain.
func (w Wallet) TopUp(ctx context.Context, session uint64, amount market.Amount) error {
	if _, err := predeploy.NewMarket(w.Chain).TopUp(ctx, predeploy.NewSender(w.Chain, w.Key), session, amount); err != nil {
		return fmt.Errorf("top up session %d: %w", session, err)
	}
	return nil
}

// ChainKeys are the keys that a node's Registry has.
type ChainKeys struct{ Chain *chainclient.Client }

// MinerKey implements [Keys].
func (k ChainKeys) MinerKey(ctx context.Context, miner, key common.Address) (bool, error) {
	return predeploy.NewRegistry(k.Chain).SignerValid(ctx, predeploy.RoleMiner, miner, key, chainclient.Latest)
}

// CoordinatorKey implements [Keys].
func (k ChainKeys) CoordinatorKey(ctx context.Context, coordinator, key common.Address) (bool, error) {
	return predeploy.NewRegistry(k.Chain).SignerValid(ctx, predeploy.RoleCoordinator, coordinator, key, chainclient.Latest)
}

// SealingKey implements [Keys].
func (k ChainKeys) SealingKey(ctx context.Context, miner common.Address) (common.Hash, error) {
	p, err := predeploy.NewRegistry(k.Chain).Participant(ctx, predeploy.RoleMiner, miner, chainclient.Latest)
	if err != nil || !p.Registered {
		return common.Hash{}, err
	}
	return p.SealingKeyHash, nil
}

// latestExpiry is the longest that the Market lets a session last, by the time
// of the newest block: the clock of the chain may be behind ours.
func (w Wallet) latestExpiry(ctx context.Context) (uint64, error) {
	params, err := predeploy.NewMarket(w.Chain).Params(ctx, chainclient.Latest)
	if err != nil {
		return 0, err
	}
	head, err := w.Chain.Header(ctx, chainclient.Latest)
	if err != nil {
		return 0, err
	}
	return head.Time + params.MaxSessionDuration, nil
}

// APIKey asks the coordinator for a new API key to a session of the account's.
// The coordinator shows it this once. mode says who signs, [api.ModeSelf] or
// [api.ModeDelegated].
func (w Wallet) APIKey(ctx context.Context, session uint64, mode string, now time.Time) (api.KeyResponse, error) {
	network, err := w.network(ctx)
	if err != nil {
		return api.KeyResponse{}, fmt.Errorf("ask for key: %w", err)
	}
	q := receipt.KeyRequest{Client: w.Key.Address(), Session: session, IssuedAt: uint64(now.Unix())} //nolint:gosec // after 1970
	var k api.KeyResponse
	err = api.UnlessUsed(&q.IssuedAt, func() error {
		sig, err := receipt.Sign(w.Key, receipt.Domain{ChainID: network.ChainID, Market: network.Market}, q)
		if err != nil {
			return err
		}
		k, err = w.Coordinator.SessionKey(ctx, session, api.KeyRequest{Client: q.Client, IssuedAt: q.IssuedAt, Signature: sig, Mode: mode})
		return err
	})
	if err != nil {
		return k, fmt.Errorf("ask for key: %w", err)
	}
	if k.APIKey == "" || k.Session != session {
		return k, fmt.Errorf("ask for key: the coordinator answered for session %d, not %d", k.Session, session)
	}
	return k, nil
}

// Close starts the close window of a session of the account's. What is not
// spent by its end comes back by itself.
func (w Wallet) Close(ctx context.Context, session uint64) error {
	if _, err := predeploy.NewMarket(w.Chain).RequestClose(ctx, predeploy.NewSender(w.Chain, w.Key), session); err != nil {
		return fmt.Errorf("close session %d: %w", session, err)
	}
	return nil
}

// network returns what the coordinator says of itself, if the node agrees.
func (w Wallet) network(ctx context.Context) (api.Network, error) {
	n, err := w.Coordinator.Network(ctx)
	if err != nil {
		return n, err
	}
	id, err := w.Chain.ChainID(ctx)
	if err != nil {
		return n, err
	}
	if id != n.ChainID {
		return n, fmt.Errorf("%w: %d and %d", ErrWrongNetwork, n.ChainID, id)
	}
	return n, nil
}
