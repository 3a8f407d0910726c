package coordinator

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// Store is the coordinator's state of record. Each method is one use case and
// one transaction: when it returns, its writes are on the disk, unless it says
// otherwise, and an error means that nothing was written, but for
// [ledger.ErrUnknown]. Methods may be called concurrently. Package storetest
// holds what every store must do.
//
// It has as many methods as there are use cases; the coordinator calls each.
type Store interface {
	BulkStore

	// NewSpender numbers a fresh per-session key for a client. address derives
	// the key's account from its number.
	NewSpender(ctx context.Context, client common.Address, at int64, address func(n uint64) (common.Address, error)) (common.Address, error)
	// Spender returns the number of the key that was made for a client under an
	// address, or [ledger.ErrNotFound].
	Spender(ctx context.Context, client, spender common.Address) (uint64, error)
	// PutSession stores what the chain says about a session; see [ledger.Merge].
	PutSession(ctx context.Context, x ledger.Session) error
	// Session returns a session, or [ledger.ErrNotFound].
	Session(ctx context.Context, id uint64) (ledger.Session, error)
	// Sessions returns all sessions that are not closed, by id.
	Sessions(ctx context.Context) ([]ledger.Session, error)

	// PutKey stores the hash of an API key, with what the audit log says of it.
	PutKey(ctx context.Context, hash common.Hash, k ledger.Key, at int64, e ledger.Event) error
	// Key returns what an API key opens, or [ledger.ErrNotFound].
	Key(ctx context.Context, hash common.Hash) (ledger.Key, error)
	// Keys returns the newest keys of a query.
	Keys(ctx context.Context, q ledger.KeyQuery) ([]ledger.KeyRow, error)
	// RemoveKey forgets a key of an account's, or of anybody's for the zero account. It returns [ledger.ErrNotFound] if
	// there is none with that hash.
	RemoveKey(ctx context.Context, account common.Address, hash common.Hash, e ledger.Event) error
	// Use makes something count as used until a time, or returns [ledger.ErrUsed] if it is already.
	Use(ctx context.Context, id common.Hash, until int64) error
	// Sweep forgets keys, used things, files and bulks whose time is over.
	Sweep(ctx context.Context, now int64) error
	// Log adds to the audit log.
	Log(ctx context.Context, e ledger.Event) error
	// Records returns the newest records of the audit log that concern an account, or of all for the zero account,
	// below a number if that is not 0.
	Records(ctx context.Context, account common.Address, before uint64, limit int) ([]ledger.Record, error)

	// PutMiner stores a miner's login. What it has earned stays.
	PutMiner(ctx context.Context, m ledger.Miner) error
	// HoldMiner stores what the operator decided about a miner, or returns [ledger.ErrNotFound].
	HoldMiner(ctx context.Context, miner common.Address, hold string, e ledger.Event) error
	// SetCredited stores what the chain has paid a miner on this coordinator's account.
	SetCredited(ctx context.Context, miner common.Address, credited market.Amount) error
	// Miner returns a miner's account, or [ledger.ErrNotFound].
	Miner(ctx context.Context, a common.Address) (ledger.Miner, error)
	// Miners returns all miners that ever logged in, by address.
	Miners(ctx context.Context) ([]ledger.Miner, error)
	// SettledJobs counts each miner's jobs that the chain has paid for: of one
	// batch or, with batch 0, of all.
	SettledJobs(ctx context.Context, batch uint64) (map[common.Address]uint64, error)

	// InsertJob reserves the job's MaxPrice and stores it as queued, under the
	// session's next number and the id that sign then gives it. sign may be called
	// again, with another number, if the transaction has to be made anew. If the
	// idempotency key was used before by the session, that job is returned instead,
	// or [ledger.ErrIdempotency] if the request differed. It returns
	// [market.ErrInsufficient] when the deposit does not suffice, and a [*ledger.BudgetError] when the budget of the
	// job's key does not, in which the price is reserved in the same transaction.
	// decided, if not nil, is called when nothing but a crash can undo the job, which may be before it is on the disk;
	// InsertJob returns after that, or at once if decided says not to wait. The job is then on the disk before anything
	// else that is done to it, and within milliseconds, and [Store.Job] waits for that.
	InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error, decided func() (wait bool)) (existing *ledger.Job, err error)
	// Job returns a job, or [ledger.ErrNotFound].
	Job(ctx context.Context, id common.Hash) (*ledger.Job, error)
	// Jobs returns the newest jobs of a client's session, at most limit.
	Jobs(ctx context.Context, client common.Address, session uint64, limit int) ([]*ledger.Job, error)
	// ReceiptJobs returns the newest jobs that have a receipt, of a client or,
	// with session 0, of a miner.
	ReceiptJobs(ctx context.Context, account common.Address, session uint64, limit int) ([]*ledger.Job, error)
	// JobByReceipt returns the job of a receipt id, or [ledger.ErrNotFound].
	JobByReceipt(ctx context.Context, id common.Hash) (common.Hash, error)
	// OpenJobs returns all jobs that are not terminal, oldest first.
	OpenJobs(ctx context.Context) ([]*ledger.Job, error)
	// Assign leases a queued job to a miner. It may return before the lease is on
	// the disk: later writes of jobs see it, and reads do once one of them is on the disk.
	// A crash may undo it, and the job is then queued again.
	Assign(ctx context.Context, id common.Hash, miner common.Address, lease string) (*ledger.Job, error)
	// Requeue takes a lease away; one that its miner never heard of is no attempt.
	// It returns [ledger.ErrNotAssigned] if another holds it, or another replica of
	// the coordinator minds it.
	Requeue(ctx context.Context, id common.Hash, lease string, unheard bool) error
	// RequestCancel remembers that the client wants an unfinished job stopped.
	RequestCancel(ctx context.Context, id common.Hash) error
	// End finishes a job without payment and gives its reservation back; see
	// [ledger.Release]. A job that is terminal already is left and returned as it is.
	End(ctx context.Context, e ledger.Ending) (*ledger.Job, error)
	// Complete charges the session, credits the miner's account and stores the
	// signed receipt, all or nothing. It returns [ledger.ErrNotAssigned] unless
	// the miner holds the lease.
	Complete(ctx context.Context, c ledger.Completion) (*ledger.Job, error)

	// PutVoucher stores a voucher of a client that signs itself, unless it is not
	// the one that [ledger.Vouch] wants. The newest may come again.
	PutVoucher(ctx context.Context, v ledger.Voucher) error
	// LastVoucher returns a session's newest voucher, zero before the first.
	LastVoucher(ctx context.Context, session uint64) (ledger.Voucher, error)
	// Vouched returns the same with the orders behind it, ascending.
	Vouched(ctx context.Context, session uint64) (last ledger.Voucher, after []ledger.Ended, err error)

	// BuildBatch gathers charged jobs that are in no batch; see [ledger.Settle]. It
	// stores the batch with the root that finish makes of the plan's receipts;
	// finish also sets the leaves. It returns nil if there is nothing to settle.
	//
	// A session's voucher reaches up to its oldest open job, as it pays for all
	// orders up to a number.
	BuildBatch(ctx context.Context, g ledger.Gathering, finish func(*ledger.Plan) (root common.Hash)) (*ledger.Batch, error)
	// OpenBatches returns the batches that are not proved yet, oldest first.
	OpenBatches(ctx context.Context) ([]*ledger.Batch, error)
	// Batch returns a batch, or [ledger.ErrNotFound].
	Batch(ctx context.Context, id uint64) (*ledger.Batch, error)
	// BatchMined records the block of a batch, and when it was seen. Jobs that were paid are settled;
	// others stay charged, as the chain did not pay for them.
	BatchMined(ctx context.Context, id uint64, tx common.Hash, block uint64, paid ledger.Paid, at int64) error
	// BatchProved stores the proofs of a batch.
	BatchProved(ctx context.Context, id uint64, proof string) error

	// Meta returns a stored value, or the empty string.
	Meta(ctx context.Context, key string) (string, error)
	// PutMeta stores a value.
	PutMeta(ctx context.Context, key, value string) error

	// Books returns what the ledger has of money, at one moment.
	Books(ctx context.Context) (*ledger.Books, error)
	// Audit returns the books with the sums of all jobs and of the whole journal,
	// at one moment. It reads everything.
	Audit(ctx context.Context) (*ledger.Audit, error)
}
