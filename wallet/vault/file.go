package vault

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/internal/secret"
)

var (
	// ErrFormat reports a file that is no vault, or was changed.
	ErrFormat = errors.New("not a vault")
	// ErrPassphrase reports a wrong passphrase, or a file changed so that none fits.
	ErrPassphrase = errors.New("wrong passphrase, or damaged vault")
	// ErrPermissions reports a vault that its group or others can use.
	ErrPermissions = secret.ErrPermissions
	// ErrExists reports a vault that is there already.
	ErrExists = errors.New("there is such a wallet already")
	// ErrNotFound reports a vault that is not there.
	ErrNotFound = errors.New("no such wallet")
	// ErrAccount reports an account that the wallet does not have.
	ErrAccount = errors.New("no such account in the wallet")
)

// Kind says where a wallet's keys are.
type Kind string

// The kinds of wallets.
const (
	Phrase Kind = "phrase" // derived from a BIP-39 phrase
	Keys   Kind = "keys"   // imported one by one
	Watch  Kind = "watch"  // nowhere: balances alone
	Remote Kind = "remote" // with another program, or a device
)

// Account is one account of a wallet.
type Account struct {
	Name    string         `json:"name,omitempty"`
	Path    string         `json:"path,omitempty"` // of a phrase
	Address common.Address `json:"address"`
}

// Header is what a vault shows to everybody.
type Header struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Kind     Kind      `json:"kind"`
	Created  int64     `json:"created"` // seconds since 1970
	Accounts []Account `json:"accounts"`
	Signer   string    `json:"signer,omitempty"` // URL of the program that signs for a remote wallet
}

// Account returns the account of an address, or [ErrAccount].
func (h *Header) Account(a common.Address) (Account, error) {
	i := slices.IndexFunc(h.Accounts, func(x Account) bool { return x.Address == a })
	if i < 0 {
		return Account{}, fmt.Errorf("%w: %s", ErrAccount, a)
	}
	return h.Accounts[i], nil
}

var (
	idForm   = regexp.MustCompile(`^[0-9a-f]{16}$`)
	nameForm = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,63}$`)
)

// NewID returns a new wallet's id.
func NewID() string { return fmt.Sprintf("%x", random(8)) }

// CheckName returns an error unless a wallet may have that name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) || strings.TrimSpace(name) != name {
		return errors.New("a name begins with a letter or digit, has at most 64 of letters, digits, spaces, dots, - and _")
	}
	return nil
}

func (h *Header) check() error {
	if !idForm.MatchString(h.ID) || CheckName(h.Name) != nil {
		return fmt.Errorf("%w: id or name", ErrFormat)
	}
	if len(h.Accounts) == 0 || len(h.Accounts) > maxAccounts {
		return fmt.Errorf("%w: %d accounts", ErrFormat, len(h.Accounts))
	}
	switch h.Kind {
	case Phrase, Keys, Watch, Remote:
	default:
		return fmt.Errorf("%w: kind", ErrFormat)
	}
	if (h.Kind == Remote) != (h.Signer != "") {
		return fmt.Errorf("%w: signer", ErrFormat)
	}
	return nil
}

const (
	version     = 1
	maxAccounts = 10_000
	maxFile     = 4 << 20
)

// file is the whole of a vault on disk.
type file struct {
	Version int    `json:"aitbc_vault"`
	Header  Header `json:"wallet"`
	Sealed  *boxes `json:"sealed,omitempty"` // nil for watch-only wallets
}

// boxes hold what the passphrase opens. Each is a nonce and a ciphertext.
type boxes struct {
	KDF     string `json:"kdf"` // argon2id
	Cost    Cost   `json:"cost"`
	Salt    []byte `json:"salt"`
	Key     []byte `json:"key"`     // the vault's key, under the passphrase's
	Secrets []byte `json:"secrets"` // under the vault's key, bound to the header
	State   []byte `json:"state"`   // under the vault's key, bound to the id
}

// parse checks all that opening takes for granted. It returns [ErrFormat].
func parse(b []byte) (*file, error) {
	var f file
	if err := api.Decode(b, &f); err != nil {
		return nil, ErrFormat
	}
	if f.Version != version {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrFormat, f.Version, version)
	}
	if err := f.Header.check(); err != nil {
		return nil, err
	}
	s := f.Sealed
	if (s == nil) != (f.Header.Kind == Watch) {
		return nil, fmt.Errorf("%w: nothing is sealed", ErrFormat)
	}
	if s == nil {
		return &f, nil
	}
	if s.KDF != "argon2id" || len(s.Salt) != saltSize || len(s.Key) != keySize+overhead || len(s.Secrets) < overhead || len(s.State) < overhead {
		return nil, fmt.Errorf("%w: a field has the wrong length", ErrFormat)
	}
	return &f, s.Cost.check()
}

func (f *file) encode() ([]byte, error) {
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode vault: %w", err)
	}
	if len(b) >= maxFile {
		return nil, errors.New("encode vault: it has too many accounts")
	}
	return append(b, '\n'), nil
}

const extension = ".vault"

// Path is where the vault of an id lies below dir.
func Path(dir, id string) string { return filepath.Join(dir, id+extension) }

// load reads a vault that only its owner may use.
func load(path string) (*file, error) {
	fd, err := os.Open(path) //nolint:gosec // a path within the owner's wallets
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read vault: %w", err)
	}
	defer fd.Close() //nolint:errcheck // only read
	info, err := fd.Stat()
	if err != nil {
		return nil, fmt.Errorf("read vault: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("vault %s is %w", path, ErrPermissions)
	}
	b, err := io.ReadAll(io.LimitReader(fd, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read vault %s: %w", path, err)
	}
	f, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("vault %s: %w", path, err)
	}
	if Path(filepath.Dir(path), f.Header.ID) != path {
		return nil, fmt.Errorf("vault %s: %w: it is the wallet %s", path, ErrFormat, f.Header.ID)
	}
	return f, nil
}

// List returns the headers of the vaults in dir, oldest first. A damaged vault
// is an error that names it, joined with those of others; the rest is listed.
func List(dir string) (all []Header, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list wallets: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), extension) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		f, err := load(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, f.Header)
	}
	slices.SortFunc(all, func(a, b Header) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.ID, b.ID))
	})
	return all, errors.Join(errs...)
}

// Clean removes what a crash in the middle of a write left in dir. Nobody must
// write there meanwhile.
func Clean(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, ".*"+extension+".tmp-*"))
	if err != nil {
		return fmt.Errorf("clean wallets: %w", err)
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
