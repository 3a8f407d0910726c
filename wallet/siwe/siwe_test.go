package siwe_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/siwe"
)

type vector struct {
	Name   string
	Fields struct {
		Scheme, Domain, Statement, URI, Nonce, RequestID string
		Address                                          common.Address
		ChainID                                          uint64
		IssuedAt, ExpirationTime, NotBefore              time.Time
		Resources                                        []string
	}
	Message   string
	Signature receipt.Signature
}

// vectors were written and signed by viem.
func vectors(t testing.TB) (out []vector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/viem.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMessagesOfViem(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		m, err := siwe.Verify(v.Message, v.Signature)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		f := v.Fields
		if m.Scheme != f.Scheme || m.Domain != f.Domain || m.Address != f.Address || m.Statement != f.Statement || m.URI != f.URI || m.ChainID != f.ChainID || m.Nonce != f.Nonce ||
			!m.IssuedAt.Equal(f.IssuedAt) || !m.Expires.Equal(f.ExpirationTime) || !m.NotBefore.Equal(f.NotBefore) || m.RequestID != f.RequestID || strings.Join(m.Resources, " ") != strings.Join(f.Resources, " ") {
			t.Errorf("%s: %+v", v.Name, m)
		}
		if text := m.String(); text != strings.TrimSuffix(v.Message, "\nResources:") {
			t.Errorf("%s: written\n%s\nread\n%s", v.Name, text, v.Message)
		}
		if _, err := siwe.Verify(strings.Replace(v.Message, "424242", "424243", 1), v.Signature); !errors.Is(err, receipt.ErrSignature) {
			t.Errorf("%s: another message passes: %v", v.Name, err)
		}
	}
}

func TestWhatIsSignedVerifies(t *testing.T) {
	t.Parallel()
	k, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer := signer{crypto.PubkeyToAddress(k.PublicKey), func(d common.Hash) ([]byte, error) { return crypto.Sign(d[:], k) }}
	m := siwe.Message{Domain: "localhost:1", Address: signer.Address(), URI: "http://localhost:1", ChainID: 7, Nonce: "12345678", IssuedAt: time.Now()}
	sig, err := siwe.Sign(signer, m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := siwe.Verify(m.String(), sig); err != nil {
		t.Fatal(err)
	}
	m.Address = common.Address{1}
	if _, err := siwe.Verify(m.String(), sig); !errors.Is(err, receipt.ErrSignature) {
		t.Fatalf("another's message: %v", err)
	}
}

type signer struct {
	address common.Address
	sign    func(common.Hash) ([]byte, error)
}

func (s signer) Address() common.Address                  { return s.address }
func (s signer) SignDigest(d common.Hash) ([]byte, error) { return s.sign(d) }

func TestWhatTheGrammarRefuses(t *testing.T) {
	t.Parallel()
	whole := vectors(t)[3].Message // with every field
	for name, change := range map[string][2]string{
		"another first line":      {"wants you to sign in", "wants you to pay"},
		"no domain":               {"localhost:5173 wants", " wants"},
		"domain with a path":      {"localhost:5173 wants", "localhost/x wants"},
		"domain with a user":      {"localhost:5173 wants", "a@localhost wants"},
		"domain of two words":     {"localhost:5173 wants", "local host wants"},
		"bad scheme":              {"localhost:5173 wants", "1x://localhost wants"},
		"address in lower case":   {"0x2c7536E3605D9C16a7a3D7b1898e529396a65c23", "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"},
		"address without 0x":      {"0x2c7536E3605D9C16a7a3D7b1898e529396a65c23", "2c7536E3605D9C16a7a3D7b1898e529396a65c23"},
		"no empty line":           {"5c23\n\n", "5c23\n"},
		"a statement of two":      {"I accept the terms", "I accept\nthe terms"},
		"a quote in a statement":  {"I accept", "I \"accept\""},
		"no empty line after":     {"tos\n\n", "tos\n"},
		"relative URI":            {"URI: http://localhost:5173/login", "URI: /login"},
		"URI with a space":        {"URI: http://localhost:5173/login", "URI: http://localhost:5173/lo gin"},
		"no URI":                  {"URI: http://localhost:5173/login\n", ""},
		"version 2":               {"Version: 1", "Version: 2"},
		"signed chain id":         {"Chain ID: 424242", "Chain ID: +424242"},
		"chain id too large":      {"Chain ID: 424242", "Chain ID: 99999999999999999999"},
		"short nonce":             {"foobarbaz123", "foobar7"},
		"nonce with a sign":       {"foobarbaz123", "foobarbaz-123"},
		"no date":                 {"Issued At: 2026-11-26T12", "Issued At: today 2026-11-26T12"},
		"no time zone":            {"Issued At: 2026-11-26T12:00:00.000Z", "Issued At: 2026-11-26T12:00:00"},
		"bad expiry":              {"Expiration Time: 2026", "Expiration Time: 26"},
		"bad not before":          {"Not Before: 2026", "Not Before: x"},
		"request id with a slash": {"a-1_b%20c", "a/1"},
		"order of fields":         {"Expiration Time: 2026-11-26T13:00:00.000Z\nNot Before: 2026-11-26T11:59:00.000Z", "Not Before: 2026-11-26T11:59:00.000Z\nExpiration Time: 2026-11-26T13:00:00.000Z"},
		"resource of no list":     {"- ipfs", "ipfs"},
		"relative resource":       {"- ipfs://bafy/x?y=z", "- x"},
		"resource on one line":    {"Resources:\n", "Resources: "},
		"line feed at the end":    {"x?y=z", "x?y=z\n"},
		"carriage returns":        {"\nURI", "\r\nURI"},
		"breaks off":              {"\nIssued At: 2026-11-26T12:00:00.000Z\nExpiration Time: 2026-11-26T13:00:00.000Z\nNot Before: 2026-11-26T11:59:00.000Z\nRequest ID: a-1_b%20c\nResources:\n- https://market.example/a\n- ipfs://bafy/x?y=z", ""},
	} {
		text := strings.Replace(whole, change[0], change[1], 1)
		if text == whole {
			t.Fatalf("%s changes nothing", name)
		}
		if m, err := siwe.Parse(text); !errors.Is(err, siwe.ErrFormat) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := siwe.Parse(strings.Repeat("a", siwe.MaxMessage+1)); !errors.Is(err, siwe.ErrFormat) {
		t.Error(err)
	}
}

// What is read can be written, and means the same then.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Message)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := siwe.Parse(text)
		if err != nil {
			return
		}
		again, err := siwe.Parse(m.String())
		if y := m.IssuedAt.UTC().Year(); y > 9999 || m.IssuedAt.UTC().Year() < 0 {
			return
		}
		if err != nil || again.Domain != m.Domain || again.Statement != m.Statement || again.Nonce != m.Nonce || again.URI != m.URI || again.Address != m.Address || len(again.Resources) != len(m.Resources) {
			t.Fatalf("%+v, %v\nwas\n%+v", again, err, m)
		}
	})
}
