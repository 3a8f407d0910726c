package vault

import (
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/guard"
)

// overhead is what a box has beside its content.
const overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// A Vault is an open vault: its key and its secrets are in locked memory until
// [Vault.Close]. Its methods are safe for concurrent use; no other process must
// write the same file.
type Vault struct {
	dir     string
	key     *guard.Buffer
	secrets *guard.Buffer

	mu     sync.Mutex // guards the following, the secrets' buffer, and the file
	file   file
	state  []byte
	closed bool
}

// New is what a vault is made of.
type New struct {
	Dir        string
	Header     Header // Signer for remote wallets; accounts of the secrets
	Secrets    Secrets
	State      []byte
	Passphrase secret.Text
	Cost       Cost
}

// Create makes a vault, on disk when it returns, and returns it open. It wipes
// the secrets that it was given. It returns [ErrExists], or [ErrAccount] if an
// account is not of the secrets.
func Create(n New) (_ *Vault, err error) {
	defer n.Secrets.wipe()
	if n.Passphrase.Empty() {
		return nil, errors.New("create vault: the passphrase is empty")
	}
	if err := errors.Join(n.Header.check(), n.Cost.check()); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(Path(n.Dir, n.Header.ID)); err == nil {
		return nil, ErrExists
	}
	v := &Vault{dir: n.Dir, state: slices.Clone(n.State), file: file{Version: version, Header: n.Header}}
	guard.Do(func() { err = v.fill(&n) })
	if err == nil {
		err = v.write()
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// fill makes the key and the boxes of a new vault.
func (v *Vault) fill(n *New) (err error) {
	if n.Header.Kind == Phrase || n.Header.Kind == Keys {
		for _, a := range n.Header.Accounts {
			key, err := n.Secrets.Private(a)
			if err != nil {
				return err
			}
			clear(key)
		}
	}
	if v.key, err = guard.NewBuffer(random(keySize)); err != nil {
		return err
	}
	plain, err := n.Secrets.encode()
	if err != nil {
		return err
	}
	if v.secrets, err = guard.NewBuffer(plain); err != nil {
		return err
	}
	v.file.Sealed = &boxes{KDF: "argon2id"}
	if err := v.wrap(n.Passphrase, n.Cost); err != nil {
		return err
	}
	return v.seal(&v.file, v.state)
}

// Add writes the header of a watch-only wallet, which has nothing to seal.
func Add(dir string, h Header) error {
	if err := h.check(); err != nil {
		return err
	}
	if h.Kind != Watch {
		return fmt.Errorf("%w: a wallet of kind %s has a vault", ErrFormat, h.Kind)
	}
	if _, err := os.Lstat(Path(dir, h.ID)); err == nil {
		return ErrExists
	}
	b, err := (&file{Version: version, Header: h}).encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(Path(dir, h.ID), b, 0o600)
}

// Read returns the header of a vault. It returns [ErrNotFound],
// [ErrPermissions] or [ErrFormat], wrapped.
func Read(dir, id string) (Header, error) {
	f, err := load(Path(dir, id))
	if err != nil {
		return Header{}, err
	}
	return f.Header, nil
}

// Open opens the vault of an id. It returns [ErrPassphrase] beside the errors of [Read].
func Open(dir, id string, passphrase secret.Text) (_ *Vault, err error) {
	f, err := load(Path(dir, id))
	if err != nil {
		return nil, err
	}
	if f.Sealed == nil {
		return nil, fmt.Errorf("%w: a watch-only wallet has nothing to open", ErrFormat)
	}
	v := &Vault{dir: dir, file: *f}
	guard.Do(func() { err = v.unseal(passphrase) })
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *Vault) unseal(passphrase secret.Text) error {
	s := v.file.Sealed
	kek := derive(passphrase, s.Salt, s.Cost)
	defer clear(kek)
	key, err := open(kek, s.Key, v.file.keyData())
	if err != nil {
		return ErrPassphrase
	}
	defer clear(key)
	header, err := v.file.headerData()
	if err != nil {
		return err
	}
	plain, err := open(key, s.Secrets, header)
	if err != nil {
		return ErrPassphrase
	}
	defer clear(plain)
	if _, err := decodeSecrets(plain); err != nil {
		return err
	}
	if v.state, err = open(key, s.State, v.file.stateData()); err != nil {
		return ErrPassphrase
	}
	if v.secrets, err = guard.NewBuffer(plain); err != nil {
		return err
	}
	v.key, err = guard.NewBuffer(key)
	return err
}

// Header returns what the vault shows.
func (v *Vault) Header() Header {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.file.Header
	h.Accounts = slices.Clone(h.Accounts)
	return h
}

// State returns the state.
func (v *Vault) State() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.state)
}

// SetState replaces the state, on disk when it returns.
func (v *Vault) SetState(state []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := v.file
	sealed := *v.file.Sealed
	next.Sealed = &sealed
	if err := v.key.Use(func(key []byte) (err error) {
		sealed.State, err = seal(key, state, next.stateData())
		return err
	}); err != nil {
		return err
	}
	if err := v.replace(next); err != nil {
		return err
	}
	v.state = slices.Clone(state)
	return nil
}

