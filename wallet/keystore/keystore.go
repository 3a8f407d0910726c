// Package keystore keeps private keys in encrypted Web3 v3 files, one a key,
// and signs with them.
//
// A key leaves the disk only decrypted with its passphrase, and the process
// never: a [Key] signs and does not show itself.
package keystore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	gethkeystore "github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"

	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/secret"
)

var (
	// ErrNotFound reports an address that the store has no key of.
	ErrNotFound = errors.New("no such key")
	// ErrExists reports a key that the store holds already.
	ErrExists = errors.New("key exists already")
	// ErrPassphrase reports a wrong passphrase, or a file changed so that none fits.
	ErrPassphrase = errors.New("wrong passphrase, or damaged key file")
	// ErrFormat reports a file that is not a Web3 v3 key of a sane cost.
	ErrFormat = errors.New("not a key file")
	// ErrPermissions reports a key file that its group or others can use.
	ErrPermissions = secret.ErrPermissions
	// ErrKey reports bytes that are no private key.
	ErrKey = errors.New("not a private key: want 64 hex digits")
)

// Cost is the work of scrypt that protects a new file.
type Cost struct{ N, P int }

// Standard takes about a second and 256 MB: for keys that hold real value.
func Standard() Cost { return Cost{gethkeystore.StandardScryptN, gethkeystore.StandardScryptP} }

// Light takes about a tenth of a second and 4 MB: for throw-away networks and tests.
func Light() Cost { return Cost{gethkeystore.LightScryptN, gethkeystore.LightScryptP} }

// maxFile bounds a key file; real ones have about 500 bytes.
const maxFile = 16 << 10

// Store is a directory of key files. Its methods are safe for concurrent use;
// of two processes that create keys at once, each sees the other's later.
type Store struct {
	dir  string
	cost Cost
}

// Open returns the store in dir, creating the directory, for its owner only, if needed.
func Open(dir string, cost Cost) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	return &Store{dir, cost}, nil
}

// Create makes a new key, stores it and returns it unlocked.
func (s *Store) Create(passphrase secret.Text) (*Key, error) {
	priv, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	return s.add(&Key{address: crypto.PubkeyToAddress(priv.PublicKey), private: priv}, passphrase)
}

// Import stores the private key that r holds as 64 hex digits and returns it
// unlocked. It returns [ErrKey] for anything else, and [ErrExists].
func (s *Store) Import(r io.Reader, passphrase secret.Text) (*Key, error) {
	b, err := io.ReadAll(io.LimitReader(r, 256))
	if err != nil {
		return nil, fmt.Errorf("import key: %w", err)
	}
	priv, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(string(b)), "0x"))
	clear(b)
	if err != nil {
		return nil, ErrKey // the cause would quote the key
	}
	return s.add(&Key{address: crypto.PubkeyToAddress(priv.PublicKey), private: priv}, passphrase)
}

func (s *Store) add(k *Key, passphrase secret.Text) (*Key, error) {
	if passphrase.Empty() {
		return nil, errors.New("store key: the passphrase is empty")
	}
	if _, err := s.find(k.address); err == nil {
		return nil, fmt.Errorf("store key %s: %w", k.address, ErrExists)
	} else if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("store key: %w", err)
	}
	b, err := gethkeystore.EncryptKey(&gethkeystore.Key{Id: id, Address: k.address, PrivateKey: k.private}, passphrase.Reveal(), s.cost.N, s.cost.P)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	name := hex.EncodeToString(k.address[:]) + ".json"
	if err := atomicfile.Write(filepath.Join(s.dir, name), append(b, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("store key: %w", err)
	}
	return k, nil
}

// List returns the addresses of the stored keys, ascending. Files that are no
// keys are passed over.
func (s *Store) List() ([]common.Address, error) {
	var all []common.Address
	err := s.each(func(_ string, a common.Address) bool { all = append(all, a); return true })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, common.Address.Cmp)
	return slices.Compact(all), nil
}

// each calls f with every key file until f returns false.
func (s *Store) each(f func(path string, a common.Address) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read keystore: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(s.dir, e.Name())
		b, err := readKeyFile(path)
		if err != nil {
			return err
		}
		if k, err := parse(b); err == nil && k.Address != nil && !f(path, common.Address(*k.Address)) {
			return nil
		}
	}
	return nil
}

func (s *Store) find(a common.Address) (string, error) {
	var found string
	err := s.each(func(path string, b common.Address) bool {
		if a == b {
			found = path
		}
		return found == ""
	})
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", fmt.Errorf("find key %s in %s: %w", a, s.dir, ErrNotFound)
	}
	return found, nil
}

// Unlock decrypts the key of an address. It returns [ErrNotFound],
// [ErrPermissions], [ErrFormat] or [ErrPassphrase], wrapped.
func (s *Store) Unlock(a common.Address, passphrase secret.Text) (*Key, error) {
	path, err := s.find(a)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("unlock key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s is %w", path, ErrPermissions)
	}
	b, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	k, err := Decrypt(b, passphrase)
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w", path, err)
	}
	if k.address != a {
		return nil, fmt.Errorf("unlock %s: it holds the key of another address: %w", path, ErrFormat)
	}
	return k, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // a path within the owner's keystore
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	return b, nil
}
