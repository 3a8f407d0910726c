package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/cometbft/cometbft/libs/log"
	cmtpubsub "github.com/cometbft/cometbft/libs/pubsub"
	"github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	"github.com/rs/cors"
	"golang.org/x/net/netutil"
)

// The bounds of the server.
const (
	maxBody        = 1 << 20
	maxConnections = 900
	readTimeout    = 10 * time.Second
	writeTimeout   = auditWait + 5*time.Second
	stopTimeout    = 3 * time.Second
)

// Handler serves CometBFT's routes and ours.
func Handler(env *core.Environment, api *API, origins []string, l log.Logger) http.Handler {
	routes := env.GetRoutes()
	maps.Copy(routes, api.functions())
	inner := http.NewServeMux()
	ws := server.NewWebsocketManager(routes,
		server.OnDisconnect(func(remote string) {
			if err := env.EventBus.UnsubscribeAll(context.Background(), remote); err != nil && !errors.Is(err, cmtpubsub.ErrSubscriptionNotFound) {
				l.Error("unsubscribe", "addr", remote, "err", err)
			}
		}),
		server.ReadLimit(maxBody))
	ws.SetLogger(l)
	inner.HandleFunc("/websocket", ws.WebsocketHandler)
	server.RegisterRPCFuncs(inner, routes, l)

	mux := http.NewServeMux()
	for name, f := range api.uris() {
		mux.Handle("GET /"+name, uri(f))
	}
	mux.Handle("/", inner)
	conf := server.DefaultConfig()
	conf.MaxBodyBytes = maxBody
	h := server.PreChecksHandler(server.RecoverAndLogHandler(mux, l), conf)
	if len(origins) > 0 {
		h = cors.New(cors.Options{AllowedOrigins: origins, AllowedMethods: []string{"GET", "POST"}, AllowedHeaders: []string{"Content-Type"}}).Handler(h)
	}
	return h
}

// Serve answers on the listener until ctx ends, and then lets requests under way finish.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: 1 << 16,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if s.Shutdown(late) != nil {
			_ = s.Close() // whoever is still busy is cut off
		}
	})
	defer stop()
	if err := s.Serve(netutil.LimitListener(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %v: %w", l.Addr(), err)
	}
	return nil
}
