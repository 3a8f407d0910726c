package rpc_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/rpc"
)

func TestHeightsAreNumbersWordsOrNothing(t *testing.T) {
	for text, want := range map[string]rpc.Height{
		`5`: {N: 5, Set: true}, `"5"`: {N: 5, Set: true}, `"latest"`: {}, `null`: {}, `""`: {}, `0`: {Set: true},
		`9223372036854775807`: {N: 1<<63 - 1, Set: true},
	} {
		var h rpc.Height
		require.NoError(t, json.Unmarshal([]byte(text), &h), text)
		require.Equal(t, want, h, text)
	}
	for _, text := range []string{`-1`, `1.5`, `"0x10"`, `9223372036854775808`, `true`, `[]`, `{}`, `"pending"`} {
		var h rpc.Height
		require.Error(t, json.Unmarshal([]byte(text), &h), text)
	}
}

func FuzzHeight(f *testing.F) {
	for _, s := range []string{"5", `"5"`, "latest", "-1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := rpc.ParseHeight(s)
		if err == nil && h.N > 1<<63-1 {
			t.Fatalf("%q is %d", s, h.N)
		}
	})
}
