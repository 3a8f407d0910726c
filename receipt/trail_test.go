package receipt_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/light"
)

// signers are validators of equal power.
type signers []int

func (s signers) set() []light.Validator {
	var out []light.Validator
	for _, n := range s {
		out = append(out, light.Validator{Key: crypto.CompressPubkey(&key(byte(n)).k.PublicKey), Power: 10})
	}
	return out
}

// sign makes the header one of the set's, followed by the next one, and signs it with all but the absent.
func (s signers) sign(t *testing.T, h light.Header, c light.Commit, next []byte, absent ...int) (header, commit, validators []byte) {
	t.Helper()
	set := light.ValidatorsHash(s.set())
	h.ValidatorsHash, h.NextValidatorsHash = set[:], next
	hash := h.Hash()
	c.Height, c.BlockID.Hash = h.Height, hash[:]
	at := c.Votes[0].Time
	c.Votes = nil
	for i, n := range s {
		k := key(byte(n))
		addr := k.Address()
		vote := light.Vote{Flag: light.FlagCommit, Address: addr[:], Time: at}
		for _, a := range absent {
			if a == i {
				vote = light.Vote{Flag: light.FlagAbsent}
			}
		}
		if vote.Flag == light.FlagCommit {
			var err error
			if vote.Signature, err = k.SignDigest(crypto.Keccak256Hash(c.SignBytes(vote, h.ChainID))); err != nil {
				t.Fatal(err)
			}
		}
		c.Votes = append(c.Votes, vote)
	}
	raw, err := light.EncodeValidators(s.set())
	if err != nil {
		t.Fatal(err)
	}
	return h.Encode(), c.Encode(), raw
}

// Trust goes from set to set if the one before names the next, or if two thirds of it signed for the later one.
func TestTrustFollowsTheValidators(t *testing.T) {
	t.Parallel()
	raw, trust := golden(t)
	first := signers{21, 22, 23, 24}
	one := signers{21, 22, 23, 25} // one of four is new
	two := signers{21, 22, 25, 26} // two are
	three := signers{31, 32, 33}   // all are
	nobody := common.Hash{}        // names no set
	hash := func(s signers) []byte { h := light.ValidatorsHash(s.set()); return h[:] }
	for name, c := range map[string]struct {
		last   signers
		next   []byte // named by the link
		absent []int
		holds  bool
	}{
		"the same":                         {last: first, next: nobody[:], holds: true},
		"named":                            {last: three, next: hash(three), holds: true},
		"three of four stay":               {last: one, next: nobody[:], holds: true},
		"one of the three does not sign":   {last: one, next: nobody[:], absent: []int{2}},
		"the new one does not sign":        {last: one, next: nobody[:], absent: []int{3}, holds: true},
		"two of four stay":                 {last: two, next: nobody[:]},
		"others":                           {last: three, next: nobody[:]},
		"others, named beside another set": {last: three, next: hash(two)},
	} {
		b, err := receipt.ParseBundle(raw)
		if err != nil {
			t.Fatal(err)
		}
		a := &b.Settlement.Anchor
		h, err := light.ParseHeader(a.Header)
		if err != nil {
			t.Fatal(err)
		}
		commit, err := light.ParseCommit(a.Commit)
		if err != nil {
			t.Fatal(err)
		}
		a.Header, a.Commit, a.Validators = c.last.sign(t, *h, *commit, hash(c.last), c.absent...)
		before := *h
		before.Height--
		var l receipt.Link
		l.Header, l.Commit, l.Validators = first.sign(t, before, *commit, c.next)
		a.Links = []receipt.Link{l}
		trust := trust
		trust.ValidatorsHash = common.Hash(light.ValidatorsHash(first.set()))
		_, err = receipt.VerifyBundle(encode(t, b), trust)
		if (err == nil) != c.holds {
			t.Errorf("%s: %v", name, err)
		}
		a.Links = nil
		if _, err = receipt.VerifyBundle(encode(t, b), trust); (err == nil) != (name == "the same") {
			t.Errorf("%s, without its link: %v", name, err)
		}
	}
}
