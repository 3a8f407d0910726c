package index_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/aitbc/aitbc/explorer/index"
)

func arguments(t *testing.T, types ...string) abi.Arguments {
	t.Helper()
	out := make(abi.Arguments, len(types))
	for i, name := range types {
		v, err := abi.NewType(name, "", []abi.ArgumentMarshaling{{Name: "a", Type: "string"}, {Name: "b", Type: "uint64[2]"}})
		if err != nil {
			t.Fatal(err)
		}
		out[i] = abi.Argument{Name: "v", Type: v}
	}
	return out
}

// bomb encodes lists in lists whose items are all one and the same.
func bomb(depth, items int) []byte {
	word := func(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), uint64(n)) }
	out := word(32)
	for range depth {
		out = append(out, word(items)...)
		for range items {
			out = append(out, word(32*items)...) // behind them all
		}
	}
	return append(append(out, word(1)...), word(7)...)
}

// What a stranger's interface makes of little data is not much more than the data.
func TestStrangersValuesAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		types []string
		data  []byte
		says  string
	}{
		"a bomb":          {[]string{"uint256" + strings.Repeat("[]", 7)}, bomb(6, 60), "too many"},
		"a huge array":    {[]string{"uint8[1000][1000][1000]"}, make([]byte, 4096), "too many"},
		"an array beyond": {[]string{"uint8[200]"}, make([]byte, 4096), "beyond"},
		"a long list":     {[]string{"uint256[]"}, bytes.Repeat([]byte{0xff}, 64), "beyond"},
		"cut off":         {[]string{"string"}, make([]byte, 16), "beyond"},
		"text beyond":     {[]string{"bytes"}, append(make([]byte, 31), 32), ""},
	} {
		if _, err := index.Unpack(arguments(t, c.types...), c.data); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := index.Unpack(arguments(t, "uint256"+strings.Repeat("[]", 3)), bomb(2, 3)); err != nil || len(got[0].([][][]*big.Int)) != 3 {
		t.Errorf("a small one: %v, %v", got, err)
	}
}

// Every value that can be encoded is decoded as it was.
func TestStrangersValuesAreDecoded(t *testing.T) {
	t.Parallel()
	type pair struct {
		A string
		B [2]uint64
	}
	of := arguments(t, "uint256", "string[]", "tuple[2]", "bytes", "int8[2][]", "tuple")
	values := []any{big.NewInt(5), []string{"", strings.Repeat("x", 100)}, [2]pair{{"a", [2]uint64{1, 2}}, {"b", [2]uint64{}}}, []byte{}, [][2]int8{{-1, 2}}, pair{"c", [2]uint64{3, 4}}}
	data, err := of.Pack(values...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := index.Unpack(of, data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := of.Pack(got...)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("%v, %v", got, err)
	}
}

// Whatever comes, decoding neither panics nor takes what the library would give.
func FuzzStrangersValues(f *testing.F) {
	f.Add(bomb(2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		of := arguments(t, "uint256[][][]", "string[]")
		got, err := index.Unpack(of, data)
		if err != nil {
			return
		}
		if _, err := of.Pack(got...); err != nil {
			t.Error(err)
		}
	})
}
