package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/trace"
)

// Config is what a coordinator needs. All fields are required unless they say
// otherwise.
type Config struct {
	Domain   receipt.Domain
	Registry common.Address
	Account  common.Address // registered coordinator
	Signer   receipt.Signer // its registered signing key
	Spender  func(n uint64) (receipt.Signer, error)
	Store    Store
	Cluster  Cluster // of the store, if several replicas share it; else nil
	Chain    Chain
	Log      *slog.Logger
	Version  string

	MarginBps   uint16
	MinerLimit  market.Amount // bond reserved for each miner
	Heartbeat   time.Duration // default 1 s; three missed end a miner's leases
	SettleEvery time.Duration // default 2 s
	// VoucherWait is how long the orders of a client that signs itself wait for its
	// voucher before they are settled alone, default 2 min.
	VoucherWait time.Duration
	// ReconcileEvery is the time between comparisons of ledger and chain, default 1 min.
	ReconcileEvery time.Duration
	MaxQueued      int // default 10,000; more are refused with 429
	MaxAttempts    int // default 3
	// LoginDomains are the authorities, as host:port, that wallets may sign in to; without any it is this machine's.
	LoginDomains []string
	// Admins are accounts that may make admin keys, beside the coordinator's own.
	Admins []common.Address
	// AddressRate is how many requests a minute that need no key but cost something one address may send, default 60.
	AddressRate uint32
	// Tracer gets the spans of jobs; nil for nobody.
	Tracer *trace.Tracer
	// Translate reads the lines of batches; without it there are none.
	Translate Translate
	// MaxOutput is how many bytes the output file of a batch may have, default 256 MiB: what is beyond is read job by job.
	MaxOutput int
	// KeepContent is how long prompts, answers and files are kept, default 30 days.
	KeepContent time.Duration
}

// Params are the Market's parameters that bind a coordinator.
type Params struct {
	FeeBps             uint16
	MinDeposit         market.Amount
	MaxSessionDuration time.Duration
	CloseWindow        time.Duration
	MaxOrderDuration   time.Duration
	Margin             time.Duration
}

// A lease is a miner's right to complete a job.
type lease struct {
	job     *ledger.Job // as it was when it was leased
	id      string
	miner   common.Address
	offer   api.Offer
	since   time.Time
	leased  time.Time // when it was given, or that the job was made if another replica gave it, or this one before a restart
	held    time.Time // when this replica began to mind it
	expires time.Time
	cancel  bool // the client wants it stopped
	trace   trace.Context
}

// presence is what is known of a miner that is, or lately was, connected.
type presence struct {
	account common.Address
	signer  common.Address            // key that its login verified with
	offers  map[common.Hash]api.Offer // by digest
	slots   int
	seen    time.Time
	online  bool
	drain   bool
	shut    []common.Hash // models that take no job now, as the miner says
	hold    string        // what the operator decided
	remote  bool          // another replica serves it
	running int           // jobs, as that replica says
	wake    chan struct{} // buffered by one
	limit   market.Amount

	measured map[common.Hash]*api.Measured // by digest
	settled  uint64                        // receipts, on the chain
	// scheduled are the offers as the scheduler knows them, nil when they must be
	// made anew; never changed once it is made.
	scheduled map[common.Hash]sched.Offer
}

// Service is a running coordinator. Its methods may be called concurrently.
type Service struct {
	cfg     Config
	params  Params
	log     *slog.Logger
	cluster Cluster
	began   time.Time
	rates   *limiter
	nonces  nonces

	meters    *meters
	bulkWake  chan struct{} // buffered by one
	turn      uint64        // the session with which the next batch begins; of the loop that settles
	comparing sync.Mutex    // held while an admin has the books compared

	// mu guards what follows; it is never held across I/O.
	mu      sync.Mutex
	sched   *sched.Sched
	leases  map[common.Hash]*lease
	miners  map[common.Address]*presence
	menus   map[dish]menu // cleared when a miner joins or is lost
	streams map[common.Hash]*stream
	over    map[common.Hash]*stream   // of jobs that ended a moment ago
	expires map[common.Hash]time.Time // open jobs
	keys    map[common.Hash]knownKey
	signers map[uint64]receipt.Signer        // of sessions' orders, by session
	stopped map[common.Address][]common.Hash // to tell at the next heartbeat
	cancels map[common.Hash]bool             // open jobs that their clients want stopped

	me        uint64    // this replica
	leadUntil time.Time // zero: another settles
	beats     int
	shares    map[common.Hash]*share
	orphans   map[common.Hash]int // leases of this replica's that it does not know, and how often they were seen

	reconciled  time.Time // when ledger and chain were last compared
	differences []ledger.Difference
	booksLast   api.AdminLedger
	booksAt     time.Time
}

