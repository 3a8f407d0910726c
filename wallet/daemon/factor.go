package daemon

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/wallet/guard"
	"github.com/aitbc/aitbc/wallet/otp"
	"github.com/aitbc/aitbc/wallet/vault"
)

const recoveryCodes = 10

// proven is a wallet whose passphrase, and second factor where there is one,
// were shown.
type proven struct {
	vault  *vault.Vault
	state  state
	factor bool // a code was shown and held
	keep   bool // the vault stays open
}

// prove opens the wallet with a proof and calls f. needCode asks for the second
// factor where there is one. Failed attempts count. It needs the turn.
func (s *Service) prove(w *wallet, p walletapi.Proof, needCode bool, f func(*proven) error) error {
	var pr *proven
	err := s.attempt(w, func() (bool, error) {
		v, err := s.opened(w, p.Passphrase)
		if err != nil {
			return false, err
		}
		pr = &proven{vault: v}
		if w.open != nil { // the one that is open has the newest state
			if err := v.Close(); err != nil {
				return false, err
			}
			pr.vault, pr.state, pr.keep = w.open, w.state, true
		} else if pr.state, err = s.attach(w, v); err != nil {
			return false, err
		}
		on, err := enrolled(pr.vault, pr.state)
		if err != nil {
			return false, err
		}
		pr.factor, err = s.factor(w, pr.vault, &pr.state, &shown{code: p.Code, passkey: p.Passkey}, needCode)
		return pr.factor || !on, err
	})
	if err == nil {
		err = f(pr)
	}
	if pr != nil && !pr.keep {
		err = errors.Join(err, pr.vault.Close())
		guard.Sweep()
	}
	return err
}

// shown is a second factor as a request has it: a code, or a passkey's answer.
type shown struct {
	code    string
	passkey json.RawMessage
	proven  bool // it was checked already
}

func (f *shown) any() bool { return f.code != "" || len(f.passkey) > 0 }

// enrolled reports whether the wallet has a second factor.
func enrolled(v *vault.Vault, st state) (bool, error) {
	totp, err := authenticator(v)
	return totp || len(st.Passkeys) > 0, err
}

// authenticator reports whether the wallet has a shared secret.
func authenticator(v *vault.Vault) (is bool, err error) {
	err = v.Use(func(x *vault.Secrets) error { is = len(x.TOTP) > 0; return nil })
	return is, err
}

// factor checks a code of an authenticator, a recovery code or a passkey's
// answer. It stores that it was used before it believes it. It returns whether
// one was shown.
func (s *Service) factor(w *wallet, v *vault.Vault, st *state, f *shown, need bool) (bool, error) {
	on, err := enrolled(v, *st)
	if err != nil || !on {
		return false, err
	}
	if !f.any() {
		if need {
			return false, needCode()
		}
		return false, nil
	}
	next := *st
	if len(f.passkey) > 0 {
		if next.Passkeys, err = s.checkPasskey(w, *st, f.passkey); err != nil {
			return false, err
		}
	} else if err := s.checkCode(v, &next, f.code); err != nil {
		return false, err
	}
	if err := w.save(v, next); err != nil {
		return false, err
	}
	*st = next
	return true, nil
}

// checkCode marks a code as used in st, or refuses it.
func (s *Service) checkCode(v *vault.Vault, st *state, code string) error {
	step, ok := st.TOTPStep, false
	if err := v.Use(func(x *vault.Secrets) error {
		if len(x.TOTP) > 0 {
			step, ok = otp.Verify(x.TOTP, code, s.now(), st.TOTPStep)
		}
		return nil
	}); err != nil {
		return err
	}
	if ok {
		st.TOTPStep = step
		return nil
	}
	if st.Recovery, ok = otp.Redeem(code, st.Recovery); !ok {
		return wrongFactor("the code is wrong, too old, or was used already")
	}
	return nil
}

func wrongFactor(message string) error {
	return apierr.Wrap(errWrongCode, apierr.FactorRequired, message)
}

func needCode() error {
	return apierr.New(apierr.FactorRequired, "this needs the second factor: send a code of the authenticator, or a recovery code, as code; or the answer of a passkey, as passkey")
}

// Factor returns how the second factor stands.
func (s *Service) Factor(ctx context.Context, which string) (out walletapi.FactorStatus, err error) {
	w, err := s.find(which)
	if err != nil {
		return out, err
	}
	release, err := w.take(ctx)
	if err != nil {
		return out, err
	}
	defer release()
	if w.open == nil {
		return walletapi.FactorStatus{Locked: true}, nil
	}
	out.RecoveryCodes = len(w.state.Recovery)
	out.Passkeys = len(w.state.Passkeys)
	out.TOTP, err = authenticator(w.open)
	return out, err
}

