package intake

import (
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// The bounds. Work is counted in gas: what a transaction will probably use of what it claims, as those before it used of
// theirs, and Overhead.
const (
	// Overhead is what each transaction costs besides its gas: the check of its signature by every node, its way to them,
	// its place in pool and block. Measured where four nodes share two processors, it is the work of so much gas.
	Overhead = 30_000
	// Room is the work that may wait while nothing is known about how fast it is done: seconds of it on the slowest
	// machines, tenths of one on others.
	Room = 40_000_000
	// MinRoom and MaxRoom bound what the waiting times of transactions make of it.
	MinRoom = 5_000_000
	MaxRoom = 400_000_000
	// MaxSlots is the most pieces of 32 KiB that may wait: less than the pool itself bears before it drops some.
	MaxSlots = 5_500
	// SenderSlots is the most transactions of one account that may wait; all together they may take three quarters of the
	// room.
	SenderSlots = 256
	// Target is how long a transaction may wait unless the operator says otherwise. When the slowest of a block waited
	// longer, less is taken from then on. But nothing waits less than for the end of the block that is being made and for
	// the next: where those take longer, to refuse more would make nobody faster.
	Target = 450 * time.Millisecond
	// MinTarget and MaxTarget bound what an operator may say.
	MinTarget = 100 * time.Millisecond
	MaxTarget = 10 * time.Second
)

// settleTime is how long the way into the pool may take, forgetAfter how long a transaction counts that no block takes,
// since it pays too little by now.
const (
	settleTime  = time.Second
	forgetAfter = 20 * time.Second
)

// slotBytes is the pool's unit of size.
const slotBytes = 32 << 10

// Source is where a transaction comes from.
type Source int

const (
	// Client is whoever sends a transaction to this node's doors.
	Client Source = iota
	// Peer is a node that has taken it already. There is more room for it, so that what one node took the others take: a
	// proposer that lacks one transaction of an account can propose none of the later ones.
	Peer
)

// Tx is what the gate needs to know of a transaction.
type Tx struct {
	Hash common.Hash
	From common.Address
	// To is the account that it calls; nil when it makes one.
	To *common.Address
	// Gas is what it claims.
	Gas   uint64
	Bytes uint64
	// Tip is what a unit of gas pays the proposer.
	Tip *big.Int
}

// Done is a transaction that a block holds, and the gas that it used.
type Done struct {
	Hash common.Hash
	To   *common.Address
	// Gas is what it claimed.
	Gas, Used uint64
}

type entry struct {
	from  common.Address
	work  uint64
	slots int
	tip   *big.Int
	since time.Time
}

type share struct {
	count int
	work  uint64
}

// Gate counts what waits. It may be used from any goroutine.
type Gate struct {
	// mu guards what follows.
	mu      sync.Mutex
	waiting map[common.Hash]entry
	senders map[common.Address]share
	work    uint64
	slots   int
	room    uint64
	refused bool          // somebody, since the last block
	last    time.Time     // of the last block after which something waited; zero after one that left nothing
	cycle   time.Duration // between blocks while something waits, smoothed
	rate    float64       // of work a second that blocks take meanwhile, smoothed
	bar     *big.Int      // the tip that gets in while the room is taken; nil: none is known
	uses    uses
	wait    time.Duration // how long a transaction may
}

// New makes a gate with nothing waiting, for a time that a transaction may wait, such as [Target].
func New(wait time.Duration) *Gate {
	return &Gate{wait: wait, waiting: map[common.Hash]entry{}, senders: map[common.Address]share{}, room: Room, uses: newUses()}
}

// Wait is how long a transaction may wait.
func (g *Gate) Wait() time.Duration { return g.wait }

// Admit counts a transaction as waiting, or returns ErrFull or ErrSender. One that waits already is admitted again.
// Whoever then finds that the pool does not take it must call Forget.
func (g *Gate) Admit(tx Tx, from Source, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.waiting[tx.Hash]; ok {
		return nil
	}
	own, work := g.senders[tx.From], g.uses.expect(tx.To, tx.Gas)+Overhead
	if own.count >= SenderSlots {
		return &SenderError{Waiting: own.count}
	}
	if from == Client && own.count > 0 && own.work+work > g.room/4*3 {
		g.refused = true
		return &SenderError{Waiting: own.count}
	}
	if err := g.full(tx, from); err != nil {
		g.refused = true
		return err
	}
	e := entry{from: tx.From, work: work, slots: int(tx.Bytes/slotBytes) + 1, tip: tx.Tip, since: now} //nolint:gosec // at most a few
	g.waiting[tx.Hash] = e
	g.senders[tx.From] = share{own.count + 1, own.work + work}
	g.work += e.work
	g.slots += e.slots
	return nil
}

// Peek says what Admit would say of any sender's transaction, which need not be known.
func (g *Gate) Peek(tx Tx, from Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.waiting[tx.Hash]; ok {
		return nil
	}
	err := g.full(tx, from)
	g.refused = g.refused || err != nil
	return err
}

// full decides whether there is room. Over it, up to twice as much, there is some for those who pay more than half of
// the others, and for what peers have taken.
func (g *Gate) full(tx Tx, from Source) error {
	switch {
	case g.work < g.room && g.slots < MaxSlots:
		return nil
	case g.work >= 2*max(g.room, Room/2) || g.slots >= MaxSlots+MaxSlots/20:
		return &FullError{}
	case from == Peer:
		return nil
	}
	if g.bar == nil {
		g.bar = g.median()
	}
	if tx.Tip.Cmp(g.bar) >= 0 {
		return nil
	}
	return &FullError{Tip: new(big.Int).Set(g.bar)}
}

// median is a tenth more than what half of the waiting pay, and at least one unit more.
func (g *Gate) median() *big.Int {
	tips := make([]*big.Int, 0, len(g.waiting))
	for _, e := range g.waiting {
		tips = append(tips, e.tip)
	}
	if len(tips) == 0 {
		return new(big.Int)
	}
	slices.SortFunc(tips, (*big.Int).Cmp)
	m := tips[len(tips)/2]
	more := new(big.Int).Div(m, big.NewInt(10))
	return more.Add(more.Add(more, m), big.NewInt(1))
}

// Forget takes back an admission.
func (g *Gate) Forget(hash common.Hash) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(hash)
}

