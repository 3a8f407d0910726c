package devnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// renewBefore is how long before its expiry a session is replaced: longer than
// the longest order.
const renewBefore = time.Hour

// spentShare is the part of a deposit, 1/spentShare, below which a session is replaced.
var spentShare = big.NewInt(20)

// ensureSession sees to it that the client has an API key to a session that can
// still pay, opening a new one if need be. What is left in an old one comes
// back to the client by itself.
func (n *Network) ensureSession(ctx context.Context, cfg Config) error {
	good, err := n.sessionGood(ctx)
	if err != nil || good {
		return err
	}
	w, err := n.wallet()
	if err != nil {
		return err
	}
	// A session whose key was lost between two steps of an earlier run still pays.
	if n.Session != 0 {
		if key, err := w.APIKey(ctx, n.Session, api.ModeDelegated, time.Now()); err == nil {
			if err := secret.WriteFile(n.ClientKeyFile(), secret.New(key.APIKey)); err != nil {
				return err
			}
			if good, err := n.sessionGood(ctx); err != nil || good {
				return err
			}
		}
	}
	cfg.Progress("opening a session for the client with a deposit of %s", cfg.Deposit.Coins())
	session, err := w.Open(ctx, cfg.Deposit, time.Time{})
	if err != nil {
		return err
	}
	n.Session = session
	if err := n.save(); err != nil {
		return err
	}
	key, err := w.APIKey(ctx, session, api.ModeDelegated, time.Now())
	if err != nil {
		return err
	}
	return secret.WriteFile(n.ClientKeyFile(), secret.New(key.APIKey))
}

// sessionGood reports whether the stored API key works and its session can pay.
func (n *Network) sessionGood(ctx context.Context) (bool, error) {
	key, err := secret.ReadFile(n.ClientKeyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	remote, err := client.New(n.APIURL(), key)
	if err != nil {
		return false, err
	}
	a, err := remote.Account(ctx)
	if apierr.HasCode(err, apierr.Unauthorized) || apierr.HasCode(err, apierr.NotFound) || apierr.HasCode(err, apierr.Forbidden) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the client's session: %w", err)
	}
	left, deposit := a.Available.Big(), a.Deposit.Big()
	deposit.Div(deposit, spentShare)
	return a.State == "open" && a.Expiry > uint64(time.Now().Add(renewBefore).Unix()) && left.Cmp(deposit) > 0, nil //nolint:gosec // after 1970
}

// wallet unlocks the client's account.
func (n *Network) wallet() (client.Wallet, error) {
	pass, err := secret.ReadFile(n.PassphraseFile())
	if err != nil {
		return client.Wallet{}, err
	}
	store, err := keystore.Open(n.Home.Keystore(), keystore.Light())
	if err != nil {
		return client.Wallet{}, err
	}
	k, err := store.Unlock(n.Client, pass)
	if err != nil {
		return client.Wallet{}, err
	}
	remote, err := client.New(n.APIURL(), secret.Text{})
	if err != nil {
		return client.Wallet{}, err
	}
	eth, err := chainclient.New(n.EthRPCURL())
	if err != nil {
		return client.Wallet{}, err
	}
	return client.Wallet{Coordinator: remote, Chain: eth, Key: k}, nil
}
