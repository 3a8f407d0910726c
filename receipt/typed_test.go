package receipt_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

var update = flag.Bool("update", false, "rewrite golden files")

type testKey struct{ k *ecdsa.PrivateKey }

func (k testKey) Address() common.Address { return crypto.PubkeyToAddress(k.k.PublicKey) }
func (k testKey) SignDigest(d common.Hash) ([]byte, error) {
	return crypto.Sign(d[:], k.k)
}

func key(n byte) testKey {
	b := [32]byte{31: n}
	k, err := crypto.ToECDSA(b[:])
	if err != nil {
		panic(err)
	}
	return testKey{k}
}

type vector struct {
	Type       string            `json:"type"`
	Message    json.RawMessage   `json:"message"`
	StructHash common.Hash       `json:"structHash"`
	Digest     common.Hash       `json:"digest"`
	Signature  receipt.Signature `json:"signature"`
}

type vectors struct {
	ChainID           uint64         `json:"chainId"`
	VerifyingContract common.Address `json:"verifyingContract"`
	PrivateKey        common.Hash    `json:"privateKey"`
	Signer            common.Address `json:"signer"`
	Separator         common.Hash    `json:"separator"`
	ReceiptID         common.Hash    `json:"receiptId"`
	Vectors           []vector       `json:"vectors"`
}

var domain = receipt.Domain{ChainID: 1234567890123, Market: common.HexToAddress("0xA102")}

func samples() map[string]receipt.Typed {
	h := func(b byte) common.Hash { return common.Hash{0: b, 31: b + 1} }
	a := func(b byte) common.Address { return common.Address{0: b, 19: b + 1} }
	order := receipt.Order{Session: 7, Number: 3, Model: h(1), Class: h(2), Input: h(3), Miners: h(4), MaxPrice: market.Coins(5), Deadline: 1795000000}
	return map[string]receipt.Typed{
		"Order": order,
		"Receipt": receipt.Receipt{
			Version: receipt.Version, Order: receipt.Digest(domain, order), Session: 7, Client: a(1), Coordinator: a(2), Miner: a(3), Model: h(1), Class: h(2), Output: h(5),
			PromptTokens: 12, CompletionTokens: 34, ComputeMillis: 56, Items: 78, PromptRate: market.Units(1000), CompletionRate: market.Units(2000), SecondRate: market.Units(3000), ItemRate: market.Units(4000), Price: market.MaxAmount(),
			TemperatureMilli: 700, TopPMilli: 950, TopK: 40, Seed: 1<<64 - 1, StartedAt: 1794999990123, FinishedAt: 1794999991456, Level: 0, Evidence: h(6),
		},
		"Countersignature": receipt.Countersignature{Receipt: h(7), Miner: a(3), MinerTotal: market.Units(99)},
		"Voucher":          receipt.Voucher{Session: 7, Through: 3, Cumulative: market.Units(123456789)},
		"Close":            receipt.Close{Session: 7, Cumulative: market.Units(5)},
		"MinerLogin":       receipt.MinerLogin{Miner: a(3), Coordinator: a(2), Offers: h(8), IssuedAt: 1794999990},
		"KeyRequest":       receipt.KeyRequest{Client: a(1), Session: 7, IssuedAt: 1794999990},
		"DirectJob": receipt.DirectJob{
			Job: 9, Client: a(1), Spec: h(9), Model: h(1), Class: h(2), SealTo: h(10), Miners: h(4), Level: 1,
			Fee: market.Coins(12), AcceptBy: 1795000000, Deadline: 1795600000, CallbackGas: 600_000,
		},
	}
}

var order = []string{"Order", "Receipt", "Countersignature", "Voucher", "Close", "MinerLogin", "KeyRequest", "DirectJob"}

