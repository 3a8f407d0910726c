package miner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

const parrotClass = "exact/1;test"

var (
	parrotDigest = common.HexToHash("0xfeed")
	rates        = market.Rates{Prompt: market.Units(3_000_000), Completion: market.Units(5_000_000)}
)

// parrot is a model that says its words, one a token, after a gate opens.
type parrot struct {
	words []string
	gate  chan struct{} // nil: open; else each word takes one receive
	fail  error         // after the words

	mu    sync.Mutex
	calls []engine.Request
}

func (p *parrot) Info() engine.Info {
	return engine.Info{Name: "parrot", Digest: parrotDigest, Class: parrotClass, TokenIDs: true, ContextLength: 512, Parameters: 7}
}

func (p *parrot) Close() error { return nil }

func (p *parrot) called() []engine.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

func (p *parrot) Generate(ctx context.Context, req engine.Request, yield func(engine.Token) error) (engine.Result, error) {
	p.mu.Lock()
	p.calls = append(p.calls, req)
	p.mu.Unlock()
	r := engine.Result{PromptTokens: 4, FinishReason: engine.Stopped}
	for i, w := range p.words {
		if p.gate != nil {
			select {
			case <-p.gate:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			r.FinishReason = engine.Canceled
			return r, nil
		}
		if err := yield(engine.Token{Index: uint64(i), ID: uint32(i + 10), HasID: true, Text: w}); err != nil {
			return r, err
		}
		r.CompletionTokens++
	}
	return r, p.fail
}

// rig is a miner with its coordinator.
type rig struct {
	*coordinator
	model *parrot
	runs  engine.Model // in place of model, if it is set
	dir   string
	chain miner.Chain
	grace time.Duration

	sealing *sealed.Key
	rates   market.Rates
	gpus    []int            // that the model runs on
	others  []miner.Offering // beside it
	perGPU  int

	svc  *miner.Service
	logs *lockedBuffer
	stop func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{
		coordinator: newCoordinator(t), model: &parrot{words: []string{"one", " two", " three"}}, dir: t.TempDir(),
		grace: 10 * time.Second, logs: &lockedBuffer{}, rates: rates,
	}
}

// start runs the miner until the returned function, or the test, stops it.
func (r *rig) start(t *testing.T) {
	t.Helper()
	http, err := httpx.NewClient(r.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := spool.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	model := engine.Model(r.model)
	if r.runs != nil {
		model = r.runs
	}
	r.svc, err = miner.New(miner.Config{
		Signer: minerKey, Coordinator: http, Chain: r.chain, Offerings: append([]miner.Offering{{Model: model, Rates: r.rates, MaxTokens: 100, GPUs: r.gpus}}, r.others...),
		Slots: 2, GPUSlots: r.perGPU, Spool: kept, Sealing: r.sealing, Grace: r.grace, Version: "test", Log: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.svc.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if t.Failed() {
			t.Logf("miner's log:\n%s", r.logs)
		}
	})
}

func (r *rig) give(a api.Assignment) { r.set(func() { r.queue = append(r.queue, a) }) }

// result returns the accepted result of a job.
func (r *rig) resultOf(a api.Assignment) api.ResultRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[a.JobID]
}

// eventually waits until ok, which looks at what no event tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}

func (r *rig) unsent(t *testing.T) int {
	t.Helper()
	s, err := spool.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Results()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestCompletedJobHasAReceiptThatVerifies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.wait("result")
	got := r.resultOf(a)
	x := got.Receipt
	if err := receipt.Verify(domain, x, got.Signature, minerKey.Address()); err != nil {
		t.Fatal(err)
	}
	out := receipt.NewOutput(salt)
	for i := range 3 {
		out.Token(uint32(i + 10))
	}
	want := receipt.Receipt{
		Version: 1, Order: a.JobID, Session: 5, Client: client, Coordinator: coordinatorKey.Address(), Miner: minerKey.Address(),
		Model: parrotDigest, Class: receipt.Class(parrotClass), Output: out.Root(), PromptTokens: 4, CompletionTokens: 3, Items: 1,
		PromptRate: rates.Prompt, CompletionRate: rates.Completion, Price: market.Units(4*3 + 3*5),
		TemperatureMilli: 700, TopPMilli: 900, TopK: 40, Seed: 1 << 63,
		ComputeMillis: x.ComputeMillis, StartedAt: x.StartedAt, FinishedAt: x.FinishedAt,
	}
	if x != want || got.FinishReason != "stop" {
		t.Fatalf("receipt %+v", x)
	}
	if now := uint64(time.Now().UnixMilli()); x.FinishedAt < x.StartedAt || x.FinishedAt > now || x.StartedAt+60_000 < now || x.FinishedAt-x.StartedAt != x.ComputeMillis {
		t.Errorf("times %d to %d, %d ms", x.StartedAt, x.FinishedAt, x.ComputeMillis)
	}
	if len(r.offers) != 1 || r.offers[0].Digest != parrotDigest || r.offers[0].MaxTokens != 100 {
		t.Errorf("offers %+v", r.offers)
	}
	eventually(t, "the result is forgotten", func() bool { return r.unsent(t) == 0 })
	s, err := spool.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	iou, err := s.IOU(coordinatorKey.Address())
	if err != nil || iou.Total != market.Units(27) || iou.Receipt != x {
		t.Fatalf("iou %+v, %v", iou, err)
	}
	c := receipt.Countersignature{Receipt: receipt.Digest(domain, x), Miner: minerKey.Address(), MinerTotal: iou.Total}
	if err := receipt.Verify(domain, c, iou.Countersignature, coordinatorKey.Address()); err != nil {
		t.Error(err)
	}
}

func TestContentStaysInMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model.words = []string{"a whispered", " answer"}
	r.cutResults = 1 // so that the result lies on disk for a while
	r.start(t)
	r.give(order(t, 1, nil))
	r.wait("result cut")
	text := r.logs.String()
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		text += string(b)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	r.wait("result")
	text += r.logs.String()
	for _, secret := range []string{"planted", "whispered", "answer"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q was written down:\n%s", secret, text)
		}
	}
}

func TestAssignmentsThatDoNotAddUpAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code string
		edit func(*api.Assignment, *api.Request)
	}{
		"another model":     {"model_mismatch", func(a *api.Assignment, _ *api.Request) { a.Order.Model = common.Hash{1} }},
		"another class":     {"model_mismatch", func(a *api.Assignment, _ *api.Request) { a.Order.Class = common.Hash{1} }},
		"a lying class":     {"model_mismatch", func(a *api.Assignment, _ *api.Request) { a.Class = "exact/2" }},
		"another name":      {"model_mismatch", func(_ *api.Assignment, q *api.Request) { q.Model = "llama" }},
		"another input":     {"input_mismatch", func(a *api.Assignment, _ *api.Request) { a.Order.Input = common.Hash{1} }},
		"a short salt":      {"input_mismatch", func(a *api.Assignment, _ *api.Request) { a.Salt = a.Salt[:31] }},
		"another order":     {"order_mismatch", func(a *api.Assignment, _ *api.Request) { a.JobID = common.Hash{1} }},
		"no signature":      {"bad_signature", func(a *api.Assignment, _ *api.Request) { a.OrderSignature[64] = 29 }},
		"unknown fields":    {"bad_request", func(a *api.Assignment, _ *api.Request) { a.Request = []byte(`{"v":1,"x":2}`) }},
		"a program":         {"bad_request", func(_ *api.Assignment, q *api.Request) { q.Prompt, q.Messages, q.Container = "", nil, &api.Container{} }},
		"another version":   {"bad_request", func(_ *api.Assignment, q *api.Request) { q.Version = 2 }},
		"too many tokens":   {"bad_request", func(_ *api.Assignment, q *api.Request) { q.MaxTokens = 101 }},
		"lower rates":       {"rates_mismatch", func(a *api.Assignment, _ *api.Request) { a.Completion = market.Units(1) }},
		"an expired order":  {"expired", func(a *api.Assignment, _ *api.Request) { a.Order.Deadline = uint64(time.Now().Unix()) }},
		"too little money":  {"price_too_low", func(a *api.Assignment, _ *api.Request) { a.Order.MaxPrice = market.Units(499) }},
		"a higher margin":   {"terms_mismatch", func(a *api.Assignment, _ *api.Request) { a.MarginBps = 101 }},
		"an impossible fee": {"terms_mismatch", func(a *api.Assignment, _ *api.Request) { a.FeeBps = 9_950 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.start(t)
			a := order(t, 1, c.edit)
			r.give(a)
			r.wait("failure")
			r.mu.Lock()
			f := r.failures[a.JobID]
			r.mu.Unlock()
			if f.Code != c.code || f.Retryable || f.Lease != a.Lease || len(r.model.called()) != 0 {
				t.Fatalf("failure %+v, %d calls", f, len(r.model.called()))
			}
		})
	}
}

func TestCanceledJobBillsWhatWasDelivered(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"stream", "heartbeat"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.model.words = strings.Split(strings.Repeat("word ", 50), " ")
			r.model.gate = make(chan struct{}, 50)
			r.start(t)
			a := order(t, 1, nil)
			r.give(a)
			r.model.gate <- struct{}{}
			r.wait("piece")
			r.model.gate <- struct{}{}
			r.wait("piece")
			r.set(func() { r.cancel[a.JobID] = true })
			if way == "stream" { // the answer to the next piece says so
				r.model.gate <- struct{}{}
			}
			r.wait("result")
			got := r.resultOf(a)
			n := uint64(len(r.streams[a.JobID]))
			if got.FinishReason != "canceled" || got.Receipt.CompletionTokens != n || n < 2 || n > 3 || got.Receipt.Price != market.Units(4*3+5*n) {
				t.Fatalf("%d delivered, %+v", n, got)
			}
		})
	}
}

func TestFailureOfTheEngineIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err       error
		code      string
		retryable bool
	}{
		{fmt.Errorf("%w: a planted secret", engine.ErrBadRequest), "bad_request", false},
		{engine.ErrTooLong, "too_long", false},
		{engine.ErrUnavailable, "engine_unavailable", true},
		{engine.ErrUnsupported, "unsupported", true},
		{errors.New("boom"), "engine_error", true},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.model.fail = c.err
			r.start(t)
			a := order(t, 1, nil)
			r.give(a)
			r.wait("failure")
			r.mu.Lock()
			defer r.mu.Unlock()
			f := r.failures[a.JobID]
			if f.Code != c.code || f.Retryable != c.retryable || strings.Contains(f.Message, "planted") || len(r.results) != 0 {
				t.Fatalf("failure %+v", f)
			}
		})
	}
}

func TestNoWorkBeyondTheLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limit = market.Units(20) // the first job earns 27
	r.start(t)
	first, second := order(t, 1, nil), order(t, 2, nil)
	r.give(first)
	r.wait("result")
	eventually(t, "the miner stops", func() bool { return strings.Contains(r.svc.Status().Reason, "no work until it pays") })
	r.wait("poll ended")
	r.give(second)
	r.wait("heartbeat")
	r.wait("heartbeat")
	r.mu.Lock()
	waiting := len(r.queue)
	r.mu.Unlock()
	if waiting != 1 {
		t.Fatal("took a job beyond the limit")
	}
	r.set(func() { r.credited = market.Units(27) })
	r.wait("result")
	if r.resultOf(second).Receipt.Order != second.JobID {
		t.Fatal("the second job was not done")
	}
}

func TestAHeldMinerTakesNoWorkUntilItIsLetGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gpus = []int{0}
	r.start(t)
	r.wait("heartbeat")
	r.svc.Hold(1, "it is nobody's")
	r.svc.Hold(0, "GPU 0 is too hot")
	r.wait("heartbeat")
	r.wait("heartbeat") // a poll that was under way has ended
	if st := r.svc.Status(); st.Reason != "GPU 0 is too hot" || st.Health().Status != "waiting" {
		t.Fatalf("%q, %s", st.Reason, st.Health().Status)
	}
	a := order(t, 1, nil)
	r.give(a)
	r.wait("heartbeat")
	r.mu.Lock()
	waiting := len(r.queue)
	r.mu.Unlock()
	if waiting != 1 {
		t.Fatal("took a job while held")
	}
	r.svc.Hold(0, "")
	r.wait("result")
	if r.resultOf(a).Receipt.Order != a.JobID {
		t.Fatal("the job was not done")
	}
}

func TestCoordinatorThatSignsForTooLittleGetsNoMoreWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.earn = func(market.Amount) market.Amount { return market.Units(1) }
	r.start(t)
	r.give(order(t, 1, nil))
	r.wait("result")
	eventually(t, "distrust", func() bool { return strings.Contains(r.svc.Status().Reason, "cheats") })
	if r.unsent(t) != 1 {
		t.Fatal("the evidence is gone")
	}
}

func TestStopLetsJobsFinish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model.gate = make(chan struct{}, 3)
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.model.gate <- struct{}{}
	r.wait("piece")
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	r.wait("drain")
	r.model.gate <- struct{}{}
	r.model.gate <- struct{}{}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if r.resultOf(a).FinishReason != "stop" {
		t.Fatal("the job was not finished")
	}
}

func TestStopGivesUpWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model.gate = make(chan struct{}, 3)
	r.grace = 10 * time.Millisecond
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.model.gate <- struct{}{}
	r.wait("piece")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.failures[a.JobID]; f.Code != "draining" || !f.Retryable || len(r.results) != 0 {
		t.Fatalf("failure %+v", f)
	}
}

func TestStatusPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t)
	r.give(order(t, 1, nil))
	r.wait("result")
	eventually(t, "counted", func() bool { return r.svc.Status().Totals.Jobs["completed"] == 1 })
	for path, want := range map[string][]string{
		"/health":  {`"status":"ok"`, `"models":["parrot"]`, `"link":"up"`},
		"/status":  {`"owed":"27"`, `"completed":1`, `"phase":"working"`},
		"/metrics": {"aitbc_miner_jobs_total{outcome=\"completed\"} 1\n", "aitbc_miner_tokens_total{kind=\"completion\"} 3\n", "aitbc_miner_link_up 1\n", "aitbc_miner_first_token_seconds_count 1\n", "aitbc_miner_free_slots "},
	} {
		w := httptest.NewRecorder()
		r.svc.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		for _, s := range want {
			if w.Code != 200 || !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s: %d, no %s in %s", path, w.Code, s, w.Body)
			}
		}
	}
}

// What docs/OBSERVABILITY.md lists is on the running miner, and nothing else is.
func TestMetricsAreAsDocumented(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t)
	doc, err := os.ReadFile("../docs/OBSERVABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.svc.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	names := func(text, pattern string) (out []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	documented, served := names(string(doc), "`(aitbc_miner_\\w+)`"), names(w.Body.String(), `(?m)^# TYPE (\S+) `)
	// GPUs' are the program's, which looks at them.
	documented = slices.DeleteFunc(documented, func(name string) bool { return strings.HasPrefix(name, "aitbc_miner_gpu_") })
	if len(served) < 10 || !slices.Equal(documented, served) {
		t.Errorf("documented\n%v, served\n%v", documented, served)
	}
}
