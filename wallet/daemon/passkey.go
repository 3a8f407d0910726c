package daemon

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/wallet/otp"
)

// passkey is what is kept of one: a public key, and how often it signed.
type passkey = webauthn.Credential

const (
	maxPasskeys   = 16
	answerWithin  = 2 * time.Minute
	defaultDomain = "localhost"
)

// ceremony is what a passkey was asked. It counts for one answer.
type ceremony struct {
	session webauthn.SessionData
	makes   bool // a new passkey, rather than an answer of one that there is
	until   time.Time
}

// passkeys returns the relying party for the pages that may use passkeys, or nil.
func passkeys(o Options) (*webauthn.WebAuthn, error) {
	if len(o.Pages) == 0 {
		return nil, nil
	}
	domain := o.PasskeyDomain
	if domain == "" {
		domain = defaultDomain
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: domain, RPDisplayName: "AITBC wallet", RPOrigins: o.Pages, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return w, nil
}

// owner is a wallet as WebAuthn's library wants to see it.
type owner struct {
	wallet *wallet
	keys   []passkey
}

func (o owner) WebAuthnID() []byte             { return []byte(o.wallet.id) }
func (o owner) WebAuthnName() string           { return o.wallet.header.Name }
func (o owner) WebAuthnDisplayName() string    { return o.wallet.header.Name }
func (o owner) WebAuthnCredentials() []passkey { return o.keys }

func (s *Service) needPages() error {
	if s.keys == nil {
		return apierr.New(apierr.Conflict, "no page may use passkeys: name its origin in allowed_origins")
	}
	return nil
}

// beginPasskey makes the options by which a browser makes a new passkey.
func (s *Service) beginPasskey(w *wallet, p *proven, out *walletapi.FactorResponse) error {
	if err := s.needPages(); err != nil {
		return err
	}
	if len(p.state.Passkeys) >= maxPasskeys {
		return apierr.New(apierr.Conflict, "the wallet has %d passkeys: remove them first", maxPasskeys)
	}
	exclude := webauthn.Credentials(p.state.Passkeys).CredentialDescriptors()
	options, session, err := s.keys.BeginRegistration(owner{w, p.state.Passkeys}, webauthn.WithExclusions(exclude))
	if err != nil {
		return fmt.Errorf("begin passkey: %w", err)
	}
	w.asked = &ceremony{*session, true, s.now().Add(answerWithin)}
	if out.Options, err = json.Marshal(options); err != nil {
		return fmt.Errorf("begin passkey: %w", err)
	}
	return nil
}

// take returns what was asked, which counts once, or refuses.
func (w *wallet) takeAsked(makes bool, now time.Time) (webauthn.SessionData, error) {
	asked := w.asked
	w.asked = nil
	if asked == nil || asked.makes != makes || now.After(asked.until) {
		return webauthn.SessionData{}, wrongFactor("no passkey was asked, or it took too long: ask again")
	}
	asked.session.Expires = time.Time{} // the library would look at its own clock
	return asked.session, nil
}

// confirmPasskey adds a passkey.
func (s *Service) confirmPasskey(w *wallet, p *proven, raw json.RawMessage, out *walletapi.FactorResponse) error {
	if err := s.needPages(); err != nil {
		return err
	}
	session, err := w.takeAsked(true, s.now())
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(raw)
	if err != nil {
		return apierr.Wrap(err, apierr.Invalid, "credential is not what navigator.credentials.create answers")
	}
	made, err := s.keys.CreateCredential(owner{w, p.state.Passkeys}, session, parsed)
	if err != nil {
		return apierr.Wrap(err, apierr.Invalid, "the passkey does not answer what was asked")
	}
	// A wallet that had no second factor before gets codes for the day the device is lost.
	if on, err := enrolled(p.vault, p.state); err != nil {
		return err
	} else if !on {
		out.RecoveryCodes, p.state.Recovery = otp.RecoveryCodes(recoveryCodes)
	}
	p.state.Passkeys = append(append([]passkey{}, p.state.Passkeys...), *made)
	return s.noted(w, p, "2fa.passkey")
}

// askPasskey makes the options by which a browser has a passkey answer. It needs
// the wallet unlocked, as what it asks for is sealed.
func (s *Service) askPasskey(w *wallet, out *walletapi.FactorResponse) error {
	if err := s.needPages(); err != nil {
		return err
	}
	if w.open == nil {
		return apierr.New(apierr.Locked, "the wallet %s is locked", w.header.Name)
	}
	if len(w.state.Passkeys) == 0 {
		return apierr.New(apierr.Conflict, "the wallet has no passkey")
	}
	options, session, err := s.keys.BeginLogin(owner{w, w.state.Passkeys}, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return fmt.Errorf("ask passkey: %w", err)
	}
	w.asked = &ceremony{*session, false, s.now().Add(answerWithin)}
	if out.Options, err = json.Marshal(options); err != nil {
		return fmt.Errorf("ask passkey: %w", err)
	}
	return nil
}

// checkPasskey checks an answer and returns the passkeys with its new count, or
// refuses it.
func (s *Service) checkPasskey(w *wallet, st state, raw json.RawMessage) ([]passkey, error) {
	if err := s.needPages(); err != nil {
		return nil, err
	}
	session, err := w.takeAsked(false, s.now())
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(raw)
	if err != nil {
		return nil, wrongFactor("passkey is not what navigator.credentials.get answers")
	}
	used, err := s.keys.ValidateLogin(owner{w, st.Passkeys}, session, parsed)
	if err != nil {
		return nil, wrongFactor("the passkey does not answer what was asked")
	}
	if used.Authenticator.CloneWarning {
		return nil, wrongFactor("the passkey has counted backwards: somebody may have copied it; remove it with a recovery code")
	}
	next := append([]passkey{}, st.Passkeys...)
	for i := range next {
		if string(next[i].ID) == string(used.ID) {
			next[i] = *used
		}
	}
	return next, nil
}
