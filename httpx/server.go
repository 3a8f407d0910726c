package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// drain is how long requests under way may take after a stop.
const drain = 10 * time.Second

// Listen opens a TCP listener, refusing an address that others can reach unless
// requests are authenticated: see [CheckBind].
func Listen(ctx context.Context, addr string, authenticated bool) (net.Listener, error) {
	if err := CheckBind(addr, authenticated); err != nil {
		return nil, err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return ln, nil
}

// Serve answers requests on ln until ctx is done, then takes no new ones and
// lets those under way finish for ten seconds, after which it cuts them. Their
// contexts end with the cut, not with ctx: a handler that waits for long must
// watch its service stopping by itself. It always closes ln.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var busy sync.WaitGroup // handlers: Shutdown does not wait for those that took over their connection
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			busy.Add(1)
			defer busy.Done()
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", ln.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		late, cancel := context.WithTimeout(base, drain)
		defer cancel()
		// Handlers are cut when their time is over, and then waited for.
		stop := context.AfterFunc(late, cut)
		defer stop()
		err := srv.Shutdown(late)
		if err != nil {
			cut()
			err = srv.Close()
		}
		busy.Wait()
		return err
	})
	return g.Wait()
}

// CheckBind returns an error if addr, host:port, is reachable from other
// machines while requests to it are not authenticated.
func CheckBind(addr string, authenticated bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: want host:port", addr)
	}
	if authenticated || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("address %q: requests are not authenticated, so it must be a loopback address such as 127.0.0.1", addr)
}
