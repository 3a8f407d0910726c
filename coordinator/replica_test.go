package coordinator_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/postgres"
	"github.com/aitbc/aitbc/coordinator/storetest"
	"github.com/aitbc/aitbc/internal/pgtest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/siwe"
)

// Several coordinators on one database are one.
func TestReplicas(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	kinds := map[string]func() func() storetest.Store{
		"Postgres": func() func() storetest.Store {
			url := server.URL()
			return func() storetest.Store {
				s, err := postgres.Open(context.WithoutCancel(t.Context()), url)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
		},
		"Memory": func() func() storetest.Store {
			m := storetest.NewMemory()
			return func() storetest.Store { return m.Replica() }
		},
	}
	for name, story := range map[string]func(t *testing.T, a, b *house){
		"ShareTheWork": shareTheWork, "NumbersFollowOneAnother": replicaNumbers, "DeathLosesNothing": replicaDeath, "DeathOfMinerAndReplica": bothDie,
		"BatchIsSentOnce": batchOnce, "CancelAtAnother": cancelAtAnother, "MinerMovesInTheMiddle": minerMoves, "GivenUpReplicaComesBack": givenUp,
		"BulkOutlivesItsReplica": bulkMoves, "SignedOnceAtAll": usedAtAnother,
	} {
		for kind, fresh := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				open := fresh()
				a := newHouseOn(t, newFakeChain(), open)
				b := &house{t: t, chain: a.chain, open: open, key: a.key, mute: new(atomic.Bool)}
				b.start()
				t.Cleanup(func() { b.stop() })
				story(t, a, b)
			})
		}
	}
}

// at is a miner that talks to another replica from now on.
func (r *rig) at(h *house) *rig { return &rig{h: h, key: r.key, api: r.api} }

// online waits until a replica knows that somebody runs the model.
func (h *house) online() {
	h.t.Helper()
	h.eventually("a model on offer", func() bool {
		return len(must[api.ModelList](h, 200, "", "GET", "/v1/models", nil).Data) > 0
	})
}

// follow reads the events of a job and returns what it heard, in words.
func (h *house) follow(id common.Hash) (next func(want string) string, closed func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.srv.URL+"/v1/jobs/"+id.Hex()+"/events", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", h.key)
	resp, err := h.srv.Client().Do(req) //nolint:bodyclose // closed below
	if err != nil {
		h.t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	text := ""
	return func(want string) string {
		h.t.Helper()
		for !strings.Contains(text, want) && lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e api.Event
				if err := json.Unmarshal([]byte(data), &e); err == nil && e.Type == "token" {
					text += e.Text
				} else if strings.Contains(data, "finished_at") {
					text += "|" // done
				}
			}
		}
		if !strings.Contains(text, want) {
			h.t.Fatalf("heard %q, want %q: %v", text, want, lines.Err())
		}
		return text
	}, func() { cancel(); _ = resp.Body.Close() }
}

func shareTheWork(t *testing.T, a, b *house) {
	m := b.miner(1) // at the other replica
	a.online()
	id := a.submit("hello")
	hear, closed := a.follow(id)
	defer closed()
	as := m.claim()
	if as.JobID != id {
		t.Fatalf("assignment %+v", as)
	}
	if x := must[api.Explanation](a, 200, a.key, "GET", "/v1/jobs/"+id.Hex()+"/explain", nil); len(x.Miners) != 1 || x.Miners[0].Reason != "assigned" {
		t.Fatalf("explained as %+v", x)
	}
	// What is streamed to one replica is read at the other while it comes.
	body, write := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		must[api.StreamResponse](b, 200, m.api, "POST", m.path(as, "stream?lease="+as.Lease), body)
	})
	all := strings.SplitAfter(strings.TrimSuffix(lines("Hel", "lo", " you"), "\n"), "\n")
	for _, part := range []string{all[0] + all[1], all[2] + "\n"} {
		if _, err := io.WriteString(write, part); err != nil {
			t.Fatal(err)
		}
		if part != all[2]+"\n" {
			hear("Hello")
		}
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	must[api.ResultResponse](b, 200, m.api, "POST", m.path(as, "result"), m.signed(as, m.receiptFor(as, 3), "stop"))
	if got := hear("|"); got != "Hello you|" {
		t.Fatalf("heard %q", got)
	}
	for _, h := range []*house{a, b} {
		h.until(id, "settled", settled)
		if r := must[api.Result](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil); r.Output != "Hello you" {
			t.Fatalf("result %+v", r)
		}
	}
	if first, again := must[map[string][]receipt.Bundle](a, 200, a.key, "GET", "/v1/receipts?job_id="+id.Hex(), nil), must[map[string][]receipt.Bundle](b, 200, m.api, "GET", "/v1/receipts?job_id="+id.Hex(), nil); first["receipts"][0].ReceiptDigest != again["receipts"][0].ReceiptDigest {
		t.Fatal("two receipts")
	}
	a.balanced()
}

