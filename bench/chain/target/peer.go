package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// peerID is the chain id that the peer always has.
const peerID = 262144

// Peer starts a network of the program to compare with, as its own README starts it. It funds the same accounts.
func Peer(ctx context.Context, o Options) (*Chain, error) {
	dir, err := os.MkdirTemp(o.Dir, "peer")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	net := 2 + rand.IntN(250) //nolint:gosec // a part of the loopback network that nobody else uses
	common := []string{"-root", dir, "-n", strconv.Itoa(o.Validators), "-net", strconv.Itoa(net)}
	cmd := exec.CommandContext(ctx, o.Binary, append(common, "-accounts", strconv.Itoa(len(o.Accounts)), "-init")...) //nolint:gosec // the operator names it
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make the peer's network: %w\n%s", err, out)
	}
	c := &Chain{Name: "prototype", ID: big.NewInt(peerID)}
	for i := range o.Validators {
		cmd := exec.CommandContext(context.WithoutCancel(ctx), o.Binary, append(common, "-i", strconv.Itoa(i), "-mode", "eth", "-hold", "1s", "-commit", "100ms", "-propose", "1500ms")...) //nolint:gosec // the operator names it
		if err := c.start(cmd, filepath.Join(dir, fmt.Sprint("n", i))); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		host := fmt.Sprintf("127.0.%d.%d", net, i+1)
		c.URLs = append(c.URLs, "http://"+host+":8545")
		if c.WS == "" {
			c.WS = "ws://" + host + ":8546"
		}
	}
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// ready waits until every node has a block.
func (c *Chain) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i, url := range c.URLs {
		for !hasBlock(ctx, url) {
			select {
			case <-c.nodes[i].done:
				return fmt.Errorf("node %d of %s ended: %w; its last words: %s", i, c.Name, c.nodes[i].err, c.nodes[i].words())
			case <-ctx.Done():
				return fmt.Errorf("node %d of %s makes no blocks; its last words: %s", i, c.Name, c.nodes[i].words())
			case <-tick.C:
			}
		}
	}
	return nil
}

func hasBlock(ctx context.Context, url string) bool {
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Second}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close() //nolint:errcheck // it is decoded
	var r struct {
		Result string `json:"result"`
	}
	return json.NewDecoder(res.Body).Decode(&r) == nil && strings.TrimPrefix(r.Result, "0x") > "1"
}
