package coordinator

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
)

// BulkStore is the part of a [Store] that keeps files, and the work that they list.
type BulkStore interface {
	// PutFile stores a file, or returns [ledger.ErrQuota] if the account's files then had more bytes than quota.
	PutFile(ctx context.Context, f ledger.File, content []byte, quota int64) error
	// Files returns an account's files, newest first.
	Files(ctx context.Context, account common.Address, limit int) ([]ledger.File, error)
	// File returns a file with its content, or [ledger.ErrNotFound].
	File(ctx context.Context, id string) (ledger.File, []byte, error)
	// RemoveFile deletes a file of an account's. It returns [ledger.ErrNotFound], or [ledger.ErrInUse] for the input of
	// an open bulk.
	RemoveFile(ctx context.Context, account common.Address, id string) error

	// InsertBulk stores a new bulk. If the idempotency key was used before by the session, that bulk is returned
	// instead, or [ledger.ErrIdempotency] if the request differed.
	InsertBulk(ctx context.Context, b *ledger.Bulk) (existing *ledger.Bulk, err error)
	// SaveBulk stores how a bulk stands, with the files that it made, if any. That it shall be cancelled stays; one that
	// has ended is left as it is.
	SaveBulk(ctx context.Context, b *ledger.Bulk, files map[string]ledger.File, content map[string][]byte) error
	// CancelBulk remembers that an open bulk of an account's shall be cancelled. It returns it as it then is, or
	// [ledger.ErrNotFound].
	CancelBulk(ctx context.Context, account common.Address, id string, at int64) (*ledger.Bulk, error)
	// Bulk returns a bulk, or [ledger.ErrNotFound].
	Bulk(ctx context.Context, id string) (*ledger.Bulk, error)
	// Bulks returns an account's bulks, newest first.
	Bulks(ctx context.Context, account common.Address, limit int) ([]*ledger.Bulk, error)
	// OpenBulks returns the bulks that have not ended, oldest first.
	OpenBulks(ctx context.Context) ([]*ledger.Bulk, error)

	// JobByIdem returns a session's job of an idempotency key, or [ledger.ErrNotFound].
	JobByIdem(ctx context.Context, session uint64, key string) (*ledger.Job, error)
	// DropContent forgets requests and outputs of jobs that were made before a time, at most limit, and returns how
	// many it looked at. All of them must have ended.
	DropContent(ctx context.Context, before int64, limit int) (int, error)
}
