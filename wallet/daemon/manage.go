package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/journal"
	"github.com/aitbc/aitbc/wallet/keystore"
	"github.com/aitbc/aitbc/wallet/policy"
	"github.com/aitbc/aitbc/wallet/vault"
)

func newEntropy(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// turn runs f with a wallet's turn.
func (s *Service) turn(ctx context.Context, which string, f func(w *wallet) error) error {
	w, err := s.find(which)
	if err != nil {
		return err
	}
	release, err := w.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	return f(w)
}

// AddAccount derives one more account of a phrase.
func (s *Service) AddAccount(ctx context.Context, which string, r walletapi.AccountRequest) (out walletapi.Wallet, err error) {
	if r.Name != "" && vault.CheckName(r.Name) != nil {
		return out, apierr.New(apierr.Invalid, "%s", vault.CheckName(r.Name).Error())
	}
	err = s.turn(ctx, which, func(w *wallet) error {
		if w.header.Kind != vault.Phrase {
			return apierr.New(apierr.Invalid, "only a wallet of a phrase has more accounts: import another key as a wallet of its own")
		}
		return s.prove(w, r.Proof, false, func(p *proven) error {
			path := hd.Account(uint32(len(w.header.Accounts))) //nolint:gosec // bounded by the vault
			if r.Index != nil {
				if *r.Index >= hd.Hardened {
					return apierr.New(apierr.Invalid, "index is below 2^31")
				}
				path = hd.Account(*r.Index)
			}
			for slices.ContainsFunc(w.header.Accounts, func(a vault.Account) bool { return a.Path == path.String() }) {
				if r.Index != nil {
					return apierr.New(apierr.Conflict, "the wallet has the account %s already", path)
				}
				path[len(path)-1]++
			}
			if err := s.noted(w, p, "account"); err != nil {
				return err
			}
			if err := p.vault.Change(func(x *vault.Secrets, h *vault.Header) error {
				a, err := x.Derived(path, r.Name)
				h.Accounts = append(h.Accounts, a)
				return err
			}); err != nil {
				return unwritten(err)
			}
			w.header.Accounts = p.vault.Header().Accounts
			out = s.show(w)
			return nil
		})
	})
	return out, err
}

// SetPassphrase wraps a wallet's key with another passphrase.
func (s *Service) SetPassphrase(ctx context.Context, which string, r walletapi.PassphraseRequest) error {
	if len(r.New) < leastPassphrase {
		return apierr.New(apierr.Invalid, "a passphrase has at least %d characters", leastPassphrase)
	}
	return s.turn(ctx, which, func(w *wallet) error {
		return s.prove(w, r.Proof, true, func(p *proven) error {
			if err := s.noted(w, p, "passphrase"); err != nil {
				return err
			}
			_, err := s.derive(func() (*vault.Vault, error) { return nil, p.vault.SetPassphrase(secret.New(r.New), s.cost()) })
			if err != nil {
				return unwritten(err)
			}
			return nil
		})
	})
}

// Export gives out a phrase or a key.
func (s *Service) Export(ctx context.Context, which string, r walletapi.ExportRequest) (out walletapi.ExportResponse, err error) {
	err = s.turn(ctx, which, func(w *wallet) error {
		if w.header.Kind != vault.Phrase && w.header.Kind != vault.Keys {
			return apierr.New(apierr.Invalid, "the wallet %s has no keys to export", w.header.Name)
		}
		account, err := w.account(r.Account)
		if err != nil {
			return err
		}
		switch r.What {
		case walletapi.ExportMnemonic:
			if w.header.Kind != vault.Phrase {
				return apierr.New(apierr.Invalid, "the wallet %s has no phrase: export its private_key or keystore", w.header.Name)
			}
		case walletapi.ExportPrivateKey:
		case walletapi.ExportKeystore:
			if len(r.KeystorePassphrase) < leastPassphrase {
				return apierr.New(apierr.Invalid, "keystore_passphrase has at least %d characters", leastPassphrase)
			}
		default:
			return apierr.New(apierr.Invalid, "what is one of mnemonic, private_key and keystore")
		}
		return s.prove(w, r.Proof, true, func(p *proven) error {
			if err := s.noted(w, p, "export."+r.What); err != nil {
				return err
			}
			return p.vault.Use(func(x *vault.Secrets) error { return export(x, account, r, &out) })
		})
	})
	return out, err
}

func export(x *vault.Secrets, a vault.Account, r walletapi.ExportRequest, out *walletapi.ExportResponse) error {
	if r.What == walletapi.ExportMnemonic {
		phrase, err := hd.Mnemonic(x.Entropy)
		out.Mnemonic = string(phrase)
		clear(phrase)
		return err
	}
	key, err := x.Private(a)
	if err != nil {
		return err
	}
	defer clear(key)
	if r.What == walletapi.ExportPrivateKey {
		out.PrivateKey = "0x" + hex.EncodeToString(key)
		return nil
	}
	out.Keystore, err = keystore.EncryptPrivate(key, secret.New(r.KeystorePassphrase), keystore.Standard())
	return err
}

// Policy returns what the owner has set.
func (s *Service) Policy(ctx context.Context, which string) (out walletapi.PolicyResponse, err error) {
	err = s.turn(ctx, which, func(w *wallet) error {
		if w.open == nil {
			return apierr.New(apierr.Locked, "the wallet %s is locked, and its policy is sealed with it", w.header.Name)
		}
		out = showPolicy(w.state.Policy.At(s.now()))
		return nil
	})
	return out, err
}

// SetPolicy sets another policy: at once if it loosens nothing.
func (s *Service) SetPolicy(ctx context.Context, which string, r walletapi.PolicyRequest) (out walletapi.PolicyResponse, err error) {
	next := policy.Policy{
		PerTransaction: r.Policy.PerTransaction, PerDay: r.Policy.PerDay, SecondFactorAbove: r.Policy.SecondFactorAbove,
		AllowOnly: r.Policy.AllowOnly, DelaySeconds: r.Policy.DelaySeconds, BlindCalls: r.Policy.BlindCalls,
	}
	for _, a := range r.Policy.Allow {
		next.Allow = append(next.Allow, policy.Receiver(a))
	}
	if err := next.Check(); err != nil {
		return out, apierr.New(apierr.Invalid, "%s", err.Error())
	}
	err = s.turn(ctx, which, func(w *wallet) error {
		return s.prove(w, r.Proof, true, func(p *proven) error {
			on, err := enrolled(p.vault, p.state)
			if err != nil {
				return err
			}
			if next.SecondFactorAbove != nil && !on {
				return apierr.New(apierr.Conflict, "there is no second factor yet: POST /v1/wallet/{id}/2fa sets one up")
			}
			if p.state.Policy, err = p.state.Policy.Set(next, s.now()); err != nil {
				return apierr.New(apierr.Invalid, "%s", err.Error())
			}
			if err := w.note(s.now(), record{Action: "policy", Result: done, Detail: p.state.Policy}); err != nil {
				return err
			}
			p.state.Audit = w.audit.Head()
			out = showPolicy(p.state.Policy)
			return w.save(p.vault, p.state)
		})
	})
	return out, err
}

func showPolicy(st policy.State) walletapi.PolicyResponse {
	one := func(p policy.Policy) walletapi.Policy {
		out := walletapi.Policy{
			PerTransaction: p.PerTransaction, PerDay: p.PerDay, SecondFactorAbove: p.SecondFactorAbove,
			AllowOnly: p.AllowOnly, DelaySeconds: p.DelaySeconds, BlindCalls: p.BlindCalls,
		}
		for _, a := range p.Allow {
			out.Allow = append(out.Allow, walletapi.Receiver(a))
		}
		return out
	}
	out := walletapi.PolicyResponse{Policy: one(st.Policy), SpentToday: st.Spent}
	if st.Next != nil {
		next := one(*st.Next)
		out.Next, out.NextAt = &next, st.NextAt*1000
	}
	return out
}

// Audit returns the newest records of the audit log, and whether all of it is a
// whole chain.
func (s *Service) Audit(ctx context.Context, which string, limit int) (out walletapi.AuditResponse, err error) {
	err = s.turn(ctx, which, func(w *wallet) error {
		out.Records = []walletapi.AuditRecord{}
		known := w.open == nil || w.state.Audit.N == 0
		head, err := journal.Verify(s.path(w.id, ".audit"), func(e journal.Entry) error {
			out.Records = append(out.Records, walletapi.AuditRecord{N: e.N, Prev: e.Prev, Hash: e.Hash, Record: e.Record})
			if len(out.Records) > 2*limit {
				out.Records = slices.Clone(out.Records[len(out.Records)-limit:])
			}
			known = known || e.N == w.state.Audit.N && e.Hash == w.state.Audit.Hash
			return nil
		})
		out.Total, out.Head, out.Verified = head.N, head.Hash, err == nil && known && head == w.audit.Head()
		slices.Reverse(out.Records)
		out.Records = out.Records[:min(limit, len(out.Records))]
		if err != nil {
			s.log.Error("an audit log is not a whole chain", "wallet", w.id, "err", err)
		}
		return nil
	})
	return out, err
}
