package coordinator

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// owned returns a job of the caller's; another's does not exist for it.
func (s *Service) owned(ctx context.Context, c Caller, id common.Hash) (*ledger.Job, error) {
	j, err := s.cfg.Store.Job(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) || (err == nil && (j.Client != c.Account || j.Session != c.Session)) {
		return nil, apierr.New(apierr.NotFound, "there is no such job with this API key")
	}
	return j, err
}

// Describe returns what a job's owner sees of it.
func (s *Service) Describe(j *ledger.Job) api.Job {
	out := api.Job{
		JobID: j.ID, State: j.State, Payment: j.Payment, Model: j.Model, Usage: j.Usage, MaxPrice: j.MaxPrice, Price: j.Price, Fee: j.Fee,
		Block: j.Block, Attempts: j.Attempts, CreatedAt: j.Created, FinishedAt: j.Finished, ExpiresAt: j.Expires, Container: j.Spec.Container, Sealed: j.Spec.Sealed,
	}
	if j.Miner != (common.Address{}) {
		out.Miner = &j.Miner
	}
	if j.Signed != nil {
		id := s.cfg.Domain.ReceiptID(j.ID)
		out.ReceiptID, out.Timeline, out.Usage = &id, timeline(j), j.Signed.Receipt.Usage()
	}
	if j.ErrorCode != "" {
		out.Error = &api.Failure{Code: j.ErrorCode, Message: j.ErrorMessage}
	}
	if j.Payment == market.Settled {
		out.Tx = &j.Tx
	} else {
		out.Block = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leases[j.ID]; l != nil && j.State == market.Queued { // on its way to the disk
		out.State, out.Miner = market.Assigned, &l.job.Miner
	}
	if st := s.streams[j.ID]; st != nil && out.State == market.Assigned && st.len() > 0 {
		out.State = market.Running
	}
	return out
}

// timeline is that of a job with a receipt.
func timeline(j *ledger.Job) *api.Timeline {
	x := j.Signed.Receipt
	t := &api.Timeline{RanMS: x.FinishedAt - x.StartedAt}
	if created := uint64(max(0, j.Created)); x.StartedAt > created { // else the miner's clock is behind
		t.QueuedMS = x.StartedAt - created
	}
	if t.RanMS > 0 && !j.Spec.Container {
		t.TokensPerSecond = 1000 * float64(x.CompletionTokens) / float64(t.RanMS)
	}
	if started := int64(min(x.StartedAt, 1<<52)); j.FirstToken > started {
		t.FirstTokenMS = uint64(j.FirstToken - started)
	}
	if j.Payment == market.Settled && j.SettledAt != 0 {
		t.SettledMS = uint64(max(1, j.SettledAt-j.Finished))
	}
	return t
}

// Job returns a job of the caller's.
func (s *Service) Job(ctx context.Context, c Caller, id common.Hash) (api.Job, error) {
	j, err := s.owned(ctx, c, id)
	if err != nil {
		return api.Job{}, err
	}
	return s.Describe(j), nil
}

// Jobs returns the newest jobs of the caller's.
func (s *Service) Jobs(ctx context.Context, c Caller, limit int) ([]api.Job, error) {
	all, err := s.cfg.Store.Jobs(ctx, c.Account, c.Session, limit)
	if err != nil {
		return nil, err
	}
	out := make([]api.Job, 0, len(all))
	for _, j := range all {
		out = append(out, s.Describe(j))
	}
	return out, nil
}

// Result returns the answer of a finished job; before that the error is too_early.
func (s *Service) Result(ctx context.Context, c Caller, id common.Hash) (api.Result, error) {
	j, err := s.owned(ctx, c, id)
	if err != nil {
		return api.Result{}, err
	}
	if !j.State.Terminal() {
		return api.Result{}, apierr.New(apierr.TooEarly, "the job is %s", s.Describe(j).State).With(map[string]any{"state": s.Describe(j).State})
	}
	if len(j.Request) == 0 {
		return api.Result{}, s.deleted()
	}
	return api.Result{Job: s.Describe(j), Output: j.Output, FinishReason: j.FinishReason, Salt: j.Spec.Salt}, nil
}

// Cancel stops a job of the caller's. What was delivered after the first token
// is paid; before it, nothing is. It returns the job as it then is.
func (s *Service) Cancel(ctx context.Context, c Caller, id common.Hash) (api.Job, error) {
	j, err := s.owned(ctx, c, id)
	if err != nil {
		return api.Job{}, err
	}
	if j.State.Terminal() {
		return s.Describe(j), nil
	}
	if err := s.cfg.Store.RequestCancel(ctx, id); err != nil {
		return api.Job{}, err
	}
	err = s.stop(ctx, id)
	if errors.Is(err, ledger.ErrNotAssigned) { // it was leased this moment
		err = s.stop(ctx, id)
	}
	if err != nil && !errors.Is(err, ledger.ErrNotAssigned) {
		return api.Job{}, err
	}
	if j, err = s.cfg.Store.Job(ctx, id); err != nil {
		return api.Job{}, err
	}
	return s.Describe(j), nil
}

// stop ends a job that is to be cancelled, or has its miner told if it began.
func (s *Service) stop(ctx context.Context, id common.Hash) error {
	e := ledger.Ending{Job: id, State: market.Canceled}
	s.mu.Lock()
	l, st := s.leases[id], s.streams[id]
	if st != nil {
		s.cancels[id] = true // for a lease that is being made
	}
	started := l != nil && st != nil && st.len() > 0
	if l != nil {
		l.cancel, e.Lease = true, l.id
	}
	s.mu.Unlock()
	if started {
		return nil
	}
	return s.end(ctx, e)
}

// Explain says, per miner, why a job of the caller's is not running.
func (s *Service) Explain(ctx context.Context, c Caller, id common.Hash) (api.Explanation, error) {
	j, err := s.owned(ctx, c, id)
	if err != nil {
		return api.Explanation{}, err
	}
	out := api.Explanation{JobID: id, State: s.Describe(j).State, Miners: []api.MinerReason{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	reasons := s.sched.Explain(id)
	for m, p := range s.miners {
		switch r, ok := reasons[m]; {
		case s.leases[id] != nil && s.leases[id].miner == m, s.leases[id] == nil && j.State == market.Assigned && j.Miner == m:
			out.Miners = append(out.Miners, api.MinerReason{Miner: m, Reason: "assigned"})
		case !p.online:
			out.Miners = append(out.Miners, api.MinerReason{Miner: m, Reason: "offline"})
		case p.remote:
			if r, ok := s.sched.Judge(id, p.schedMiner(), p.running); ok {
				out.Miners = append(out.Miners, api.MinerReason{Miner: m, Reason: string(r)})
			}
		case ok:
			out.Miners = append(out.Miners, api.MinerReason{Miner: m, Reason: string(r)})
		}
	}
	return out, nil
}

// Follow calls fn with each change of a job's state and each piece of its
// answer, from piece from on, until the job is done; then it returns the job.
// It stops early with fn's error or ctx's.
func (s *Service) Follow(ctx context.Context, c Caller, id common.Hash, from int, fn func(api.Event) error) (*ledger.Job, error) {
	st, err := s.streamOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if st == nil || st.client != c.Account || st.session != c.Session {
		return s.owned(ctx, c, id)
	}
	known, run := market.JobState(""), st.runs()
	for {
		v, err := s.nextOf(ctx, id, st, place{from, run}, known)
		if err != nil {
			return nil, err
		}
		if v.state != known {
			known = v.state
			if err := fn(api.Event{Type: "state", State: known, At: time.Now().UnixMilli()}); err != nil {
				return nil, err
			}
		}
		for i, p := range v.pieces {
			if err := fn(api.Event{Type: "token", Index: p.Index, Token: p.ID, Text: p.Text, Likely: p.Likely, More: i+1 < len(v.pieces)}); err != nil {
				return nil, err
			}
		}
		from, run = v.start+len(v.pieces), v.run
		if v.ended != nil && len(v.pieces) == 0 {
			return v.ended, nil
		}
	}
}

// Await returns a job of the caller's when it is done, for who wants the answer
// whole. It stops early with ctx's error.
func (s *Service) Await(ctx context.Context, c Caller, id common.Hash) (*ledger.Job, error) {
	st, err := s.streamOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if st == nil || st.client != c.Account || st.session != c.Session {
		return s.owned(ctx, c, id)
	}
	select {
	case <-st.over:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.ended, nil
}

// streamOf returns the stream of a job that is open or ended a moment ago, nil for
// others.
func (s *Service) streamOf(ctx context.Context, id common.Hash) (*stream, error) {
	s.mu.Lock()
	st := cmp.Or(s.streams[id], s.over[id])
	s.mu.Unlock()
	if st != nil || s.cluster == nil {
		return st, nil
	}
	// Another replica may have taken it in a moment ago.
	if err := s.sync(ctx, []common.Hash{id}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.streams[id], s.over[id]), nil
}

// nextOf is [stream.next], of an answer that another replica may receive.
func (s *Service) nextOf(ctx context.Context, id common.Hash, st *stream, from place, known market.JobState) (view, error) {
	if s.cluster == nil {
		return st.next(ctx, from, known)
	}
	for {
		s.ask(ctx, id, st)
		some, cancel := context.WithTimeout(ctx, followRenew)
		v, err := st.next(some, from, known)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return v, err
		}
	}
}
