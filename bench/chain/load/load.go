// Package load offers transactions to a chain in an open loop: one is due at every tick of the rate, however the
// chain keeps up, and its latency counts from then until a final block has it.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"golang.org/x/sync/errgroup"
)

// Queue is one sender's signed transactions, in the order of their nonces.
type Queue []*types.Transaction

// Plan says what to offer.
type Plan struct {
	// URLs are the nodes' doors. Senders are spread over them; blocks are read from the first.
	URLs []string
	// Queues are as many as there are senders, who take turns.
	Queues []Queue
	// Rate is transactions a second, for Time.
	Rate float64
	Time time.Duration
	// Warm is how long the network may take to find out what it can carry: Steady does not count what was due in it.
	Warm time.Duration
	// Batch is how many travel in one request; their latency counts from when the last is due.
	Batch int
}

// Result is what came of it.
type Result struct {
	Offered, Accepted, Refused, Committed int
	// Late were not offered, as their sender still waited for an answer.
	Late int
	// Took is from when each transaction was due until it was seen in a block; only of those accepted.
	Took []time.Duration
	// Steady are those of Took that were due after Warm.
	Steady []time.Duration
	// Span is from the first due time to the last commit.
	Span time.Duration
	// Blocks with transactions, and the most that were in one.
	Blocks, Most int
	// Reasons counts refusals.
	Reasons map[string]int
}

// Rate is committed transactions a second.
func (r Result) Rate() float64 {
	if r.Span <= 0 {
		return 0
	}
	return float64(r.Committed) / r.Span.Seconds()
}

// The bounds of a run.
const (
	connections = 64
	pollEvery   = 2 * time.Millisecond
	patience    = 30 * time.Second // without a new commit
)

// sender is a queue under way.
type sender struct {
	door *door

	// mu is held while a request is under way, and guards next.
	mu   sync.Mutex
	raws []string
	hash []common.Hash
	next int
}

type run struct {
	plan    Plan
	start   time.Time
	senders []*sender
	arrival atomic.Int64
	total   int

	// mu guards what follows.
	mu     sync.Mutex
	due    map[common.Hash]time.Time // of what was sent
	seen   map[common.Hash]time.Time // in a block
	result Result
	taken  map[common.Hash]bool // accepted
	last   time.Time
}

// Run offers the load and waits until what was accepted is in blocks.
func Run(ctx context.Context, p Plan) (*Result, error) {
	if len(p.URLs) == 0 || len(p.Queues) == 0 || p.Rate <= 0 || p.Batch < 1 {
		return nil, errors.New("load: incomplete plan")
	}
	r := &run{
		plan: p, total: int(p.Rate * p.Time.Seconds()), due: map[common.Hash]time.Time{}, seen: map[common.Hash]time.Time{},
		taken: map[common.Hash]bool{}, result: Result{Reasons: map[string]int{}},
	}
	doors := make([]*door, len(p.URLs))
	for i, url := range p.URLs {
		doors[i] = newDoor(url, connections)
	}
	for i, q := range p.Queues {
		s := &sender{door: doors[i%len(doors)]}
		for _, tx := range q {
			raw, err := tx.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("load: %w", err)
			}
			s.raws, s.hash = append(s.raws, hexutil.Encode(raw)), append(s.hash, tx.Hash())
		}
		r.senders = append(r.senders, s)
	}
	var head hexutil.Uint64
	if err := doors[0].one(ctx, &head, "eth_blockNumber"); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watcher errgroup.Group
	watcher.Go(func() error { return r.watch(watching, doors[0], uint64(head)+1) })
	err := r.offer(ctx)
	if err == nil {
		err = r.settle(ctx)
	}
	stop()
	if werr := watcher.Wait(); err == nil {
		err = werr
	}
	if err != nil {
		return nil, err
	}
	return r.count(), nil
}

