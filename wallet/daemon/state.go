package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/guard"
	"github.com/aitbc/aitbc/wallet/journal"
	"github.com/aitbc/aitbc/wallet/policy"
	"github.com/aitbc/aitbc/wallet/vault"
)

// state is what a wallet's vault keeps beside its secrets.
type state struct {
	Policy   policy.State `json:"policy"`
	TOTPStep int64        `json:"totp_step,omitempty"` // the last that was used
	Recovery []string     `json:"recovery,omitempty"`  // hashes of codes
	Passkeys []passkey    `json:"passkeys,omitempty"`
	Audit    journal.Head `json:"audit"` // a record that the log must have
}

func decodeState(raw []byte) (st state, err error) {
	if err := api.Decode(raw, &st); err != nil {
		return st, fmt.Errorf("state of a vault: %w", err)
	}
	return st, nil
}

func (st *state) encode() ([]byte, error) {
	raw, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("state of a vault: %w", err)
	}
	return raw, nil
}

// save stores the state of the open vault. It needs the turn.
func (w *wallet) save(v *vault.Vault, st state) error {
	raw, err := st.encode()
	if err != nil {
		return err
	}
	if err := v.SetState(raw); err != nil {
		return apierr.Wrap(err, apierr.Unavailable, "the wallet could not be written: is the disk full?")
	}
	if v == w.open {
		w.state = st
	}
	return nil
}

// record is one line of the audit log.
type record struct {
	At      int64  `json:"at"` // milliseconds since 1970
	Action  string `json:"action"`
	Result  string `json:"result"` // done, refused; of signatures: allowed
	Subject string `json:"subject,omitempty"`
	Detail  any    `json:"detail,omitempty"`
}

// Results of audit records.
const (
	done    = "done"
	allowed = "allowed"
	refused = "refused"
)

// note writes a record, on the disk when it returns. What cannot be written is
// not done. It needs the turn.
func (w *wallet) note(now time.Time, r record) error {
	r.At = now.UnixMilli()
	if _, err := w.audit.Append(r); err != nil {
		message := "the audit log cannot be written, and without it nothing is done: is the disk full?"
		if errors.Is(err, journal.ErrFailed) {
			message = "the audit log cannot be written, and without it nothing is done: see to the disk and start the daemon again"
		}
		return apierr.Wrap(err, apierr.Unavailable, message)
	}
	return nil
}

// attach reads the state of a vault that was just opened, and sees to it that the
// audit log was not cut: it must have the record that the vault knows.
func (s *Service) attach(w *wallet, v *vault.Vault) (state, error) {
	st, err := decodeState(v.State())
	if err != nil {
		return st, err
	}
	found := st.Audit.N == 0
	head, err := journal.Verify(s.path(w.id, ".audit"), func(e journal.Entry) error {
		found = found || e.N == st.Audit.N && e.Hash == st.Audit.Hash
		return nil
	})
	if err != nil || !found {
		err = errors.Join(err, fmt.Errorf("audit log of %s ends at %d, the vault knows record %d", w.id, head.N, st.Audit.N))
		return st, apierr.Wrap(err, apierr.Conflict, "the audit log of this wallet was cut or changed: aitbc wallet audit verify says where; restore the file, or restore the wallet from a backup under another home")
	}
	return st, nil
}

// derive runs f, which works on a passphrase, alone.
func (s *Service) derive(f func() (*vault.Vault, error)) (*vault.Vault, error) {
	s.kdf <- struct{}{}
	defer func() {
		<-s.kdf
		guard.Sweep() // the memory of argon2id
	}()
	return f()
}

// opened opens a wallet's vault for one request.
func (s *Service) opened(w *wallet, passphrase string) (*vault.Vault, error) {
	if w.header.Kind == vault.Watch {
		return nil, apierr.New(apierr.Invalid, "the wallet %s only watches: it has no keys", w.header.Name)
	}
	v, err := s.derive(func() (*vault.Vault, error) { return vault.Open(s.dir, w.id, secret.New(passphrase)) })
	switch {
	case errors.Is(err, vault.ErrPassphrase):
		return nil, apierr.Wrap(err, apierr.Forbidden, "the passphrase is wrong")
	case errors.Is(err, vault.ErrPermissions):
		return nil, apierr.Wrap(err, apierr.Conflict, "the wallet's file can be used by others: make its mode 0600")
	case errors.Is(err, vault.ErrFormat), errors.Is(err, vault.ErrNotFound):
		return nil, apierr.Wrap(err, apierr.Conflict, "the wallet's file is damaged or gone: restore it from a backup")
	}
	return v, err
}
