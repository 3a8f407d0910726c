package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/guard"
	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/keystore"
	"github.com/aitbc/aitbc/wallet/vault"
)

const (
	leastPassphrase = 8
	maxAccounts     = 100 // derived at once
)

// checkNew refuses names and passphrases that a wallet should not have. It needs
// making, until the wallet is there.
func (s *Service) checkNew(name, passphrase string, sealed bool) error {
	if err := vault.CheckName(name); err != nil {
		return apierr.New(apierr.Invalid, "%s", err.Error())
	}
	if sealed && len(passphrase) < leastPassphrase {
		return apierr.New(apierr.Invalid, "a passphrase has at least %d characters", leastPassphrase)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wallets {
		if w.header.Name == name || w.id == name {
			return apierr.New(apierr.Conflict, "there is a wallet of that name already")
		}
	}
	return nil
}

// Create makes a wallet of a new phrase.
func (s *Service) Create(ctx context.Context, r walletapi.CreateRequest) (out walletapi.CreateResponse, err error) {
	if r.Words == 0 {
		r.Words = 24
	}
	if r.Words < 12 || r.Words > 24 || r.Words%3 != 0 {
		return out, apierr.New(apierr.Invalid, "words is 12, 15, 18, 21 or 24")
	}
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.checkNew(r.Name, r.Passphrase, true); err != nil {
		return out, err
	}
	var x vault.Secrets
	var accounts []vault.Account
	guard.Do(func() {
		x = vault.Secrets{Entropy: newEntropy(r.Words / 3 * 4), Passphrase: []byte(r.PhrasePassphrase)}
		var phrase []byte
		if phrase, err = hd.Mnemonic(x.Entropy); err == nil {
			out.Mnemonic = string(phrase)
			clear(phrase)
			accounts, err = derived(&x, 1)
		}
	})
	if err != nil {
		return out, err
	}
	out.Wallet, err = s.add(ctx, r.Name, r.Passphrase, vault.Phrase, "", x, accounts, "create")
	return out, err
}

// derived returns the first n accounts of a phrase.
func derived(x *vault.Secrets, n int) (list []vault.Account, err error) {
	for i := range n {
		a, err := x.Derived(hd.Account(uint32(i)), "")
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// add makes the wallet's files.
func (s *Service) add(ctx context.Context, name, passphrase string, kind vault.Kind, signer string, x vault.Secrets, accounts []vault.Account, action string) (out walletapi.Wallet, err error) {
	h := vault.Header{ID: vault.NewID(), Name: name, Kind: kind, Created: s.now().Unix(), Accounts: accounts, Signer: signer}
	return s.addAs(ctx, h, passphrase, x, action)
}

func (s *Service) addAs(ctx context.Context, h vault.Header, passphrase string, x vault.Secrets, action string) (out walletapi.Wallet, err error) {
	if h.Kind == vault.Watch {
		if err := vault.Add(s.dir, h); err != nil {
			return out, unwritten(err)
		}
	} else {
		v, err := s.derive(func() (*vault.Vault, error) {
			return vault.Create(vault.New{Dir: s.dir, Header: h, Secrets: x, State: []byte(`{"policy":{"policy":{},"spent":"0"},"audit":{"n":0,"hash":""}}`), Passphrase: secret.New(passphrase), Cost: s.cost()})
		})
		if errors.Is(err, vault.ErrExists) {
			return out, apierr.New(apierr.Conflict, "there is such a wallet already")
		}
		if err != nil {
			return out, unwritten(err)
		}
		if err := v.Close(); err != nil {
			return out, err
		}
	}
	guard.Sweep()
	w, err := s.load(h)
	if err != nil {
		return out, err
	}
	release, err := w.take(ctx)
	if err != nil {
		return out, err
	}
	defer release()
	s.mu.Lock()
	s.wallets[h.ID] = w
	s.mu.Unlock()
	if err := w.note(s.now(), record{Action: action, Result: done, Detail: map[string]any{"name": h.Name, "kind": h.Kind, "accounts": len(h.Accounts)}}); err != nil {
		return out, err
	}
	return s.show(w), nil
}

// Import makes a wallet of what others made.
func (s *Service) Import(ctx context.Context, r walletapi.ImportRequest) (out walletapi.Wallet, err error) {
	given := 0
	for _, there := range []bool{r.Mnemonic != "", r.Keystore != nil, r.PrivateKey != "", len(r.Addresses) > 0, r.Signer == ledgerSigner} {
		if there {
			given++
		}
	}
	if given != 1 {
		return out, apierr.New(apierr.Invalid, "give one of mnemonic, keystore, private_key, addresses and the signer ledger")
	}
	watch := len(r.Addresses) > 0 && r.Signer == ""
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.checkNew(r.Name, r.Passphrase, !watch); err != nil {
		return out, err
	}
	if watch && r.Passphrase != "" {
		return out, apierr.New(apierr.Invalid, "a wallet that only watches has no passphrase")
	}
	if r.Signer != "" && r.Signer != ledgerSigner && len(r.Addresses) == 0 {
		return out, apierr.New(apierr.Invalid, "name the addresses that the signer signs for")
	}
	if r.Signer == ledgerSigner {
		n := max(1, r.Accounts)
		if n > maxAccounts {
			return out, apierr.New(apierr.Invalid, "accounts is 1 to %d", maxAccounts)
		}
		accounts, err := device{s}.accounts(ctx, n)
		if err != nil {
			return out, err
		}
		return s.add(ctx, r.Name, r.Passphrase, vault.Remote, r.Signer, vault.Secrets{}, accounts, "import")
	}
	kind, accounts := vault.Keys, []vault.Account(nil)
	var x vault.Secrets
	guard.Do(func() {
		switch {
		case r.Mnemonic != "":
			kind = vault.Phrase
			x, accounts, err = importPhrase(r)
		case r.Keystore != nil:
			x, accounts, err = s.importKeystore(r)
		case r.PrivateKey != "":
			x, accounts, err = importKey(r.PrivateKey)
		default:
			kind, accounts, err = importAddresses(r)
		}
	})
	if err != nil {
		return out, err
	}
	return s.add(ctx, r.Name, r.Passphrase, kind, r.Signer, x, accounts, "import")
}

func importPhrase(r walletapi.ImportRequest) (x vault.Secrets, accounts []vault.Account, err error) {
	if r.Accounts == 0 {
		r.Accounts = 1
	}
	if r.Accounts < 1 || r.Accounts > maxAccounts || len(r.PhrasePassphrase) > 1024 {
		return x, nil, apierr.New(apierr.Invalid, "accounts is 1 to %d, and phrase_passphrase at most 1024 bytes", maxAccounts)
	}
	phrase := []byte(r.Mnemonic)
	defer clear(phrase)
	if x.Entropy, err = hd.Entropy(phrase); err != nil {
		return x, nil, apierr.New(apierr.Invalid, "mnemonic: %s", err.Error()) // names a place, never a word
	}
	x.Passphrase = []byte(r.PhrasePassphrase)
	accounts, err = derived(&x, r.Accounts)
	return x, accounts, err
}

func (s *Service) importKeystore(r walletapi.ImportRequest) (x vault.Secrets, accounts []vault.Account, err error) {
	s.kdf <- struct{}{}
	key, err := keystore.DecryptPrivate(r.Keystore, secret.New(r.KeystorePassphrase))
	<-s.kdf
	switch {
	case errors.Is(err, keystore.ErrPassphrase):
		return x, nil, apierr.New(apierr.Invalid, "keystore_passphrase is wrong, or the key file is damaged")
	case err != nil:
		return x, nil, apierr.Wrap(err, apierr.Invalid, "keystore: "+err.Error())
	}
	return oneKey(key)
}

func importKey(text string) (x vault.Secrets, accounts []vault.Account, err error) {
	key, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "0x"))
	if err != nil || len(key) != 32 {
		return x, nil, apierr.New(apierr.Invalid, "private_key is not 64 hex digits")
	}
	return oneKey(key)
}

func oneKey(key []byte) (x vault.Secrets, accounts []vault.Account, err error) {
	a, err := hd.Address(key)
	if err != nil {
		return x, nil, apierr.New(apierr.Invalid, "%s", err.Error())
	}
	return vault.Secrets{Keys: [][]byte{key}}, []vault.Account{{Address: a}}, nil
}

func importAddresses(r walletapi.ImportRequest) (kind vault.Kind, accounts []vault.Account, err error) {
	kind = vault.Watch
	if r.Signer != "" {
		kind = vault.Remote
		u, err := url.Parse(r.Signer)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return kind, nil, apierr.New(apierr.Invalid, "signer is a URL such as http://127.0.0.1:8550")
		}
	}
	if len(r.Addresses) > maxAccounts {
		return kind, nil, apierr.New(apierr.Invalid, "at most %d addresses", maxAccounts)
	}
	seen := map[common.Address]bool{}
	for _, a := range r.Addresses {
		if seen[a] {
			return kind, nil, apierr.New(apierr.Invalid, "%s is there twice", a)
		}
		seen[a] = true
		accounts = append(accounts, vault.Account{Address: a})
	}
	return kind, accounts, nil
}
