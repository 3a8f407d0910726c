// Package origin lets a page reach what it needs under its own origin, and
// nothing else: narrow ways to a node and to other services, and the headers that
// forbid the browser any other.
package origin

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
)

// policy lets a page run only what this origin serves, and reach only this origin.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Secured sets the headers of every answer of a page's server.
func Secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := w.Header().Set
		set("Content-Security-Policy", policy)
		set("X-Content-Type-Options", "nosniff")
		set("Referrer-Policy", "no-referrer")
		set("Cross-Origin-Opener-Policy", "same-origin")
		set("Cross-Origin-Resource-Policy", "same-origin")
		set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
		h.ServeHTTP(w, r)
	})
}

// Hosts serves requests that name this machine or one of some hosts: another name
// may be one that a foreign page had resolve to this machine.
func Hosts(names []string, h http.Handler) http.Handler {
	return httpx.Handler(func(w http.ResponseWriter, r *http.Request) error {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		host = strings.TrimSuffix(strings.Trim(strings.ToLower(host), "[]"), ".")
		if host != "localhost" && host != "127.0.0.1" && host != "::1" && !slices.Contains(names, host) {
			return apierr.New(apierr.Forbidden, "this is not asked by that name: use 127.0.0.1, or name the host in allowed_hosts")
		}
		h.ServeHTTP(w, r)
		return nil
	})
}

// CheckJSON returns an error for a body that is not said to be JSON: only such a one
// does a browser not send for a foreign page without asking.
func CheckJSON(r *http.Request) error {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/json" {
		return apierr.New(apierr.Invalid, "the content type is not application/json")
	}
	return nil
}

// Turns bounds how many questions that cost much are asked at a time. Make it
// with that many places.
type Turns chan struct{}

// patience is how long a question waits for its turn.
const patience = 5 * time.Second

// Claim takes a place, which release gives back.
func (t Turns) Claim(ctx context.Context) (release func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(patience):
		return nil, apierr.New(apierr.Unavailable, "too many questions at once: try again")
	}
}
