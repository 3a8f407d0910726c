// Package daemon keeps wallets: it unlocks them, decides what they may sign,
// writes that down, signs, and sees to it that what they send comes into a
// block once.
//
// Each wallet has one turn: whoever holds it is alone with the wallet's vault,
// audit log and journal of what was sent. Errors that a client may see are
// *apierr.Error.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/wallet/guard"
	"github.com/aitbc/aitbc/wallet/journal"
	"github.com/aitbc/aitbc/wallet/ledger"
	"github.com/aitbc/aitbc/wallet/vault"
)

// Options is what a [Service] works with.
type Options struct {
	Dir   string              // of the wallets, for their owner only
	Chain *chainclient.Client // the node
	Cost  func() vault.Cost   // of a new passphrase; nil calibrates
	Now   func() time.Time    // nil for the clock
	Log   *slog.Logger

	// Pages are the origins that may use passkeys, of the domain PasskeyDomain; none by default.
	Pages         []string
	PasskeyDomain string

	// Ledger opens the device that is plugged in; nil looks among this machine's.
	Ledger func(context.Context) (io.ReadWriteCloser, error)
}

// Service is the wallets of one directory, which no other process may use
// meanwhile. It is safe for concurrent use.
type Service struct {
	dir     string
	chain   *chainclient.Client
	cost    func() vault.Cost
	now     func() time.Time
	log     *slog.Logger
	keys    *webauthn.WebAuthn // nil without pages
	plugged func(context.Context) (io.ReadWriteCloser, error)
	kdf     chan struct{} // holds a token while a passphrase is worked on: that takes much memory

	making sync.Mutex // held while a wallet is made, so that no two have one name; taken before mu

	mu       sync.Mutex // guards the following
	wallets  map[string]*wallet
	caps     map[capID]*capability
	accounts map[common.Address]chan struct{} // the turn of an account that sends, whichever wallets have it
}

// A wallet is one of the service's. Who holds turn may use its other fields.
type wallet struct {
	turn   chan struct{}
	id     string
	header vault.Header
	open   *vault.Vault // nil while locked
	state  state        // of the open vault
	audit  *journal.Journal
	outbox *outbox
	newKey *guard.Buffer // a second factor's secret that is not confirmed yet, or nil
	asked  *ceremony     // what a passkey was asked, for one answer, or nil
}

// Calibration of a new passphrase's cost.
const (
	calibrateTo   = 750 * time.Millisecond
	calibrateMost = 256 << 10 // KiB
)

// New opens the wallets in o.Dir. Damaged ones are logged and left alone.
func New(o Options) (*Service, error) {
	s := &Service{
		dir: o.Dir, chain: o.Chain, cost: o.Cost, now: o.Now, log: o.Log, kdf: make(chan struct{}, 1),
		wallets: map[string]*wallet{}, caps: map[capID]*capability{}, accounts: map[common.Address]chan struct{}{},
	}
	if s.plugged = o.Ledger; s.plugged == nil {
		s.plugged = ledger.Open
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.cost == nil {
		s.cost = sync.OnceValue(func() vault.Cost { return vault.Calibrate(calibrateTo, calibrateMost, nil) })
	}
	var err error
	if s.keys, err = passkeys(o); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open wallets: %w", err)
	}
	if err := vault.Clean(o.Dir); err != nil {
		return nil, err
	}
	headers, err := vault.List(o.Dir)
	if err != nil {
		s.log.Error("wallets are damaged: restore them from a backup", "err", err)
	}
	for _, h := range headers {
		w, err := s.load(h)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.wallets[h.ID] = w
	}
	return s, nil
}

func (s *Service) path(id, extension string) string { return filepath.Join(s.dir, id+extension) }

// load opens the files beside a wallet's vault.
func (s *Service) load(h vault.Header) (*wallet, error) {
	w := &wallet{turn: make(chan struct{}, 1), id: h.ID, header: h}
	var err error
	if w.audit, err = journal.Open(s.path(h.ID, ".audit"), nil); err != nil {
		return nil, fmt.Errorf("wallet %s: %w", h.Name, err)
	}
	if w.outbox, err = openOutbox(s.path(h.ID, ".sent")); err != nil {
		return nil, errors.Join(fmt.Errorf("wallet %s: %w", h.Name, err), w.audit.Close())
	}
	return w, nil
}

