package storetest

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// tellLocked tells the others something. Who hears nothing for long misses it.
func (r *Replica) tellLocked(n ledger.Note) {
	n.From = r.me
	for ear, of := range r.cluster.ears {
		if of == r {
			continue
		}
		select {
		case ear <- n:
		default:
			<-ear // the oldest
			ear <- ledger.Note{Kind: ledger.NoteLost}
		}
	}
}

// told tells the others that a job changed, unless that failed.
func (r *Replica) told(id common.Hash, err error) error {
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tellLocked(ledger.Note{Kind: ledger.NoteJobs, Jobs: []common.Hash{id}})
	}
	return err
}

// Publish implements coordinator.Cluster.
func (r *Replica) Publish(ctx context.Context, n ledger.Note) error {
	return r.in(ctx, func() error { r.tellLocked(n); return nil })
}

// Listen implements coordinator.Cluster.
func (r *Replica) Listen(ctx context.Context, fn func(ledger.Note)) error {
	ear := make(chan ledger.Note, notes)
	r.mu.Lock()
	r.cluster.ears[ear] = r
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.cluster.ears, ear)
	}()
	fn(ledger.Note{Kind: ledger.NoteLost})
	for {
		select {
		case n := <-ear:
			fn(n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// InsertJob implements coordinator.Store.
func (r *Replica) InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error, decided func() (wait bool)) (*ledger.Job, error) {
	existing, err := r.Memory.InsertJob(ctx, j, sign, decided)
	if existing != nil {
		return existing, err
	}
	return nil, r.told(j.ID, err)
}

// Assign implements coordinator.Store.
func (r *Replica) Assign(ctx context.Context, id common.Hash, miner common.Address, lease string) (*ledger.Job, error) {
	j, err := r.assign(ctx, r.by(), id, miner, lease)
	return j, r.told(id, err)
}

// Requeue implements coordinator.Store.
func (r *Replica) Requeue(ctx context.Context, id common.Hash, lease string, unheard bool) error {
	return r.told(id, r.requeue(ctx, r.by(), id, lease, unheard))
}

// RequestCancel implements coordinator.Store.
func (r *Replica) RequestCancel(ctx context.Context, id common.Hash) error {
	return r.told(id, r.Memory.RequestCancel(ctx, id))
}

// End implements coordinator.Store.
func (r *Replica) End(ctx context.Context, e ledger.Ending) (*ledger.Job, error) {
	j, err := r.end(ctx, r.by(), e)
	return j, r.told(e.Job, err)
}

// Complete implements coordinator.Store.
func (r *Replica) Complete(ctx context.Context, c ledger.Completion) (*ledger.Job, error) {
	j, err := r.Memory.Complete(ctx, c)
	return j, r.told(c.Job, err)
}

// BuildBatch implements coordinator.Store.
func (r *Replica) BuildBatch(ctx context.Context, g ledger.Gathering, finish func(*ledger.Plan) common.Hash) (*ledger.Batch, error) {
	return r.build(ctx, g, finish, r.leadsLocked)
}
