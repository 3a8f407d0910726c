package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/typeddata"
	"github.com/aitbc/aitbc/wallet/vault"
)

// A Signer has the keys of accounts: a vault, another program, a device. What it
// is asked to sign was decoded and allowed before; it gets the whole of it, as
// some show it once more. Signatures are r‖s‖v with v 0 or 1.
type Signer interface {
	SignTransaction(ctx context.Context, a vault.Account, tx *types.Transaction, chainID *big.Int) ([]byte, error)
	SignTypedData(ctx context.Context, a vault.Account, raw json.RawMessage, d *typeddata.Data) ([]byte, error)
	SignMessage(ctx context.Context, a vault.Account, message []byte) ([]byte, error)
}

// signerOf returns what signs for a wallet.
func (s *Service) signerOf(w *wallet) (Signer, error) {
	if w.header.Signer == ledgerSigner {
		return device{s}, nil
	}
	if w.header.Kind == vault.Remote {
		return newRemote(w.header.Signer)
	}
	return vaultSigner{w.open}, nil
}

// vaultSigner signs with the keys of an open vault.
type vaultSigner struct{ vault *vault.Vault }

func (v vaultSigner) digest(a vault.Account, digest common.Hash) (sig []byte, err error) {
	err = v.vault.Use(func(x *vault.Secrets) error {
		key, err := x.Private(a)
		if err != nil {
			return err
		}
		defer clear(key)
		sig, err = hd.Sign(key, digest)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", a.Address, err)
	}
	return sig, nil
}

func (v vaultSigner) SignTransaction(_ context.Context, a vault.Account, tx *types.Transaction, chainID *big.Int) ([]byte, error) {
	return v.digest(a, types.LatestSignerForChainID(chainID).Hash(tx))
}

func (v vaultSigner) SignTypedData(_ context.Context, a vault.Account, _ json.RawMessage, d *typeddata.Data) ([]byte, error) {
	return v.digest(a, d.Digest)
}

func (v vaultSigner) SignMessage(_ context.Context, a vault.Account, message []byte) ([]byte, error) {
	return v.digest(a, crypto.Keccak256Hash(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d", len(message)), message))
}

// checkSignature sees to it that a signature is the account's, whoever made it.
func checkSignature(sig []byte, digest common.Hash, want common.Address) error {
	if len(sig) != 65 || sig[64] > 1 || !crypto.ValidateSignatureValues(sig[64], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64]), true) {
		return fmt.Errorf("sign with %s: the signer returned no signature", want)
	}
	pub, err := crypto.SigToPub(digest[:], sig)
	if err != nil || crypto.PubkeyToAddress(*pub) != want {
		return fmt.Errorf("sign with %s: the signer signed something else, or with another key", want)
	}
	return nil
}
