package miner_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/spool"
)

// fleet is a miner at two coordinators, with one slot unless cfg says otherwise.
type fleet struct {
	one, two *coordinator
	model    *parrot
	f        *miner.Fleet
	dir      string
	logs     *lockedBuffer
	cfg      miner.Config
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	x := &fleet{one: newCoordinator(t), two: newCoordinator(t), model: &parrot{words: []string{"one", " two", " three"}}, dir: t.TempDir(), logs: &lockedBuffer{}}
	x.two.key = newKey(4)
	return x
}

func (x *fleet) start(t *testing.T) {
	t.Helper()
	var at []*httpx.Client
	for _, c := range []*coordinator{x.one, x.two} {
		client, err := httpx.NewClient(c.server.URL)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, client)
	}
	kept, err := spool.Open(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := x.cfg
	cfg.Signer, cfg.Slots, cfg.Spool, cfg.Version = minerKey, max(1, cfg.Slots), kept, "test"
	if cfg.Offerings == nil {
		cfg.Offerings = []miner.Offering{{Model: x.model, Rates: rates, MaxTokens: 100}}
	}
	cfg.Log = slog.New(slog.NewTextHandler(x.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	x.f, err = miner.NewFleet(cfg, at)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if t.Failed() {
			t.Logf("miner's log:\n%s", x.logs)
		}
	})
}

// linked waits until jobs are asked for over both links. A claim that is withdrawn over the link has an answer; over HTTP the
// coordinator would find out by itself.
func (x *fleet) linked(t *testing.T) {
	t.Helper()
	eventually(t, "both links", func() bool { return x.one.board.links() > 0 && x.two.board.links() > 0 })
	x.f.Drain(t.Context(), true) // the first claims went over HTTP
	x.f.Drain(t.Context(), false)
	eventually(t, "claims over both links", func() bool { return x.one.board.count(0, wire.Claim) > 0 && x.two.board.count(0, wire.Claim) > 0 })
}

// One machine works for several coordinators, each of which countersigns for itself, and never runs more than its slots.
func TestOneMinerAtSeveralCoordinators(t *testing.T) {
	t.Parallel()
	x := newFleet(t)
	x.model.gate = make(chan struct{}, 100)
	x.start(t)
	x.linked(t)
	a, b := order(t, 1, nil), order(t, 2, nil)
	x.one.set(func() { x.one.queue = append(x.one.queue, a) })
	eventually(t, "the first job", func() bool { return len(x.f.Status().Running) == 1 })
	x.two.set(func() { x.two.queue = append(x.two.queue, b) })
	eventually(t, "no free slot anywhere", func() bool {
		free := false
		for _, c := range []*coordinator{x.one, x.two} {
			c.set(func() { free = free || c.free != 0 })
		}
		return !free
	})
	if st := x.f.Status(); len(st.Running) != 1 || len(st.Coordinators) != 2 {
		t.Errorf("with its one slot taken: %+v", st)
	}
	for range 6 {
		x.model.gate <- struct{}{}
	}
	x.one.wait("result")
	x.two.wait("result")
	eventually(t, "both are owed", func() bool { return x.f.Status().Owed == market.Units(2*27) })
	kept, err := spool.Open(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*coordinator{x.one, x.two} {
		iou, err := kept.IOU(c.key.Address())
		if err != nil || iou.Total != market.Units(27) {
			t.Errorf("iou of %s: %+v %v", c.key.Address(), iou, err)
		}
	}
	web := httptest.NewServer(x.f.Handler())
	defer web.Close()
	resp, err := http.Get(web.URL + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var h miner.Health
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil || h.Status != "ok" || h.Slots != 1 {
		t.Errorf("health %+v %v", h, err)
	}
}

// A coordinator that is away, or of another network, keeps the miner from nobody else's work.
func TestOneCoordinatorsTroubleIsNotTheOthers(t *testing.T) {
	t.Parallel()
	x := newFleet(t)
	x.one.set(func() { x.one.down = true })
	x.start(t)
	b := order(t, 2, nil)
	x.two.set(func() { x.two.queue = append(x.two.queue, b) })
	x.two.wait("result")
	eventually(t, "the job is counted", func() bool { return x.f.Status().Totals.Jobs["completed"] == 1 })
	st := x.f.Status()
	if st.ChainID != domain.ChainID || st.Phase != miner.Working || st.Link != "up" || st.Reason != "" || st.Health().Status != "ok" {
		t.Errorf("status %+v", st)
	}
	x.f.Drain(t.Context(), true)
	if st := x.f.Status(); st.Reason == "" || st.Health().Status != "waiting" {
		t.Errorf("drained: %+v", st)
	}
	x.f.Drain(t.Context(), false)
	x.one.set(func() { x.one.down = false })
	a := order(t, 1, nil)
	x.one.set(func() { x.one.queue = append(x.one.queue, a) })
	x.one.wait("result")
}

// Jobs that two coordinators give at the same moment do not both get the one slot: what is not run is told at once, and may
// go elsewhere.
func TestABusyMinerSaysSo(t *testing.T) {
	t.Parallel()
	x := newFleet(t)
	x.model.gate = make(chan struct{}, 100)
	x.start(t)
	x.linked(t)
	a, b := order(t, 1, nil), order(t, 2, nil)
	x.one.mu.Lock()
	x.two.mu.Lock()
	x.one.queue, x.two.queue = append(x.one.queue, a), append(x.two.queue, b)
	x.two.mu.Unlock()
	x.one.mu.Unlock()
	for range 6 {
		x.model.gate <- struct{}{}
	}
	// Either both run, one after another, or one was busy.
	ended := func(c *coordinator, job api.Assignment) (done, busy bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, done = c.results[job.JobID]
		f, failed := c.failures[job.JobID]
		if failed && (f.Code != "busy" || !f.Retryable) {
			t.Errorf("failure %+v", f)
		}
		return done, failed
	}
	eventually(t, "both ends", func() bool {
		d1, b1 := ended(x.one, a)
		d2, b2 := ended(x.two, b)
		return (d1 || b1) && (d2 || b2) && (d1 || d2)
	})
	if calls := len(x.model.called()); calls > 2 {
		t.Errorf("%d calls of the model", calls)
	}
}
