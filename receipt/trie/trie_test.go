package trie_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/aitbc/aitbc/receipt/trie"
)

// account returns a proof of the Market's account that a real node gave.
func account(t testing.TB) (root common.Hash, key []byte, nodes [][]byte) {
	t.Helper()
	raw, err := os.ReadFile("../testdata/vectors/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Settlement struct {
			State struct {
				Market struct {
					Account []hexutil.Bytes `json:"account_proof"`
				} `json:"market"`
			} `json:"state"`
		} `json:"settlement"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	for _, n := range b.Settlement.State.Market.Account {
		nodes = append(nodes, n)
	}
	return crypto.Keccak256Hash(nodes[0]), crypto.Keccak256(common.HexToAddress("0xA102").Bytes()), nodes
}

func TestRealProofHoldsAndNothingNearIt(t *testing.T) {
	t.Parallel()
	root, key, nodes := account(t)
	value, err := trie.Verify(root, key, nodes)
	if err != nil || len(value) == 0 {
		t.Fatalf("%x, %v", value, err)
	}
	refused := func(what string, root common.Hash, key []byte, nodes [][]byte) {
		t.Helper()
		if v, err := trie.Verify(root, key, nodes); !errors.Is(err, trie.ErrProof) {
			t.Errorf("%s: %x, %v", what, v, err)
		}
	}
	refused("another root", common.Hash{1}, key, nodes)
	refused("another key", root, crypto.Keccak256(key), nodes)
	refused("a longer key", root, append(bytes.Clone(key), 0), nodes)
	refused("a shorter key", root, key[:31], nodes)
	refused("no nodes", root, key, nil)
	refused("the last node missing", root, key, nodes[:len(nodes)-1])
	refused("a node twice", root, key, append(append([][]byte{}, nodes...), nodes[len(nodes)-1]))
	for i := range nodes {
		for j := range nodes[i] {
			changed := append([][]byte{}, nodes...)
			changed[i] = bytes.Clone(nodes[i])
			changed[i][j] ^= 1
			refused("a changed byte", root, key, changed)
		}
	}
}

func hash(n []byte) common.Hash { return crypto.Keccak256Hash(n) }

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Tries made by hand: a leaf alone, an extension, and small nodes embedded in
// their parent, as the Yellow Paper's appendix D encodes them.
func TestNodesOfEveryKind(t *testing.T) {
	t.Parallel()
	value := []byte("value")
	leaf := encode(t, [][]byte{{0x20, 0x12, 0x34}, value})
	if v, err := trie.Verify(hash(leaf), []byte{0x12, 0x34}, [][]byte{leaf}); err != nil || !bytes.Equal(v, value) {
		t.Errorf("leaf: %q, %v", v, err)
	}
	// A branch whose child 1 is a leaf of less than 32 bytes, held in place.
	small := encode(t, [][]byte{{0x32}, value}) // odd path: nibble 2
	branch := make([]rlp.RawValue, 17)
	for i := range branch {
		branch[i] = encode(t, []byte{})
	}
	branch[1] = small
	branch[16] = encode(t, []byte("at the branch"))
	raw := encode(t, branch)
	if v, err := trie.Verify(hash(raw), []byte{0x12}, [][]byte{raw}); err != nil || !bytes.Equal(v, value) {
		t.Errorf("embedded leaf: %q, %v", v, err)
	}
	if v, err := trie.Verify(hash(raw), nil, [][]byte{raw}); err != nil || string(v) != "at the branch" {
		t.Errorf("value of a branch: %q, %v", v, err)
	}
	if _, err := trie.Verify(hash(raw), []byte{0x22}, [][]byte{raw}); !errors.Is(err, trie.ErrProof) {
		t.Errorf("absent key: %v", err)
	}
	link := hash(raw)
	extension := encode(t, [][]byte{{0x00, 0xab}, link[:]})
	if v, err := trie.Verify(hash(extension), []byte{0xab, 0x12}, [][]byte{extension, raw}); err != nil || !bytes.Equal(v, value) {
		t.Errorf("extension: %q, %v", v, err)
	}
	for what, node := range map[string][]byte{
		"bad path flag":  encode(t, [][]byte{{0x40, 0x12}, value}),
		"padded path":    encode(t, [][]byte{{0x21, 0x12}, value}),
		"three items":    encode(t, [][]byte{{0x20}, value, value}),
		"empty value":    encode(t, [][]byte{{0x20, 0x12}, {}}),
		"no list":        encode(t, value),
		"bytes after it": append(encode(t, [][]byte{{0x20, 0x12}, value}), 0),
		"nothing":        {},
	} {
		if v, err := trie.Verify(hash(node), []byte{0x12}, [][]byte{node}); !errors.Is(err, trie.ErrProof) {
			t.Errorf("%s: %q, %v", what, v, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	_, key, nodes := account(f)
	f.Add(key, nodes[0], nodes[len(nodes)-1])
	f.Fuzz(func(t *testing.T, key, a, b []byte) {
		v, err := trie.Verify(hash(a), key, [][]byte{a, b})
		if (err == nil) != (v != nil) {
			t.Fatalf("%x, %v", v, err)
		}
	})
}
