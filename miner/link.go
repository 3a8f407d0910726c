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
	"github.com/aitbc/aitbc/api/wire"
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

// link is what joins the miner to one coordinator: one connection that is kept,
// and the HTTP routes while there is none. When its key is refused it logs in
// again, and the caller's next attempt has the new key.
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
	err         error        // of the last exchange, nil if it worked
	wire        *wire.Client // nil while there is no connection
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
	var out api.RegisterResponse
	err := api.UnlessUsed(&r.IssuedAt, func() (err error) {
		if r.Signature, err = receipt.Sign(l.signer, d, r.Login(coordinator)); err != nil {
			return err
		}
		_, err = l.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/miners/register", JSON: r, Timeout: callTimeout}, &out)
		return err
	})
	if err != nil {
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

// keep keeps a connection until ctx is done.
func (l *link) keep(ctx context.Context) {
	for b := newBackoff(); ; {
		if err := l.connection(ctx); errors.Is(err, wire.ErrClosed) {
			b.reset() // it was there
		}
		if b.wait(ctx) != nil {
			return
		}
	}
}

// connection makes a connection and serves it to its end.
func (l *link) connection(ctx context.Context) error {
	l.mu.Lock()
	header := wire.Upgrade()
	header.Set("X-Api-Key", l.key)
	l.mu.Unlock()
	conn, err := l.http.Upgrade(ctx, httpx.Request{Method: http.MethodGet, Path: wire.Path, Header: header})
	if err != nil {
		return err
	}
	c := wire.NewClient(conn)
	l.setWire(c)
	defer l.setWire(nil)
	return errors.Join(wire.ErrClosed, c.Run(ctx))
}

func (l *link) setWire(c *wire.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wire = c
}

// on asks over the connection if there is one, else over HTTP.
func (l *link) on(ctx context.Context, timeout time.Duration, overWire func(context.Context, *wire.Client) error, overHTTP httpx.Request, out any) (int, error) {
	l.mu.Lock()
	c := l.wire
	l.mu.Unlock()
	if c == nil {
		overHTTP.Timeout = timeout
		return l.do(ctx, overHTTP, out)
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	err := l.exchanged(ctx, func() error { return overWire(ctx, c) })
	if apierr.HasCode(err, apierr.Unauthorized) {
		_ = c.Close() // it has the old key: the next is made with the new one
	}
	return http.StatusOK, err
}

// do sends an authenticated request.
func (l *link) do(ctx context.Context, r httpx.Request, out any) (status int, err error) {
	err = l.exchanged(ctx, func() error {
		l.mu.Lock()
		r.Header = http.Header{"X-Api-Key": {l.key}}
		l.mu.Unlock()
		status, err = l.http.Do(ctx, r, out)
		return err
	})
	return status, err
}

// exchanged notes how an exchange went. If the key was refused it logs in again
// before it returns the refusal.
func (l *link) exchanged(ctx context.Context, ask func() error) error {
	l.mu.Lock()
	logins := l.logins
	l.mu.Unlock()
	err := ask()
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
	return err
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

// loginsNow returns how often the miner has logged in.
func (l *link) loginsNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logins
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

func (l *link) heartbeat(ctx context.Context, r api.HeartbeatRequest) (out api.HeartbeatResponse, err error) {
	_, err = l.on(ctx, max(2*time.Second, l.interval()), func(ctx context.Context, c *wire.Client) (err error) {
		out, err = c.Heartbeat(ctx, r)
		return err
	}, httpx.Request{Method: http.MethodPost, Path: "/v1/miners/heartbeat", JSON: r}, &out)
	return out, err
}

// next waits for a job. It returns nil if there was none.
func (l *link) next(ctx context.Context) (a *api.Assignment, err error) {
	var held api.Assignment
	path := "/v1/miners/jobs?wait=" + strconv.Itoa(int(pollWait.Seconds()))
	status, err := l.on(ctx, pollWait+callTimeout, func(ctx context.Context, c *wire.Client) (err error) {
		a, err = c.Claim(ctx, pollWait)
		return err
	}, httpx.Request{Method: http.MethodGet, Path: path}, &held)
	if a != nil || err != nil || status == http.StatusNoContent || held.Lease == "" {
		return a, err
	}
	return &held, nil
}

func (l *link) drain(ctx context.Context) error {
	_, err := l.on(ctx, 2*time.Second, func(ctx context.Context, c *wire.Client) error { return c.Drain(ctx) },
		httpx.Request{Method: http.MethodPost, Path: "/v1/miners/drain"}, nil)
	return err
}

func jobPath(job common.Hash, what string) string { return "/v1/miners/jobs/" + job.Hex() + "/" + what }

// stream sends the pieces of a job for as long as body has any. Over the
// connection they are taken to have arrived, unless it is to make sure of that.
func (l *link) stream(ctx context.Context, j *job, body io.Reader) (out api.StreamResponse, err error) {
	path := jobPath(j.id, "stream") + "?lease=" + url.QueryEscape(j.lease)
	_, err = l.on(ctx, -1, func(ctx context.Context, c *wire.Client) (err error) {
		out, err = c.Stream(ctx, j.id, j.lease, body, j.streamed)
		return err
	}, httpx.Request{Method: http.MethodPost, Path: path, Body: body, Type: "application/x-ndjson"}, &out)
	return out, err
}

func (l *link) result(ctx context.Context, job common.Hash, r api.ResultRequest) (out api.ResultResponse, err error) {
	_, err = l.on(ctx, callTimeout, func(ctx context.Context, c *wire.Client) (err error) {
		out, err = c.Result(ctx, job, r)
		return err
	}, httpx.Request{Method: http.MethodPost, Path: jobPath(job, "result"), JSON: r}, &out)
	return out, err
}

func (l *link) failure(ctx context.Context, job common.Hash, r api.FailureRequest) error {
	_, err := l.on(ctx, callTimeout, func(ctx context.Context, c *wire.Client) error { return c.Failure(ctx, job, r) },
		httpx.Request{Method: http.MethodPost, Path: jobPath(job, "failure"), JSON: r}, nil)
	return err
}
