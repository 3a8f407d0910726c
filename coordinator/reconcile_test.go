package coordinator_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// worked returns a house in which some jobs were paid and one was refunded.
func worked(t *testing.T) (*house, *rig) {
	t.Helper()
	h := newHouse(t)
	m := h.miner(1)
	dear := market.Rates{Prompt: market.Coins(1), Completion: market.Coins(2)} // so that there is a margin
	m.register(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: dear})
	for range 3 {
		id := h.submit("hello")
		m.finish(m.claim(), "Hi", " you")
		h.until(id, "settled", settled)
	}
	h.submit("waits")
	return h, m
}

func (h *house) reconciler() coordinator.Reconciler {
	return coordinator.Reconciler{Store: tilted{h.store, h}, Chain: h.chain, Pause: 10 * time.Millisecond}
}

func plus(t *testing.T, a market.Amount) market.Amount {
	t.Helper()
	b, err := a.Add(market.Units(1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func minus(t *testing.T, a market.Amount) market.Amount {
	t.Helper()
	b, err := a.Sub(market.Units(1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// One unit more or less in either book is found, and where it is.
func TestReconciliationFindsASingleUnit(t *testing.T) {
	t.Parallel()
	h, m := worked(t)
	r := h.reconciler()
	if out, err := r.Audit(t.Context()); err != nil || !out.OK || out.Sessions != 1 || out.Miners != 1 {
		t.Fatalf("untouched: %+v, %v", out, err)
	}
	session, key := h.chain.sessions[1], m.key.Address()
	for _, c := range []struct {
		name, subject, what string
		plant               func(change func(*testing.T, market.Amount) market.Amount)
		money               bool // what must be in the settlement account may differ, too
	}{
		{"chain's deposit", "session 1", "deposit", func(f func(*testing.T, market.Amount) market.Amount) { session.Deposit = f(t, session.Deposit) }, false},
		{"chain's debit", "session 1", "debited", func(f func(*testing.T, market.Amount) market.Amount) { session.Debited = f(t, session.Debited) }, false},
		{"chain's credit", "miner " + key.Hex(), "credited", func(f func(*testing.T, market.Amount) market.Amount) {
			h.chain.credited[key] = f(t, h.chain.credited[key])
		}, false},
		{"ledger's deposit", "session 1", "deposit", func(f func(*testing.T, market.Amount) market.Amount) {
			h.alter = func(b *ledger.Books) { b.Sessions[0].Account.Deposit = f(t, b.Sessions[0].Account.Deposit) }
		}, false},
		{"ledger's settled amount", "session 1", "debited", func(f func(*testing.T, market.Amount) market.Amount) {
			h.alter = func(b *ledger.Books) { b.Sessions[0].Settled = f(t, b.Sessions[0].Settled) }
		}, true},
		{"ledger's credits", "miner " + key.Hex(), "credited", func(f func(*testing.T, market.Amount) market.Amount) {
			h.alter = func(b *ledger.Books) { b.Miners[0].Settled = f(t, b.Miners[0].Settled) }
		}, true},
	} {
		for way, change := range map[string]func(*testing.T, market.Amount) market.Amount{"more": plus, "less": minus} {
			h.chain.mu.Lock()
			was, credited := *session, h.chain.credited[key]
			c.plant(change)
			h.chain.mu.Unlock()
			out, err := r.Run(t.Context())
			if err != nil || out.OK || out.Differences[0].Subject != c.subject || out.Differences[0].What != c.what || out.Differences[0].By != market.Units(1) {
				t.Errorf("%s, one unit %s: %+v, %v", c.name, way, out, err)
			} else if last := out.Differences[len(out.Differences)-1]; last.Subject == "settlement account" && !c.money {
				t.Errorf("%s, one unit %s: %+v", c.name, way, out.Differences)
			}
			h.chain.mu.Lock()
			*session, h.chain.credited[key], h.alter = was, credited, nil
			h.chain.mu.Unlock()
		}
	}
	h.alter = func(b *ledger.Books) { b.Sessions[0].SettledThrough-- }
	if out, err := r.Run(t.Context()); err != nil || len(out.Differences) != 1 || out.Differences[0].What != "through" {
		t.Errorf("%+v, %v", out, err)
	}
	h.alter = nil
	h.chain.mu.Lock()
	h.chain.account = plus(t, h.chain.account)
	h.chain.mu.Unlock()
	if out, err := r.Run(t.Context()); err != nil || len(out.Differences) != 1 || out.Differences[0].Subject != "settlement account" || out.Differences[0].By != market.Units(1) {
		t.Errorf("%+v, %v", out, err)
	}
}

// A claim by a miner, a withdrawal by the coordinator and a batch that is in a
// block and not yet recorded are no differences.
func TestReconciliationKnowsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	h, m := worked(t)
	r := h.reconciler()
	key := m.key.Address()
	h.chain.mu.Lock()
	h.chain.account, h.chain.withdrawn = minus(t, h.chain.account), market.Units(1)
	h.chain.mu.Unlock()
	if out, err := r.Run(t.Context()); err != nil || !out.OK {
		t.Fatalf("after a withdrawal: %+v, %v", out, err)
	}
	h.chain.mu.Lock()
	if err := h.chain.pay(key, plus(t, h.chain.credited[key])); err != nil {
		t.Error(err)
	}
	h.chain.claimed[key] = h.chain.credited[key]
	h.chain.mu.Unlock()
	if out, err := r.Run(t.Context()); err != nil || !out.OK {
		t.Fatalf("after a claim: %+v, %v", out, err)
	}
	h.chain.mu.Lock()
	h.chain.lose = true
	h.chain.mu.Unlock()
	done := make(chan struct{})
	id := h.submit("hello")
	var wg sync.WaitGroup
	wg.Go(func() { // ledger and chain are compared all through a settlement
		for {
			select {
			case <-done:
				return
			default:
				if out, err := r.Run(t.Context()); err != nil || !out.OK {
					t.Errorf("while it settles: %+v, %v", out, err)
					return
				}
			}
		}
	})
	m.finish(m.claim(), "Hi") // of "waits"
	m.finish(m.claim(), "Hi")
	h.until(id, "settled", settled)
	close(done)
	wg.Wait()
}

// What a session was charged that ended before the chain paid is lost, and both
// books say so: it is no difference, now or later.
func TestReconciliationCountsWhatWasLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	a := m.claim()
	h.chain.mu.Lock()
	h.chain.sessions[1].State = ledger.SessionClosed
	h.chain.mu.Unlock()
	m.finish(a, "Hi")
	r := h.reconciler()
	h.eventually("the end of the batch", func() bool {
		open, err := h.store.OpenBatches(t.Context())
		return err == nil && len(open) == 0 && h.chain.settledBatches() == 1
	})
	for range 2 { // the second time the session is not asked for again
		out, err := r.Audit(t.Context())
		if err != nil || !out.OK || out.Lost != h.job(id).Price || out.Lost.IsZero() {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	if j := h.job(id); j.Payment != market.Charged {
		t.Fatalf("%+v", j)
	}
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// The coordinator itself finds the unit, and says so in its log, its metrics and
// its health.
func TestReconciliationRaisesTheAlarm(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	h := newHouse(t)
	h.reconcileEvery, h.log = 20*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil))
	h.restart()
	m := h.miner(1)
	id := h.submit("hello")
	m.finish(m.claim(), "Hi")
	h.until(id, "settled", settled)
	h.eventually("a comparison", func() bool { at, bad := h.svc.Reconciled(); return !at.IsZero() && len(bad) == 0 })
	h.chain.mu.Lock()
	h.chain.credited[m.key.Address()] = plus(t, h.chain.credited[m.key.Address()])
	h.chain.mu.Unlock()
	h.eventually("the alarm", func() bool { _, bad := h.svc.Reconciled(); return len(bad) > 0 })
	if s := log.String(); !strings.Contains(s, `level=ERROR msg="ledger and chain differ" subject="miner `+m.key.Address().Hex()) || !strings.Contains(s, "by=1 ") {
		t.Errorf("the log says %s", s)
	}
	if _, raw := h.call("", "GET", "/health", nil); !strings.Contains(string(raw), `"degraded"`) {
		t.Errorf("health says %s", raw)
	}
	if _, raw := h.call("", "GET", "/metrics", nil); !strings.Contains(string(raw), "\naitbc_coordinator_reconciliation_difference 1\n") {
		t.Errorf("metrics say %s", raw)
	}
	h.chain.mu.Lock()
	h.chain.credited[m.key.Address()] = minus(t, h.chain.credited[m.key.Address()])
	h.chain.mu.Unlock()
	h.eventually("peace", func() bool { _, bad := h.svc.Reconciled(); return len(bad) == 0 })
	if _, raw := h.call("", "GET", "/health", nil); !strings.Contains(string(raw), `"ok"`) {
		t.Errorf("health says %s", raw)
	}
}
