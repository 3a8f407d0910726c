package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// mempoolFresh is how long what waits is not asked for again, whoever looks.
const mempoolFresh = time.Second

// waiting is what the node's pool had a moment ago.
type waiting struct {
	turn sync.Mutex // held by who asks the node
	at   time.Time
	list []Waiting
}

// pooled is a transaction of txpool_content.
type pooled struct {
	Hash     common.Hash     `json:"hash"`
	To       *common.Address `json:"to"`
	Value    *hexutil.Big    `json:"value"`
	Nonce    hexutil.Uint64  `json:"nonce"`
	Input    hexutil.Bytes   `json:"input"`
	Gas      hexutil.Uint64  `json:"gas"`
	GasPrice *hexutil.Big    `json:"gasPrice"`
	FeeCap   *hexutil.Big    `json:"maxFeePerGas"`
	Tip      *hexutil.Big    `json:"maxPriorityFeePerGas"`
}

func (p *pooled) show(from common.Address, ready bool, known map[common.Address]spoken) (w Waiting, err error) {
	w = Waiting{Hash: p.Hash, From: from, To: p.To, Nonce: uint64(p.Nonce), Method: methodName(p.To, p.Input[:min(4, len(p.Input))], known), GasLimit: uint64(p.Gas), Ready: ready}
	for _, v := range []struct {
		into *market.Amount
		from *hexutil.Big
	}{{&w.Value, p.Value}, {&w.FeeCap, cmp.Or(p.FeeCap, p.GasPrice)}, {&w.Tip, cmp.Or(p.Tip, p.GasPrice)}} {
		if v.from == nil {
			return w, fmt.Errorf("transaction %s of the pool lacks a value", p.Hash)
		}
		if *v.into, err = market.AmountFromBig(v.from.ToInt()); err != nil {
			return w, err
		}
	}
	return w, nil
}

// pool returns what waits, those that can be in the next block first, then by the
// tip that they offer, each sender's in their order.
func (s *Server) pool(ctx context.Context) ([]Waiting, error) {
	s.waiting.turn.Lock()
	defer s.waiting.turn.Unlock()
	if time.Since(s.waiting.at) < mempoolFresh {
		return s.waiting.list, nil
	}
	ctx, cancel := context.WithTimeout(ctx, nodeWithin)
	defer cancel()
	var content struct {
		Pending map[common.Address]map[string]pooled `json:"pending"`
		Queued  map[common.Address]map[string]pooled `json:"queued"`
	}
	if err := s.Eth.Call(ctx, &content, "txpool_content"); err != nil {
		return nil, apierr.Wrap(err, apierr.Unavailable, "the node does not tell what waits: nodes tell it on their own machine alone")
	}
	list := []Waiting{}
	halves := []struct {
		of    map[common.Address]map[string]pooled
		ready bool
	}{{content.Pending, true}, {content.Queued, false}}
	var to []common.Address
	for _, half := range halves {
		for _, txs := range half.of {
			for _, t := range txs {
				if t.To != nil {
					to = append(to, *t.To)
				}
			}
		}
	}
	known, err := s.interfaces(ctx, to)
	if err != nil {
		return nil, err
	}
	for _, half := range halves {
		for from, txs := range half.of {
			for _, t := range txs {
				w, err := t.show(from, half.ready, known)
				if err != nil {
					return nil, node(err)
				}
				list = append(list, w)
			}
		}
	}
	tips := map[common.Address]market.Amount{} // of each sender's first
	slices.SortFunc(list, func(a, b Waiting) int { return cmp.Or(a.From.Cmp(b.From), cmp.Compare(a.Nonce, b.Nonce)) })
	for _, w := range list {
		if _, known := tips[w.From]; !known {
			tips[w.From] = w.Tip
		}
	}
	slices.SortStableFunc(list, func(a, b Waiting) int {
		return cmp.Or(order(b.Ready, a.Ready), tips[b.From].Cmp(tips[a.From]), a.From.Cmp(b.From), cmp.Compare(a.Nonce, b.Nonce))
	})
	s.waiting.at, s.waiting.list = time.Now(), list
	return list, nil
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

func (s *Server) mempool(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	list, err := s.pool(r.Context())
	if err != nil {
		return err
	}
	return writePage(w, r, Page[Waiting]{Items: list[:min(n, len(list))]})
}

// steps are CometBFT's RoundStepType.
var steps = []string{"", "new height", "new round", "propose", "prevote", "prevote wait", "precommit", "precommit wait", "commit"}

type netInfo struct {
	Peers []struct {
		Info struct {
			ID      string `json:"id"`
			Moniker string `json:"moniker"`
			Version string `json:"version"`
		} `json:"node_info"`
		Outbound bool `json:"is_outbound"`
	} `json:"peers"`
}

func (s *Server) consensus(w http.ResponseWriter, r *http.Request) error {
	var round struct {
		State struct {
			Place string    `json:"height/round/step"`
			Since time.Time `json:"start_time"`
		} `json:"round_state"`
	}
	var pool struct{ Pending, Queued hexutil.Uint }
	var net netInfo
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() error { return s.Comet.Call(ctx, &round, "consensus_state", nil) })
	g.Go(func() error { return s.Comet.Call(ctx, &net, "net_info", nil) })
	g.Go(func() error {
		_ = s.Eth.Call(ctx, &pool, "txpool_status") // of another machine's node: not known
		return nil
	})
	if err := g.Wait(); err != nil {
		return node(err)
	}
	out := Consensus{Since: round.State.Since, Ready: int(pool.Pending), Queued: int(pool.Queued), Peers: len(net.Peers)}
	var step int
	if _, err := fmt.Sscanf(strings.ReplaceAll(round.State.Place, "/", " "), "%d %d %d", &out.Height, &out.Round, &step); err != nil {
		return node(fmt.Errorf("consensus is at %q: %w", round.State.Place, err))
	}
	out.Step = strconv.Itoa(step)
	if step >= 0 && step < len(steps) {
		out.Step = steps[step]
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) peers(w http.ResponseWriter, r *http.Request) error {
	var net netInfo
	if err := s.Comet.Call(r.Context(), &net, "net_info", nil); err != nil {
		return node(err)
	}
	p := Page[Peer]{Items: make([]Peer, len(net.Peers))}
	for i, v := range net.Peers {
		p.Items[i] = Peer{ID: v.Info.ID, Moniker: v.Info.Moniker, Version: v.Info.Version, Outbound: v.Outbound}
	}
	slices.SortFunc(p.Items, func(a, b Peer) int { return cmp.Or(strings.Compare(a.Moniker, b.Moniker), strings.Compare(a.ID, b.ID)) })
	return writePage(w, r, p)
}
