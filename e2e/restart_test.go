package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// load orders jobs, whole and streamed, through whatever restarts are going on.
type load struct {
	n     *network.Network
	model string
	acked atomic.Int64

	mu   sync.Mutex // guards what follows
	jobs []common.Hash
	errs []error
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *load) know(id common.Hash) {
	l.mu.Lock()
	l.jobs = append(l.jobs, id)
	l.mu.Unlock()
	l.acked.Add(1)
}

// again spaces out attempts.
func again(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

// submits orders jobs under keys of its own until stop: the same again until it
// is acknowledged.
func (l *load) submits(ctx context.Context, who int, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		for ctx.Err() == nil {
			out, err := l.n.Client().Submit(ctx, api.SubmitRequest{Model: l.model, Prompt: "Say hello.", MaxTokens: 4, TTLSeconds: 120}, fmt.Sprintf("job %d/%d", who, i))
			if err == nil {
				l.know(out.JobID)
				break
			}
			again(ctx)
		}
	}
}

// streams reads answers until stop. One that is cut is asked for again with its
// key, and comes whole as the answer of the same job.
func (l *load) streams(ctx context.Context, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		var job string
		for ctx.Err() == nil {
			id, whole, err := l.stream(ctx, fmt.Sprint("stream ", i))
			if err != nil {
				l.fail(err)
				return
			}
			if id != "" && job != "" && id != job {
				l.fail(fmt.Errorf("the stream of job %s went on as job %s", job, id))
			}
			if id != "" && job == "" {
				job = id
				l.know(common.HexToHash(id))
			}
			if whole {
				break
			}
			again(ctx)
		}
	}
}

// stream reads one streamed answer. An error is one that no restart explains.
func (l *load) stream(ctx context.Context, key string) (job string, whole bool, err error) {
	body := fmt.Sprintf(`{"model":%q,"stream":true,"max_tokens":8,"messages":[{"role":"user","content":"Say hello."}]}`, l.model)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.n.APIURL()+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", l.n.APIKey().Reveal())
	r.Header.Set("Idempotency-Key", key)
	resp, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		return "", false, nil //nolint:nilerr // the coordinator is away
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or cut
	job = resp.Header.Get("X-Aitbc-Job")
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body) // what came of it
		var e struct {
			Error struct{ Message, Type string }
		}
		if json.Unmarshal(raw, &e) == nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusNotFound {
			return job, false, fmt.Errorf("stream refused: %d %s", resp.StatusCode, raw)
		}
		return job, false, nil // to be tried again; not found: the miner is not back yet
	}
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "data: [DONE]") {
			return job, true, nil
		}
		if strings.HasPrefix(line, `data: {"error"`) && !strings.Contains(line, "server_error") {
			return job, false, fmt.Errorf("a stream ended with %s", line)
		}
		if err != nil {
			return job, false, nil //nolint:nilerr // cut
		}
	}
}

// The coordinator is killed and stopped again and again while clients order and
// read: no acknowledged job is lost, every stream comes whole when it is asked for
// again, and every coin is where it belongs.
func TestRestartUnderLoad(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	l := &load{n: n, model: model(t, n)}
	before := n.Audit()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for who := range 4 {
		clients.Go(func() { l.submits(t.Context(), who, stop) })
	}
	clients.Go(func() { l.streams(t.Context(), stop) })
	for range 3 {
		more := l.acked.Load() + 40
		n.Wait("load", func() bool { return l.acked.Load() >= more })
		n.Kill("coordinator")
		killed, acked := time.Now(), l.acked.Load()
		n.Wait("the first order after the restart", func() bool { return l.acked.Load() > acked })
		t.Logf("%d jobs acknowledged, the next %s after the kill", acked, time.Since(killed).Round(time.Millisecond))
	}
	close(stop)
	clients.Wait()
	if err := errors.Join(l.errs...); err != nil {
		t.Fatal(err)
	}
	for _, id := range l.jobs {
		if j := ended(t, n, id); j.State != market.Completed && j.Payment != market.Refunded {
			t.Errorf("%+v", j)
		}
	}
	n.Wait("rest", func() bool { a, err := n.Client().Account(t.Context()); return err == nil && a.Charged == a.Debited })
	exactlyOnce(t, n, l.jobs)
	reconciled(t, n)
	n.Conserved(before, n.Audit())
}
