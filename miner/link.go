package miner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/receipt"
)

// errWrongNetwork reports a coordinator of another chain, or one that has
// become another: nothing signed for the one is good for the other.
var errWrongNetwork = errors.New("wrong network")

const (
	pollWait    = 20 * time.Second
	callTimeout = 10 * time.Second
)

// link is the connection to one coordinator. When its key is refused it logs
// in again, and the caller's next attempt has the new key.
type link struct {
	http    *httpx.Client
	signer  receipt.Signer
	offers  string // JSON
	slots   int
	version string
	turn    chan struct{} // holds a token while somebody logs in

	mu          sync.Mutex // guards the fields below
	key         string
	logins      int // how often the key changed
	domain      receipt.Domain
	coordinator common.Address
	marginBps   uint16
	beat, lease time.Duration
	err         error // of the last exchange, nil if it worked
}

func newLink(cfg Config, offers []api.Offer) (*link, error) {
	b, err := json.Marshal(offers)
	if err != nil {
		return nil, fmt.Errorf("encode offers: %w", err)
	}
	return &link{
		http: cfg.Coordinator, signer: cfg.Signer, offers: string(b), slots: cfg.Slots, version: cfg.Version,
		turn: make(chan struct{}, 1), beat: time.Second, err: errors.New("not connected yet"),
	}, nil
}

func (l *link) network(ctx context.Context) (api.Network, error) {
	var n api.Network
	_, err := l.http.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/network", Timeout: callTimeout}, &n)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.coordinator != (common.Address{}) && l.coordinator != n.Coordinator {
			return n, fmt.Errorf("%w: the coordinator was %s and is %s now", errWrongNetwork, l.coordinator, n.Coordinator)
		}
		l.marginBps = n.MarginBps
	}
	return n, err
}

// login introduces the miner. Once it has worked, parties gives what it is for.
func (l *link) login(ctx context.Context, d receipt.Domain, coordinator common.Address) error {
	r := api.RegisterRequest{Miner: l.signer.Address(), IssuedAt: uint64(time.Now().Unix()), OffersJSON: l.offers, Slots: l.slots, Version: l.version} //nolint:gosec // after 1970
	var err error
	if r.Signature, err = receipt.Sign(l.signer, d, r.Login(coordinator)); err != nil {
		return err
	}
	var out api.RegisterResponse
	if _, err := l.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/miners/register", JSON: r, Timeout: callTimeout}, &out); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if got := (receipt.Domain{ChainID: out.ChainID, Market: out.Market}); got != d || out.Coordinator != coordinator {
		return fmt.Errorf("%w: the coordinator answers for another chain or account than it announced", errWrongNetwork)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key, l.domain, l.coordinator = out.APIKey, d, coordinator
	l.logins++
	l.beat = time.Duration(min(max(out.HeartbeatSeconds, 1), 60)) * time.Second
	l.lease = time.Duration(max(out.LeaseSeconds, 1)) * time.Second
	return nil
}

// again logs in anew unless somebody has done so since the key of that login
// was refused.
func (l *link) again(ctx context.Context, logins int) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	d, c, done := l.domain, l.coordinator, l.logins != logins
	l.mu.Unlock()
	if done {
		return nil
	}
	return l.login(ctx, d, c)
}

// do sends an authenticated request. If the key is refused it logs in again
// before it returns the refusal.
func (l *link) do(ctx context.Context, r httpx.Request, out any) (int, error) {
	l.mu.Lock()
	key, logins := l.key, l.logins
	l.mu.Unlock()
	r.Header = http.Header{"X-Api-Key": {key}}
	status, err := l.http.Do(ctx, r, out)
	if apierr.HasCode(err, apierr.Unauthorized) {
		if lerr := l.again(ctx, logins); lerr != nil {
			err = errors.Join(err, lerr)
		}
	}
	if ctx.Err() == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err = err; !down(err) {
			l.err = nil
		}
	}
	return status, err
}

// down reports whether err means that the coordinator could not be reached,
// rather than that it refused something.
func down(err error) bool {
	e, ok := errors.AsType[*apierr.Error](err)
	return err != nil && (!ok || e.Code == apierr.Unauthorized || e.Code == apierr.Unavailable)
}

// state returns the parties of the session, and the error of the last exchange.
func (l *link) parties() (receipt.Domain, common.Address, uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.domain, l.coordinator, l.marginBps
}

func (l *link) interval() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.beat
}

func (l *link) lastErr() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *link) heartbeat(ctx context.Context, r api.HeartbeatRequest) (api.HeartbeatResponse, error) {
	var out api.HeartbeatResponse
	_, err := l.do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/miners/heartbeat", JSON: r, Timeout: max(2*time.Second, l.interval())}, &out)
	return out, err
}

// next waits for a job. It returns nil if there was none.
func (l *link) next(ctx context.Context) (*api.Assignment, error) {
	var a api.Assignment
	path := "/v1/miners/jobs?wait=" + strconv.Itoa(int(pollWait.Seconds()))
	status, err := l.do(ctx, httpx.Request{Method: http.MethodGet, Path: path, Timeout: pollWait + callTimeout}, &a)
	if err != nil || status == http.StatusNoContent {
		return nil, err
	}
	return &a, nil
}

func (l *link) drain(ctx context.Context) error {
	_, err := l.do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/miners/drain", Timeout: 2 * time.Second}, nil)
	return err
}

func jobPath(job common.Hash, what string) string { return "/v1/miners/jobs/" + job.Hex() + "/" + what }

// stream sends pieces for as long as body has any.
func (l *link) stream(ctx context.Context, job common.Hash, lease string, body io.Reader) (api.StreamResponse, error) {
	var out api.StreamResponse
	path := jobPath(job, "stream") + "?lease=" + url.QueryEscape(lease)
	_, err := l.do(ctx, httpx.Request{Method: http.MethodPost, Path: path, Body: body, Type: "application/x-ndjson", Timeout: -1}, &out)
	return out, err
}

func (l *link) result(ctx context.Context, job common.Hash, r api.ResultRequest) (api.ResultResponse, error) {
	var out api.ResultResponse
	_, err := l.do(ctx, httpx.Request{Method: http.MethodPost, Path: jobPath(job, "result"), JSON: r, Timeout: callTimeout}, &out)
	return out, err
}

func (l *link) failure(ctx context.Context, job common.Hash, r api.FailureRequest) error {
	_, err := l.do(ctx, httpx.Request{Method: http.MethodPost, Path: jobPath(job, "failure"), JSON: r, Timeout: callTimeout}, nil)
	return err
}
