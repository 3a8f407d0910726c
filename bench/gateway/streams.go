package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/bench/role"
)

// RoleStock is the role of the standard library's reverse proxy, as it is.
const RoleStock = "stock"

// StreamsConfig says how many streams to read.
type StreamsConfig struct {
	Dir     string
	Streams int // of each way
	Clients int // at a time
}

// Streams reads many streams through the coordinator and through the standard
// library's reverse proxy, and counts those that did not come whole.
func Streams(ctx context.Context, cfg StreamsConfig) (s *figure.Section, err error) {
	var started []*role.Process
	defer func() {
		for _, p := range slices.Backward(started) {
			err = errors.Join(err, p.Stop())
		}
	}()
	launch := func(name string, arg, door any) error {
		p, err := role.Start(ctx, name, arg, door)
		if err == nil {
			started = append(started, p)
		}
		return err
	}
	var model, stock door
	var gate rig.Door
	data, err := os.MkdirTemp(cfg.Dir, "streams")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if err := launch(RoleModel, struct{}{}, &model); err != nil {
		return nil, err
	}
	if err := launch(RoleStock, Hop{Up: model.URL}, &stock); err != nil {
		return nil, err
	}
	if err := launch(RoleCoordinator, rig.Options{Dir: data}, &gate); err != nil {
		return nil, err
	}
	if err := launch(RoleMiner, rig.MinerOptions{URL: gate.URL, Slots: minerSlots}, &struct{}{}); err != nil {
		return nil, err
	}
	s = figure.New(fmt.Sprintf("Streams: %d through the coordinator", cfg.Streams),
		fmt.Sprintf("Streamed answers of 16 tokens, %d clients at a time. A stream is cut if its end, or one of its events, is missing. The stock proxy is httputil.ReverseProxy with FlushInterval -1, which does not buffer the request.", cfg.Clients))
	for _, t := range []target{{name: nameGateway, url: gate.URL, key: gate.Key}, {name: "stock proxy", url: stock.URL, key: "none"}} {
		began := time.Now()
		cut, err := count(ctx, t, cfg)
		if err != nil {
			return nil, err
		}
		s.Sample("cut, "+t.name, "", float64(cut))
		s.Sample("streams, "+t.name, "1/s", float64(cfg.Streams)/time.Since(began).Seconds())
	}
	s.AtMost("cut, "+nameGateway, 0)
	return s, nil
}

// count reads streams and returns how many were cut. A connection that breaks
// cuts its stream, too.
func count(ctx context.Context, t target, cfg StreamsConfig) (int64, error) {
	body, err := question(true)
	if err != nil {
		return 0, err
	}
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: cfg.Clients, DisableCompression: true}, Timeout: 30 * time.Second}
	defer c.CloseIdleConnections()
	var next, cut atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range cfg.Clients {
		g.Go(func() error {
			for next.Add(1) <= int64(cfg.Streams) {
				whole, err := ask(ctx, c, t, body, true)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil && t.name == nameGateway {
					return err
				}
				if err != nil || !whole {
					cut.Add(1)
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return cut.Load(), err
}

// ServeStock is the role of a reverse proxy of the standard library, without more.
func ServeStock(ctx context.Context, arg json.RawMessage, ready func(any) error) error {
	var hop Hop
	if err := json.Unmarshal(arg, &hop); err != nil {
		return fmt.Errorf("decode hop: %w", err)
	}
	up, err := url.Parse(hop.Up)
	if err != nil {
		return fmt.Errorf("hop: %w", err)
	}
	return serve(ctx, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(up) }, FlushInterval: -1, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}, ready)
}
