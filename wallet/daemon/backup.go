package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/wallet/guard"
	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/vault"
)

// backupVersion is that of the document within an age file.
const backupVersion = 1

// maxBackup bounds a backup file.
const maxBackup = 1 << 20

// scryptWork is the cost of a backup's passphrase, as a power of two: age's own default.
const scryptWork = 18

// backup is a whole wallet, without what was done with it: its policy and its
// second factor begin anew when it is restored.
type backup struct {
	Version    int          `json:"aitbc_wallet_backup"`
	Wallet     vault.Header `json:"wallet"`
	Entropy    []byte       `json:"entropy,omitempty"`
	Passphrase []byte       `json:"phrase_passphrase,omitempty"`
	Keys       [][]byte     `json:"keys,omitempty"`
}

func (b *backup) wipe() {
	clear(b.Entropy)
	clear(b.Passphrase)
	for _, k := range b.Keys {
		clear(k)
	}
}

// Backup returns an age file with the wallet.
func (s *Service) Backup(ctx context.Context, which string, r walletapi.BackupRequest) (out walletapi.BackupResponse, err error) {
	if len(r.BackupPassphrase) < leastPassphrase {
		return out, apierr.New(apierr.Invalid, "backup_passphrase has at least %d characters", leastPassphrase)
	}
	err = s.turn(ctx, which, func(w *wallet) error {
		return s.prove(w, r.Proof, true, func(p *proven) error {
			if err := s.noted(w, p, "backup"); err != nil {
				return err
			}
			return p.vault.Use(func(x *vault.Secrets) error {
				b := backup{Version: backupVersion, Wallet: w.header, Entropy: x.Entropy, Passphrase: x.Passphrase, Keys: x.Keys}
				raw, err := json.Marshal(b)
				if err != nil {
					return fmt.Errorf("back up: %w", err)
				}
				defer clear(raw)
				out.File, err = encrypt(raw, r.BackupPassphrase)
				return err
			})
		})
	})
	return out, err
}

func encrypt(raw []byte, passphrase string) (string, error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return "", fmt.Errorf("back up: %w", err)
	}
	to.SetWorkFactor(scryptWork)
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, to)
	if err != nil {
		return "", fmt.Errorf("back up: %w", err)
	}
	_, err = w.Write(raw)
	if err = errors.Join(err, w.Close(), a.Close()); err != nil {
		return "", fmt.Errorf("back up: %w", err)
	}
	return out.String(), nil
}

// readBackup opens a backup and derives every account in it anew: what it names
// is what it restores to.
func (s *Service) readBackup(file, passphrase string) (b backup, restored []common.Address, err error) {
	if len(file) > maxBackup {
		return b, nil, apierr.New(apierr.TooLarge, "a backup has at most %d bytes", maxBackup)
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return b, nil, apierr.New(apierr.Invalid, "backup_passphrase is empty")
	}
	id.SetMaxWorkFactor(scryptWork + 2)
	s.kdf <- struct{}{}
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(file)), id)
	<-s.kdf
	if err != nil {
		return b, nil, apierr.Wrap(err, apierr.Invalid, "backup_passphrase is wrong, or the file is no backup")
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxBackup))
	defer clear(raw)
	if err != nil {
		return b, nil, apierr.Wrap(err, apierr.Invalid, "the backup is damaged")
	}
	if err := api.Decode(raw, &b); err != nil || b.Version != backupVersion {
		return b, nil, apierr.New(apierr.Invalid, "the file is no backup of a wallet of this version")
	}
	x := vault.Secrets{Entropy: b.Entropy, Passphrase: b.Passphrase, Keys: b.Keys}
	for _, a := range b.Wallet.Accounts {
		if b.Wallet.Kind == vault.Phrase || b.Wallet.Kind == vault.Keys {
			key, err := x.Private(a)
			if err != nil {
				return b, restored, apierr.Wrap(err, apierr.Invalid, "the backup does not restore to its own addresses")
			}
			got, err := hd.Address(key)
			clear(key)
			if err != nil || got != a.Address {
				return b, restored, apierr.New(apierr.Invalid, "the backup does not restore to its own addresses")
			}
		}
		restored = append(restored, a.Address)
	}
	return b, restored, nil
}

// Drill proves that a backup restores to the addresses of a wallet. It changes nothing.
func (s *Service) Drill(ctx context.Context, which string, r walletapi.DrillRequest) (out walletapi.DrillResponse, err error) {
	err = s.turn(ctx, which, func(w *wallet) error {
		var b backup
		guard.Do(func() {
			b, out.Restored, err = s.readBackup(r.File, r.BackupPassphrase)
			b.wipe()
		})
		guard.Sweep()
		if err != nil {
			return err
		}
		for _, a := range w.header.Accounts {
			if !slices.Contains(out.Restored, a.Address) {
				out.Missing = append(out.Missing, a.Address)
			}
		}
		out.OK = len(out.Missing) == 0
		return w.note(s.now(), record{Action: "drill", Result: done, Detail: map[string]bool{"ok": out.OK}})
	})
	return out, err
}

// Restore makes a wallet of a backup, with the id it had.
func (s *Service) Restore(ctx context.Context, id string, r walletapi.RestoreRequest) (out walletapi.Wallet, err error) {
	var b backup
	guard.Do(func() { b, _, err = s.readBackup(r.File, r.BackupPassphrase) })
	defer b.wipe()
	if err != nil {
		return out, err
	}
	if b.Wallet.ID != id && b.Wallet.Name != id {
		return out, apierr.New(apierr.Invalid, "the backup is of the wallet %s, %s", b.Wallet.ID, b.Wallet.Name)
	}
	s.making.Lock()
	defer s.making.Unlock()
	if _, err := s.find(b.Wallet.ID); err == nil {
		return out, apierr.New(apierr.Conflict, "the wallet is there: drill says whether the backup restores to it")
	}
	if err := s.checkNew(b.Wallet.Name, r.Passphrase, true); err != nil {
		return out, err
	}
	x := vault.Secrets{Entropy: b.Entropy, Passphrase: b.Passphrase, Keys: b.Keys}
	return s.addAs(ctx, b.Wallet, r.Passphrase, x, "restore")
}
