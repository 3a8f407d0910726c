package hd_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/wallet/hd"
)

func vectors[T any](t *testing.T, name string, least int) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	if err := json.Unmarshal(raw, &list); err != nil || len(list) < least {
		t.Fatal(len(list), err)
	}
	return list
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBIP39Vectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors[struct{ Entropy, Mnemonic, Seed string }](t, "bip39.json", 24) {
		entropy := unhex(t, v.Entropy)
		if got, err := hd.Mnemonic(entropy); err != nil || string(got) != v.Mnemonic {
			t.Errorf("Mnemonic(%s) = %q, %v", v.Entropy, got, err)
		}
		if got, err := hd.Entropy([]byte("  " + strings.ToUpper(strings.ReplaceAll(v.Mnemonic, " ", " \n")))); err != nil || !bytes.Equal(got, entropy) {
			t.Errorf("Entropy(%s) = %x, %v", v.Mnemonic, got, err)
		}
		if got, err := hd.Seed(entropy, []byte("TREZOR")); err != nil || hex.EncodeToString(got) != v.Seed {
			t.Errorf("Seed(%s) = %x, %v", v.Entropy, got, err)
		}
	}
}

func TestBIP32Vectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors[struct{ Name, Seed, Path, Key string }](t, "bip32.json", 16) {
		p, err := hd.ParsePath(v.Path)
		if err != nil {
			t.Fatal(v.Path, err)
		}
		if p.String() != v.Path {
			t.Errorf("%s is written as %s", v.Path, p)
		}
		if got, err := hd.Derive(unhex(t, v.Seed), p); err != nil || hex.EncodeToString(got) != v.Key {
			t.Errorf("%s: %x, %v, want %s", v.Name, got, err, v.Key)
		}
	}
}

// The accounts that every Ethereum tool derives from this phrase.
func TestAccountsAreThoseOfOtherWallets(t *testing.T) {
	t.Parallel()
	entropy, err := hd.Entropy([]byte("test test test test test test test test test test test junk"))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hd.Seed(entropy, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
	} {
		key, err := hd.Derive(seed, hd.Account(uint32(i)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := hd.Address(key)
		if err != nil || got != common.HexToAddress(want) {
			t.Errorf("account %d is %s, %v", i, got, err)
		}
	}
}

func TestSignaturesAreThoseOfEthereum(t *testing.T) {
	t.Parallel()
	for range 50 {
		theirs, err := crypto.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		var digest common.Hash
		_, _ = rand.Read(digest[:]) // never fails
		key := crypto.FromECDSA(theirs)
		want, err := crypto.Sign(digest[:], theirs)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := hd.Sign(key, digest); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, %v, want %x", got, err, want)
		}
		if a, err := hd.Address(key); err != nil || a != crypto.PubkeyToAddress(theirs.PublicKey) {
			t.Fatalf("%s, %v", a, err)
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	about := strings.Repeat("abandon ", 11)
	for phrase, want := range map[string]error{
		"":                        hd.ErrWords,
		about:                     hd.ErrWords,
		about + "about about":     hd.ErrWords,
		about + "abandon":         hd.ErrChecksum,
		about + "abaut":           hd.ErrWord,
		strings.Repeat("a ", 300): hd.ErrWords,
	} {
		if _, err := hd.Entropy([]byte(phrase)); !errors.Is(err, want) || strings.Contains(err.Error(), "abaut") {
			t.Errorf("%.30q: %v, want %v", phrase, err, want)
		}
	}
	for _, n := range []int{0, 15, 17, 36} {
		if _, err := hd.Mnemonic(make([]byte, n)); !errors.Is(err, hd.ErrEntropy) {
			t.Errorf("entropy of %d bytes: %v", n, err)
		}
	}
	for _, p := range []string{"", "44'/60'", "m/", "m//0", "m/x", "m/-1", "m/01", "m/2147483648", "m/0h", "m/0''", "m" + strings.Repeat("/0", 11)} {
		if _, err := hd.ParsePath(p); !errors.Is(err, hd.ErrPath) {
			t.Errorf("path %q: %v", p, err)
		}
	}
	order := unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	for _, k := range [][]byte{nil, make([]byte, 31), make([]byte, 32), order, slices.Repeat([]byte{255}, 32)} {
		if _, err := hd.Address(k); !errors.Is(err, hd.ErrKey) {
			t.Errorf("key %x: %v", k, err)
		}
		if _, err := hd.Sign(k, common.Hash{}); !errors.Is(err, hd.ErrKey) {
			t.Errorf("sign with %x: %v", k, err)
		}
	}
	if _, err := hd.Derive(make([]byte, 15), nil); !errors.Is(err, hd.ErrSeed) {
		t.Errorf("short seed: %v", err)
	}
}

func FuzzEntropy(f *testing.F) {
	f.Add([]byte("test test test test test test test test test test test junk"))
	f.Add([]byte("zoo zoo zoo"))
	f.Fuzz(func(t *testing.T, phrase []byte) {
		e, err := hd.Entropy(phrase)
		if err != nil {
			return
		}
		back, err := hd.Mnemonic(e)
		if err != nil || strings.Join(strings.Fields(strings.ToLower(string(phrase))), " ") != string(back) {
			t.Fatalf("%q became %q, %v", phrase, back, err)
		}
	})
}