// New checks cfg. It does nothing else; see [Service.Run].
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Store == nil || cfg.Chain == nil || cfg.Signer == nil || cfg.Spender == nil:
		return nil, errors.New("coordinator: store, chain, signer and spender are required")
	case cfg.Domain.ChainID == 0 || cfg.Account == (common.Address{}):
		return nil, errors.New("coordinator: chain id and account are required")
	case cfg.MarginBps > 5000:
		return nil, fmt.Errorf("coordinator: a margin of %d basis points is above 5000", cfg.MarginBps)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = time.Second
	}
	if cfg.SettleEvery == 0 {
		cfg.SettleEvery = 2 * time.Second
	}
	if cfg.VoucherWait == 0 {
		cfg.VoucherWait = 2 * time.Minute
	}
	if cfg.ReconcileEvery == 0 {
		cfg.ReconcileEvery = time.Minute
	}
	if cfg.MaxQueued == 0 {
		cfg.MaxQueued = 10_000
	}
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 3
	}
	if cfg.MaxOutput == 0 {
		cfg.MaxOutput = 256 << 20
	}
	if cfg.KeepContent == 0 {
		cfg.KeepContent = 30 * 24 * time.Hour
	}
	if cfg.AddressRate == 0 {
		cfg.AddressRate = 60
	}
	s := &Service{
		bulkWake: make(chan struct{}, 1), rates: newLimiter(), nonces: newNonces(cfg),
		cfg: cfg, log: cfg.Log, cluster: cfg.Cluster, began: time.Now(), sched: sched.New(), shares: map[common.Hash]*share{}, orphans: map[common.Hash]int{},
		leases: map[common.Hash]*lease{}, miners: map[common.Address]*presence{}, menus: map[dish]menu{}, streams: map[common.Hash]*stream{}, over: map[common.Hash]*stream{},
		expires: map[common.Hash]time.Time{}, keys: map[common.Hash]knownKey{}, signers: map[uint64]receipt.Signer{}, stopped: map[common.Address][]common.Hash{}, cancels: map[common.Hash]bool{},
	}
	s.meters = s.newMeters()
	return s, nil
}

// leaseTime is how long a lease lives without a heartbeat.
func (s *Service) leaseTime() time.Duration { return 3 * s.cfg.Heartbeat }

// followEvery is the time between looks at the chain's news.
const followEvery = time.Second

// sweepEvery is the time between looks for what is over and may be forgotten.
const sweepEvery = time.Minute

// sweep forgets what is over.
func (s *Service) sweep(ctx context.Context) {
	if err := s.cfg.Store.Sweep(ctx, time.Now().UnixMilli()); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "what is over was not forgotten", "err", err)
	}
	for ctx.Err() == nil {
		const some = 1000
		n, err := s.cfg.Store.DropContent(ctx, time.Now().Add(-s.cfg.KeepContent).UnixMilli(), some)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "old prompts and answers were not deleted", "err", err)
		}
		if err != nil || n < some {
			return
		}
	}
}

// restartGrace is how long leases of before a restart wait for their miners.
const restartGrace = 15 * time.Second

// Run loads what was under way, calls ready, and works until ctx is done. It
// returns the first error that it cannot go on with.
func (s *Service) Run(ctx context.Context, ready func()) error {
	p, err := s.cfg.Chain.Params(ctx)
	if err != nil {
		return fmt.Errorf("read the market's parameters: %w", err)
	}
	s.params = p
	if s.cluster != nil {
		if err := s.cluster.Join(ctx); err != nil {
			return fmt.Errorf("join the replicas: %w", err)
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
			defer cancel()
			if err := s.cluster.Leave(ctx); err != nil {
				s.log.WarnContext(ctx, "the other replicas were not told: they take over in some seconds", "err", err)
			}
		}()
		if err := s.beatOnce(ctx); err != nil {
			return fmt.Errorf("join the replicas: %w", err)
		}
	}
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("load jobs: %w", err)
	}
	ready()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.addUp(ctx) })
	g.Go(func() error { return every(ctx, s.cfg.Heartbeat/4, s.expireLeases) })
	g.Go(func() error { return every(ctx, s.cfg.SettleEvery, s.settle) })
	g.Go(func() error { return every(ctx, followEvery, s.follow) })
	g.Go(func() error { return every(ctx, sweepEvery, s.sweep) })
	books := s.reconciler()
	g.Go(func() error {
		return every(ctx, s.cfg.ReconcileEvery, func(ctx context.Context) { s.reconcile(ctx, books) })
	})
	if s.cfg.Translate != nil {
		g.Go(func() error { return s.runBulks(ctx) })
	}
	if s.cluster != nil {
		g.Go(func() error { return s.cluster.Listen(ctx, func(n ledger.Note) { s.hear(ctx, n) }) })
		g.Go(func() error { return every(ctx, beatEvery, s.beat) })
		g.Go(func() error { return every(ctx, shareEvery, s.tellPieces) })
		g.Go(func() error { return every(ctx, followEvery, s.bonds) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// every calls fn again and again, d after it last returned, until ctx is done.
func every(ctx context.Context, d time.Duration, fn func(context.Context)) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			fn(ctx)
			t.Reset(d)
		}
	}
}

