// Package miner takes jobs from a coordinator, runs them on this machine's
// engines, and hands in signed receipts.
//
// It trusts nobody: a job is checked against its signed order before it runs,
// and work stops when the coordinator owes more than the chain makes it set
// aside. Prompts and answers live in memory only, as long as their job.
package miner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
	"github.com/aitbc/aitbc/trace"
)

// Standing is how a miner stands with a coordinator on the chain.
type Standing struct {
	Credited market.Amount // paid so far
	Limit    market.Amount // bond set aside for the miner
}

// Session is what the chain knows of a client's deposit.
type Session struct {
	Client      common.Address
	Coordinator common.Address
	Spender     common.Address
	FeeBps      uint16
}

// Chain is what a miner asks the chain itself, rather than the coordinator.
// Errors mean that it could not be asked.
type Chain interface {
	// Ensure registers the miner with its stake unless it is registered. It
	// waits for funds, calling note when there is something to tell.
	Ensure(ctx context.Context, note func(what string)) error
	// ID returns the chain's id and the address of its market.
	ID(ctx context.Context) (receipt.Domain, error)
	// Standing returns how the miner stands with a coordinator.
	Standing(ctx context.Context, coordinator common.Address) (Standing, error)
	// Session returns a session; the zero Session if there is none.
	Session(ctx context.Context, id uint64) (Session, error)
	// CoordinatorSigner reports whether signer signs for the coordinator.
	CoordinatorSigner(ctx context.Context, coordinator, signer common.Address) (bool, error)
}

// Offering is a model that the miner sells.
type Offering struct {
	Model     engine.Model
	Rates     market.Rates
	MaxTokens uint64 // longest answer
	// MaxSeconds is the longest run of a program in a container.
	MaxSeconds uint64
	// Benchmark is how quick the model was when the miner started, nil if that was not measured.
	Benchmark *api.Benchmark
	// GPUs are the devices that it runs on, each once; none for the processor.
	GPUs []int
	// What the owner says of the machine that runs it.
	GPU    string
	VRAMGB uint64 // GiB
	Region string
}

func (o Offering) offer(sealing *sealed.Key) api.Offer {
	i := o.Model.Info()
	_, embeds := o.Model.(engine.Embedder)
	out := api.Offer{
		Model: i.Name, Digest: i.Digest, Class: i.Class, Claimed: i.Claimed,
		Context: i.ContextLength, MaxTokens: o.MaxTokens, Parameters: i.Parameters, Rates: o.Rates,
		GPU: o.GPU, VRAMGB: o.VRAMGB, Region: o.Region, Embeddings: embeds, Benchmark: o.Benchmark,
	}
	if i.Container {
		out.Kind, out.MaxSeconds = api.KindContainer, o.MaxSeconds
	}
	if sealing != nil {
		out.SealingKey = sealing.Public()
	}
	return out
}

// Config is what a [Service] needs.
type Config struct {
	Signer      receipt.Signer // the miner's account, and its signing key
	Coordinator *httpx.Client
	Chain       Chain // nil if somebody else registers the miner and watches its money
	Offerings   []Offering
	Slots       int // jobs at a time
	GPUSlots    int // jobs at a time on each GPU; zero: as many as Slots
	Spool       *spool.Spool
	Sealing     *sealed.Key   // nil: it takes no sealed jobs
	Paused      bool          // register on the chain, and take no jobs
	Grace       time.Duration // for jobs under way when the miner stops
	Version     string
	Log         *slog.Logger
	Tracer      *trace.Tracer // gets the spans of jobs; nil for nobody

	// Of a fleet: what its services have together.
	shared *Slots
	stats  *stats
	fleet  bool // there are other coordinators
}

// Service is a miner. Its methods are safe for concurrent use.
type Service struct {
	cfg    Config
	byHash map[common.Hash]Offering
	offers []common.Hash // by their place on offer
	link   *link
	slots  *Slots
	stats  *stats
	wake   chan struct{} // tells the poller that something changed
	turn   chan struct{} // holds a token while a heartbeat is under way: they arrive in the order of what they say

	mu       sync.Mutex // guards the fields below
	phase    Phase
	note     string // what an operator should know, "" when all is well
	draining bool
	account  account
	jobs     map[common.Hash]*job
	sessions map[uint64]Session
	hangUp   context.CancelFunc // ends the wait for a job, nil if none is on
	told     told
}

// Phase is where a miner is in its life.
type Phase string

// The phases.
const (
	Starting    Phase = "starting"
	Registering Phase = "registering" // on the chain; perhaps waiting for funds
	Connecting  Phase = "connecting"  // to the coordinator
	Working     Phase = "working"
	Paused      Phase = "paused" // by its owner
	Draining    Phase = "draining"
	Stopped     Phase = "stopped"
)

var (
	errDraining = errors.New("the miner stops")
	errCanceled = errors.New("the job was cancelled")
	errDeadline = errors.New("the job's deadline has come")
	errSeconds  = errors.New("the job's seconds are over")
	// errAgain ends a run whose job was leased to this miner anew.
	errAgain = apierr.New(apierr.LeaseLost, "the job was leased again")
	// errDiverged ends a run whose answer is not the one that is known already.
	errDiverged = apierr.New(apierr.Conflict, "the coordinator has more of the answer than there is")
)

