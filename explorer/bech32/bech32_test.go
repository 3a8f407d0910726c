package bech32_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/explorer/bech32"
)

// The checksums were computed with the reference code of BIP-173.
func TestKnownAddresses(t *testing.T) {
	t.Parallel()
	for hex, want := range map[string]string{
		"0x0000000000000000000000000000000000000000": "aitbc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqytzdhp",
		"0x000000000000000000000000000000000000a102": "aitbc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqpggz4vv8j8",
		"0xffffffffffffffffffffffffffffffffffffffff": "aitbc1llllllllllllllllllllllllllllllllg6rzst",
		"0x09c3891373b44fd18ce887dfe36b31cb2827ff9c": "aitbc1p8pcjymnk38arr8gsl07x6e3ev5z0luua3acr5",
	} {
		a := common.HexToAddress(hex)
		if got := bech32.Encode(a); got != want {
			t.Errorf("%s is spelled %s, want %s", hex, got, want)
		}
		for _, text := range []string{want, strings.ToUpper(want)} {
			if got, err := bech32.Decode(text); err != nil || got != a {
				t.Errorf("%s is read as %s, %v", text, got, err)
			}
		}
	}
}

func TestEveryAddressComesBackAndNoChangedOneDoes(t *testing.T) {
	t.Parallel()
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	rapid.Check(t, func(t *rapid.T) {
		a := common.Address(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "address"))
		text := bech32.Encode(a)
		if got, err := bech32.Decode(text); err != nil || got != a {
			t.Fatalf("%s: %s, %v", text, got, err)
		}
		b := []byte(text)
		i := rapid.IntRange(len("aitbc1"), len(b)-1).Draw(t, "place")
		c := charset[rapid.IntRange(0, 31).Draw(t, "character")]
		if b[i] == c {
			return
		}
		b[i] = c
		if _, err := bech32.Decode(string(b)); !errors.Is(err, bech32.ErrAddress) {
			t.Fatalf("%s: %v", b, err)
		}
	})
}

func TestOtherTextsAreRefused(t *testing.T) {
	t.Parallel()
	good := bech32.Encode(common.Address{1})
	for _, text := range []string{"", "aitbc1", good[:len(good)-1], good + "q", strings.ToUpper(good[:10]) + good[10:], "x" + good[1:], strings.Replace(good, "q", "b", 1), "bc" + good[2:]} {
		if _, err := bech32.Decode(text); !errors.Is(err, bech32.ErrAddress) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
