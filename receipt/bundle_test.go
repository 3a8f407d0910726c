package receipt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/light"
)

// golden is a bundle that a real network made, and the trust in its genesis.
func golden(t testing.TB) ([]byte, receipt.Trust) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/vectors/trust.json")
	if err != nil {
		t.Fatal(err)
	}
	var trust receipt.Trust
	if err := json.Unmarshal(text, &trust); err != nil {
		t.Fatal(err)
	}
	return raw, trust
}

func TestBundleOfARealNetworkVerifies(t *testing.T) {
	t.Parallel()
	raw, trust := golden(t)
	report, err := receipt.VerifyBundle(raw, trust)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Checks) != 13 || report.Block == 0 || report.Claimed {
		t.Fatalf("report %+v", report)
	}
	if !strings.HasPrefix(string(raw), "{") || len(report.Bundle.Settlement.MerkleProof) == 0 {
		t.Fatal("the golden bundle should have a Merkle path")
	}
}

func TestEveryChangedByteOfABundleIsRefused(t *testing.T) {
	t.Parallel()
	raw, trust := golden(t)
	step := 1
	if testing.Short() {
		step = 29
	}
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := worker * step; i < len(raw); i += 2 * step {
				b := bytes.Clone(raw)
				b[i] ^= 1
				if _, err := receipt.VerifyBundle(b, trust); err == nil {
					t.Errorf("byte %d changed from %q to %q and the bundle still verifies", i, raw[i], b[i])
				}
			}
		})
	}
	wg.Wait()
}

func TestFailedCheckIsNamed(t *testing.T) {
	t.Parallel()
	raw, trust := golden(t)
	for _, c := range []struct {
		name, check string
		change      func(*receipt.Bundle)
	}{
		{"version", receipt.CheckFormat, func(b *receipt.Bundle) { b.Version = 2 }},
		{"other chain", receipt.CheckChain, func(b *receipt.Bundle) { b.ChainID++ }},
		{"order raised", receipt.CheckChain, func(b *receipt.Bundle) { b.Order.MaxPrice = market.Coins(9) }},
		{"receipt dearer", receipt.CheckChain, func(b *receipt.Bundle) { b.Receipt.Price = market.Coins(9) }},
		{"order signature", receipt.CheckOrder, func(b *receipt.Bundle) { b.OrderSignature[64] = 0 }},
		{"other order signer", receipt.CheckKeys, func(b *receipt.Bundle) { b.OrderSignature = sign(t, b, b.Order) }},
		{"other miner key", receipt.CheckKeys, func(b *receipt.Bundle) { b.MinerSignature = sign(t, b, b.Receipt) }},
		{"other total", receipt.CheckKeys, func(b *receipt.Bundle) { b.MinerTotal = market.Coins(9) }},
		{"class", receipt.CheckTerms, func(b *receipt.Bundle) { b.Class = "exact/2" }},
		{"candidates", receipt.CheckTerms, func(b *receipt.Bundle) { b.Candidates = []common.Address{{1}} }},
		{"not settled", receipt.CheckInclusion, func(b *receipt.Bundle) { b.Settlement = nil }},
		{"path", receipt.CheckInclusion, func(b *receipt.Bundle) { b.Settlement.MerkleProof = nil }},
		{"other log", receipt.CheckInclusion, func(b *receipt.Bundle) { b.Settlement.LogIndex = 0 }},
		{"header", receipt.CheckInclusion, func(b *receipt.Bundle) { b.Settlement.Anchor.EthHeader[10] ^= 1; b.Settlement.ReceiptProof = nil }},
		{"ethereum header", receipt.CheckHeader, func(b *receipt.Bundle) { b.Settlement.Anchor.EthHeader[5] ^= 1 }},
		{"no votes", receipt.CheckCommit, func(b *receipt.Bundle) {
			c, err := light.ParseCommit(b.Settlement.Anchor.Commit)
			if err != nil {
				t.Fatal(err)
			}
			c.Votes = nil
			b.Settlement.Anchor.Commit = c.Encode()
		}},
		{"state proof", receipt.CheckKeys, func(b *receipt.Bundle) { b.Settlement.State.Market.Slots = nil }},
		{"state of nothing", receipt.CheckKeys, func(b *receipt.Bundle) { b.Settlement.State.Registry.Account = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, err := receipt.ParseBundle(raw)
			if err != nil {
				t.Fatal(err)
			}
			c.change(b)
			_, err = receipt.VerifyBundle(encode(t, b), trust)
			if e, ok := errors.AsType[*receipt.VerifyError](err); !ok || e.Check != c.check {
				t.Fatalf("Verify = %v, want a failure of %q", err, c.check)
			}
		})
	}
}

