package sealed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/receipt/sealed"
)

var update = flag.Bool("update", false, "make new vectors")

func key(t testing.TB, n byte) (*sealed.Key, sealed.Recipient) {
	t.Helper()
	k, err := sealed.NewKey(bytes.Repeat([]byte{n}, sealed.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k, sealed.Recipient{Miner: common.Address{n}, Public: k.Public()}
}

func TestOnlyTheMinersNamedOpenAJob(t *testing.T) {
	t.Parallel()
	one, a := key(t, 1)
	two, b := key(t, 2)
	three, _ := key(t, 3)
	job, text := common.Hash{9}, []byte("a secret prompt")
	box, answers, err := sealed.Seal(job, text, []sealed.Recipient{a, b})
	if err != nil || len(a.Public) != sealed.PublicKeySize || bytes.Contains(box.Content, text) {
		t.Fatalf("%+v, %v", box, err)
	}
	if err := box.Check([]common.Address{b.Miner, a.Miner}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []struct {
		key *sealed.Key
		to  sealed.Recipient
	}{{one, a}, {two, b}} {
		w, ok := box.For(who.to.Miner)
		got, reply, err := who.key.Open(job, box.Content, w)
		if !ok || err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q, %v", got, err)
		}
		piece := reply.Seal(5, []byte("hello"))
		if again := reply.Seal(5, []byte("hello")); bytes.Equal(again, piece) {
			t.Fatal("a nonce was used twice")
		}
		if got, err := answers[who.to.Miner].Open(5, piece); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
		if _, err := answers[who.to.Miner].Open(6, piece); !errors.Is(err, sealed.ErrSealed) {
			t.Fatalf("a piece in another place: %v", err)
		}
		other := answers[common.Address{3 - who.to.Miner[0]}]
		if _, err := other.Open(5, piece); !errors.Is(err, sealed.ErrSealed) {
			t.Fatalf("by another miner's key: %v", err)
		}
	}
	w, _ := box.For(a.Miner)
	for what, open := range map[string]func() ([]byte, *sealed.Answer, error){
		"a stranger's key": func() ([]byte, *sealed.Answer, error) { return three.Open(job, box.Content, w) },
		"another job":      func() ([]byte, *sealed.Answer, error) { return one.Open(common.Hash{8}, box.Content, w) },
		"another's wrap": func() ([]byte, *sealed.Answer, error) {
			x := w
			x.Miner = b.Miner
			return one.Open(job, box.Content, x)
		},
		"changed content": func() ([]byte, *sealed.Answer, error) {
			c := bytes.Clone(box.Content)
			c[0] ^= 1
			return one.Open(job, c, w)
		},
		"a short key": func() ([]byte, *sealed.Answer, error) {
			x := w
			x.Enc = x.Enc[1:]
			return one.Open(job, box.Content, x)
		},
	} {
		if got, _, err := open(); !errors.Is(err, sealed.ErrSealed) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestBoxesOfAnotherFormAreRefused(t *testing.T) {
	t.Parallel()
	_, a := key(t, 1)
	_, b := key(t, 2)
	box, _, err := sealed.Seal(common.Hash{9}, []byte("x"), []sealed.Recipient{a, b})
	if err != nil {
		t.Fatal(err)
	}
	both := []common.Address{a.Miner, b.Miner}
	for what, c := range map[string]struct {
		box    sealed.Box
		miners []common.Address
	}{
		"no miner":       {sealed.Box{Content: box.Content}, nil},
		"another miner":  {box, []common.Address{a.Miner, {7}}},
		"fewer miners":   {box, both[:1]},
		"a miner twice":  {sealed.Box{Content: box.Content, Wraps: []sealed.Wrap{box.Wraps[0], box.Wraps[0]}}, both},
		"four miners":    {sealed.Box{Content: box.Content, Wraps: append(box.Wraps, box.Wraps...)}, append(both, both...)},
		"no content":     {sealed.Box{Wraps: box.Wraps}, both},
		"a short key":    {sealed.Box{Content: box.Content, Wraps: []sealed.Wrap{{Miner: a.Miner, Enc: box.Wraps[0].Enc, Key: []byte{1}}}}, both[:1]},
		"a short length": {sealed.Box{Content: box.Content, Wraps: []sealed.Wrap{{Miner: a.Miner, Key: box.Wraps[0].Key}}}, both[:1]},
	} {
		if err := c.box.Check(c.miners); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if _, _, err := sealed.Seal(common.Hash{}, nil, []sealed.Recipient{{Public: []byte{1}}}); err == nil {
		t.Error("sealed to what is no key")
	}
}

// The TypeScript code opens the same box, and one of its making is opened here:
// e2e does that. Sealing is random, so the vector is made once.
func TestSealedVector(t *testing.T) {
	t.Parallel()
	const file = "../testdata/vectors/sealed.json"
	var v struct {
		Seed        hexutil.Bytes  `json:"seed"`
		Public      hexutil.Bytes  `json:"public"`
		Fingerprint common.Hash    `json:"fingerprint"`
		Job         common.Hash    `json:"job"`
		Content     string         `json:"content"`
		Box         sealed.Box     `json:"box"`
		Piece       string         `json:"piece"`
		Index       uint64         `json:"index"`
		Sealed      []byte         `json:"sealed"`
		Miner       common.Address `json:"miner"`
	}
	k, r := key(t, 7)
	if *update {
		v.Seed, v.Public, v.Fingerprint, v.Job, v.Content, v.Piece, v.Index, v.Miner = bytes.Repeat([]byte{7}, sealed.SeedSize), r.Public, sealed.Fingerprint(r.Public), common.Hash{3}, "prompt ü", "piece é", 258, r.Miner
		var err error
		if v.Box, _, err = sealed.Seal(v.Job, []byte(v.Content), []sealed.Recipient{r}); err != nil {
			t.Fatal(err)
		}
		_, reply, err := k.Open(v.Job, v.Box.Content, v.Box.Wraps[0])
		if err != nil {
			t.Fatal(err)
		}
		v.Sealed = reply.Seal(v.Index, []byte(v.Piece))
		raw, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	got, reply, err := k.Open(v.Job, v.Box.Content, v.Box.Wraps[0])
	if err != nil || string(got) != v.Content || !bytes.Equal(k.Public(), v.Public) || sealed.Fingerprint(v.Public) != v.Fingerprint {
		t.Fatalf("%q, %v", got, err)
	}
	if piece, err := reply.Open(v.Index, v.Sealed); err != nil || string(piece) != v.Piece {
		t.Fatalf("%q, %v", piece, err)
	}
}

func FuzzOpen(f *testing.F) {
	k, r := key(f, 1)
	box, _, err := sealed.Seal(common.Hash{9}, []byte("x"), []sealed.Recipient{r})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(box.Content, box.Wraps[0].Enc, box.Wraps[0].Key)
	f.Fuzz(func(t *testing.T, content, enc, wrapped []byte) {
		plain, _, err := k.Open(common.Hash{9}, content, sealed.Wrap{Miner: r.Miner, Enc: enc, Key: wrapped})
		if err == nil && string(plain) != "x" {
			t.Fatalf("opened %q, which nobody sealed", plain)
		}
	})
}
