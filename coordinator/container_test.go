package coordinator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/artifact"
)

// image is a miner's offer of one.
var image = api.Offer{
	Model: "tool", Digest: common.Hash{0x1a}, Class: "container/1;test", MaxTokens: 1, MaxSeconds: 600, Kind: api.KindContainer, Rates: market.Rates{Second: market.Units(3)},
}

// text sends lines as pieces without token ids.
func (r *rig) text(a api.Assignment, lines ...string) {
	r.h.t.Helper()
	var b strings.Builder
	for i, l := range lines {
		raw, err := json.Marshal(api.Piece{Index: uint64(i), Text: l})
		if err != nil {
			r.h.t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	must[api.StreamResponse](r.h, 200, r.api, "POST", r.path(a, "stream?lease="+a.Lease), b.String())
}

// program makes the receipt of one that ran so long and said the lines.
func (r *rig) program(a api.Assignment, ran time.Duration, lines ...string) receipt.Receipt {
	r.h.t.Helper()
	x := r.receiptFor(a, 0)
	out := receipt.NewOutput(receipt.Salt(a.Salt))
	for _, l := range lines {
		out.Text(l)
	}
	x.PromptTokens, x.ComputeMillis, x.Output = 0, uint64(ran.Milliseconds()), out.Root()
	x.FinishedAt = x.StartedAt + x.ComputeMillis
	var err error
	if x.Price, err = market.Price(a.Rates, x.Usage()); err != nil {
		r.h.t.Fatal(err)
	}
	return x
}

func order(seconds uint64) api.SubmitRequest {
	return api.SubmitRequest{Model: "tool", MaxSeconds: seconds, Container: &api.Container{Command: []string{"go"}, Files: []api.ContainerFile{{Path: "in", Data: []byte("x")}}}}
}

func TestProgramsAreChargedByTheSecond(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	image := image
	image.Rates.Second = market.Units(750)
	m.register(image, api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	defer m.alive()()
	id := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", order(20)).JobID
	if j := h.job(id); j.MaxPrice != market.Units(15_000) || !j.Container {
		t.Errorf("job: %+v", j)
	}
	a := m.claim()
	var req api.Request
	if err := json.Unmarshal(a.Request, &req); err != nil || req.Container == nil || req.MaxSeconds != 20 || a.Order.Model != image.Digest {
		t.Fatalf("%+v %v", req, err)
	}
	lines := []string{artifact.Line{Out: "done"}.Encode(), artifact.Line{End: &artifact.End{Reason: artifact.Exited, Millis: 10}}.Encode()}
	m.text(a, lines...)
	for name, x := range map[string]receipt.Receipt{
		"more than its times hold": func() receipt.Receipt {
			x := m.program(a, 10*time.Millisecond, lines...)
			x.FinishedAt--
			return x
		}(),
		"more than it was leased for": func() receipt.Receipt {
			x := m.program(a, 4*time.Second, lines...)
			x.StartedAt, x.FinishedAt = x.StartedAt-3_000, x.FinishedAt-3_000 // as a clock might say that is three seconds slow
			return x
		}(),
		"more than was ordered": m.program(a, 20_001*time.Millisecond, lines...),
		"another output":        m.program(a, 10*time.Millisecond, lines[1]),
	} {
		status, raw := h.call(m.api, "POST", m.path(a, "result"), m.signed(a, x, "stop"))
		if status != 400 {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	must[api.ResultResponse](h, 200, m.api, "POST", m.path(a, "result"), m.signed(a, m.program(a, 10*time.Millisecond, lines...), "stop"))
	got := must[api.Result](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil)
	if got.Price != market.Units(8) || got.Usage.CompletionTokens != 0 || got.Timeline.TokensPerSecond != 0 {
		t.Errorf("%+v", got)
	}
	if r, err := artifact.Read(got.Output); err != nil || r.Out != "done" {
		t.Errorf("%+v %v", r, err)
	}
	h.balanced()
}

func TestProgramsGoToImagesAndPromptsToModels(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	m.register(image, api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	defer m.alive()()
	wrong := order(1)
	wrong.Model = modelName
	h.refused(404, "model_not_found", h.key, "POST", "/v1/jobs", wrong)
	h.refused(404, "model_not_found", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: "tool", Prompt: "hello"})
	h.refused(404, "model_not_found", h.key, "POST", "/v1/jobs", order(601))
	for name, change := range map[string]func(*api.SubmitRequest){
		"prompt too":   func(r *api.SubmitRequest) { r.Prompt = "x" },
		"tokens":       func(r *api.SubmitRequest) { r.MaxTokens = 5 },
		"sampling":     func(r *api.SubmitRequest) { r.TopK = 5 },
		"upwards":      func(r *api.SubmitRequest) { r.Container.Files[0].Path = "../x" },
		"twice":        func(r *api.SubmitRequest) { r.Container.Files = append(r.Container.Files, r.Container.Files[0]) },
		"bad variable": func(r *api.SubmitRequest) { r.Container.Env = map[string]string{"A=B": "c"} },
		"for the GPU":  func(r *api.SubmitRequest) { r.Container.Env = map[string]string{"NVIDIA_VISIBLE_DEVICES": "all"} },
		"loader's":     func(r *api.SubmitRequest) { r.Container.Env = map[string]string{"LD_PRELOAD": "/job/x.so"} },
		"zero byte":    func(r *api.SubmitRequest) { r.Container.Command = []string{"a\x00"} },
		"too much":     func(r *api.SubmitRequest) { r.Container.Files[0].Data = make([]byte, api.MaxContainerBytes) },
	} {
		r := order(5)
		change(&r)
		if status, raw := h.call(h.key, "POST", "/v1/jobs", r); status != 400 {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	for name, change := range map[string]func(*api.Offer){
		"unknown kind": func(o *api.Offer) { o.Kind = "toaster" },
		"prompt rate":  func(o *api.Offer) { o.Prompt = market.Units(1) },
		"free":         func(o *api.Offer) { o.Second = market.Amount{} },
		"endless":      func(o *api.Offer) { o.MaxSeconds = 0 },
		"embeddings":   func(o *api.Offer) { o.Embeddings = true },
	} {
		o := image
		change(&o)
		if status, raw := h.call("", "POST", "/v1/miners/register", m.login(o)); status != 400 {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

// Two miners' answers to one program are not alike: whoever reads is told to
// begin anew, and the second is paid for its own.
func TestAProgramThatIsRunAgainIsReadAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one, two := h.miner(1), h.miner(2)
	one.register(image)
	id := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", order(20)).JobID
	a := one.claim()
	defer one.alive()()
	two.register(image)
	defer two.alive()()
	first := artifact.Line{Out: "at 10:00\n"}.Encode()
	one.text(a, first)
	h.until(id, "running", func(j api.Job) bool { return j.State == market.Running })
	var events []api.Event
	seen, done := make(chan struct{}), make(chan error, 1)
	go func() {
		c, err := client.New(h.srv.URL, secret.New(h.key))
		if err != nil {
			done <- err
			return
		}
		done <- c.Follow(t.Context(), id, func(e api.Event) error {
			if events = append(events, e); e.Text == first {
				close(seen)
			}
			return nil
		})
	}()
	<-seen
	must[map[string]string](h, 200, one.api, "POST", one.path(a, "failure"), api.FailureRequest{Lease: a.Lease, Code: "engine_unavailable", Retryable: true})
	b := two.claim()
	lines := []string{artifact.Line{Out: "at 10:01\n"}.Encode(), artifact.Line{End: &artifact.End{Reason: artifact.Exited, Millis: 10}}.Encode()}
	two.text(b, lines...)
	must[api.ResultResponse](h, 200, two.api, "POST", two.path(b, "result"), two.signed(b, two.program(b, 10*time.Millisecond, lines...), "stop"))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range events {
		if e.Type == "token" {
			texts = append(texts, e.Text)
		}
	}
	if want := append([]string{first}, lines...); strings.Join(texts, "") != strings.Join(want, "") {
		t.Errorf("came %q, want %q", texts, want)
	}
	got := must[api.Result](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil)
	if got.Output != strings.Join(lines, "") || got.Price != market.Units(1) {
		t.Errorf("%+v", got)
	}
	h.balanced()
}
