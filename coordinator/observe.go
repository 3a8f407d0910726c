package coordinator

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/internal/meter"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/trace"
)

// meters are what a coordinator counts. docs/COORDINATOR.md lists them.
type meters struct {
	set meter.Set

	requests, errors, jobs, tokens, settlements         *meter.Counter
	queueWait, firstToken, rate, ledgerSync, settlement *meter.Histogram
}

// booksFresh is how old the sums of the books may be that metrics show.
const booksFresh = 10 * time.Second

func (s *Service) newMeters() *meters {
	m := &meters{}
	integer := func(name, help string, value func() int) {
		m.set.Gauge(name, help, func() string { return strconv.Itoa(value()) })
	}
	integer("aitbc_coordinator_queued_jobs", "Jobs that wait for a miner.", func() int { return s.Stats().Queued })
	integer("aitbc_coordinator_leased_jobs", "Jobs that a miner holds.", func() int { return s.Stats().Leased })
	integer("aitbc_coordinator_online_miners", "Miners that send heartbeats.", func() int { return s.Stats().Online })
	m.queueWait = m.set.Histogram("aitbc_coordinator_queue_wait_seconds", "Time that jobs waited for a miner.", meter.Seconds)
	m.firstToken = m.set.Histogram("aitbc_coordinator_first_token_seconds", "Time from lease to first token.", meter.Seconds)
	m.rate = m.set.Histogram("aitbc_coordinator_job_tokens_per_second", "Tokens a second of answers, after the first.", meter.Rates)
	m.jobs = m.set.Counter("aitbc_coordinator_jobs_total", "Jobs that ended, by state.", "state")
	m.tokens = m.set.Counter("aitbc_coordinator_tokens_total", "Tokens that were charged.", "kind")
	m.requests = m.set.Counter("aitbc_coordinator_requests_total", "Requests that were answered.", "route", "status")
	m.errors = m.set.Counter("aitbc_coordinator_errors_total", "Errors that clients and miners were told, by code.", "code")
	m.ledgerSync = m.set.Histogram("aitbc_coordinator_ledger_sync_seconds", "Time until a job's money was on the disk.", meter.Short)
	m.settlements = m.set.Counter("aitbc_coordinator_settlements_total", "Batches that came into a block.")
	m.settlement = m.set.Histogram("aitbc_coordinator_settlement_seconds", "Time that a batch took to come into a block.", meter.Seconds)
	m.set.Gauge("aitbc_coordinator_unsettled_units", "Base units that were charged and that the chain has not paid yet.", func() string { return s.sums().Unsettled.String() })
	m.set.Gauge("aitbc_coordinator_owed_units", "Base units that miners earned and the chain has not credited yet.", func() string { return s.sums().Owed.String() })
	integer("aitbc_coordinator_reconciliation_difference", "Amounts that ledger and chain have differently, by a unit or more.", func() int {
		_, differences := s.Reconciled()
		return len(differences)
	})
	integer("aitbc_coordinator_reconciliation_age_seconds", "Time since ledger and chain were compared, -1 before the first time.", func() int {
		if compared, _ := s.Reconciled(); !compared.IsZero() {
			return int(time.Since(compared).Seconds())
		}
		return -1
	})
	m.set.Gauge("aitbc_coordinator_spans_dropped_count", "Spans that no collector took.", func() string { return strconv.FormatUint(s.cfg.Tracer.Dropped(), 10) })
	for _, state := range []market.JobState{market.Completed, market.Failed, market.Canceled, market.Expired} {
		m.jobs.Add(0, string(state))
	}
	for _, kind := range []string{"prompt", "completion"} {
		m.tokens.Add(0, kind)
	}
	return m
}

// WriteMetrics writes what was counted in Prometheus' text format.
func (s *Service) WriteMetrics(w io.Writer) error {
	_, err := s.meters.set.WriteTo(w)
	return err
}

// Observe counts a request that was answered.
func (s *Service) Observe(route string, status int, code apierr.Code) {
	s.meters.requests.Add(1, route, strconv.Itoa(status))
	if code != "" {
		s.meters.errors.Add(1, string(code))
	}
}

// Tracer is where the coordinator's spans go, nil for nowhere.
func (s *Service) Tracer() *trace.Tracer { return s.cfg.Tracer }

