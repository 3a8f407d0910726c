package keystore_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/keystore"
)

var (
	pass  = secret.New("a passphrase")
	cheap = keystore.Cost{N: 2, P: 1}
)

var _ receipt.Signer = (*keystore.Key)(nil)

func open(t *testing.T) (*keystore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keystore")
	s, err := keystore.Open(dir, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// onlyFile returns the path of the only key file.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

func TestPublicVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors/web3v3.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Password, Private string
		Address                 common.Address
		File                    json.RawMessage
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			k, err := keystore.Decrypt(v.File, secret.New(v.Password))
			if err != nil || k.Address() != v.Address {
				t.Fatalf("%v, %v", k, err)
			}
			priv, err := crypto.HexToECDSA(v.Private)
			if err != nil {
				t.Fatal(err)
			}
			digest := crypto.Keccak256Hash([]byte("x"))
			want, err := crypto.Sign(digest[:], priv)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := k.SignDigest(digest); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v", got, err)
			}
		})
	}
}

func TestCreateListUnlockSign(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	var want []common.Address
	for range 3 {
		k, err := s.Create(pass)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, k.Address())
	}
	slices.SortFunc(want, common.Address.Cmp)
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := keystore.Open(dir, cheap)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.List()
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("List = %v, %v, want %v", got, err, want)
	}
	k, err := again.Unlock(want[1], pass)
	if err != nil {
		t.Fatal(err)
	}
	d := receipt.Domain{ChainID: 7}
	v := receipt.Voucher{Session: 1}
	sig, err := receipt.Sign(k, d, v)
	if err != nil {
		t.Fatal(err)
	}
	if err := receipt.Verify(d, v, sig, want[1]); err != nil {
		t.Fatal(err)
	}
}

func TestUnlockRefuses(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	k, err := s.Create(pass)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unlock(k.Address(), secret.New("another")); !errors.Is(err, keystore.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := s.Unlock(common.Address{1}, pass); !errors.Is(err, keystore.ErrNotFound) {
		t.Errorf("unknown address: %v", err)
	}
	p := onlyFile(t, dir)
	if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(p, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unlock(k.Address(), pass); !errors.Is(err, keystore.ErrPermissions) {
		t.Errorf("open file: %v", err)
	}
}

func TestTamperedFilesAreRefused(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	k, err := s.Create(pass)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(onlyFile(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("11", 20)
	own := hex.EncodeToString(k.Address().Bytes())
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"another address":  {own, other, keystore.ErrFormat},
		"version":          {`"version":3`, `"version":1`, keystore.ErrFormat},
		"huge cost":        {`"n":2,`, `"n":1073741824,`, keystore.ErrFormat},
		"cost as text":     {`"n":2,`, `"n":"2",`, keystore.ErrFormat},
		"changed cost":     {`"n":2,`, `"n":4,`, keystore.ErrPassphrase},
		"another spelling": {`"n":2,`, `"N":0,`, keystore.ErrFormat},
		"key length":       {`"dklen":32`, `"dklen":16`, keystore.ErrFormat},
		"cipher":           {"aes-128-ctr", "aes-128-cbc", keystore.ErrFormat},
		"short iv":         {`"iv":"`, `"iv":"","x":"`, keystore.ErrFormat},
		"no mac":           {`"mac":"`, `"mac":"","x":"`, keystore.ErrFormat},
		"derivation":       {`"kdf":"scrypt"`, `"kdf":"md5"`, keystore.ErrFormat},
		"salt":             {`"salt":"`, `"salt":"00`, keystore.ErrPassphrase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(string(whole), c.old, c.new, 1)
			if changed == string(whole) {
				t.Fatal("nothing changed")
			}
			if got, err := keystore.Decrypt([]byte(changed), pass); !errors.Is(err, c.want) {
				t.Fatalf("%v, %v, want %v", got, err, c.want)
			}
		})
	}
	for n := range len(whole) - 2 {
		if _, err := keystore.Decrypt(whole[:n], pass); !errors.Is(err, keystore.ErrFormat) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const private = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
	k, err := s.Import(strings.NewReader("0x"+private+"\n"), pass)
	if err != nil || k.Address() != common.HexToAddress("0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b") {
		t.Fatalf("%v, %v", k, err)
	}
	if _, err := s.Import(strings.NewReader(private), pass); !errors.Is(err, keystore.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	for _, bad := range []string{"", "zz" + private[2:], private + "00", strings.Repeat("0", 64)} {
		_, err := s.Import(strings.NewReader(bad), pass)
		if !errors.Is(err, keystore.ErrKey) || strings.Contains(err.Error(), "zz") {
			t.Errorf("%.8q: %v", bad, err)
		}
	}
	if _, err := s.Import(strings.NewReader(strings.Repeat("2", 64)), secret.Text{}); err == nil {
		t.Error("empty passphrase taken")
	}
}

func TestKeyShowsOnlyItsAddress(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const private = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
	k, err := s.Import(strings.NewReader(private), pass)
	if err != nil {
		t.Fatal(err)
	}
	decimal := new(big.Int).SetBytes(common.FromHex(private)).String()
	type holder struct{ K *keystore.Key }
	var out bytes.Buffer
	for _, v := range []any{k, holder{k}, []*keystore.Key{k}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %d %x %q\n", v, v, v, v, v, v, v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "k", k, "h", holder{k})
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "k", k, "h", holder{k})
	if text := strings.ToLower(out.String()); strings.Contains(text, private) || strings.Contains(text, decimal) || !strings.Contains(text, "key of 0x008aee") {
		t.Fatalf("shown: %s", text)
	}
}

func TestPassphraseSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b, open := write("a", "first\n", 0o600), write("b", "second\n", 0o600), write("open", "x\n", 0o644)
	env := func(k string) string { return map[string]string{keystore.PassphraseFileVariable: b}[k] }
	if got, err := keystore.Passphrase(keystore.PassphraseSource{File: a, Env: env}); err != nil || got.Reveal() != "first" {
		t.Errorf("file: %v", err)
	}
	if got, err := keystore.Passphrase(keystore.PassphraseSource{Env: env}); err != nil || got.Reveal() != "second" {
		t.Errorf("environment: %v", err)
	}
	if _, err := keystore.Passphrase(keystore.PassphraseSource{File: open}); !errors.Is(err, keystore.ErrPermissions) {
		t.Errorf("open file: %v", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close() //nolint:errcheck // nothing was written
	if _, err := keystore.Passphrase(keystore.PassphraseSource{In: null}); !errors.Is(err, keystore.ErrNoPassphrase) {
		t.Errorf("no terminal: %v", err)
	}
}

func FuzzDecrypt(f *testing.F) {
	dir := f.TempDir()
	s, err := keystore.Open(dir, cheap)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := s.Create(pass); err != nil {
		f.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, entries[0].Name()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"version":3,"crypto":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := keystore.Decrypt(b, pass); (k == nil) == (err == nil) {
			t.Fatalf("%v, %v", k, err)
		}
	})
}

func TestDeriveIsStableAndSeparates(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	k, err := s.Create(secret.New("pass phrase"))
	if err != nil {
		t.Fatal(err)
	}
	derive := func(purpose string) common.Address {
		d, err := k.Derive(purpose)
		if err != nil {
			t.Fatal(err)
		}
		return d.Address()
	}
	if first := derive("a/1"); derive("a/1") != first || derive("a/2") == first || first == k.Address() {
		t.Fatal("derived keys are not stable and distinct")
	}
}
