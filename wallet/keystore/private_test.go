package keystore_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func TestPrivateKeysMakeTheRoundTrip(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
	if err != nil {
		t.Fatal(err)
	}
	file, err := keystore.EncryptPrivate(raw, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keystore.DecryptPrivate(file, pass); err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("%v", err)
	}
	if k, err := keystore.Decrypt(file, pass); err != nil || !strings.EqualFold(k.Address().Hex(), "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b") {
		t.Fatalf("%v, %v", k, err)
	}
	if _, err := keystore.EncryptPrivate(make([]byte, 32), pass, cheap); !errors.Is(err, keystore.ErrKey) {
		t.Errorf("zero key: %v", err)
	}
	if _, err := keystore.EncryptPrivate(raw, secret.Text{}, cheap); err == nil {
		t.Error("an empty passphrase was taken")
	}
}

// All of go-ethereum's vectors for version 3, among them keys with leading
// zeros and files whose address or ciphertext is damaged.
func TestGoEthereumsVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors/geth_v3.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]struct {
		JSON           json.RawMessage
		Password, Priv string
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 3 {
		t.Fatal(len(vectors), err)
	}
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := keystore.DecryptPrivate(v.JSON, secret.New(v.Password))
			if want := strings.Repeat("0", 64-len(v.Priv)) + v.Priv; err != nil || hex.EncodeToString(got) != want {
				t.Fatalf("%x, %v", got, err)
			}
		})
	}
}

// The files that go-ethereum tests its own key store with: good, and broken in
// several ways.
func TestGoEthereumsFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address string
		err     error
	}{
		"aaa":                    {"0xf466859ead1932d743d622cb74fc058882e8648a", nil},
		"no-address":             {"0xf466859ead1932d743d622cb74fc058882e8648a", nil}, // the key says whose it is
		"very-light-scrypt.json": {"0x45dea0fb0bba44f4fcf290bba71fd57d7117cbb8", nil},
		"zero":                   {"", keystore.ErrFormat}, // says that it is another's key
		"garbage":                {"", keystore.ErrFormat},
		"empty":                  {"", keystore.ErrFormat},
		"version-1":              {"", keystore.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile("testdata/geth/" + name)
			if err != nil {
				t.Fatal(err)
			}
			word := secret.New("foobar")
			if name == "very-light-scrypt.json" {
				word = secret.Text{}
			}
			k, err := keystore.Decrypt(raw, word)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || err == nil && !strings.EqualFold(k.Address().Hex(), c.address) {
				t.Fatalf("%v, %v", k, err)
			}
		})
	}
}
