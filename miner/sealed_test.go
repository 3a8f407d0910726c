package miner_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

func sealing(t *testing.T) *sealed.Key {
	t.Helper()
	k, err := sealed.NewKey(bytes.Repeat([]byte{8}, sealed.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// hide seals an assignment's salt and request to a key.
func hide(t *testing.T, a api.Assignment, to *sealed.Key) (api.Assignment, *sealed.Answer) {
	t.Helper()
	var req api.Request
	if err := json.Unmarshal(a.Request, &req); err != nil {
		t.Fatal(err)
	}
	box, answers, err := sealed.Seal(a.JobID, slices.Concat(a.Salt, a.Request), []sealed.Recipient{{Miner: minerKey.Address(), Public: to.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	a.Sealed = &api.SealedAssignment{PromptBound: req.PromptBound(), Embeddings: uint64(len(req.Input)), Content: box.Content, Wrap: box.Wraps[0]}
	a.Salt = nil
	if a.Request, err = json.Marshal(req.Public()); err != nil {
		t.Fatal(err)
	}
	return a, answers[minerKey.Address()]
}

func TestSealedJobIsAnsweredSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sealing = sealing(t)
	r.start(t)
	const grammar = "root ::= \"one two three\""
	a, answer := hide(t, order(t, 1, func(_ *api.Assignment, req *api.Request) { req.Grammar = grammar }), r.sealing)
	if strings.Contains(string(a.Request), "root") {
		t.Fatalf("what anybody may read has the grammar: %s", a.Request)
	}
	r.give(a)
	r.wait("result")
	if calls := r.model.called(); len(calls) != 1 || calls[0].Grammar != grammar {
		t.Fatalf("the engine was asked %+v", calls)
	}
	x := r.resultOf(a).Receipt
	out := receipt.NewOutput(salt)
	var text strings.Builder
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.offers) != 1 || sealed.Fingerprint(r.offers[0].SealingKey) != sealed.Fingerprint(r.sealing.Public()) {
		t.Fatalf("offers %+v", r.offers)
	}
	for i, p := range r.streams[a.JobID] {
		if p.ID != nil || !p.Token || strings.Contains(p.Text, r.model.words[i]) || !strings.HasSuffix(p.Text, "\n") {
			t.Fatalf("piece %+v", p)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(p.Text))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := answer.Open(uint64(i), raw)
		if err != nil {
			t.Fatal(err)
		}
		var open api.Piece
		if err := json.Unmarshal(plain, &open); err != nil || open.ID == nil || open.Index != uint64(i) {
			t.Fatalf("%s: %v", plain, err)
		}
		out.Token(*open.ID)
		text.WriteString(open.Text)
	}
	if text.String() != "one two three" || x.Output != out.Root() || x.CompletionTokens != 3 || x.Order != a.JobID {
		t.Fatalf("%q, receipt %+v", text.String(), x)
	}
}

func TestSealedJobsThatAreRefused(t *testing.T) {
	t.Parallel()
	other, err := sealed.NewKey(bytes.Repeat([]byte{9}, sealed.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key       *sealed.Key // the miner's
		to        *sealed.Key
		change    func(*api.Assignment)
		code      string
		retryable bool
	}{
		"no key":            {nil, sealing(t), func(*api.Assignment) {}, "sealed", true},
		"another's":         {sealing(t), other, func(*api.Assignment) {}, "sealed", true},
		"changed":           {sealing(t), sealing(t), func(a *api.Assignment) { a.Sealed.Content[0] ^= 1 }, "sealed", true},
		"for another miner": {sealing(t), sealing(t), func(a *api.Assignment) { a.Sealed.Wrap.Miner = common.Address{1} }, "sealed", true},
		"a larger prompt":   {sealing(t), sealing(t), func(a *api.Assignment) { a.Sealed.PromptBound-- }, "bad_request", false},
		"embeddings":        {sealing(t), sealing(t), func(a *api.Assignment) { a.Sealed.Embeddings++ }, "bad_request", false},
		"more tokens": {sealing(t), sealing(t), func(a *api.Assignment) {
			a.Request = bytes.Replace(a.Request, []byte(`"max_tokens":`), []byte(`"max_tokens":1`), 1)
		}, "bad_request", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.sealing = c.key
			r.start(t)
			a, _ := hide(t, order(t, 1, nil), c.to)
			c.change(&a)
			r.give(a)
			r.wait("failure")
			r.mu.Lock()
			defer r.mu.Unlock()
			if f := r.failures[a.JobID]; f.Code != c.code || f.Retryable != c.retryable || len(r.results) != 0 {
				t.Fatalf("failure %+v", f)
			}
		})
	}
}
