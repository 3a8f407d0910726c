package coordinator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// sdk returns the Go client of a purse, at a URL.
func (p *purse) sdk(base string) *client.Session {
	p.h.t.Helper()
	c, err := client.New(base, secret.New(p.key))
	if err != nil {
		p.h.t.Fatal(err)
	}
	s, err := c.Session(p.h.t.Context(), domain, p.spender)
	if err != nil {
		p.h.t.Fatal(err)
	}
	s.Plain = true
	return s
}

// answerNext has the miner answer n jobs.
func (r *rig) answerNext(n int) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			r.finish(r.claim(), "Hel", "lo")
		}
	})
	return wg.Wait
}

// alive keeps the miner online until the returned function is called.
func (r *rig) alive() (stop func()) {
	ctx, cancel := context.WithCancel(r.h.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.h.call(r.api, "POST", "/v1/miners/heartbeat", api.HeartbeatRequest{FreeSlots: 1, Running: []common.Hash{}})
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

var hello = api.SubmitRequest{Model: modelName, Prompt: "hello", MaxTokens: 16}

func TestGoClientSignsFollowsAndVouches(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	s := p.sdk(h.srv.URL)
	s.Keys = fakeKeys{miner: m.key.Address(), coordinator: coordKey.Address()}
	o, err := s.Submit(t.Context(), hello)
	if err != nil || o.Number != 1 || receipt.Digest(domain, o.Order) != o.JobID {
		t.Fatalf("%+v, %v", o, err)
	}
	wait := m.answerNext(1)
	var text strings.Builder
	a, err := s.Follow(t.Context(), o, func(e api.Event) error { text.WriteString(e.Text); return nil })
	wait()
	if err != nil || a.Output != "Hello" || text.String() != "Hello" || !a.Matches || a.Receipt == nil || a.Receipt.Receipt.Price != a.Price {
		t.Fatalf("%q %+v, %v", text.String(), a, err)
	}
	v, err := s.Vouch(t.Context())
	if err != nil || v.Through != 1 || v.Cumulative != a.Price {
		t.Fatalf("%+v, %v", v, err)
	}
	if again, err := s.Vouch(t.Context()); err != nil || again != v {
		t.Fatalf("%+v, %v", again, err)
	}
	p.waitSettled(o.JobID)
	// Once it is settled the answer can still be fetched.
	if late, err := s.Follow(t.Context(), o, nil); err != nil || late.Output != "Hello" {
		t.Fatalf("%+v, %v", late, err)
	}
	stranger := p.sdk(h.srv.URL)
	stranger.Keys = fakeKeys{miner: common.Address{1}, coordinator: coordKey.Address()}
	if _, err := stranger.Follow(t.Context(), o, nil); !errors.Is(err, client.ErrDisagree) {
		t.Fatalf("a miner's key that the chain does not know: %v", err)
	}
}

type fakeKeys struct {
	miner, coordinator common.Address
	sealing            common.Hash
}

func (k fakeKeys) MinerKey(_ context.Context, _, key common.Address) (bool, error) {
	return key == k.miner, nil
}

func (k fakeKeys) SealingKey(context.Context, common.Address) (common.Hash, error) {
	return k.sealing, nil
}

func (k fakeKeys) CoordinatorKey(_ context.Context, _, key common.Address) (bool, error) {
	return key == k.coordinator, nil
}

// Two programs with one spender key take each other's numbers, and order all the same.
func TestProgramsShareASelfSignedSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	defer m.alive()()
	p := h.openSelf(7, market.Coins(1), 12*time.Hour)
	one, two := p.sdk(h.srv.URL), p.sdk(h.srv.URL)
	const each = 12
	var wg sync.WaitGroup
	for _, s := range []*client.Session{one, one, two} {
		wg.Go(func() {
			for range each {
				if _, err := s.Submit(t.Context(), hello); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if a := p.account(); a.Orders != 3*each {
		t.Fatalf("%d orders", a.Orders)
	}
	h.balanced()
}

// liar is a coordinator that changes its answers on their way.
func liar(t *testing.T, base string, change func(path string, body []byte) []byte) string {
	to, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	p := httputil.NewSingleHostReverseProxy(to)
	p.ModifyResponse = func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/events") {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = change(r.Request.URL.Path, body)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
		return nil
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

// replace returns a change of one text in the answers of one route.
func replace(route, from, to string) func(string, []byte) []byte {
	return func(path string, body []byte) []byte {
		if !strings.HasSuffix(path, route) {
			return body
		}
		return bytes.ReplaceAll(body, []byte(from), []byte(to))
	}
}

func TestGoClientSignsNothingForALiar(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, p := h.miner(1), h.openSelf(7, market.Coins(1), 12*time.Hour)
	defer m.alive()()
	q := p.quote()
	for what, change := range map[string]func(string, []byte) []byte{
		"a higher price":   replace("/quote", `"maxPrice":"`, `"maxPrice":"9`),
		"another session":  replace("/quote", `"session":7`, `"session":8`),
		"more tokens":      replace("/quote", `"max_tokens":16`, `"max_tokens":17`),
		"other miners":     replace("/quote", `"miners":"0x00`, `"miners":"0x01`),
		"another class":    replace("/quote", `"class":"0x00`, `"class":"0x01`),
		"a later deadline": replace("/quote", `"deadline":1`, `"deadline":9`),
		"other weights":    replace("/quote", q.Order.Model.Hex(), common.Hash{8}.Hex()),
		"another job's id": replace("/v1/jobs", `"job_id":"0x`, `"job_id":"0x0`),
	} {
		r := hello
		r.TTLSeconds, r.Constraints.Models = 60, []common.Hash{modelDigest}
		_, err := p.sdk(liar(t, h.srv.URL, change)).Submit(t.Context(), r)
		if id := what == "another job's id"; !errors.Is(err, client.ErrDisagree) && !id || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The lie about the id came after the order: it stands, and is the only one.
	if a := p.account(); a.Orders != 1 {
		t.Fatalf("%d orders were signed", a.Orders)
	}
	m.finish(m.claim(), "Hi")
	price := p.account().Vouchers.Due.Cumulative.String()
	for what, change := range map[string]func(string, []byte) []byte{
		"a larger sum":      replace("/account", `"cumulative":"`+price, `"cumulative":"1`+price),
		"a forged receipt":  replace("/receipts", `"price":"`+price, `"price":"1`+price),
		"no receipt":        func(path string, body []byte) []byte { return onReceipts(path, body, `{"receipts":[]}`) },
		"a voucher of mine": replace("/account", `"vouchers":{`, `"vouchers":{"last":{"through":1,"cumulative":"99","signature":"0x`+strings.Repeat("11", 64)+`1b"},`),
		"orders not made":   replace("/account", `"through":1`, `"through":9`),
	} {
		if v, err := p.sdk(liar(t, h.srv.URL, change)).Vouch(t.Context()); err == nil {
			t.Errorf("%s: signed %+v", what, v)
		}
	}
	if v, err := p.sdk(h.srv.URL).Vouch(t.Context()); err != nil || v.Cumulative.String() != price {
		t.Fatalf("%+v, %v", v, err)
	}
}

func onReceipts(path string, body []byte, other string) []byte {
	if strings.HasSuffix(path, "/receipts") {
		return []byte(other)
	}
	return body
}
