package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// connect opens the miner's link. hangUp ends it and waits for its end.
func (r *rig) connect() (c *wire.Client, hangUp func()) {
	r.h.t.Helper()
	client, err := httpx.NewClient(r.h.srv.URL)
	if err != nil {
		r.h.t.Fatal(err)
	}
	header := wire.Upgrade()
	header.Set("X-Api-Key", r.api)
	conn, err := client.Upgrade(r.h.t.Context(), httpx.Request{Method: http.MethodGet, Path: wire.Path, Header: header})
	if err != nil {
		r.h.t.Fatal(err)
	}
	c = wire.NewClient(conn)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(r.h.t.Context())
	wg.Go(func() { _ = c.Run(ctx) })
	hangUp = func() { cancel(); wg.Wait() }
	r.h.t.Cleanup(hangUp)
	return c, hangUp
}

// claimOver waits for a job over the link.
func (r *rig) claimOver(c *wire.Client) api.Assignment {
	r.h.t.Helper()
	a, err := c.Claim(r.h.t.Context(), 5*time.Second)
	if err != nil || a == nil {
		r.h.t.Fatalf("no job: %+v, %v", a, err)
	}
	return *a
}

func (r *rig) finishOver(c *wire.Client, a api.Assignment, words ...string) error {
	if _, err := c.Stream(r.h.t.Context(), a.JobID, a.Lease, strings.NewReader(lines(words...)), false); err != nil {
		return err
	}
	_, err := c.Result(r.h.t.Context(), a.JobID, r.signed(a, r.receiptFor(a, len(words)), "stop"))
	return err
}

