package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/bench/chain/load"
	"github.com/aitbc/aitbc/bench/chain/settle"
	"github.com/aitbc/aitbc/bench/chain/target"
	"github.com/aitbc/aitbc/bench/chain/token"
	"github.com/aitbc/aitbc/bench/figure"
)

// The rates that are offered, in transactions a second.
const (
	idleRate  = 3.7 // a gap that is no multiple of anything that nodes wait for
	loadRate  = 500
	floodRate = 8000 // about twice what one validator carries on two cores
	tokenRate = 6000
	batchRate = 60 // settlements
	manyShare = 3  // several validators on one machine are offered less by this
)

// The accounts: senders send, the rest are the holders of other parts.
const (
	senders     = 500
	coordinator = senders
	client      = senders + 1
	spenders    = senders + 10
	deployer    = senders + 2
	accounts    = spenders + settle.Vouchers
	peerFunded  = 4000 // the peer's own generator deploys from its account 3999
)

// measurement is of networks of one size.
type measurement struct {
	plan       plan
	validators int
	accounts   []*load.Account
	section    *figure.Section
}

func newMeasurement(p plan, validators int) *measurement {
	return &measurement{plan: p, validators: validators, section: figure.New(
		fmt.Sprintf("Chain: validators %d", validators),
		fmt.Sprintf("From when a transaction is due until a final block with it is seen over HTTP, asked every 2 ms. Idle: %v a second. Load: %d a second. Floods offer about twice what is taken: latency is of what the pool accepted; in the first two seconds of each a network finds out what it can carry. CPU is of all nodes, memory and disk of the first.", idleRate, loadRate))}
}

// network measures one network.
type network struct {
	*measurement
	*target.Chain
	values map[string]float64
	units  map[string]string
	order  []string
}

func (m *measurement) round(ctx context.Context) error {
	funded, err := load.Accounts(peerFunded)
	if err != nil {
		return err
	}
	m.accounts = funded
	o := target.Options{Dir: m.plan.dir, Validators: m.validators}
	for _, a := range funded {
		o.Accounts = append(o.Accounts, a.Address())
	}
	o.Binary, o.Pruned, o.PoolWait = m.plan.bin, m.plan.pruned, m.plan.poolWait
	ours, err := m.measure(ctx, o, target.Ours)
	if err != nil {
		return err
	}
	if m.plan.peer == "" {
		for _, name := range ours.order {
			m.section.Sample(name, ours.units[name], ours.values[name])
		}
		return nil
	}
	o.Binary = m.plan.peer
	peer, err := m.measure(ctx, o, target.Peer)
	if err != nil {
		return err
	}
	for _, name := range ours.order {
		m.section.Sample(name, ours.units[name], ours.values[name])
		if theirs, ok := peer.values[name]; ok {
			m.section.Sample(name+", "+peer.Name, ours.units[name], theirs)
			if theirs > 0 {
				m.section.Sample(name+", ratio", "×", ours.values[name]/theirs)
			}
		}
	}
	return nil
}

// measure starts a network, measures it, stops it and forgets its data.
func (m *measurement) measure(ctx context.Context, o target.Options, start func(context.Context, target.Options) (*target.Chain, error)) (n *network, err error) {
	if o.Dir, err = os.MkdirTemp(o.Dir, "net"); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	chain, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, chain.Stop(), os.RemoveAll(o.Dir)) }()
	n = &network{measurement: m, Chain: chain, values: map[string]float64{}, units: map[string]string{}}
	for _, phase := range phases {
		if !slices.Contains(m.plan.only, phase) {
			continue
		}
		if err := n.phase(ctx, phase); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", n.Name, phase, err)
		}
	}
	bytes, err := n.Resident()
	if err != nil {
		return nil, err
	}
	n.note("memory at the end", "MB", float64(bytes)/1e6)
	return n, nil
}

// oneDead is the load on what is left of a network.
const oneDead = "one dead"

// share is the part of a rate that a network of this size is offered.
func (n *network) share(rate float64) float64 {
	if n.validators > 1 {
		return rate / manyShare
	}
	return rate
}

// warm is how long a flood goes on before its steady state counts.
func (n *network) warm(phase string) time.Duration {
	if phase == "idle" || phase == "load" || phase == oneDead {
		return 0
	}
	return n.plan.pick(2*time.Second, 500*time.Millisecond)
}

func (n *network) note(name, unit string, v float64) {
	if _, ok := n.values[name]; !ok {
		n.order = append(n.order, name)
	}
	n.values[name], n.units[name] = v, unit
}