// New returns a miner that [Service.Run] starts. Two offerings must not have
// the same weights.
func New(cfg Config) (*Service, error) {
	if cfg.Slots < 1 {
		return nil, fmt.Errorf("slots is %d, want at least 1", cfg.Slots)
	}
	if cfg.GPUSlots < 0 {
		return nil, fmt.Errorf("slots of each GPU are %d, want 0 or more", cfg.GPUSlots)
	}
	if len(cfg.Offerings) == 0 {
		return nil, errors.New("no model to offer")
	}
	s := &Service{
		stats: cmp.Or(cfg.stats, newStats()), slots: cmp.Or(cfg.shared, newSlots(cfg)),
		cfg: cfg, byHash: map[common.Hash]Offering{}, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), phase: Starting,
		jobs: map[common.Hash]*job{}, sessions: map[uint64]Session{},
	}
	offers := make([]api.Offer, len(cfg.Offerings))
	for i, o := range cfg.Offerings {
		offers[i] = o.offer(cfg.Sealing)
		if _, twice := s.byHash[offers[i].Digest]; twice {
			return nil, fmt.Errorf("model %s: its weights are offered twice", offers[i].Model)
		}
		s.byHash[offers[i].Digest] = o
		s.offers = append(s.offers, offers[i].Digest)
	}
	var err error
	s.link, err = newLink(cfg, offers)
	return s, err
}

// Run registers the miner, and runs jobs until ctx is done. It then takes no
// more, gives those under way the grace period, and tells the coordinator of
// what it could not finish. Results that could not be handed in stay on disk
// and are sent by the next Run.
func (s *Service) Run(ctx context.Context) error {
	defer s.enter(Stopped, "")
	unsent, err := s.cfg.Spool.Results()
	if err != nil {
		return err
	}
	if s.cfg.Chain != nil {
		s.enter(Registering, "")
		err := s.cfg.Chain.Ensure(ctx, func(what string) { s.enter(Registering, what) })
		if err != nil {
			return stopped(ctx, fmt.Errorf("register on the chain: %w", err))
		}
	}
	if s.cfg.Paused {
		s.enter(Paused, "")
		<-ctx.Done()
		return nil
	}
	s.enter(Connecting, "")
	if err := s.connect(ctx); err != nil {
		return stopped(ctx, err)
	}
	s.enter(Working, "")

	// Work outlives ctx by the grace period, heartbeats outlive work.
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	beats, stopBeats := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeats()
	var pulse, jobs errgroup.Group
	pulse.Go(func() error { s.pulse(beats); return nil })
	pulse.Go(func() error { s.link.keep(beats); return nil })
	for _, r := range unsent {
		s.resend(work, &jobs, r)
	}
	s.poll(ctx, work, &jobs)
	s.drain(work, abandon, &jobs)
	stopBeats()
	return pulse.Wait()
}

// stopped returns nil for an error that ctx's end explains.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Service) enter(p Phase, note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = p
	s.noteLocked(note)
}

// noteLocked sets what an operator should know, and logs it when it is new.
func (s *Service) noteLocked(note string) {
	if note != "" && note != s.note {
		s.cfg.Log.Warn("waiting", "phase", s.phase, "reason", note)
	}
	s.note = note
}

// connect loads the latest IOU and logs in, trying until ctx is done.
func (s *Service) connect(ctx context.Context) error {
	for b := newBackoff(); ; {
		err := s.login(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, errWrongNetwork) {
			return err
		}
		s.enter(Connecting, "coordinator: "+err.Error())
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
}

func (s *Service) login(ctx context.Context) error {
	n, err := s.link.network(ctx)
	if err != nil {
		return err
	}
	d := receipt.Domain{ChainID: n.ChainID, Market: n.Market}
	if s.cfg.Chain != nil {
		own, err := s.cfg.Chain.ID(ctx)
		if err != nil {
			return fmt.Errorf("ask the chain: %w", err)
		}
		if own != d {
			return fmt.Errorf("%w: the coordinator serves chain %d with market %s, our node chain %d with %s", errWrongNetwork, d.ChainID, d.Market, own.ChainID, own.Market)
		}
	}
	if err := s.link.login(ctx, d, n.Coordinator); err != nil {
		return err
	}
	iou, err := s.cfg.Spool.IOU(n.Coordinator)
	if err != nil {
		return err
	}
	s.book(func(a *account) { a.owed(iou.Total) })
	s.cfg.Log.InfoContext(ctx, "joined coordinator", "coordinator", n.Coordinator, "chain_id", n.ChainID, "miner", s.cfg.Signer.Address())
	s.beat(ctx)
	return nil
}

// drain waits for the jobs under way, and gives up those that take too long.
func (s *Service) drain(work context.Context, abandon context.CancelCauseFunc, jobs *errgroup.Group) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	s.enter(Draining, "")
	if err := s.link.drain(work); err != nil {
		s.cfg.Log.DebugContext(work, "coordinator not told of the stop", "err", err)
	}
	late := time.AfterFunc(s.cfg.Grace, func() { abandon(errDraining) })
	defer late.Stop()
	_ = jobs.Wait() // jobs report their errors to the coordinator and the log
}

// Hold keeps the miner from taking more work for a GPU, for a reason that its status shows, until it is called with none.
// Models that do not run on it go on, and so do jobs under way.
func (s *Service) Hold(gpu int, reason string) { s.slots.hold(gpu, reason) }

// Drain keeps the miner from taking more work, or has it take work again, and tells the coordinator. Jobs under way go on.
func (s *Service) Drain(ctx context.Context, on bool) {
	s.book(func(a *account) { a.drained = on })
	s.beat(ctx)
}

// book changes the account, and starts or stops the taking of jobs accordingly.
func (s *Service) book(change func(*account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.account)
	if s.account.obstacle() != "" && s.hangUp != nil {
		s.hangUp()
	}
	select {
	case s.wake <- struct{}{}:
	default: // the poller is told already
	}
}
