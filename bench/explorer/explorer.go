// Package explorer measures how fast the explorer indexes a long chain, and how fast
// its search is then.
package explorer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/role"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/indextest"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/httpx"
)

// RoleNode is the process that has the chain.
const RoleNode = "explorer-node"

// txs are in each block.
const txs = 10

// parts is how often the rate is taken on the way.
const parts = 10

// searches are made of each kind.
const searches = 200

// Config says what to measure.
type Config struct {
	Dir    string
	Blocks uint64
}

// ServeNode is the role of a node whose blocks follow from their heights alone.
func ServeNode(ctx context.Context, arg json.RawMessage, ready func(any) error) error {
	var blocks uint64
	if err := json.Unmarshal(arg, &blocks); err != nil {
		return fmt.Errorf("read the number of blocks: %w", err)
	}
	ln, err := httpx.Listen(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	if err := ready("http://" + ln.Addr().String()); err != nil {
		return err
	}
	return httpx.Serve(ctx, ln, indextest.New(blocks, txs))
}

// Run indexes a chain and searches in it.
func Run(ctx context.Context, cfg Config) (_ *figure.Section, err error) {
	s := figure.New("Explorer: a chain indexed, and searched",
		fmt.Sprintf("%d blocks with %d transactions each: transfers of coins and tokens, sessions and settlements, read over HTTP from a process that makes them up, into SQLite. "+
			"The rate is that of each tenth of the chain. Searches by hash, height and account are of what is drawn at random, over HTTP, one at a time.", cfg.Blocks, txs))
	dir, err := os.MkdirTemp(cfg.Dir, "aitbc-bench-explorer-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var at string
	p, err := role.Start(ctx, RoleNode, cfg.Blocks, &at)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	path := filepath.Join(dir, "index.db")
	db, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	source, err := index.NewNode(at)
	if err != nil {
		return nil, err
	}
	f := index.Follower{Source: source, Store: db, Log: slog.New(slog.DiscardHandler)}
	for i := range uint64(parts) {
		theirs, err := p.CPU()
		if err != nil {
			return nil, err
		}
		ours, err := role.CPUTime()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := f.CatchUp(ctx, cfg.Blocks*(i+1)/parts); err != nil {
			return nil, err
		}
		took, made := time.Since(began), float64(cfg.Blocks/parts*txs)
		s.Sample("indexed", "tx/s", made/took.Seconds())
		after, err := role.CPUTime()
		if err != nil {
			return nil, err
		}
		s.Sample("processor time for a transaction", "µs", float64((after-ours).Microseconds())/made)
		if after, err = p.CPU(); err != nil {
			return nil, err
		}
		s.Sample("processor time for a transaction, of the node", "µs", float64((after-theirs).Microseconds())/made)
	}
	size := int64(0)
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	s.Sample("index on disk, for a transaction", "bytes", float64(size)/float64(cfg.Blocks*txs))
	return s, search(ctx, s, cfg, db, at)
}

// search asks the explorer's own interface.
func search(ctx context.Context, s *figure.Section, cfg Config, db *store.Store, node string) error {
	eth, err := chainclient.New(node)
	if err != nil {
		return err
	}
	comet, err := chainclient.NewComet(node)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h := httpapi.New(ctx, httpapi.Config{Index: db, Contracts: db, Eth: eth, Comet: comet, Page: http.NotFoundHandler(), Version: "bench"}).Handler()
	server := httptest.NewServer(h)
	defer server.Close()
	chain := indextest.New(cfg.Blocks, txs)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret
	height := func() uint64 { return 1 + r.Uint64N(cfg.Blocks) }
	kinds := []struct {
		name string
		text func() string
	}{
		{"a transaction", func() string { return chain.Tx(height(), r.IntN(txs)).Hex() }},
		{"a block's hash", func() string { return chain.Hash(height()).Hex() }},
		{"a height", func() string { return strconv.FormatUint(height(), 10) }},
		{"an account", func() string { return chain.Account(r.IntN(indextest.Accounts)).Hex() }},
		{"nothing", func() string { return chain.Tx(cfg.Blocks+height(), 0).Hex() }},
	}
	for _, k := range kinds {
		var took []time.Duration
		for range searches {
			one, err := ask(ctx, server.Client(), server.URL, k.text())
			if err != nil {
				return fmt.Errorf("search %s: %w", k.name, err)
			}
			took = append(took, one)
		}
		slices.Sort(took)
		s.Sample("search for "+k.name+", p50", "ms", ms(took[len(took)/2]))
		s.AtMost("search for "+k.name+", p50", 20)
		s.Sample("search for "+k.name+", p99", "ms", ms(took[len(took)*99/100]))
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func ask(ctx context.Context, client *http.Client, at, text string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/api/search?q="+url.QueryEscape(text), nil)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	took := time.Since(began)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return took, err
}
