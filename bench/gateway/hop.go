package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"github.com/aitbc/aitbc/bench/disk"
	"github.com/aitbc/aitbc/httpx"
)

// Hop says where a proxy forwards to and what it does besides.
type Hop struct {
	Up   string `json:"up"`
	Dir  string `json:"dir"`  // syncs a block there for each request, unless empty
	Sign bool   `json:"sign"` // makes and checks the signatures of a job
}

// ServeHop is the role of a raw buffered reverse proxy: it reads the request's
// body and forwards it. The body is buffered because [httputil.ReverseProxy] cuts
// some streams otherwise.
func ServeHop(ctx context.Context, arg json.RawMessage, ready func(any) error) (err error) {
	var hop Hop
	if err := json.Unmarshal(arg, &hop); err != nil {
		return fmt.Errorf("decode hop: %w", err)
	}
	up, err := url.Parse(hop.Up)
	if err != nil {
		return fmt.Errorf("hop: %w", err)
	}
	p := &proxy{
		raw: &httputil.ReverseProxy{
			Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(up) },
			Transport:     &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true},
			FlushInterval: -1,
		},
		sign: hop.Sign, keys: newSignatures(),
	}
	if hop.Dir != "" {
		if p.file, err = disk.Create(hop.Dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.file.Close()) }()
	}
	return serve(ctx, p, ready)
}

type proxy struct {
	raw  *httputil.ReverseProxy
	file *disk.File // nil for none
	sign bool
	keys signatures
	n    atomic.Uint64
}

// ServeHTTP implements [http.Handler].
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err == nil {
		err = p.extras()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	p.raw.ServeHTTP(w, r)
}

// extras does what a paid job needs at the least.
func (p *proxy) extras() error {
	if p.sign {
		n := p.n.Add(1)
		if err := p.keys.order(n); err != nil {
			return fmt.Errorf("order: %w", err)
		}
		sig, err := p.keys.result(n)
		if err != nil {
			return fmt.Errorf("result: %w", err)
		}
		if err := p.keys.counter(n, sig); err != nil {
			return fmt.Errorf("counter: %w", err)
		}
	}
	if p.file != nil {
		return p.file.Sync()
	}
	return nil
}