// Use calls f with the secrets. They end with the call, and traces of them are
// erased.
func (v *Vault) Use(f func(s *Secrets) error) error {
	for {
		v.mu.Lock()
		b := v.secrets
		v.mu.Unlock()
		err := use(b, f)
		if !errors.Is(err, guard.ErrWiped) {
			return err
		}
		v.mu.Lock()
		replaced := v.secrets != b
		v.mu.Unlock()
		if !replaced {
			return err
		}
	}
}

func use(b *guard.Buffer, f func(s *Secrets) error) error {
	return b.Use(func(b []byte) error {
		s, err := decodeSecrets(b)
		if err != nil {
			return err
		}
		return f(&s)
	})
}

// Change replaces secrets and header by what f makes of them, on disk when it
// returns. f may keep slices of s in it, and must not change them in place.
func (v *Vault) Change(f func(s *Secrets, h *Header) error) error {
	old, err := v.change(f)
	if err != nil {
		return err
	}
	// Who still uses the old secrets may ask for the header meanwhile: so not with mu held.
	return old.Destroy()
}

// change returns the buffer of the secrets that were replaced.
func (v *Vault) change(f func(s *Secrets, h *Header) error) (*guard.Buffer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed { // or the new secrets would outlive it
		return nil, guard.ErrWiped
	}
	next := v.file
	next.Header.Accounts = slices.Clone(next.Header.Accounts)
	sealed := *v.file.Sealed
	next.Sealed = &sealed
	var buffer *guard.Buffer
	err := use(v.secrets, func(s *Secrets) error {
		if err := f(s, &next.Header); err != nil {
			return err
		}
		if err := next.Header.check(); err != nil {
			return err
		}
		plain, err := s.encode()
		if err != nil {
			return err
		}
		buffer, err = guard.NewBuffer(plain)
		return err
	})
	if err != nil {
		return nil, err
	}
	old := v.secrets
	v.secrets = buffer
	if err = v.seal(&next, v.state); err == nil {
		err = v.replace(next)
	}
	if err != nil {
		v.secrets = old
		return nil, errors.Join(err, buffer.Destroy()) // nobody else has seen it
	}
	return old, nil
}

// SetPassphrase wraps the vault's key with another passphrase, on disk when it returns.
func (v *Vault) SetPassphrase(passphrase secret.Text, c Cost) error {
	if passphrase.Empty() {
		return errors.New("change passphrase: the new one is empty")
	}
	if err := c.check(); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.file
	sealed := *v.file.Sealed
	v.file.Sealed = &sealed
	err := v.wrap(passphrase, c)
	if err == nil {
		err = v.write()
	}
	if err != nil {
		v.file = old
	}
	return err
}

// Close wipes key and secrets. Again it does nothing.
func (v *Vault) Close() error {
	v.mu.Lock()
	v.closed = true
	buffers := []*guard.Buffer{v.key, v.secrets}
	v.mu.Unlock() // who uses them may ask for the header
	var errs []error
	for _, b := range buffers {
		if b != nil {
			errs = append(errs, b.Destroy())
		}
	}
	return errors.Join(errs...)
}

// wrap seals the vault's key with a passphrase.
func (v *Vault) wrap(passphrase secret.Text, c Cost) error {
	s := v.file.Sealed
	s.Cost, s.Salt = c, random(saltSize)
	return v.key.Use(func(key []byte) (err error) {
		kek := derive(passphrase, s.Salt, c)
		defer clear(kek)
		s.Key, err = seal(kek, key, v.file.keyData())
		return err
	})
}

// seal makes the boxes of secrets and state.
func (v *Vault) seal(f *file, state []byte) error {
	header, err := f.headerData()
	if err != nil {
		return err
	}
	return v.key.Use(func(key []byte) error {
		return v.secrets.Use(func(plain []byte) (err error) {
			if f.Sealed.Secrets, err = seal(key, plain, header); err != nil {
				return err
			}
			f.Sealed.State, err = seal(key, state, f.stateData())
			return err
		})
	})
}

// replace needs mu.
func (v *Vault) replace(next file) error {
	old := v.file
	v.file = next
	if err := v.write(); err != nil {
		v.file = old
		return err
	}
	return nil
}

func (v *Vault) write() error {
	b, err := v.file.encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(Path(v.dir, v.file.Header.ID), b, 0o600)
}

// What the boxes are bound to.
func (f *file) keyData() []byte   { return []byte("aitbc vault key 1 " + f.Header.ID) }
func (f *file) stateData() []byte { return []byte("aitbc vault state 1 " + f.Header.ID) }

func (f *file) headerData() ([]byte, error) {
	b, err := json.Marshal(f.Header)
	if err != nil {
		return nil, fmt.Errorf("encode vault: %w", err)
	}
	return append([]byte("aitbc vault secrets 1 "), b...), nil
}

func aead(key []byte) (cipher.AEAD, error) {
	c, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("vault key: %w", err)
	}
	return c, nil
}

func seal(key, plain, data []byte) ([]byte, error) {
	c, err := aead(key)
	if err != nil {
		return nil, err
	}
	nonce := random(chacha20poly1305.NonceSizeX)
	return c.Seal(nonce, nonce, plain, data), nil
}

func open(key, box, data []byte) ([]byte, error) {
	c, err := aead(key)
	if err != nil {
		return nil, err
	}
	return c.Open(nil, box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:], data)
}
