package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/rig"
)

// target is one way to the same answer.
type target struct {
	name, url, key string
	header         http.Header // beside the key, nil for none
}

// load is what clients saw in one round.
type load struct {
	took      []time.Duration
	truncated int // answers without their end
}

// question is what every client asks.
func question(stream bool) ([]byte, error) {
	body, err := json.Marshal(object{
		"model": rig.Model, "stream": stream, "max_tokens": 64, "temperature": 0, "seed": 1,
		"messages": []object{{"role": "user", "content": "Count to fifteen, please."}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return body, nil
}

// drive has some clients ask one after another, each as fast as it is answered.
// Whatever is no answer is an error, except a stream that was cut.
func drive(ctx context.Context, t target, clients int, stream bool, long time.Duration) (load, error) {
	body, err := question(stream)
	if err != nil {
		return load{}, err
	}
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}, Timeout: 30 * time.Second}
	defer c.CloseIdleConnections()
	var mu sync.Mutex
	var sum load
	g, ctx := errgroup.WithContext(ctx)
	end := time.Now().Add(long)
	for range clients {
		g.Go(func() error {
			var own load
			for time.Now().Before(end) {
				start := time.Now()
				whole, err := ask(ctx, c, t, body, stream)
				if err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
				own.took = append(own.took, time.Since(start))
				if !whole {
					own.truncated++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			sum.took = append(sum.took, own.took...)
			sum.truncated += own.truncated
			return nil
		})
	}
	return sum, g.Wait()
}

// ask sends one request and reports whether the answer came whole.
func ask(ctx context.Context, c *http.Client, t target, body []byte, stream bool) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+t.key)
	maps.Copy(r.Header, t.header)
	resp, err := c.Do(r)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or cut
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return false, fmt.Errorf("status %d: %s", resp.StatusCode, b)
	}
	if !stream {
		b, err := io.ReadAll(resp.Body)
		return err == nil && bytes.Contains(b, []byte(rig.Words[0])), nil //nolint:nilerr // an answer that was cut is counted
	}
	words, done := 0, false
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadSlice('\n')
		if bytes.HasPrefix(line, []byte("data: ")) {
			words++
			done = bytes.HasPrefix(line, []byte("data: [DONE]"))
		}
		if err != nil { // the end, or a cut: done tells
			return done && words == len(rig.Words)+3, nil //nolint:nilerr // counted
		}
	}
}