func (n *network) phase(ctx context.Context, name string) error {
	if err := load.Sync(ctx, n.URLs[0], n.accounts[:accounts]); err != nil {
		return err
	}
	switch name {
	case "idle":
		bytes, err := n.Resident()
		if err != nil {
			return err
		}
		n.note("idle, memory", "MB", float64(bytes)/1e6)
		return n.transfers(ctx, name, idleRate, n.plan.pick(20*time.Second, 4*time.Second), 1)
	case "load":
		return n.transfers(ctx, name, loadRate, n.plan.pick(10*time.Second, 2*time.Second), 1)
	case "flood":
		return n.transfers(ctx, name, n.share(floodRate), n.plan.pick(8*time.Second, 2*time.Second), 10)
	case "lost":
		if n.validators < 4 {
			return nil // fewer cannot do without one
		}
		if err := n.Lose(); err != nil {
			return err
		}
		return n.transfers(ctx, oneDead, loadRate, n.plan.pick(10*time.Second, 3*time.Second), 1)
	case "erc20":
		return n.tokens(ctx, n.plan.pick(8*time.Second, 2*time.Second))
	case "vouchers":
		return n.vouchers(ctx)
	default:
		if n.Name != "aitbc" {
			return nil // it has no market
		}
		return n.settles(ctx, n.plan.pick(8*time.Second, 2*time.Second))
	}
}

func (n *network) transfers(ctx context.Context, name string, rate float64, t time.Duration, batch int) error {
	queues, err := load.Queues(n.ID, n.accounts[:senders], int(rate*t.Seconds())/senders+2, func(i, _ int) (load.Call, error) {
		to := n.accounts[(i+1)%senders].Address()
		return load.Call{To: &to, Value: big.NewInt(1), Gas: 21_000}, nil
	})
	if err != nil {
		return err
	}
	return n.offer(ctx, name, load.Plan{URLs: n.URLs, Queues: queues, Rate: rate, Time: t, Warm: n.warm(name), Batch: batch}, name != "idle")
}

// offer runs a load and notes what came of it.
func (n *network) offer(ctx context.Context, name string, p load.Plan, heavy bool) error {
	cpu, err := n.CPU()
	if err != nil {
		return err
	}
	disk, err := n.Disk()
	if err != nil {
		return err
	}
	res, err := load.Run(ctx, p)
	if err != nil {
		return err
	}
	if res.Committed == 0 {
		return fmt.Errorf("nothing of %d was committed: %v", res.Offered, res.Reasons)
	}
	n.note(name+", p50", "ms", figure.Millis(figure.Quantile(res.Took, 0.5)))
	n.note(name+", p99", "ms", figure.Millis(figure.Quantile(res.Took, 0.99)))
	n.note(name+", longest", "ms", figure.Millis(slices.Max(res.Took)))
	if !heavy {
		return nil
	}
	after, err := n.CPU()
	if err != nil {
		return err
	}
	used, err := n.Disk()
	if err != nil {
		return err
	}
	if p.Warm > 0 && len(res.Steady) > 0 {
		n.note(name+", p99 after "+p.Warm.String(), "ms", figure.Millis(figure.Quantile(res.Steady, 0.99)))
	}
	n.note(name+", committed", "1/s", res.Rate())
	n.note(name+", final within a second", "1/s", float64(figure.Within(res.Took, time.Second))/p.Time.Seconds())
	n.note(name+", refused", "%", 100*float64(res.Refused)/float64(res.Offered))
	n.note(name+", blocks", "1/s", float64(res.Blocks)/res.Span.Seconds())
	n.note(name+", not offered in time", "%", 100*float64(res.Late)/float64(res.Late+res.Offered))
	n.note(name+", CPU each", "µs", figure.Micros(after-cpu)/float64(res.Committed))
	n.note(name+", disk each", "bytes", float64(used-disk)/float64(res.Committed))
	return nil
}

