package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/httpapi"
	"github.com/aitbc/aitbc/httpx"
)

// Door is how a coordinator is reached.
type Door struct {
	URL string `json:"url"`
	Key string `json:"key"` // of a client with money
}

// ServeCoordinator is the role of a coordinator with [Options], behind a [Door].
func ServeCoordinator(ctx context.Context, arg json.RawMessage, ready func(any) error) (err error) {
	var o Options
	if err := json.Unmarshal(arg, &o); err != nil {
		return fmt.Errorf("decode options: %w", err)
	}
	h, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	ln, err := httpx.Listen(ctx, "127.0.0.1:0", true)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return httpx.Serve(gctx, ln, httpapi.New(gctx, h.Service)) })
	g.Go(func() error {
		return h.Work(gctx, func(ctx context.Context) error {
			door := Door{URL: "http://" + ln.Addr().String()}
			var err error
			if door.Key, err = h.Client(ctx); err != nil {
				return err
			}
			if !o.Idle {
				return ready(door)
			}
			m, err := h.Miner(ctx, 1)
			if err != nil {
				return err
			}
			if err := ready(door); err != nil {
				return err
			}
			return h.beat(ctx, m)
		})
	})
	return g.Wait()
}

// Work runs the service, and fn once it is ready. It ends with ctx or the first error.
func (h *House) Work(ctx context.Context, fn func(context.Context) error) error {
	g, gctx := errgroup.WithContext(ctx)
	started := make(chan struct{})
	g.Go(func() error { return h.Service.Run(gctx, func() { close(started) }) })
	g.Go(func() error {
		select {
		case <-started:
			return fn(gctx)
		case <-gctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// beat keeps a miner online until ctx is done.
func (h *House) beat(ctx context.Context, m coordinator.Caller) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if _, err := h.Service.Heartbeat(ctx, m, api.HeartbeatRequest{}); err != nil && ctx.Err() == nil {
				return fmt.Errorf("heartbeat: %w", err)
			}
		}
	}
}