func replicaNumbers(t *testing.T, a, b *house) {
	a.miner(1)
	b.online()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() { []*house{a, b}[i%2].submit(fmt.Sprint(i)) })
	}
	wg.Wait()
	jobs, err := a.store.Jobs(t.Context(), clientKey.Address(), 1, 100)
	if err != nil || len(jobs) != 40 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	slices.SortFunc(jobs, func(x, y *ledger.Job) int { return cmp.Compare(x.Number, y.Number) })
	for i, j := range jobs {
		if j.Number != uint64(i+1) || j.Spec.Order.Number != j.Number || receipt.Digest(domain, j.Spec.Order) != j.ID {
			t.Fatalf("job %d has number %d", i, j.Number)
		}
	}
}

// A replica dies under load. Its miner goes on at the other one, and so do its clients.
func replicaDeath(t *testing.T, a, b *house) {
	m := a.miner(1)
	b.online()
	running, waiting := a.submit("one"), a.submit("two")
	as := m.claim()
	m.send(as, "Hel")
	a.kill()
	moved := m.at(b)
	if got := moved.beat(as.JobID); len(got.Cancel) != 0 {
		t.Fatalf("the running job is stopped: %+v", got)
	}
	// The stream was in the dead one's memory: it is sent again.
	r := m.signed(as, m.receiptFor(as, 2), "stop")
	b.refused(409, "stream_incomplete", m.api, "POST", m.path(as, "result"), r)
	moved.send(as, "Hel", "lo")
	must[api.ResultResponse](b, 200, m.api, "POST", m.path(as, "result"), r)
	next := moved.claim()
	if as.JobID != running || next.JobID != waiting {
		t.Fatalf("leased %s and %s", as.JobID, next.JobID)
	}
	moved.finish(next, "Yes")
	for _, id := range []common.Hash{running, waiting} {
		b.until(id, "settled", settled)
	}
	// The same result again is answered as it was, and paid once.
	must[api.ResultResponse](b, 200, m.api, "POST", m.path(as, "result"), r)
	once(t, b, 2)
}

// Replica and miner die together: another miner gets the job.
func bothDie(t *testing.T, a, b *house) {
	dead := a.miner(1)
	b.online()
	id := a.submit("one")
	dead.claim()
	a.kill()
	m := b.miner(2)
	b.eventually("the job in the queue", func() bool { m.beat(); return b.job(id).State == market.Queued })
	m.finish(m.claim(), "Yes")
	b.until(id, "settled", settled)
	once(t, b, 1)
}

// once checks that jobs were paid exactly once: by the ledger, the chain and the
// sums of both.
func once(t *testing.T, h *house, jobs int) {
	t.Helper()
	h.balanced()
	r := h.reconciler()
	if out, err := r.Audit(t.Context()); err != nil || !out.OK {
		t.Fatalf("ledger and chain: %+v, %v", out, err)
	}
	acc := h.account()
	if acc.Charged != acc.Debited || !acc.Reserved.IsZero() || acc.Charged.IsZero() {
		t.Fatalf("account %+v", acc)
	}
	h.chain.mu.Lock()
	defer h.chain.mu.Unlock()
	for root, n := range h.chain.sent {
		if n != 1 {
			t.Errorf("batch %s came into %d blocks", root, n)
		}
	}
	var sum market.Amount
	list := must[map[string][]api.Job](h, 200, h.key, "GET", "/v1/jobs", nil)["jobs"]
	for _, j := range list {
		var err error
		if sum, err = sum.Add(j.Price); err != nil {
			t.Fatal(err)
		}
	}
	if len(list) != jobs || sum != acc.Charged {
		t.Fatalf("%d jobs cost %s, %s were charged", len(list), sum, acc.Charged)
	}
}

// The replica that settles stops in the very moment before it sends, another
// takes its place and settles, and then the first goes on.
func batchOnce(t *testing.T, a, b *house) {
	m := b.miner(1)
	a.online()
	pinned, resume := make(chan struct{}), make(chan struct{})
	free := sync.OnceFunc(func() { close(resume) })
	defer free() // also when the test fails
	var stalled atomic.Bool
	stall := func() {
		if stalled.CompareAndSwap(false, true) {
			a.mute.Store(true) // the first replica leads: it was alone
			close(pinned)
			<-resume
		}
	}
	a.chain.mu.Lock()
	a.chain.pinned = stall
	a.chain.mu.Unlock()
	id := a.submit("hello")
	m.finish(m.claim(), "Hi")
	<-pinned
	b.until(id, "settled by the other", settled)
	free()
	a.mute.Store(false)
	m.beat()
	next := b.submit("again")
	m.finish(m.claim(), "Hi")
	b.until(next, "settled", settled)
	once(t, b, 2)
}