func TestTypedVectors(t *testing.T) {
	t.Parallel()
	const file = "testdata/vectors/typed.json"
	k := key(7)
	all := samples()
	want := vectors{ChainID: domain.ChainID, VerifyingContract: domain.Market, PrivateKey: common.Hash{31: 7}, Signer: k.Address(), Separator: domain.Separator(), ReceiptID: domain.ReceiptID(common.Hash{31: 9})}
	for _, name := range order {
		m := all[name]
		msg, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := receipt.Sign(k, domain, m)
		if err != nil {
			t.Fatal(err)
		}
		want.Vectors = append(want.Vectors, vector{name, msg, m.StructHash(), receipt.Digest(domain, m), sig})
	}
	if *update {
		b, err := json.MarshalIndent(want, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got vectors
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for i := range got.Vectors {
		// Compare messages by value: the file is indented.
		m := reflect.New(reflect.TypeOf(all[got.Vectors[i].Type]))
		if err := json.Unmarshal(got.Vectors[i].Message, m.Interface()); err != nil {
			t.Fatal(err)
		}
		if got.Vectors[i].Message, err = json.Marshal(m.Elem().Interface()); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the vectors changed:\n got %+v\nwant %+v", got, want)
	}
}

func TestSignatureOfOneRoleIsNoneOfAnother(t *testing.T) {
	t.Parallel()
	k, all := key(7), samples()
	for from, m := range all {
		sig, err := receipt.Sign(k, domain, m)
		if err != nil {
			t.Fatal(err)
		}
		for to, other := range all {
			err := receipt.Verify(domain, other, sig, k.Address())
			if (from == to) != (err == nil) {
				t.Errorf("signature of %s as %s: %v", from, to, err)
			}
		}
		elsewhere := domain
		elsewhere.ChainID++
		if err := receipt.Verify(elsewhere, m, sig, k.Address()); !errors.Is(err, receipt.ErrSignature) {
			t.Errorf("%s verifies on another chain: %v", from, err)
		}
	}
}

func TestSecondEncodingOfASignatureIsRefused(t *testing.T) {
	t.Parallel()
	k, m := key(7), samples()["Voucher"]
	sig, err := receipt.Sign(k, domain, m)
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).Set(crypto.S256().Params().N)
	s := common.BigToHash(n.Sub(n, common.BytesToHash(sig[32:64]).Big()))
	high := sig
	copy(high[32:64], s[:])
	high[64] = 55 - sig[64]
	if err := receipt.Verify(domain, m, high, k.Address()); !errors.Is(err, receipt.ErrSignature) {
		t.Fatalf("high s was taken: %v", err)
	}
	for _, v := range []byte{0, 1, 26, 29, 255} {
		bad := sig
		bad[64] = v
		if err := receipt.Verify(domain, m, bad, k.Address()); !errors.Is(err, receipt.ErrSignature) {
			t.Errorf("v = %d was taken", v)
		}
	}
}

func TestMerkleProofsHoldAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var leaves []common.Hash
		for i := range rapid.IntRange(1, 70).Draw(t, "n") {
			leaves = append(leaves, crypto.Keccak256Hash([]byte{byte(i)}))
		}
		tree := receipt.NewSortedTree(leaves)
		leaf := leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "i")]
		path, ok := tree.Proof(leaf)
		if !ok || receipt.VerifyProof(tree.Root(), leaf, path) != nil {
			t.Fatal("proof does not hold")
		}
		if receipt.VerifyProof(tree.Root(), common.Hash{1}, path) == nil {
			t.Fatal("another leaf is proved")
		}
		if len(path) > 0 {
			path[0][5] ^= 1
			if receipt.VerifyProof(tree.Root(), leaf, path) == nil {
				t.Fatal("a changed path is taken")
			}
		}
	})
}

func TestOutputCommitmentHidesAndBinds(t *testing.T) {
	t.Parallel()
	root := func(salt byte, ids ...uint32) common.Hash {
		o := receipt.NewOutput(receipt.Salt{salt})
		for _, id := range ids {
			o.Token(id)
		}
		return o.Root()
	}
	first, again := root(1, 5, 6, 7), root(1, 5, 6, 7)
	if first != again {
		t.Error("not deterministic")
	}
	for name, other := range map[string]common.Hash{"salt": root(2, 5, 6, 7), "order": root(1, 6, 5, 7), "length": root(1, 5, 6), "token": root(1, 5, 6, 8)} {
		if other == root(1, 5, 6, 7) {
			t.Errorf("%s does not matter", name)
		}
	}
	if root(1) != (common.Hash{}) {
		t.Error("nothing is not zero")
	}
}