func (n *network) tokens(ctx context.Context, t time.Duration) error {
	var holders []common.Address
	for _, a := range n.accounts[:senders] {
		holders = append(holders, a.Address())
	}
	code, err := token.Creation(holders, big.NewInt(1e18))
	if err != nil {
		return err
	}
	made, err := load.Do(ctx, n.URLs[0], n.ID, n.accounts[deployer], load.Call{Value: new(big.Int), Gas: 16_000_000, Data: code})
	if err != nil {
		return fmt.Errorf("deploy token: %w", err)
	}
	queues, err := load.Queues(n.ID, n.accounts[:senders], int(n.share(tokenRate)*t.Seconds())/senders+2, func(i, _ int) (load.Call, error) {
		data, err := token.Transfer(n.accounts[(i+1)%senders].Address(), big.NewInt(1))
		return load.Call{To: made.Contract, Value: new(big.Int), Gas: 80_000, Data: data}, err
	})
	if err != nil {
		return err
	}
	return n.offer(ctx, "erc20", load.Plan{URLs: n.URLs, Queues: queues, Rate: n.share(tokenRate), Time: t, Warm: n.warm("erc20"), Batch: 10}, true)
}

func (n *network) settles(ctx context.Context, t time.Duration) error {
	house, err := settle.Open(ctx, n.URLs[0], n.ID, n.accounts[coordinator], n.accounts[client], n.accounts[spenders:spenders+settle.Vouchers])
	if err != nil {
		return err
	}
	queue, err := house.Sign(int(n.share(batchRate)*t.Seconds()) + 2)
	if err != nil {
		return err
	}
	if err := n.offer(ctx, "settle", load.Plan{URLs: n.URLs[:1], Queues: []load.Queue{queue}, Rate: n.share(batchRate), Time: t, Warm: n.warm("settle"), Batch: 1}, true); err != nil {
		return err
	}
	r, err := load.Find(ctx, n.URLs[0], queue[0].Hash())
	if err != nil {
		return err
	}
	moved, err := settle.Moved(r)
	if err != nil {
		return err
	}
	if moved != settle.Vouchers {
		return fmt.Errorf("a settlement moved %d sessions, not %d", moved, settle.Vouchers)
	}
	n.note("settle, gas of the first", "gas", float64(r.GasUsed))
	n.note("settle, vouchers", "1/s", n.values["settle, committed"]*settle.Vouchers)
	return nil
}

var (
	vouchersWord = regexp.MustCompile(`vouchers/s=(\d+)`)
	p99Word      = regexp.MustCompile(`p99=(\S+)`)
)

// vouchers lets the peer's own generator settle with the peer's own contract, on whichever network this is. It gets its
// coins from the funded account of its own that comes last.
func (n *network) vouchers(ctx context.Context) error {
	if n.plan.peer == "" {
		return nil
	}
	t := n.plan.pick(8*time.Second, 2*time.Second)
	cpu, err := n.CPU()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, n.plan.peer, "load", "-rpc", n.URLs[0], "-ws", n.WS, "-chain", n.ID.String(), "-kind", "settle", "-n", "8", "-off", strconv.Itoa(accounts), "-rate", fmt.Sprint(n.share(batchRate)), "-dur", t.String()) //nolint:gosec // the operator names it
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the peer's own load: %w\n%s", err, out)
	}
	rate, p99 := vouchersWord.FindSubmatch(out), p99Word.FindSubmatch(out)
	if rate == nil || p99 == nil {
		return fmt.Errorf("the peer's own load printed %q", out)
	}
	vouchers, err := strconv.ParseFloat(string(rate[1]), 64)
	if err != nil {
		return err
	}
	took, err := time.ParseDuration(string(p99[1]))
	if err != nil {
		return err
	}
	after, err := n.CPU()
	if err != nil {
		return err
	}
	n.note("vouchers, p99", "ms", figure.Millis(took))
	n.note("vouchers, settled", "1/s", vouchers)
	n.note("vouchers, CPU each", "µs", figure.Micros(after-cpu)/(vouchers*t.Seconds()))
	return nil
}

// aims are the goals of the chain.
func (m *measurement) aims() {
	s := m.section
	if m.validators == 1 {
		s.AtMost("idle, p99", 50)
	} else {
		s.AtMost("idle, p99", 150)
		s.AtMost("load, p99", 700)
		s.AtMost(oneDead+", longest", 3000)
	}
	warm := " after " + m.plan.pick(2*time.Second, 500*time.Millisecond).String()
	for _, name := range []string{"flood, p99", "erc20, p99", "settle, p99"} {
		s.AtMost(name+warm, 1000)
	}
	for _, name := range []string{"flood, committed, ratio", "erc20, committed, ratio", "flood, final within a second, ratio", "erc20, final within a second, ratio", "vouchers, settled, ratio"} {
		s.AtLeast(name, 1)
	}
	for _, name := range []string{"idle, p50, ratio", "idle, p99, ratio", "load, p50, ratio", "load, p99, ratio"} {
		s.AtMost(name, 1)
	}
}