func cancelAtAnother(t *testing.T, a, b *house) {
	m := b.miner(1)
	a.online()
	queued := a.submit("one")
	early := a.submit("two")
	as := m.claim()
	if as.JobID == early {
		queued, early = early, queued
	} else {
		early, queued = as.JobID, early
	}
	for _, id := range []common.Hash{queued, early} {
		must[api.Job](a, 200, a.key, "DELETE", "/v1/jobs/"+id.Hex(), nil)
		if j := a.until(id, "canceled", func(j api.Job) bool { return j.State == market.Canceled }); j.Payment != market.Refunded {
			t.Fatalf("%+v", j)
		}
	}
	late := a.submit("three")
	as = m.claim()
	m.send(as, "Hi", " you")
	must[api.Job](a, 200, a.key, "DELETE", "/v1/jobs/"+late.Hex(), nil)
	b.eventually("the word for the miner", func() bool { return slices.Contains(m.beat(late).Cancel, late) }) // and not of the one before
	must[api.ResultResponse](b, 200, m.api, "POST", m.path(as, "result"), m.signed(as, m.receiptFor(as, 2), "canceled"))
	if j := a.until(late, "settled", settled); j.State != market.Canceled || j.Price.IsZero() {
		t.Fatalf("%+v", j)
	}
	once(t, a, 3)
}

// A miner whose requests come to now one and now the other replica still does its job.
func minerMoves(t *testing.T, a, b *house) {
	m := a.miner(1)
	b.online()
	id := a.submit("one")
	as := m.claim()
	m.send(as, "Hel")
	moved := m.at(b)
	moved.beat(id)
	m.send(as, "Hel", "lo") // back again
	moved.finish(as, "Hel", "lo")
	a.until(id, "settled", settled)
	next := b.submit("two") // and its next one comes from where it is now
	moved.finish(moved.claim(), "Yes")
	a.until(next, "settled", settled)
	once(t, a, 2)
}

// A replica that was silent for too long finds its jobs taken, and does no harm.
func givenUp(t *testing.T, a, b *house) {
	m := a.miner(1)
	b.online()
	id := a.submit("one")
	as := m.claim()
	leased, err := b.store.Job(t.Context(), id)
	if err != nil || leased.Owner == 0 {
		t.Fatalf("%+v, %v", leased, err)
	}
	a.mute.Store(true)
	b.eventually("the end of the first replica", func() bool {
		j, err := b.store.Job(t.Context(), id)
		if err == nil && j.Owner != leased.Owner {
			return true
		}
		m.beat(id) // its miner is still there, and gives it back to the first
		return false
	})
	a.mute.Store(false)
	m.at(b).finish(as, "Hi")
	b.until(id, "settled", settled)
	next := a.submit("two")
	m.finish(m.claim(), "Hi")
	a.until(next, "settled", settled)
	once(t, a, 2)
}

// The replica that works on a batch dies: another goes on, and no line runs twice.
func bulkMoves(t *testing.T, a, b *house) {
	m := b.miner(1)
	a.online()
	const n = 40
	kept := a.batch(a.key, a.put(chats(n)), "/v1/chat/completions")
	stop := m.serve()
	a.eventually("progress", func() bool { return !a.account().Charged.IsZero() })
	a.kill()
	done := b.ended(kept.ID)
	stop()
	out := b.lines(done.OutputFileID)
	jobs := map[string]bool{}
	for _, l := range out {
		jobs[l.Response.RequestID] = true
	}
	if done.Status != "completed" || len(out) != n || len(jobs) != n {
		t.Fatalf("%+v, %d lines of %d jobs", done, len(out), len(jobs))
	}
	if all := must[struct{ Jobs []api.Job }](b, 200, b.key, "GET", "/v1/jobs?limit=1000", nil).Jobs; len(all) != n {
		t.Fatalf("%d jobs for %d lines", len(all), n)
	}
	b.balanced()
}

// What was signed for a login, and a nonce, count once at all replicas; a key that one revokes opens nothing at another.
func usedAtAnother(t *testing.T, a, b *house) {
	r := a.message(clientKey, func(*siwe.Message) {})
	token := must[api.LoginResponse](b, 200, "", "POST", "/v1/login", r).Token // a nonce of the other's
	a.refused(403, "forbidden", "", "POST", "/v1/login", r)
	key := a.newKey(token, api.CreateKeyRequest{Scope: "read"})
	must[api.Account](b, 200, key.APIKey, "GET", "/v1/account", nil)
	must[map[string]string](a, 200, token, "DELETE", "/v1/keys/"+key.ID.Hex(), nil)
	b.eventually("the end of a revoked key", func() bool {
		status, _ := b.call(key.APIKey, "GET", "/v1/account", nil)
		return status == 401
	})
}
