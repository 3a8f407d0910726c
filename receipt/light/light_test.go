package light_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/receipt/light"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	d, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	*h = d
	return err
}

type vector struct {
	Name       string   `json:"name"`
	Valid      bool     `json:"valid"`
	Why        string   `json:"why"`
	ChainID    string   `json:"chain_id"`
	Hash       hexBytes `json:"header_hash"`
	Header     hexBytes `json:"header_proto"`
	SetHash    hexBytes `json:"validators_hash"`
	Validators hexBytes `json:"validators_proto"`
	Commit     hexBytes `json:"commit_proto"`
}

func vectors(t testing.TB) []vector {
	raw, err := os.ReadFile("../../chain/proof/testdata/light.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(raw, &all); err != nil || len(all) < 10 {
		t.Fatalf("%d vectors: %v", len(all), err)
	}
	return all
}

// The vectors were made by CometBFT's own code (chain/proof).
func TestAgreesWithCometBFT(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			h, err := light.ParseHeader(v.Header)
			if err != nil {
				t.Fatal(err)
			}
			c, err := light.ParseCommit(v.Commit)
			if err != nil {
				t.Fatal(err)
			}
			set, err := light.ParseValidators(v.Validators)
			if err != nil {
				t.Fatal(err)
			}
			if hash := h.Hash(); !bytes.Equal(hash[:], v.Hash) {
				t.Errorf("header hash %x, want %x", hash, v.Hash)
			}
			if hash := light.ValidatorsHash(set); !bytes.Equal(hash[:], v.SetHash) {
				t.Errorf("validators hash %x, want %x", hash, v.SetHash)
			}
			if err := light.Verify(v.ChainID, h, c, set); (err == nil) != v.Valid {
				t.Errorf("Verify = %v, want valid %v (%s)", err, v.Valid, v.Why)
			}
		})
	}
}

func TestEveryChangedByteOfAHeaderIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if !v.Valid {
			continue
		}
		c, err := light.ParseCommit(v.Commit)
		if err != nil {
			t.Fatal(err)
		}
		set, err := light.ParseValidators(v.Validators)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.Header {
			b := bytes.Clone(v.Header)
			b[i] ^= 1
			if h, err := light.ParseHeader(b); err == nil && light.Verify(v.ChainID, h, c, set) == nil {
				t.Errorf("%s: byte %d does not matter", v.Name, i)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Header))
		f.Add([]byte(v.Commit))
		f.Add([]byte(v.Validators))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := light.ParseHeader(b); err == nil && !bytes.Equal(h.Encode(), b) {
			t.Fatal("a second spelling of a header was taken")
		}
		_, _ = light.ParseCommit(b)
		_, _ = light.ParseValidators(b)
	})
}

// Of a validator set, a proof holds only what the set's hash covers.
func TestValidatorsHaveOneSpelling(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		set, err := light.ParseValidators(v.Validators)
		if err != nil {
			continue
		}
		b, err := light.EncodeValidators(set)
		if err != nil {
			t.Fatal(err)
		}
		again, err := light.ParseOnlyValidators(b)
		if err != nil || light.ValidatorsHash(again) != light.ValidatorsHash(set) {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if _, err := light.ParseOnlyValidators(v.Validators); !errors.Is(err, light.ErrFormat) {
			t.Errorf("%s: the node's own spelling, with what proves nothing, is taken: %v", v.Name, err)
		}
		for i := range b {
			changed := bytes.Clone(b)
			changed[i] ^= 1
			if set, err := light.ParseOnlyValidators(changed); err == nil && light.ValidatorsHash(set) == light.ValidatorsHash(again) {
				t.Errorf("%s: byte %d changes and the set does not", v.Name, i)
			}
		}
	}
}
