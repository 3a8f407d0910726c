package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/trace"
)

// DefaultTimeout bounds a request that sets no time of its own.
const DefaultTimeout = 30 * time.Second

// ErrNotUpgraded reports a server that answered, and in the old protocol.
var ErrNotUpgraded = errors.New("the server does not speak the protocol that was asked for")

// DefaultMaxResponse bounds a response body.
const DefaultMaxResponse = 16 << 20

// A Client speaks JSON with one server. It is safe for concurrent use and must
// not be changed once used.
type Client struct {
	base   string
	http   *http.Client
	plain  *http.Client // HTTP/1 alone, which can be upgraded
	Header http.Header  // sent with every request
}

// NewClient returns a client of the server at base: an http or https URL, or that
// of a unix socket, as unix:///run/wallet.sock. It opens no connection.
func NewClient(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err == nil && u.Scheme == "unix" && u.Host == "" && u.RawQuery == "" && strings.HasPrefix(u.Path, "/") {
		socket := u.Path
		return newClient("http://localhost", nil, func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, "unix", socket)
		}), nil
	}
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server %q: want a URL such as http://127.0.0.1:18000", base)
	}
	return newClient(base, http.ProxyFromEnvironment, (&net.Dialer{Timeout: dialWithin}).DialContext), nil
}

// NewClientOver returns a client of the server at base, over connections that dial
// makes. No proxy is asked.
func NewClientOver(base string, dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	return newClient(base, nil, dial)
}

const dialWithin = 10 * time.Second

func newClient(base string, proxy func(*http.Request) (*url.URL, error), dial func(context.Context, string, string) (net.Conn, error)) *Client {
	client := func(t *http.Transport) *http.Client {
		return &http.Client{
			Transport: t,
			// A redirect would carry the key to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	transport := &http.Transport{
		Proxy:                 proxy,
		DialContext:           dial,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	plain := transport.Clone()
	plain.ForceAttemptHTTP2, plain.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
	plain.ResponseHeaderTimeout = 10 * time.Second
	return &Client{base: strings.TrimRight(base, "/"), http: client(transport), plain: client(plain), Header: http.Header{}}
}

// Base returns the server's URL, without a slash at its end.
func (c *Client) Base() string { return c.base }

// Close closes connections that nobody uses. The client can be used all the same.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.plain.CloseIdleConnections()
}

// A Request is one call. Only Method and Path are needed.
type Request struct {
	Method  string
	Path    string // with a leading slash, and the query if there is one
	JSON    any    // body as JSON
	Body    io.Reader
	Type    string        // content type of Body
	Header  http.Header   // beside the client's
	Timeout time.Duration // DefaultTimeout if zero, none if negative
}

// Do sends r and decodes a successful answer into out unless that is nil or
// the answer has no content. It returns the status. What the server refuses
// comes back as an *[apierr.Error]; what kept the request from being answered
// (no connection, a broken one, time over) as another error.
func (c *Client) Do(ctx context.Context, r Request, out any) (int, error) {
	if r.Timeout >= 0 {
		if r.Timeout == 0 {
			r.Timeout = DefaultTimeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	resp, err := c.send(ctx, c.http, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end, or given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, DefaultMaxResponse+1))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("%s %s: read answer: %w", r.Method, path(r), err)
	}
	if len(body) > DefaultMaxResponse {
		return resp.StatusCode, fmt.Errorf("%s %s: the answer is larger than %d bytes", r.Method, path(r), DefaultMaxResponse)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp.StatusCode, decodeError(resp.StatusCode, body)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return resp.StatusCode, fmt.Errorf("%s %s: decode answer: %w", r.Method, path(r), err)
	}
	return resp.StatusCode, nil
}

// Open sends r and returns the response with its body still to be read, which
// the caller closes. Its time ends with ctx. Errors are those of [Client.Do].
func (c *Client) Open(ctx context.Context, r Request) (*http.Response, error) {
	return c.open(ctx, c.http, r)
}

func (c *Client) open(ctx context.Context, over *http.Client, r Request) (*http.Response, error) {
	resp, err := c.send(ctx, over, r)
	if err != nil {
		return nil, err
	}
	if (resp.StatusCode < 200 || resp.StatusCode > 299) && resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close() //nolint:errcheck // an error's body
		body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
		if err != nil {
			return nil, fmt.Errorf("%s %s: read answer: %w", r.Method, path(r), err)
		}
		return nil, decodeError(resp.StatusCode, body)
	}
	return resp, nil
}

// Upgrade asks for another protocol on the connection and returns it, to be
// closed by the caller. Errors are those of [Client.Do], and [ErrNotUpgraded].
func (c *Client) Upgrade(ctx context.Context, r Request) (io.ReadWriteCloser, error) {
	resp, err := c.open(ctx, c.plain, r)
	if err != nil {
		return nil, err
	}
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		return conn, nil
	}
	return nil, errors.Join(ErrNotUpgraded, resp.Body.Close())
}

func (c *Client) send(ctx context.Context, over *http.Client, r Request) (*http.Response, error) {
	body := r.Body
	if r.JSON != nil {
		b, err := json.Marshal(r.JSON)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encode: %w", r.Method, path(r), err)
		}
		body, r.Type = bytes.NewReader(b), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base+r.Path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, path(r), err)
	}
	for _, h := range []http.Header{c.Header, r.Header} {
		maps.Copy(req.Header, h)
	}
	if body != nil {
		req.Header.Set("Content-Type", r.Type)
	}
	if c := trace.From(ctx); !c.IsZero() {
		req.Header.Set("Traceparent", c.String())
	}
	resp, err := over.Do(req)
	if err != nil {
		// url.Error repeats method and URL; the query may hold what logs should not.
		if e, ok := err.(*url.Error); ok { //nolint:errorlint // Do documents this very type
			err = e.Err
		}
		return nil, fmt.Errorf("%s %s%s: %w", r.Method, c.base, path(r), err)
	}
	return resp, nil
}

func path(r Request) string {
	p, _, _ := strings.Cut(r.Path, "?")
	return p
}

// byStatus names the code of an answer that holds none, from a proxy perhaps.
var byStatus = map[int]apierr.Code{
	http.StatusBadRequest:            apierr.Invalid,
	http.StatusUnauthorized:          apierr.Unauthorized,
	http.StatusPaymentRequired:       apierr.Insufficient,
	http.StatusForbidden:             apierr.Forbidden,
	http.StatusNotFound:              apierr.NotFound,
	http.StatusConflict:              apierr.Conflict,
	http.StatusRequestEntityTooLarge: apierr.TooLarge,
	http.StatusTooEarly:              apierr.TooEarly,
	http.StatusTooManyRequests:       apierr.RateLimited,
	http.StatusBadGateway:            apierr.Unavailable,
	http.StatusServiceUnavailable:    apierr.Unavailable,
	http.StatusGatewayTimeout:        apierr.Unavailable,
}

func decodeError(status int, body []byte) error {
	var e errorBody
	if err := json.Unmarshal(body, &e); err == nil && e.Error.Code != "" {
		return &apierr.Error{Code: e.Error.Code, Message: e.Error.Message, Details: e.Error.Details}
	}
	code, ok := byStatus[status]
	if !ok {
		code = apierr.Internal
	}
	return apierr.New(code, "the server answered %d %s", status, http.StatusText(status))
}
