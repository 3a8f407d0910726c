package coordinator_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/coordinator/storetest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// vault is a miner that the test plays and that opens sealed jobs.
type vault struct {
	*rig
	key *sealed.Key
}

func sealingKey(t testing.TB) *sealed.Key {
	t.Helper()
	k, err := sealed.NewKey(bytes.Repeat([]byte{5}, sealed.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// vault returns a miner whose sealing key is the one that the chain knows.
func (h *house) vault(n uint64) *vault {
	h.t.Helper()
	v := &vault{h.miner(n), sealingKey(h.t)}
	v.register(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates, SealingKey: v.key.Public()})
	return v
}

// open gives an assignment what is sealed in it.
func (v *vault) open(a api.Assignment) (api.Assignment, api.Request, *sealed.Answer) {
	v.h.t.Helper()
	if a.Sealed == nil || len(a.Salt) != 0 || a.Sealed.Wrap.Miner != v.rig.key.Address() {
		v.h.t.Fatalf("assignment %+v", a)
	}
	plain, answer, err := v.key.Open(a.JobID, a.Sealed.Content, a.Sealed.Wrap)
	if err != nil {
		v.h.t.Fatal(err)
	}
	a.Salt, a.Request = plain[:32], plain[32:]
	var req api.Request
	if err := json.Unmarshal(a.Request, &req); err != nil || receipt.Input(receipt.Salt(a.Salt), a.Request) != a.Order.Input {
		v.h.t.Fatalf("%v: %+v", err, a)
	}
	return a, req, answer
}

// tell streams words, sealed.
func (v *vault) tell(a api.Assignment, answer *sealed.Answer, words ...string) {
	v.h.t.Helper()
	var b strings.Builder
	for i, w := range words {
		id := uint32(i + 10)
		plain, err := json.Marshal(api.Piece{Index: uint64(i), ID: &id, Text: w})
		if err != nil {
			v.h.t.Fatal(err)
		}
		line, err := json.Marshal(api.Piece{Index: uint64(i), Text: base64.StdEncoding.EncodeToString(answer.Seal(uint64(i), plain)) + "\n", Token: true})
		if err != nil {
			v.h.t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	must[api.StreamResponse](v.h, 200, v.api, "POST", v.path(a, "stream?lease="+a.Lease), b.String())
}

// sealing is the client of a purse that seals.
func (p *purse) sealing() *client.Session {
	p.h.t.Helper()
	s := p.sdk(p.h.srv.URL)
	s.Plain, s.Keys = false, anyKeys{fakeKeys{sealing: sealed.Fingerprint(sealingKey(p.h.t).Public())}}
	return s
}

// anyKeys takes every signature.
type anyKeys struct{ fakeKeys }

func (anyKeys) MinerKey(_ context.Context, _, _ common.Address) (bool, error) { return true, nil }

func (anyKeys) CoordinatorKey(_ context.Context, _, _ common.Address) (bool, error) { return true, nil }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

const planted = "xyzzy-planted-secret-prompt"

func TestSealedJobIsReadByItsMinerAlone(t *testing.T) {
	t.Parallel()
	dir, logs := t.TempDir(), &lockedBuffer{}
	h := newHouseOn(t, newFakeChain(), func() storetest.Store {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "c.db")})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	h.log = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.restart()
	h.miner(3) // sells the same, and has no sealing key
	v, p := h.vault(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	s := p.sealing()
	r := hello
	r.Prompt, r.Stop = planted, []string{"stop-at-this"}
	o, err := s.Submit(t.Context(), r)
	if err != nil || o.Order.Miners != receipt.Miners([]common.Address{v.rig.key.Address()}) || !o.Sealed() {
		t.Fatalf("%+v, %v", o, err)
	}
	a, req, answer := v.open(v.claim())
	if req.Prompt != planted || len(req.Stop) != 1 || req.MaxTokens != 16 {
		t.Fatalf("request %+v", req)
	}
	v.tell(a, answer, "plover", "-answer")
	must[api.ResultResponse](h, 200, v.api, "POST", v.path(a, "result"), v.signed(a, v.receiptFor(a, 2), "stop"))
	var text strings.Builder
	kept := o.Keep()
	got, err := s.Follow(t.Context(), o, func(e api.Event) error { text.WriteString(e.Text); return nil })
	if err != nil || got.Output != "plover-answer" || text.String() != got.Output || !got.Matches || !got.Result.Sealed {
		t.Fatalf("%q %+v: %v", text.String(), got, err)
	}
	if _, err := s.Vouch(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.waitSettled(o.JobID)
	// Another program of the client's reads it later, with what was kept.
	later := p.sealing()
	again, err := later.Resume(kept)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := later.Follow(t.Context(), again, nil); err != nil || got.Output != "plover-answer" || !got.Matches {
		t.Fatalf("%+v: %v", got, err)
	}
	// Nothing that lies at the coordinator shows any of it; what a client lets it read does.
	open := p.sdk(h.srv.URL)
	r.Prompt, r.Stop = "frotz-open-prompt", nil
	if _, err := open.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	h.stop()
	var remains []byte
	for _, path := range files(t, dir) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		remains = append(remains, raw...)
	}
	remains = append(remains, logs.b.Bytes()...)
	for text, want := range map[string]bool{planted: false, "plover": false, "stop-at-this": false, "frotz-open-prompt": true} {
		if found := bytes.Contains(remains, []byte(text)); found != want {
			t.Errorf("%q found: %v", text, found)
		}
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A sealed answer that breaks off begins anew with another miner: no piece of the
// one can follow a piece of the other.
func TestSealedAnswerBeginsAnewWithAnotherMiner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one, p := h.vault(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	two := h.vault(2)
	s := p.sealing()
	o, err := s.Submit(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	type followed struct {
		a   client.Answer
		err error
	}
	seen, done := make(chan string, 16), make(chan followed, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		a, err := s.Follow(t.Context(), o, func(e api.Event) error {
			if e.Type == "token" {
				seen <- e.Text
			}
			return nil
		})
		done <- followed{a, err}
	})
	first, second := one, two
	status, raw := h.call(one.api, "GET", "/v1/miners/jobs?wait=1", nil)
	var lease api.Assignment
	if status == 200 {
		if err := json.Unmarshal(raw, &lease); err != nil {
			t.Fatal(err)
		}
	} else {
		first, second = two, one
		lease = two.claim()
	}
	a, _, answer := first.open(lease)
	first.tell(a, answer, "wro")
	if got := <-seen; got != "wro" {
		t.Fatalf("saw %q", got)
	}
	must[map[string]string](h, 200, first.api, "POST", first.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "engine", Message: "gone", Retryable: true})
	b, _, other := second.open(second.claim())
	second.tell(b, other, "Hel", "lo")
	must[api.ResultResponse](h, 200, second.api, "POST", second.path(b, "result"), second.signed(b, second.receiptFor(b, 2), "stop"))
	f := <-done
	wg.Wait()
	close(seen)
	var rest []string
	for w := range seen {
		rest = append(rest, w)
	}
	if f.err != nil || f.a.Output != "Hello" || !f.a.Matches || strings.Join(rest, "") != "Hello" {
		t.Fatalf("%+v, then saw %q: %v", f.a, rest, f.err)
	}
	h.balanced()
}

func TestSealedOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v, p := h.vault(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	plain := h.miner(2)
	make7 := func(miners []common.Address, fn func(*api.SignedOrder)) api.SubmitRequest {
		o := p.quote().Order
		o.Input, o.Miners = common.Hash{1}, receipt.Miners(miners)
		box, _, err := sealed.Seal(receipt.Digest(domain, o), []byte("x"), []sealed.Recipient{{Miner: v.rig.key.Address(), Public: v.key.Public()}})
		if err != nil {
			t.Fatal(err)
		}
		in := &api.SignedOrder{Order: o, Signature: signed(t, p.spender, o), Sealed: &api.SealedJob{
			Public: api.Request{Version: 1, Model: modelName, MaxTokens: 16, TopPMilli: 1000}, PromptBound: 30, Box: box,
		}}
		fn(in)
		return api.SubmitRequest{Signed: in, Constraints: api.Constraints{Miners: miners}}
	}
	mine := []common.Address{v.rig.key.Address()}
	for what, r := range map[string]api.SubmitRequest{
		"a prompt that shows":    make7(mine, func(o *api.SignedOrder) { o.Sealed.Public.Prompt = "x" }),
		"stop strings that show": make7(mine, func(o *api.SignedOrder) { o.Sealed.Public.Stop = []string{"x"} }),
		"a grammar that shows":   make7(mine, func(o *api.SignedOrder) { o.Sealed.Public.Grammar = `root ::= "x"` }),
		"a salt beside":          make7(mine, func(o *api.SignedOrder) { o.Salt = make([]byte, 32) }),
		"no bound":               make7(mine, func(o *api.SignedOrder) { o.Sealed.PromptBound = 0 }),
		"a bound beyond all":     make7(mine, func(o *api.SignedOrder) { o.Sealed.PromptBound = 1 << 40 }),
		"no max_tokens":          make7(mine, func(o *api.SignedOrder) { o.Sealed.Public.MaxTokens = 0 }),
		"no content":             make7(mine, func(o *api.SignedOrder) { o.Sealed.Box.Content = nil }),
		"any miner":              make7(nil, func(*api.SignedOrder) {}),
		"another miner":          make7([]common.Address{plain.key.Address()}, func(*api.SignedOrder) {}),
	} {
		if status, raw := h.call(p.key, "POST", "/v1/jobs", r); status != 400 {
			t.Errorf("%s: %d %s", what, status, raw)
		}
	}
	p.submit(make7(mine, func(*api.SignedOrder) {}))
	// A key that the chain does not know is not sealed to.
	s := p.sealing()
	s.Keys = anyKeys{fakeKeys{sealing: common.Hash{1}}}
	if _, err := s.Submit(t.Context(), hello); !errors.Is(err, client.ErrNoSealing) {
		t.Fatalf("sealed to a stranger: %v", err)
	}
	short := api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates, SealingKey: []byte{1}}
	h.refused(400, "invalid_argument", "", "POST", "/v1/miners/register", plain.login(short))
}