// SetFactor begins, confirms, renews or removes a second factor.
func (s *Service) SetFactor(ctx context.Context, which string, r walletapi.FactorRequest) (out walletapi.FactorResponse, err error) {
	w, err := s.find(which)
	if err != nil {
		return out, err
	}
	release, err := w.take(ctx)
	if err != nil {
		return out, err
	}
	defer release()
	proof := r.Proof
	switch r.Action {
	case walletapi.FactorConfirm:
		proof.Code = "" // it is the new secret's
	case walletapi.PasskeyChallenge:
		return out, s.askPasskey(w, &out)
	case walletapi.FactorBegin, walletapi.FactorRecovery, walletapi.FactorRemove, walletapi.PasskeyBegin, walletapi.PasskeyConfirm:
	default:
		return out, apierr.New(apierr.Invalid, "action is one of begin, confirm, recovery, remove, passkey-begin, passkey-confirm and passkey-challenge")
	}
	// What was begun with the second factor that there is may be confirmed without it.
	begun := r.Action == walletapi.FactorConfirm || r.Action == walletapi.PasskeyConfirm
	err = s.prove(w, proof, !begun, func(p *proven) error {
		on, err := authenticator(p.vault)
		if err != nil {
			return err
		}
		switch r.Action {
		case walletapi.FactorBegin:
			if on {
				return apierr.New(apierr.Conflict, "there is an authenticator already: remove it first")
			}
			return w.beginFactor(&out)
		case walletapi.FactorConfirm:
			if on || w.newKey == nil {
				return apierr.New(apierr.Conflict, "nothing waits to be confirmed: begin again")
			}
			if err := s.confirmFactor(w, p, r.Code, &out); err != nil {
				return err
			}
			used := w.newKey
			w.newKey = nil
			return used.Destroy()
		case walletapi.PasskeyBegin:
			return s.beginPasskey(w, p, &out)
		case walletapi.PasskeyConfirm:
			return s.confirmPasskey(w, p, r.Credential, &out)
		case walletapi.FactorRecovery:
			if !on && len(p.state.Passkeys) == 0 {
				return apierr.New(apierr.Conflict, "there is no second factor")
			}
			codes, hashes := otp.RecoveryCodes(recoveryCodes)
			p.state.Recovery = hashes
			out.RecoveryCodes = codes
			return s.noted(w, p, "2fa.recovery")
		default:
			if !on && len(p.state.Passkeys) == 0 {
				return apierr.New(apierr.Conflict, "there is no second factor")
			}
			if err := s.noted(w, p, "2fa.remove"); err != nil {
				return err
			}
			if err := p.vault.Change(func(x *vault.Secrets, _ *vault.Header) error { x.TOTP = nil; return nil }); err != nil {
				return unwritten(err)
			}
			p.state.Recovery, p.state.Passkeys = nil, nil
			return w.save(p.vault, p.state)
		}
	})
	return out, err
}

func (w *wallet) beginFactor(out *walletapi.FactorResponse) (err error) {
	if w.newKey != nil {
		if err := w.newKey.Destroy(); err != nil {
			return err
		}
	}
	key := otp.NewSecret()
	out.Secret, out.URI = otp.Text(key), otp.URI(key, "AITBC", w.header.Name)
	w.newKey, err = guard.NewBuffer(key)
	return err
}

// confirmFactor switches the new secret on once its first code is shown.
func (s *Service) confirmFactor(w *wallet, p *proven, code string, out *walletapi.FactorResponse) error {
	return s.attempt(w, func() (bool, error) {
		return true, w.newKey.Use(func(key []byte) error {
			step, ok := otp.Verify(key, code, s.now(), p.state.TOTPStep)
			if !ok {
				return wrongFactor("the code is wrong: is the authenticator's clock right?")
			}
			codes, hashes := otp.RecoveryCodes(recoveryCodes)
			p.state.TOTPStep, p.state.Recovery = step, hashes
			if err := s.noted(w, p, "2fa.confirm"); err != nil {
				return err
			}
			if err := p.vault.Change(func(x *vault.Secrets, _ *vault.Header) error { x.TOTP = key; return nil }); err != nil {
				return unwritten(err)
			}
			out.RecoveryCodes = codes
			return nil
		})
	})
}

// noted writes an audit record and then the state, which knows the record.
func (s *Service) noted(w *wallet, p *proven, action string) error {
	if err := w.note(s.now(), record{Action: action, Result: done}); err != nil {
		return err
	}
	p.state.Audit = w.audit.Head()
	return w.save(p.vault, p.state)
}

func unwritten(err error) error {
	return apierr.Wrap(err, apierr.Unavailable, "the wallet could not be written: is the disk full?")
}
