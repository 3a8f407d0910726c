package coordinator

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

const (
	maxLines     = 50_000
	linesAtOnce  = 16 // of one batch
	lineAttempts = 3
	lookForBulks = 2 * time.Second
	bulkSave     = time.Second
	// modelPatience is how long a batch waits for a model that nobody offers.
	modelPatience = 10 * time.Minute
)

// runBulks works on all open batches until ctx is done: where several replicas share the store, the one that leads does.
func (s *Service) runBulks(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex // guards busy
	busy := map[string]bool{}
	look := func() error {
		if !s.leads() {
			return nil
		}
		open, err := s.cfg.Store.OpenBulks(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, b := range open {
			if busy[b.ID] {
				continue
			}
			busy[b.ID] = true
			g.Go(func() error {
				err := s.runBulk(ctx, b)
				if err != nil && ctx.Err() == nil {
					s.log.WarnContext(ctx, "a batch stopped, and goes on soon", "batch", b.ID, "err", err)
				}
				mu.Lock()
				defer mu.Unlock()
				delete(busy, b.ID)
				return nil
			})
		}
		return nil
	}
	g.Go(func() error {
		t := time.NewTicker(lookForBulks)
		defer t.Stop()
		for {
			if err := look(); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "batches were not looked for", "err", err)
			}
			select {
			case <-t.C:
			case <-s.bulkWake:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return g.Wait()
}

// bulkRun is a batch at work.
type bulkRun struct {
	s       *Service
	b       *ledger.Bulk
	caller  Caller
	expired bool // its time was over before it was done

	mu      sync.Mutex // guards what follows
	results []lineResult
	done    int
	failed  int
	running int                  // jobs
	missing map[string]time.Time // models that nobody offers, since when
}

// lineResult is what became of a line: the job that answered it, or an error.
type lineResult struct {
	job *ledger.Job // without its content
	err *apierr.Error
}

// runBulk takes a batch to its end. It may begin at any point, as often as need be: a line whose job is there is not
// ordered again.
func (s *Service) runBulk(ctx context.Context, b *ledger.Bulk) error {
	run := &bulkRun{s: s, b: b, missing: map[string]time.Time{}, caller: Caller{Key: ledger.Key{Scope: ledger.ScopeClient, Account: b.Account, Session: b.Session}}}
	if b.Budget {
		k, err := s.cfg.Store.Key(ctx, b.Key)
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			return run.fail(ctx, ledger.BulkError{Code: "key_revoked", Message: "the API key that made the batch was revoked"})
		case err != nil:
			return err
		}
		run.caller.Key, run.caller.hash = k, b.Key
	}
	_, content, err := s.cfg.Store.File(ctx, b.Input)
	if errors.Is(err, ledger.ErrNotFound) {
		return run.fail(ctx, ledger.BulkError{Code: "file_not_found", Message: "the input file was deleted"})
	}
	if err != nil {
		return err
	}
	lines, bad := parseBulk(content, b.Endpoint)
	if len(bad) > 0 {
		return run.fail(ctx, bad...)
	}
	if b.State == ledger.BulkValidating {
		b.State, b.Begun, b.Total = ledger.BulkInProgress, time.Now().UnixMilli(), len(lines)
		if err := s.cfg.Store.SaveBulk(ctx, b, nil, nil); err != nil {
			return err
		}
	}
	if err := run.all(ctx, lines); err != nil {
		return err
	}
	return run.finish(ctx, lines)
}

// fail ends a batch of which nothing was run.
func (r *bulkRun) fail(ctx context.Context, bad ...ledger.BulkError) error {
	r.b.State, r.b.Errors, r.b.Ended = ledger.BulkFailed, bad, time.Now().UnixMilli()
	return r.s.cfg.Store.SaveBulk(ctx, r.b, nil, nil)
}

// all runs the lines, some at a time, until each has a result. It stops early with an error if this replica is no longer
// to do it.
func (r *bulkRun) all(ctx context.Context, lines []bulkLine) error {
	r.results = make([]lineResult, len(lines))
	end := time.UnixMilli(r.b.Expires)
	work, stop := context.WithDeadline(ctx, end)
	defer stop()
	if r.b.Cancel != 0 {
		stop()
	}
	watch := make(chan struct{})
	var watching sync.WaitGroup
	var saveErr error
	var left atomic.Bool // to another process
	watching.Go(func() {
		t := time.NewTicker(bulkSave)
		defer t.Stop()
		for {
			select {
			case <-t.C:
			case <-watch:
				return
			}
			now, err := r.save(ctx)
			if err != nil || !r.s.leads() {
				saveErr = err
				left.Store(true)
				stop()
				return
			}
			if now.Cancel != 0 {
				stop()
			}
		}
	})
	g := &errgroup.Group{}
	g.SetLimit(linesAtOnce)
	for n := range lines { // also when they are to stop: what was ordered before a restart has a result
		if ctx.Err() != nil || left.Load() {
			break
		}
		g.Go(func() error { r.line(work, n, lines[n]); return nil })
	}
	_ = g.Wait() // none fails
	close(watch)
	watching.Wait()
	switch {
	case saveErr != nil:
		return saveErr
	case ctx.Err() != nil:
		return ctx.Err()
	case left.Load():
		return ledger.ErrNotLeader
	}
	now, err := r.s.cfg.Store.Bulk(ctx, r.b.ID)
	if err != nil {
		return err
	}
	r.b.Cancel = now.Cancel
	r.expired = r.b.Cancel == 0 && !time.Now().Before(end)
	return nil
}

// save stores how far the batch came, and returns it as it is stored.
func (r *bulkRun) save(ctx context.Context) (*ledger.Bulk, error) {
	r.mu.Lock()
	changed := r.b.Completed != r.done || r.b.Failed != r.failed
	r.b.Completed, r.b.Failed = r.done, r.failed
	b := *r.b
	r.mu.Unlock()
	if changed {
		if err := r.s.cfg.Store.SaveBulk(ctx, &b, nil, nil); err != nil {
			return nil, err
		}
	}
	return r.s.cfg.Store.Bulk(ctx, b.ID)
}

func (r *bulkRun) put(n int, x lineResult) {
	if x.job != nil { // the content comes again when it is written out
		small := *x.job
		small.Request, small.Output = nil, ""
		x.job = &small
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[n] = x
	if x.job != nil {
		r.done++
	} else {
		r.failed++
	}
}

// line brings a line to its result. When ctx is done its job is stopped, and it has the result that the job then has.
func (r *bulkRun) line(ctx context.Context, n int, l bulkLine) {
	x, err := r.s.cfg.Translate(r.b.Endpoint, l.Body)
	if err != nil {
		r.put(n, lineResult{err: apierr.Public(err)})
		return
	}
	x.Extras.bulk, x.Extras.Whole = true, true
	for attempt := 1; ; attempt++ {
		x.Extras.IdemKey = lineKey(r.b.ID, n, attempt)
		j, err := r.order(ctx, x)
		if ctx.Err() != nil && j == nil {
			return // it has no result
		}
		if err != nil {
			r.put(n, lineResult{err: apierr.Public(err)})
			return
		}
		r.runs(1)
		j, err = r.await(ctx, j)
		if r.runs(-1); err != nil {
			return // this process stops; the job is found again
		}
		switch {
		case j.State == market.Completed:
			r.put(n, lineResult{job: j})
			return
		case j.State == market.Canceled && ctx.Err() != nil:
			return
		case j.State == market.Canceled:
			r.put(n, lineResult{err: apierr.New(apierr.Conflict, "the job was cancelled")})
			return
		case attempt == lineAttempts:
			r.put(n, lineResult{err: apierr.New(apierr.JobFailed, "the job failed %d times and nothing was charged: %s %s", attempt, j.State, j.ErrorMessage)})
			return
		}
	}
}

func (r *bulkRun) runs(d int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running += d
}

// order returns the job of a line's attempt: the one that was ordered before, or a new one, once there is room for it.
func (r *bulkRun) order(ctx context.Context, x Line) (*ledger.Job, error) {
	for n := 0; ; n++ {
		j, err := r.s.cfg.Store.JobByIdem(context.WithoutCancel(ctx), r.b.Session, x.Extras.IdemKey)
		if err == nil || !errors.Is(err, ledger.ErrNotFound) {
			return j, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		j, err = r.s.Submit(ctx, r.caller, x.Request, x.Extras)
		if err == nil || !r.later(err, x.Request.Model) {
			return j, err
		}
		// Longer each time, and no two the same.
		wait := min(50*time.Millisecond<<min(n, 8), 2*time.Second)
		t := time.NewTimer(wait/2 + rand.N(wait/2+1)) //nolint:gosec // spreads load
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

// later reports whether a line that was refused may be taken later.
func (r *bulkRun) later(err error, model string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := errors.AsType[*apierr.Error](err)
	switch {
	case !ok:
		return true // the store's, or another fault of ours
	case e.Code == apierr.RateLimited || e.Code == apierr.Unavailable:
		return true
	case e.Code == apierr.ModelNotFound:
		if r.missing[model].IsZero() {
			r.missing[model] = time.Now()
		}
		return time.Since(r.missing[model]) < modelPatience
	case e.Code == apierr.Insufficient:
		return r.running > 0 // what others have reserved may come back
	}
	return false
}

// await waits for a job's end. When ctx is done it stops the job first.
func (r *bulkRun) await(ctx context.Context, j *ledger.Job) (*ledger.Job, error) {
	if j.State.Terminal() {
		return j, nil
	}
	nothing := func(api.Event) error { return nil }
	done, err := r.s.Follow(ctx, r.caller, j.ID, 0, nothing)
	if err == nil || ctx.Err() == nil {
		return done, err
	}
	if !r.wanted(ctx) {
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if _, err := r.s.Cancel(ctx, r.caller, j.ID); err != nil {
		return nil, err
	}
	return r.s.Follow(ctx, r.caller, j.ID, 0, nothing)
}

// wanted reports whether a batch's jobs are to be stopped, as it is cancelled or out of time, and not only this process.
func (r *bulkRun) wanted(ctx context.Context) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return true
	}
	b, err := r.s.cfg.Store.Bulk(context.WithoutCancel(ctx), r.b.ID)
	return err == nil && b.Cancel != 0
}