func TestManyJobsGoOverOneConnection(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	c, _ := m.connect()
	const jobs = 12
	var ids []common.Hash
	for range jobs {
		ids = append(ids, h.submit("hi"))
	}
	var wg sync.WaitGroup
	for range 2 { // slots
		wg.Go(func() {
			for {
				a, err := c.Claim(t.Context(), time.Second)
				if err != nil || a == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if err := m.finishOver(c, *a, "a", " b", " c"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if j := h.job(id); j.State != market.Completed || j.Usage.CompletionTokens != 3 {
			t.Errorf("%+v", j)
		}
	}
	beat, err := c.Heartbeat(t.Context(), api.HeartbeatRequest{Running: []common.Hash{}})
	if err != nil || beat.MinerTotal.IsZero() {
		t.Errorf("%+v, %v", beat, err)
	}
	h.balanced()
}

func TestTheLinkRefusesWhatTheRoutesRefuse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m, thief := h.miner(1), h.miner(2)
	thief.register(api.Offer{Model: "other", Digest: common.Hash{9}, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	c, _ := m.connect()
	stolen, _ := thief.connect()
	h.submit("hi")
	a := m.claimOver(c)
	if _, err := stolen.Result(t.Context(), a.JobID, thief.signed(a, thief.receiptFor(a, 0), "stop")); !apierr.HasCode(err, apierr.NotAssigned) {
		t.Errorf("another's result: %v", err)
	}
	// A stream is refused once something came of it; the reader holds the body open until then.
	if err := streamUntil(t, stolen, a.JobID, a.Lease); !apierr.HasCode(err, apierr.NotAssigned) {
		t.Errorf("another's tokens: %v", err)
	}
	if err := streamUntil(t, c, a.JobID, "another lease"); !apierr.HasCode(err, apierr.LeaseLost) {
		t.Errorf("tokens of a lease that is none: %v", err)
	}
	if err := c.Failure(t.Context(), a.JobID, api.FailureRequest{Lease: "x"}); !apierr.HasCode(err, apierr.LeaseLost) {
		t.Errorf("failure: %v", err)
	}
	h.refused(400, "invalid_argument", m.api, "GET", wire.Path, nil)
	h.refused(401, "unauthorized", "", "GET", wire.Path, nil)
	h.refused(403, "forbidden", h.key, "GET", wire.Path, nil)
	if err := m.finishOver(c, a, "a"); err != nil {
		t.Error(err)
	}
	h.balanced()
}

// endless gives the lines of a stream again and again, so that whoever reads it
// stops only when told.
type endless struct{ index int }

func (e *endless) Read(b []byte) (int, error) {
	e.index++
	return copy(b, fmt.Sprintf("{\"i\":0,\"id\":10,\"text\":%q}\n", "a")), nil
}

// streamUntil streams until the coordinator has it stop.
func streamUntil(t *testing.T, c *wire.Client, job common.Hash, lease string) error {
	t.Helper()
	_, err := c.Stream(t.Context(), job, lease, &endless{}, false)
	return err
}

func TestAStopReachesTheMinerInTheMiddleOfItsStream(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	c, _ := m.connect()
	id := h.submit("hi")
	a := m.claimOver(c)
	body, feed := io.Pipe()
	type outcome struct {
		got api.StreamResponse
		err error
	}
	ended := make(chan outcome, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		got, err := c.Stream(t.Context(), a.JobID, a.Lease, body, false)
		_ = body.Close()
		ended <- outcome{got, err}
	})
	if _, err := io.WriteString(feed, lines("a", " b")); err != nil {
		t.Fatal(err)
	}
	h.until(id, "running", func(j api.Job) bool { return j.State == market.Running })
	must[api.Job](h, 200, h.key, "DELETE", "/v1/jobs/"+id.Hex(), nil)
	for { // the same again and again, until it is told to stop
		if _, err := io.WriteString(feed, lines("a")); err != nil {
			break
		}
	}
	_ = feed.Close()
	got := <-ended
	if got.err != nil || got.got != (api.StreamResponse{Delivered: 2, Canceled: true}) {
		t.Fatalf("%+v", got)
	}
	const n = 2
	if _, err := c.Result(t.Context(), a.JobID, m.signed(a, m.receiptFor(a, n), "canceled")); err != nil {
		t.Fatal(err)
	}
	if j := h.job(id); j.State != market.Canceled || j.Usage.CompletionTokens != n || j.Price.IsZero() {
		t.Fatalf("%+v", j)
	}
	h.balanced()
}

// A lease outlives the connection and the coordinator: the miner connects again,
// sends its stream once more and is paid once.
func TestALeaseOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	c, hangUp := m.connect()
	id := h.submit("hi")
	a := m.claimOver(c)
	if _, err := c.Stream(t.Context(), a.JobID, a.Lease, strings.NewReader(lines("a", " b")), false); err != nil {
		t.Fatal(err)
	}
	hangUp()
	if _, err := c.Claim(t.Context(), time.Second); !errors.Is(err, wire.ErrClosed) {
		t.Fatalf("a claim over a connection that is gone: %v", err)
	}
	c, _ = m.connect()
	if _, err := c.Heartbeat(t.Context(), api.HeartbeatRequest{Running: []common.Hash{id}}); err != nil {
		t.Fatal(err)
	}
	h.restart()
	m.register(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	c, _ = m.connect()
	q := m.signed(a, m.receiptFor(a, 2), "stop")
	if _, err := c.Result(t.Context(), a.JobID, q); !apierr.HasCode(err, apierr.StreamGap) {
		t.Fatalf("the stream is lost, and the result was taken: %v", err)
	}
	if _, err := c.Stream(t.Context(), a.JobID, a.Lease, strings.NewReader(lines("a", " b")), false); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time as if the answer had been lost
		got, err := c.Result(t.Context(), a.JobID, q)
		if err != nil || got.MinerTotal.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if j := h.job(id); j.State != market.Completed || j.Price != h.account().Charged {
		t.Fatalf("%+v", j)
	}
	h.balanced()
}

// A job whose miners' connections break before they hear of it has not been tried: it fails for that no more often than
// for waiting.
func TestALeaseThatNobodyHeardOfIsNoAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("hello")
	who := coordinator.Caller{Key: ledger.Key{Account: m.key.Address()}}
	for range 5 {
		a := m.claim()
		if err := h.svc.GiveBack(t.Context(), who, id, a.Lease); err != nil {
			t.Fatal(err)
		}
		if j := h.job(id); j.State != market.Queued || j.Attempts != 0 {
			t.Fatalf("job %+v", j)
		}
	}
	m.finish(m.claim(), "Hi")
	if j := h.until(id, "settled", settled); j.Attempts != 1 {
		t.Fatalf("job %+v", j)
	}
	h.balanced()
}