type merkleVector struct {
	Receipts [][2]common.Hash `json:"receipts"` // id, digest
	Root     common.Hash      `json:"root"`
	Proofs   [][]common.Hash  `json:"proofs"`
}

type commitVector struct {
	Salt    hexutil.Bytes    `json:"salt"`
	Request string           `json:"request"`
	Input   common.Hash      `json:"input"`
	Tokens  []uint32         `json:"tokens"`
	ByToken common.Hash      `json:"by_token"`
	Pieces  []string         `json:"pieces"`
	ByText  common.Hash      `json:"by_text"`
	Miners  []common.Address `json:"miners"`
	Set     common.Hash      `json:"set"`
	Class   common.Hash      `json:"class"`
}

// The TypeScript code passes the same file.
func TestCommitmentVectors(t *testing.T) {
	t.Parallel()
	const file = "testdata/vectors/commit.json"
	var want []commitVector
	for n := range 6 {
		v := commitVector{Salt: bytes.Repeat([]byte{byte(n + 1)}, 32), Request: fmt.Sprintf("request %d ü", n), Tokens: []uint32{}, Pieces: []string{}, Miners: []common.Address{}}
		tokens, texts := receipt.NewOutput(receipt.Salt(v.Salt)), receipt.NewOutput(receipt.Salt(v.Salt))
		for i := range n {
			v.Tokens, v.Pieces = append(v.Tokens, uint32(i*i*70_000)), append(v.Pieces, fmt.Sprintf("piece %d é", i))
			v.Miners = append(v.Miners, common.Address{byte(200 - i), byte(i)})
			tokens.Token(v.Tokens[i])
			texts.Text(v.Pieces[i])
		}
		v.Input, v.ByToken, v.ByText, v.Set = receipt.Input(receipt.Salt(v.Salt), []byte(v.Request)), tokens.Root(), texts.Root(), receipt.Miners(v.Miners)
		v.Class = receipt.Class(v.Request)
		want = append(want, v)
	}
	compareVectors(t, file, want)
}

// compareVectors compares a value with a file of vectors, or writes that.
func compareVectors[T any](t *testing.T, file string, want T) {
	t.Helper()
	b, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(raw, b) {
		t.Fatalf("%s is not what the code says: %v", file, err)
	}
}

// The same file is checked against OpenZeppelin's StandardMerkleTree in sdk/ts.
func TestMerkleVectors(t *testing.T) {
	t.Parallel()
	const file = "testdata/vectors/merkle.json"
	var want []merkleVector
	for n := range 9 {
		var v merkleVector
		var leaves []common.Hash
		for i := range n + 1 {
			id, digest := crypto.Keccak256Hash([]byte{byte(n), byte(i)}), crypto.Keccak256Hash([]byte{byte(n), byte(i), 7})
			v.Receipts = append(v.Receipts, [2]common.Hash{id, digest})
			leaves = append(leaves, receipt.Leaf(id, digest))
		}
		tree := receipt.NewSortedTree(leaves)
		v.Root = tree.Root()
		for _, l := range leaves {
			p, ok := tree.Proof(l)
			if !ok {
				t.Fatal("a leaf is missing")
			}
			v.Proofs = append(v.Proofs, p)
		}
		want = append(want, v)
	}
	if *update {
		b, err := json.MarshalIndent(want, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []merkleVector
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatal("the vectors changed")
	}
}

func TestASignatureInJSON(t *testing.T) {
	t.Parallel()
	s := receipt.Signature{0: 0xab, 64: 28}
	raw, err := json.Marshal(s)
	if err != nil || string(raw) != `"`+s.String()+`"` {
		t.Fatalf("%s, %v", raw, err)
	}
	escaped := `"\u0030` + string(raw[2:])
	for _, good := range []string{string(raw), escaped} {
		var got receipt.Signature
		if err := json.Unmarshal([]byte(good), &got); err != nil || got != s {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		`null`, `1`, `"0x"`, strings.Replace(string(raw), "ab", "AB", 1), strings.Replace(string(raw), "ab", "zz", 1), strings.Replace(string(raw), "ab", `\\`, 1), strings.Replace(string(raw), "0x", "00", 1),
	} {
		if err := json.Unmarshal([]byte(bad), new(receipt.Signature)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