func (g *Gate) drop(hash common.Hash) {
	e, ok := g.waiting[hash]
	if !ok {
		return
	}
	delete(g.waiting, hash)
	g.work -= e.work
	g.slots -= e.slots
	if s := g.senders[e.from]; s.count > 1 {
		g.senders[e.from] = share{s.count - 1, s.work - e.work}
	} else {
		delete(g.senders, e.from)
	}
}

// Committed takes out what a block holds and, by asking has, what the pool has dropped, and learns from how long the
// block's transactions waited. While nobody proposed the block, for paused, they waited for no work: that is no reason to
// take less.
func (g *Gate) Committed(block []Done, has func(common.Hash) bool, now time.Time, paused time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var slowest time.Duration
	var carried uint64
	known := false
	for _, d := range block {
		g.uses.learn(d.To, d.Gas, d.Used)
		if e, ok := g.waiting[d.Hash]; ok {
			known = true
			carried += e.work
			slowest = max(slowest, now.Sub(e.since))
			g.drop(d.Hash)
		}
	}
	for h, e := range g.waiting {
		// What came just now may not be in the pool yet; what stays in it for long is in no block's way.
		if age := now.Sub(e.since); age > forgetAfter || age > settleTime && !has(h) {
			g.drop(h)
		}
	}
	slowest = max(0, slowest-paused)
	target, proven := g.pace(now, carried, paused)
	switch {
	case known && slowest > target:
		// Less by as much as it was too slow, by half at most: the next block tells more.
		g.room = max(g.room/2, uint64(float64(g.room)*float64(target)/float64(slowest)))
	case g.refused && slowest < target/2:
		g.room += g.room / 2
	case g.refused && slowest < target*3/4:
		g.room += g.room / 8
	case !g.refused && g.room > Room:
		g.room -= (g.room - Room) / 8
	case !g.refused && g.room < Room:
		g.room += (Room-g.room)/64 + 1 // what was found to be slow is slow for a while
	}
	g.room = min(max(g.room, proven, MinRoom), MaxRoom)
	g.refused, g.bar = false, nil
}

// pace learns from a block that carried so much of what waited. It returns how long a transaction may wait, as blocks
// come now, and the room that blocks have lately shown to empty within its time: less would leave them half empty.
func (g *Gate) pace(now time.Time, carried uint64, paused time.Duration) (target time.Duration, proven uint64) {
	if took := now.Sub(g.last) - paused; !g.last.IsZero() && took > 0 {
		g.cycle += (took - g.cycle) / 4
		g.rate += (float64(carried)/took.Seconds() - g.rate) / 4
	}
	g.last = now
	if len(g.waiting) == 0 {
		g.last = time.Time{}
	}
	return max(g.wait, 2*g.cycle), uint64(g.rate * g.wait.Seconds())
}

// State is what waits now and how much may.
type State struct {
	Waiting int
	// Work that waits, and how much may, in gas.
	Work, Room uint64
}

// State reports it.
func (g *Gate) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return State{Waiting: len(g.waiting), Work: g.work, Room: g.room}
}
