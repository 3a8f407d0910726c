package miner

import (
	"sync"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/internal/meter"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// outcome names of jobs, for counters.
const (
	outcomeCompleted = "completed"
	outcomeCanceled  = "canceled" // and paid for what was delivered
	outcomeFailed    = "failed"
	outcomeLost      = "lost" // taken away by the coordinator
)

// Totals counts what a miner did since it started.
type Totals struct {
	Jobs    map[string]uint64 `json:"jobs"` // by outcome
	Usage   market.Usage      `json:"usage"`
	Compute time.Duration     `json:"compute_ns"`
	Prices  market.Amount     `json:"prices"` // what the clients paid for the jobs
}

type stats struct {
	mu     sync.Mutex // guards the fields below
	totals Totals

	set              meter.Set
	errors           *meter.Counter
	firstToken, rate *meter.Histogram
}

func newStats() *stats {
	s := &stats{}
	s.firstToken = s.set.Histogram("aitbc_miner_first_token_seconds", "Time from the start of a job to its first token.", meter.Seconds)
	s.rate = s.set.Histogram("aitbc_miner_job_tokens_per_second", "Tokens a second of answers, after the first.", meter.Rates)
	s.errors = s.set.Counter("aitbc_miner_errors_total", "Jobs that failed, by what the coordinator was told.", "code")
	return s
}

// fail counts a job that failed.
func (s *stats) fail(code string) {
	s.errors.Add(1, code)
	s.count(outcomeFailed)
}

func (s *stats) count(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countLocked(name)
}

func (s *stats) countLocked(name string) {
	if s.totals.Jobs == nil {
		s.totals.Jobs = map[string]uint64{}
	}
	s.totals.Jobs[name]++
}

func (s *stats) complete(r receipt.Receipt, finish string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := outcomeCompleted
	if finish == string(engine.Canceled) {
		name = outcomeCanceled
	}
	s.countLocked(name)
	s.totals.Usage.PromptTokens += r.PromptTokens
	s.totals.Usage.CompletionTokens += r.CompletionTokens
	s.totals.Compute += time.Duration(min(r.ComputeMillis, 1<<40)) * time.Millisecond
	if sum, err := s.totals.Prices.Add(r.Price); err == nil {
		s.totals.Prices = sum
	}
}

// snapshot returns a copy with every outcome in it.
func (s *stats) snapshot() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.totals
	t.Jobs = map[string]uint64{}
	for _, name := range []string{outcomeCompleted, outcomeCanceled, outcomeFailed, outcomeLost} {
		t.Jobs[name] = s.totals.Jobs[name]
	}
	return t
}