func (r *run) offer(ctx context.Context) error {
	r.start = time.Now().Add(50 * time.Millisecond)
	workers, ctx := errgroup.WithContext(ctx)
	for range connections {
		workers.Go(func() error {
			for {
				end := int(r.arrival.Add(int64(r.plan.Batch)))
				begin := end - r.plan.Batch
				if begin >= r.total {
					return nil
				}
				if err := r.arrivals(ctx, begin, min(end, r.total)); err != nil {
					return err
				}
			}
		})
	}
	return workers.Wait()
}

// arrivals sends those from begin to end when the last of them is due: each the next transaction of its sender.
func (r *run) arrivals(ctx context.Context, begin, end int) error {
	due := r.start.Add(time.Duration(float64(end-1) / r.plan.Rate * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	byDoor := map[*door][]*sender{}
	for i := begin; i < end; i++ {
		s := r.senders[i%len(r.senders)]
		if !s.mu.TryLock() {
			r.add(func(res *Result) { res.Late++ })
			continue
		}
		if s.next == len(s.raws) {
			s.mu.Unlock()
			return errors.New("load: a sender has no transactions left")
		}
		byDoor[s.door] = append(byDoor[s.door], s)
	}
	var failure error
	for d, senders := range byDoor {
		if err := r.request(ctx, d, senders, due); err != nil && failure == nil {
			failure = err
		}
		for _, s := range senders {
			s.mu.Unlock()
		}
	}
	return failure
}

// request sends the next transaction of each of the senders, who are locked.
func (r *run) request(ctx context.Context, d *door, senders []*sender, due time.Time) error {
	raws := make([]string, len(senders))
	r.mu.Lock()
	for i, s := range senders {
		raws[i] = s.raws[s.next]
		r.due[s.hash[s.next]] = due // before the answer: a block may be faster
	}
	r.mu.Unlock()
	answers, err := d.send(ctx, raws)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range senders {
		r.result.Offered++
		if answers[i] != "" {
			r.result.Refused++
			r.result.Reasons[reason(answers[i])]++
			continue
		}
		r.result.Accepted++
		r.taken[s.hash[s.next]] = true
		s.next++
	}
	return nil
}

// reason shortens a refusal to what is the same for all of its kind.
func reason(s string) string {
	for i, c := range s {
		if c == ':' || c >= '0' && c <= '9' {
			return s[:i]
		}
	}
	return s
}

func (r *run) add(f func(*Result)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.result)
}

// watch reads every block as soon as it is there.
func (r *run) watch(ctx context.Context, d *door, next uint64) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var block *struct {
			Transactions []common.Hash `json:"transactions"`
		}
		if err := d.one(ctx, &block, "eth_getBlockByNumber", hexutil.Uint64(next), false); err != nil && ctx.Err() == nil {
			return err
		}
		if block != nil {
			next++
			r.commit(block.Transactions, time.Now())
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *run) commit(txs []common.Hash, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ours := 0
	for _, h := range txs {
		if _, ok := r.due[h]; ok {
			r.seen[h] = now
			ours++
		}
	}
	if ours > 0 {
		r.last = now
		r.result.Blocks++
		r.result.Most = max(r.result.Most, ours)
	}
}

// settle waits until everything that was accepted has been seen.
func (r *run) settle(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for {
		r.mu.Lock()
		missing := len(r.taken) - len(r.seen)
		last := r.last
		r.mu.Unlock()
		if missing <= 0 {
			return nil
		}
		if last.Before(begin) {
			last = begin
		}
		if time.Since(last) > patience {
			return fmt.Errorf("load: %d accepted transactions are in no block after %v", missing, patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (r *run) count() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.result
	for h := range r.taken {
		if at, ok := r.seen[h]; ok {
			out.Took = append(out.Took, at.Sub(r.due[h]))
			if r.due[h].Sub(r.start) >= r.plan.Warm {
				out.Steady = append(out.Steady, at.Sub(r.due[h]))
			}
		}
	}
	out.Committed = len(out.Took)
	out.Span = r.last.Sub(r.start)
	return &out
}