// addUp compares the ledger with itself, once, beside the work: it reads all that
// there ever was.
func (s *Service) addUp(ctx context.Context) error {
	a, err := s.cfg.Store.Audit(ctx)
	if err != nil {
		if ctx.Err() == nil {
			return fmt.Errorf("add up the ledger: %w", err)
		}
		return nil
	}
	for _, d := range a.Check() {
		s.log.ErrorContext(ctx, "the ledger does not balance", "subject", d.Subject, "what", d.What, "where", d.Where, "want", d.Want, "have", d.Have, "by", d.By)
	}
	return nil
}

// load rebuilds scheduler, leases and streams from the store.
func (s *Service) load(ctx context.Context) error {
	jobs, err := s.cfg.Store.OpenJobs(ctx)
	if err != nil {
		return err
	}
	miners, err := s.cfg.Store.Miners(ctx)
	if err != nil {
		return err
	}
	settled, err := s.cfg.Store.SettledJobs(ctx, 0)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range miners {
		p, err := newPresence(m)
		if err != nil {
			return fmt.Errorf("miner %s: %w", m.Address, err)
		}
		p.settled = settled[m.Address]
		if s.miners[m.Address] == nil { // else another replica has said where it is
			s.miners[m.Address] = p
		}
	}
	for _, j := range jobs {
		switch {
		case j.State != market.Queued && j.Owner == s.me:
			if s.leases[j.ID] == nil {
				s.holdLocked(j, restartGrace)
			}
		case s.streams[j.ID] == nil:
			s.streams[j.ID] = newStream(j)
			s.expires[j.ID] = time.UnixMilli(j.Expires)
			if j.State == market.Queued {
				s.sched.Enqueue(schedJob(j))
			}
		}
	}
	if len(jobs) > 0 {
		s.log.InfoContext(ctx, "jobs resumed", "open", len(jobs))
	}
	return nil
}

func newPresence(m ledger.Miner) (*presence, error) {
	var offers []api.Offer
	if err := json.Unmarshal(m.Offers, &offers); err != nil {
		return nil, err
	}
	p := &presence{account: m.Address, signer: m.Signer, hold: m.Hold, offers: map[common.Hash]api.Offer{}, slots: m.Slots, wake: make(chan struct{}, 1), measured: map[common.Hash]*api.Measured{}}
	for _, o := range offers {
		p.offers[o.Digest] = o
	}
	return p, nil
}

// wakeLocked tells a held claim that there may be work.
func (s *Service) wakeLocked(id common.Address, ok bool) {
	if p := s.miners[id]; ok && p != nil {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// forgetLocked drops what memory holds of a finished job, and ends its stream.
func (s *Service) forgetLocked(j *ledger.Job) {
	wake := s.sched.Running(j.Miner) > 0
	s.sched.Remove(j.ID)
	delete(s.leases, j.ID)
	delete(s.expires, j.ID)
	delete(s.cancels, j.ID)
	delete(s.shares, j.ID)
	delete(s.orphans, j.ID)
	if st := s.streams[j.ID]; st != nil {
		st.finish(j)
		delete(s.streams, j.ID)
		s.over[j.ID] = st
	}
	s.wakeLocked(j.Miner, wake)
}

// ReceiptID returns the id that a job's receipt has or will have.
func (s *Service) ReceiptID(job common.Hash) common.Hash { return s.cfg.Domain.ReceiptID(job) }

// Stats counts what is under way.
type Stats struct{ Queued, Leased, Online int }

// Stats returns the counts now.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Queued: s.sched.Queued(), Leased: len(s.leases)}
	for _, p := range s.miners {
		if p.online {
			out.Online++
		}
	}
	return out
}
