package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/ledger"
	"github.com/aitbc/aitbc/wallet/typeddata"
	"github.com/aitbc/aitbc/wallet/vault"
)

// ledgerSigner is what a wallet names as its signer whose keys are in a Ledger.
const ledgerSigner = "ledger"

// device signs with the Ledger that is plugged in.
type device struct{ *Service }

// with opens the device for one question.
func (d device) with(ctx context.Context, f func(*ledger.Device) error) error {
	rw, err := d.plugged(ctx)
	if err == nil {
		err = errors.Join(f(ledger.New(rw)), rw.Close())
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrDenied), errors.Is(err, ledger.ErrData):
		return apierr.Wrap(err, apierr.PolicyRefused, reason(err, ledger.ErrDenied, ledger.ErrData))
	case errors.Is(err, ledger.ErrLocked), errors.Is(err, ledger.ErrApp), errors.Is(err, ledger.ErrNoDevice):
		return apierr.Wrap(err, apierr.Unavailable, reason(err, ledger.ErrLocked, ledger.ErrApp, ledger.ErrNoDevice))
	}
	return apierr.Wrap(err, apierr.Unavailable, "the Ledger does not answer as it should: unplug it and try again")
}

// reason is the text of the one that err is.
func reason(err error, among ...error) string {
	for _, e := range among {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return ""
}

// accounts asks the device for its first n accounts.
func (d device) accounts(ctx context.Context, n int) (list []vault.Account, err error) {
	err = d.with(ctx, func(l *ledger.Device) error {
		for i := range n {
			p := hd.Account(uint32(i))
			a, err := l.Address(p)
			if err != nil {
				return err
			}
			list = append(list, vault.Account{Path: p.String(), Address: a})
		}
		return nil
	})
	return list, err
}

// confirm has the device sign with an account's key.
func (d device) confirm(ctx context.Context, a vault.Account, f func(l *ledger.Device, p hd.Path) ([]byte, error)) (sig []byte, err error) {
	p, err := hd.ParsePath(a.Path)
	if err != nil {
		return nil, err
	}
	err = d.with(ctx, func(l *ledger.Device) (err error) {
		sig, err = f(l, p)
		return err
	})
	return sig, err
}

// SignTransaction implements [Signer].
func (d device) SignTransaction(ctx context.Context, a vault.Account, tx *types.Transaction, chainID *big.Int) ([]byte, error) {
	return d.confirm(ctx, a, func(l *ledger.Device, p hd.Path) ([]byte, error) { return l.SignTransaction(p, tx, chainID) })
}

// SignTypedData implements [Signer].
func (d device) SignTypedData(ctx context.Context, a vault.Account, _ json.RawMessage, t *typeddata.Data) ([]byte, error) {
	return d.confirm(ctx, a, func(l *ledger.Device, p hd.Path) ([]byte, error) {
		return l.SignTypedData(p, t.DomainHash, t.MessageHash)
	})
}

// SignMessage implements [Signer].
func (d device) SignMessage(ctx context.Context, a vault.Account, message []byte) ([]byte, error) {
	return d.confirm(ctx, a, func(l *ledger.Device, p hd.Path) ([]byte, error) { return l.SignMessage(p, message) })
}
