package miner

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/miner/spool"
	"github.com/aitbc/aitbc/receipt"
)

// keepTrying is how long after its deadline a result is still offered: the
// coordinator may have taken it and lost only the answer.
const keepTrying = 10 * time.Minute

// gone reports whether err says that the job is not this miner's any more.
func gone(err error) bool {
	return apierr.HasCode(err, apierr.LeaseLost) || apierr.HasCode(err, apierr.NotAssigned) || apierr.HasCode(err, apierr.NotFound)
}

// final reports whether repeating a request that ended with err is of no use.
func final(err error) bool {
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case apierr.Unauthorized, apierr.RateLimited, apierr.Internal, apierr.Unavailable, apierr.TooEarly:
		return false
	default:
		return true
	}
}

// stream sends the pieces of a job as they come, again from the first when the
// connection breaks, until the coordinator has them all or wants no more.
func (s *Service) stream(ctx context.Context, j *job) (api.StreamResponse, error) {
	for b := newBackoff(); ; {
		body := j.pieces.reader()
		got, err := s.link.stream(ctx, j, body)
		_ = body.Close() // never fails
		j.streamed = true
		switch {
		case err == nil && got.Canceled:
			j.cancel(errCanceled)
			return got, nil
		case err == nil && j.pieces.ahead(got.Delivered):
			j.cancel(errDiverged)
			return got, errDiverged
		case err == nil && j.pieces.complete(got.Delivered):
			return got, nil
		case err != nil && final(err):
			j.cancel(err)
			return got, err
		}
		if err := b.wait(ctx); err != nil {
			return got, err
		}
	}
}

// abandon gives up a finished job whose answer did not reach the coordinator.
func (s *Service) abandon(ctx context.Context, j *job, err error) {
	s.drop(ctx, j)
	s.fail(ctx, j, err)
}

func (s *Service) drop(ctx context.Context, j *job) {
	if err := s.cfg.Spool.DropResult(j.id, j.lease); err != nil {
		s.cfg.Log.ErrorContext(ctx, "result not dropped", "job", j.id, "err", err)
	}
}

// resend hands in a result of an earlier run.
func (s *Service) resend(ctx context.Context, jobs *errgroup.Group, r spool.Result) {
	if _, coordinator, _ := s.link.parties(); r.Coordinator != coordinator {
		if !s.cfg.fleet { // else it is another service's
			s.cfg.Log.WarnContext(ctx, "a result for another coordinator waits", "job", r.Job, "coordinator", r.Coordinator)
		}
		return
	}
	j := &job{id: r.Job, lease: r.Request.Lease, started: time.Now(), deadline: time.Unix(int64(min(r.Deadline, 1<<40)), 0)}
	s.begin(j)
	jobs.Go(func() error {
		defer s.end(j)
		s.deliver(ctx, j, r)
		return nil
	})
}

// deliver hands in a result until the coordinator has acknowledged or refused
// it. When the miner stops first, it stays on disk.
func (s *Service) deliver(ctx context.Context, j *job, r spool.Result) {
	ctx, stop := context.WithDeadline(ctx, j.deadline.Add(keepTrying))
	defer stop()
	for b := newBackoff(); ; {
		answer, err := s.link.result(ctx, j.id, r.Request)
		switch {
		case err == nil:
			s.paid(ctx, j, r, answer)
			return
		case apierr.HasCode(err, apierr.StreamGap) && j.pieces != nil:
			if _, err := s.stream(ctx, j); err != nil {
				s.abandon(ctx, j, err)
				return
			}
		case apierr.HasCode(err, apierr.StreamGap):
			// The answer died with the process that made it.
			s.abandon(ctx, j, &refusal{"restarted", "the miner was restarted and the answer is lost", true})
			return
		case gone(err):
			s.abandon(ctx, j, err)
			return
		case final(err):
			s.cfg.Log.ErrorContext(ctx, "result refused", "job", j.id, "err", err)
			s.abandon(ctx, j, &refusal{"result_refused", "the coordinator refused the result", true})
			return
		}
		if b.wait(ctx) != nil {
			s.cfg.Log.ErrorContext(ctx, "result not acknowledged", "job", j.id, "err", err)
			return
		}
	}
}

// paid keeps the coordinator's countersignature, and stops working for one
// that does not sign for what was earned.
func (s *Service) paid(ctx context.Context, j *job, r spool.Result, answer api.ResultResponse) {
	_, coordinator, _ := s.link.parties()
	x := r.Request.Receipt
	defer s.stats.complete(x, r.Request.FinishReason)
	s.cfg.Log.InfoContext(ctx, "job completed", "job", j.id, "finish", r.Request.FinishReason, "prompt_tokens", x.PromptTokens, "completion_tokens", x.CompletionTokens,
		"compute_ms", x.ComputeMillis, "price", x.Price, "owed", answer.MinerTotal)
	if reason := s.checkAnswer(ctx, r, answer); reason != "" {
		s.cfg.Log.ErrorContext(ctx, "coordinator is not trusted any more", "coordinator", coordinator, "job", j.id, "reason", reason)
		s.book(func(a *account) { a.distrust = "the coordinator cheats: " + reason })
		return // the result stays on disk as evidence
	}
	iou := spool.IOU{Coordinator: coordinator, Receipt: x, Total: answer.MinerTotal, Countersignature: answer.Countersignature}
	if err := s.cfg.Spool.PutIOU(iou); err != nil {
		s.cfg.Log.ErrorContext(ctx, "countersignature not kept", "job", j.id, "err", err)
		return // asked for again at the next start
	}
	s.book(func(a *account) { a.owed(answer.MinerTotal) })
	s.drop(ctx, j)
}

// checkAnswer returns what is wrong with a countersignature, or "".
func (s *Service) checkAnswer(ctx context.Context, r spool.Result, answer api.ResultResponse) string {
	d, coordinator, _ := s.link.parties()
	signer, err := receipt.Recover(d, receipt.Countersignature{
		Receipt: receipt.Digest(d, r.Request.Receipt), Miner: s.cfg.Signer.Address(), MinerTotal: answer.MinerTotal,
	}, answer.Countersignature)
	if err != nil {
		return "its countersignature does not verify"
	}
	if signer != coordinator && s.cfg.Chain != nil {
		ok, err := s.cfg.Chain.CoordinatorSigner(ctx, coordinator, signer)
		if err != nil {
			s.cfg.Log.WarnContext(ctx, "chain not asked about the coordinator's key", "err", err)
		} else if !ok {
			return "its countersignature is by a key that the chain does not have for it"
		}
	}
	if least, err := r.OwedBefore.Add(r.Earned); err == nil && answer.MinerTotal.Cmp(least) < 0 {
		return "it signs for " + answer.MinerTotal.String() + " and owes at least " + least.String()
	}
	return ""
}
