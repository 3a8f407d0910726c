package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/pidlock"
)

// serviceHealth is one line of aitbc status.
type serviceHealth struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// services shows whether the network's services answer. It fails if one does not.
func (c *call) services(ctx context.Context) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	var list []serviceHealth
	down := 0
	for _, s := range []struct{ name, url string }{{"node", n.RPCURL()}, {"coordinator", n.APIURL()}, {"miner", n.MinerURL()}, {"wallet", n.WalletURL()}, {"explorer", n.ExplorerURL()}, {"marketplace", n.MarketplaceURL()}} {
		h := serviceHealth{Name: s.name, URL: s.url, OK: true}
		remote, err := httpx.NewClient(s.url)
		if err != nil {
			return err
		}
		if _, err := remote.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/health", Timeout: 3 * time.Second}, nil); err != nil {
			h.OK, h.Detail = false, err.Error()
			down++
		}
		list = append(list, h)
	}
	pid, err := pidlock.Holder(n.LockFile())
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(map[string]any{"home": n.Home, "process": pid, "services": list})
	} else {
		t := newTable(c.Stdout)
		t.row("SERVICE", "ADDRESS", "STATE")
		for _, h := range list {
			state := "answers"
			if !h.OK {
				state = "down: " + h.Detail
			}
			t.row(h.Name, h.URL, state)
		}
		err = t.flush()
	}
	if err == nil && down > 0 {
		err = hint(fmt.Errorf("%d of %d services do not answer", down, len(list)), "aitbc up starts the network of %s", n.Home)
	}
	return err
}
