package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/guard"
	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/vault"
)

const phrase = "test test test test test test test test test test test junk"

var (
	pass  = secret.New("correct horse")
	first = common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
)

// params returns what makes a wallet of the test phrase in dir.
func params(t testing.TB, dir string) vault.New {
	t.Helper()
	entropy, err := hd.Entropy([]byte(phrase))
	if err != nil {
		t.Fatal(err)
	}
	return vault.New{
		Dir: dir, Secrets: vault.Secrets{Entropy: entropy}, State: []byte(`{"n":0}`), Passphrase: pass, Cost: vault.Floor(),
		Header: vault.Header{
			ID: "00112233445566ff", Name: "Main", Kind: vault.Phrase, Created: 1700000000,
			Accounts: []vault.Account{{Path: hd.Account(0).String(), Address: first}},
		},
	}
}

func create(t testing.TB) (*vault.Vault, string) {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Create(params(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v, dir
}

func open(t *testing.T, dir string, p secret.Text) *vault.Vault {
	t.Helper()
	v, err := vault.Open(dir, "00112233445566ff", p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func TestWhatWasPutInComesOut(t *testing.T) {
	t.Parallel()
	v, dir := create(t)
	if err := v.SetState([]byte(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	imported := bytes.Repeat([]byte{7}, 32)
	other, err := hd.Address(imported)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Change(func(s *vault.Secrets, h *vault.Header) error {
		a, err := s.Derived(hd.Account(1), "second")
		s.Keys, s.TOTP = [][]byte{imported}, []byte("a shared secret")
		h.Accounts = append(h.Accounts, a, vault.Account{Address: other})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := v.SetPassphrase(secret.New("another"), vault.Floor()); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(dir, "00112233445566ff", pass); !errors.Is(err, vault.ErrPassphrase) {
		t.Errorf("the old passphrase: %v", err)
	}
	again := open(t, dir, secret.New("another"))
	h := again.Header()
	if len(h.Accounts) != 3 || h.Accounts[1].Name != "second" || string(again.State()) != `{"n":1}` {
		t.Fatalf("%+v, %s", h, again.State())
	}
	if err := again.Use(func(s *vault.Secrets) error {
		if string(s.TOTP) != "a shared secret" {
			return errors.New("another second factor")
		}
		for _, a := range h.Accounts {
			key, err := s.Private(a)
			if err != nil {
				return err
			}
			if got, err := hd.Address(key); err != nil || got != a.Address {
				return fmt.Errorf("%s, %w", got, err)
			}
		}
		if _, err := s.Private(vault.Account{Address: common.Address{1}}); !errors.Is(err, vault.ErrAccount) {
			return fmt.Errorf("a stranger's key: %w", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(vault.Path(dir, h.ID)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	listed, err := vault.List(dir)
	if err != nil || len(listed) != 1 || listed[0].Name != "Main" {
		t.Errorf("%+v, %v", listed, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	_, dir := create(t)
	if _, err := vault.Create(params(t, dir)); !errors.Is(err, vault.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	for name, change := range map[string]func(*vault.New){
		"no passphrase":     func(n *vault.New) { n.Passphrase = secret.Text{} },
		"cheap":             func(n *vault.New) { n.Cost.MemoryKiB /= 2 },
		"few rounds":        func(n *vault.New) { n.Cost.Time = 2 },
		"few threads":       func(n *vault.New) { n.Cost.Threads = 1 },
		"foreign account":   func(n *vault.New) { n.Header.Accounts[0].Address = common.Address{1} },
		"no account":        func(n *vault.New) { n.Header.Accounts = nil },
		"name with markup":  func(n *vault.New) { n.Header.Name = "<b>" },
		"id with a way out": func(n *vault.New) { n.Header.ID = "../../../../etc/x" },
	} {
		n := params(t, t.TempDir())
		change(&n)
		if _, err := vault.Create(n); err == nil {
			t.Errorf("%s: made", name)
		}
		if left, err := os.ReadDir(n.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v, %v", name, left, err)
		}
	}
}

func TestTamperedVaultsAreRefused(t *testing.T) {
	t.Parallel()
	_, dir := create(t)
	path := vault.Path(dir, "00112233445566ff")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"another address": {"f39fd6e51aad88f6f4ce6ab8827279cfffb92266", "70997970c51812dc3a010c7d01b50e0d17dc79c8", vault.ErrPassphrase},
		"another name":    {`"Main"`, `"Mein"`, vault.ErrPassphrase},
		"watch only":      {`"phrase"`, `"watch"`, vault.ErrFormat},
		"cheaper":         {`"time": 3`, `"time": 2`, vault.ErrFormat},
		"dearer":          {`"time": 3`, `"time": 4`, vault.ErrPassphrase},
		"much dearer":     {`"time": 3`, `"time": 65`, vault.ErrFormat},
		"version":         {`"aitbc_vault": 1`, `"aitbc_vault": 2`, vault.ErrFormat},
		"unknown field":   {`"aitbc_vault": 1`, `"x": 1, "aitbc_vault": 1`, vault.ErrFormat},
		"derivation":      {"argon2id", "argon2i", vault.ErrFormat},
		"no salt":         {`"salt": "`, `"salt": "AAAA`, vault.ErrFormat},
	} {
		changed := bytes.Replace(whole, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, whole) {
			t.Fatalf("%s: nothing changed in %s", name, whole)
		}
		other := t.TempDir()
		if err := os.WriteFile(vault.Path(other, "00112233445566ff"), changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.Open(other, "00112233445566ff", pass); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// A torn file is never taken for a vault, and does not hide the others.
	torn := filepath.Join(dir, "00000000000000aa.vault")
	for n := 0; n < len(whole)-2; n += 17 {
		if err := os.WriteFile(torn, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.Read(dir, "00000000000000aa"); !errors.Is(err, vault.ErrFormat) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if all, err := vault.List(dir); len(all) != 1 || !errors.Is(err, vault.ErrFormat) || !strings.Contains(err.Error(), torn) {
		t.Errorf("%v, %v", all, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(dir, "00112233445566ff", pass); !errors.Is(err, vault.ErrPermissions) {
		t.Errorf("readable by others: %v", err)
	}
}

func TestWatchOnlyWalletsHaveNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := vault.Header{ID: vault.NewID(), Name: "Cold", Kind: vault.Watch, Accounts: []vault.Account{{Address: first}}}
	if err := vault.Add(dir, h); err != nil {
		t.Fatal(err)
	}
	if err := vault.Add(dir, h); !errors.Is(err, vault.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	got, err := vault.Read(dir, h.ID)
	if err != nil || got.Name != "Cold" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := got.Account(common.Address{1}); !errors.Is(err, vault.ErrAccount) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := vault.Open(dir, h.ID, pass); !errors.Is(err, vault.ErrFormat) {
		t.Errorf("opened: %v", err)
	}
}

// Some read and sign while others change what is in the vault.
func TestAVaultIsSafeForManyAtOnce(t *testing.T) {
	t.Parallel()
	v, _ := create(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 20 {
				err := v.Use(func(s *vault.Secrets) error {
					key, err := s.Private(v.Header().Accounts[0])
					clear(key)
					return err
				})
				switch i {
				case 0:
					err = errors.Join(err, v.SetState(fmt.Appendf(nil, `{"n":%d}`, n)))
				case 1:
					err = errors.Join(err, v.Change(func(s *vault.Secrets, _ *vault.Header) error {
						s.TOTP = []byte{byte(n + 1)}
						return nil
					}))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// One that is closed while others use it ends their use, and hangs nobody.
func TestClosingAVaultInUse(t *testing.T) {
	t.Parallel()
	for range 5 {
		v, _ := create(t)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for {
					err := v.Use(func(*vault.Secrets) error { v.Header(); return nil })
					if i == 0 {
						err = errors.Join(err, v.Change(func(s *vault.Secrets, _ *vault.Header) error { s.TOTP = []byte("x"); return nil }))
					}
					if errors.Is(err, guard.ErrWiped) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

func TestCalibration(t *testing.T) {
	t.Parallel()
	// A machine whose work takes one microsecond for each KiB and round.
	run := func(c vault.Cost) time.Duration {
		return time.Duration(c.Time) * time.Duration(c.MemoryKiB) * time.Microsecond
	}
	for _, c := range []struct {
		target time.Duration
		most   uint32
		want   vault.Cost
	}{
		{time.Millisecond, 1 << 20, vault.Floor()},
		{time.Second, 256 << 10, vault.Cost{Time: 3, MemoryKiB: 256 << 10, Threads: 4}},
		{2 * time.Second, 256 << 10, vault.Cost{Time: 6, MemoryKiB: 256 << 10, Threads: 4}},
		{time.Hour, 1 << 30, vault.Cost{Time: 8, MemoryKiB: 2 << 20, Threads: 4}},
	} {
		if got := vault.Calibrate(c.target, c.most, run); got != c.want {
			t.Errorf("%s, %d KiB: %+v, want %+v", c.target, c.most, got, c.want)
		}
	}
	if got := vault.Calibrate(time.Millisecond, 0, nil); got != vault.Floor() {
		t.Errorf("measured for a millisecond: %+v", got)
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	v, err := vault.Create(params(f, dir))
	if err != nil {
		f.Fatal(err)
	}
	if err := v.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(vault.Path(dir, "00112233445566ff"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"aitbc_vault":1,"wallet":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(vault.Path(dir, "00112233445566ff"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := vault.Read(dir, "00112233445566ff")
		if err == nil && (h.ID != "00112233445566ff" || len(h.Accounts) == 0) {
			t.Fatalf("%+v", h)
		}
	})
}