func encode(t *testing.T, b *receipt.Bundle) []byte {
	t.Helper()
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sign(t *testing.T, b *receipt.Bundle, m receipt.Typed) receipt.Signature {
	t.Helper()
	s, err := receipt.Sign(key(9), receipt.Domain{ChainID: b.ChainID, Market: common.HexToAddress("0xA102")}, m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A bundle whose block is signed by validators of the forger's own, correct in
// every other way, is refused by whoever trusts the real genesis, and would be
// taken by whoever trusted the forger: the trust alone decides.
func TestBundleForgedWithValidatorsOfItsOwn(t *testing.T) {
	t.Parallel()
	raw, trust := golden(t)
	b, err := receipt.ParseBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	k := key(11)
	set := []light.Validator{{Key: crypto.CompressPubkey(&k.k.PublicKey), Power: 10}}
	setHash := light.ValidatorsHash(set)
	a := &b.Settlement.Anchor
	h, err := light.ParseHeader(a.Header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := light.ParseCommit(a.Commit)
	if err != nil {
		t.Fatal(err)
	}
	h.ValidatorsHash, h.NextValidatorsHash = setHash[:], setHash[:]
	hash := h.Hash()
	c.BlockID.Hash = hash[:]
	addr := k.Address()
	vote := light.Vote{Flag: light.FlagCommit, Address: addr[:], Time: c.Votes[0].Time}
	if vote.Signature, err = k.SignDigest(crypto.Keccak256Hash(c.SignBytes(vote, trust.CometID))); err != nil {
		t.Fatal(err)
	}
	c.Votes = []light.Vote{vote}
	a.Header, a.Commit = h.Encode(), c.Encode()
	if a.Validators, err = light.EncodeValidators(set); err != nil {
		t.Fatal(err)
	}
	forged := encode(t, b)
	_, err = receipt.VerifyBundle(forged, trust)
	if e, ok := errors.AsType[*receipt.VerifyError](err); !ok || e.Check != receipt.CheckTrust {
		t.Fatalf("Verify = %v, want a failure of %q", err, receipt.CheckTrust)
	}
	trust.ValidatorsHash = setHash
	if _, err := receipt.VerifyBundle(forged, trust); err != nil {
		t.Fatalf("the forgery is not otherwise perfect: %v", err)
	}
	// Nor does a link help that the trusted validators never signed.
	_, trust = golden(t)
	a.Links = []receipt.Link{{Header: a.Header, Commit: a.Commit, Validators: a.Validators}}
	if _, err = receipt.VerifyBundle(encode(t, b), trust); err == nil {
		t.Fatal("a link of the forger's own is taken")
	}
}

func TestBundleHasOneSpelling(t *testing.T) {
	t.Parallel()
	raw, trust := golden(t)
	for name, text := range map[string]string{
		"unknown field": strings.Replace(string(raw), `{"version"`, `{"more":1,"version"`, 1),
		"twice":         string(raw) + string(raw),
		"other order":   strings.Replace(string(raw), `"version":1,`, "", 1),
		"nothing":       "",
		"null":          "null",
		"a number":      "7",
	} {
		if _, err := receipt.VerifyBundle([]byte(text), trust); !errors.Is(err, receipt.ErrBundle) && name != "null" {
			t.Errorf("%s: %v", name, err)
		} else if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func BenchmarkVerifyBundle(b *testing.B) {
	raw, trust := golden(b)
	for b.Loop() {
		if _, err := receipt.VerifyBundle(raw, trust); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "bytes")
}