// Close locks all wallets and closes their files.
func (s *Service) Close() error {
	s.mu.Lock()
	all := slices.Collect(mapValues(s.wallets))
	clear(s.caps)
	s.mu.Unlock()
	var errs []error
	for _, w := range all {
		w.turn <- struct{}{} // waits for who has it: they all end by themselves
		errs = append(errs, w.lock(), w.audit.Close(), w.outbox.close())
		<-w.turn
	}
	guard.Sweep()
	return errors.Join(errs...)
}

func mapValues[K comparable, V any](m map[K]V) func(func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// lock needs the turn.
func (w *wallet) lock() error {
	var errs []error
	if w.newKey != nil {
		errs = append(errs, w.newKey.Destroy())
		w.newKey = nil
	}
	if w.open != nil {
		errs = append(errs, w.open.Close())
		w.open, w.state = nil, state{}
	}
	return errors.Join(errs...)
}

// find returns the wallet of an id or name, or the only one there is.
func (s *Service) find(which string) (*wallet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if which == "" {
		if len(s.wallets) == 1 {
			for _, w := range s.wallets {
				return w, nil
			}
		}
		if len(s.wallets) == 0 {
			return nil, apierr.New(apierr.NotFound, "there is no wallet yet: POST /v1/wallet/create makes one")
		}
		return nil, apierr.New(apierr.Invalid, "there are %d wallets: say which one", len(s.wallets))
	}
	if w, ok := s.wallets[which]; ok {
		return w, nil
	}
	for _, w := range s.wallets {
		if w.header.Name == which { // a name never changes
			return w, nil
		}
	}
	return nil, apierr.New(apierr.NotFound, "there is no such wallet: GET /v1/wallet lists them")
}

// take returns the wallet's turn, to be given back.
func (w *wallet) take(ctx context.Context) (release func(), err error) {
	select {
	case w.turn <- struct{}{}:
		return func() { <-w.turn }, nil
	case <-ctx.Done():
		return nil, apierr.Wrap(ctx.Err(), apierr.Unavailable, "the wallet is busy: try again")
	}
}

// takeAccount returns the turn of an account that sends.
func (s *Service) takeAccount(ctx context.Context, a common.Address) (release func(), err error) {
	s.mu.Lock()
	turn, ok := s.accounts[a]
	if !ok {
		turn = make(chan struct{}, 1)
		s.accounts[a] = turn
	}
	s.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, apierr.Wrap(ctx.Err(), apierr.Unavailable, "the account is busy: try again")
	}
}

// List returns all wallets, oldest first.
func (s *Service) List(ctx context.Context) (walletapi.WalletList, error) {
	out := walletapi.WalletList{Wallets: []walletapi.Wallet{}}
	if _, err := vault.List(s.dir); err != nil {
		out.Damaged = strings.Split(err.Error(), "\n")
	}
	s.mu.Lock()
	all := slices.Collect(mapValues(s.wallets))
	s.mu.Unlock()
	for _, w := range all {
		release, err := w.take(ctx)
		if err != nil {
			return out, err
		}
		out.Wallets = append(out.Wallets, s.show(w))
		release()
	}
	slices.SortFunc(out.Wallets, func(a, b walletapi.Wallet) int {
		if a.CreatedAt != b.CreatedAt {
			return int(a.CreatedAt - b.CreatedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

// show needs the wallet's turn.
func (s *Service) show(w *wallet) walletapi.Wallet {
	out := walletapi.Wallet{
		ID: w.id, Name: w.header.Name, Kind: string(w.header.Kind), CreatedAt: w.header.Created * 1000, Signer: w.header.Signer,
		Accounts: []walletapi.Account{}, Unlocked: w.open != nil,
	}
	for _, a := range w.header.Accounts {
		out.Accounts = append(out.Accounts, walletapi.Account(a))
	}
	if out.Unlocked {
		out.UnlockedUntil = s.unlockedUntil(w.id).UnixMilli()
	}
	return out
}

// account returns an account of a wallet, the first unless one is named.
func (w *wallet) account(a *common.Address) (vault.Account, error) {
	if a == nil {
		return w.header.Accounts[0], nil
	}
	found, err := w.header.Account(*a)
	if err != nil {
		return found, apierr.New(apierr.NotFound, "the wallet %s has no account %s", w.header.Name, a)
	}
	return found, nil
}