// sums are the books, added up a moment ago. While the ledger does not answer they are what they were.
func (s *Service) sums() api.AdminLedger {
	s.mu.Lock()
	last, at := s.booksLast, s.booksAt
	s.mu.Unlock()
	if time.Since(at) < booksFresh {
		return last
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	b, err := s.cfg.Store.Books(ctx)
	if err != nil {
		return last
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.booksLast, s.booksAt = totals(b), time.Now()
	return s.booksLast
}

// leased notes that a job got its miner.
func (s *Service) leased(j *ledger.Job, l *lease) {
	wait := l.since.Sub(time.UnixMilli(j.Created))
	s.meters.queueWait.Observe(max(0, wait.Seconds()))
	parent := trace.Parse(j.Spec.Trace)
	l.trace = s.cfg.Tracer.Child(parent)
	s.span(parent, s.cfg.Tracer.Child(parent), "queue", time.UnixMilli(j.Created), l.since, "", trace.String("aitbc.job", j.ID.Hex()), trace.Int("aitbc.attempt", int64(j.Attempts)))
}

// span has a span sent that is over. Without a tracer it does nothing.
func (s *Service) span(parent, c trace.Context, name string, start, end time.Time, fault string, a ...trace.Attribute) {
	if s.cfg.Tracer == nil || parent.IsZero() {
		return
	}
	s.cfg.Tracer.Put(trace.Record{Context: c, Parent: parent.Span, Name: name, Kind: trace.Internal, Start: start, End: end, Attributes: a, Error: fault})
}

// completed notes that a miner completed a job.
func (s *Service) completed(j *ledger.Job, l *lease, sync time.Duration) {
	s.meters.ledgerSync.Observe(sync.Seconds())
	s.meters.jobs.Add(1, string(j.State))
	s.meters.tokens.Add(j.Usage.PromptTokens, "prompt")
	s.meters.tokens.Add(j.Usage.CompletionTokens, "completion")
	first, end := time.UnixMilli(j.FirstToken), time.UnixMilli(j.Finished)
	var events []trace.Event
	if j.FirstToken != 0 {
		events = append(events, trace.Event{Name: "first token", At: first})
		s.meters.firstToken.Observe(max(0, first.Sub(l.since).Seconds()))
		if n := j.Usage.CompletionTokens; n > 1 { // times are in milliseconds
			s.meters.rate.Observe(float64(n-1) / max(end.Sub(first), time.Millisecond).Seconds())
		}
	}
	if parent := trace.Parse(j.Spec.Trace); s.cfg.Tracer != nil && !parent.IsZero() {
		s.cfg.Tracer.Put(trace.Record{Context: l.trace, Parent: parent.Span, Name: "run", Kind: trace.Producer, Start: l.since, End: end, Events: events, Attributes: []trace.Attribute{
			trace.String("aitbc.job", j.ID.Hex()), trace.String("aitbc.miner", l.miner.Hex()), trace.String("gen_ai.request.model", j.Model),
			trace.Int("gen_ai.usage.input_tokens", int64(j.Usage.PromptTokens)), trace.Int("gen_ai.usage.output_tokens", int64(j.Usage.CompletionTokens)),
		}})
	}
}

// ended notes that a job, or its lease, ended without payment. l is nil if nobody had it.
func (s *Service) ended(j *ledger.Job, l *lease, code string) {
	if j.State.Terminal() {
		s.meters.jobs.Add(1, string(j.State))
	}
	parent := trace.Parse(j.Spec.Trace)
	if l != nil {
		s.span(parent, l.trace, "run", l.since, time.Now(), code, trace.String("aitbc.job", j.ID.Hex()), trace.String("aitbc.miner", l.miner.Hex()))
		return
	}
	s.span(parent, s.cfg.Tracer.Child(parent), "queue", time.UnixMilli(j.Created), time.Now(), code, trace.String("aitbc.job", j.ID.Hex()))
}

// paid notes that a batch, which was begun at a time, came into a block.
func (s *Service) paid(ctx context.Context, b *ledger.Batch, m Mined, began time.Time) {
	s.meters.settlements.Add(1)
	if s.cfg.Tracer == nil {
		return
	}
	now := time.Now()
	for _, id := range b.Plan.Jobs {
		j, err := s.cfg.Store.Job(ctx, id)
		if err != nil {
			return // it is only counted
		}
		parent := trace.Parse(j.Spec.Trace)
		at := s.cfg.Tracer.Child(parent)
		s.span(parent, at, "settle", time.UnixMilli(j.Finished), now, "", trace.String("aitbc.job", id.Hex()), trace.Int("aitbc.batch", int64(b.ID)))
		if !at.IsZero() {
			s.cfg.Tracer.Put(trace.Record{Context: s.cfg.Tracer.Child(at), Parent: at.Span, Name: "transaction", Kind: trace.Client, Start: began, End: now, Attributes: []trace.Attribute{
				trace.String("peer.service", "aitbcd"), trace.String("aitbc.tx", m.Tx.Hex()), trace.Int("aitbc.block", int64(m.Block)),
			}})
		}
	}
}
