package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

// Line is a request of a batch, ready to be ordered.
type Line struct {
	Request api.SubmitRequest
	Extras  Extras
	// Answer is the body of the answer that the finished job gives.
	Answer func(*ledger.Job) (any, error)
}

// Translate reads the body of a request to an endpoint as it stands in a batch. Its errors are the client's to see.
type Translate func(endpoint string, body []byte) (Line, error)

// BulkRequest asks for a batch.
type BulkRequest struct {
	Endpoint, Input, Window string
	Metadata                map[string]string
	IdemKey                 string
	Body                    []byte // of the request, compared when the key comes again
}

// BulkEndpoints are what lines of a batch may ask.
var BulkEndpoints = []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}

const (
	bulkWindow   = "24h"
	bulkTime     = 24 * time.Hour
	maxOpenBulks = 50 // of an account
	maxBulkList  = 1000
	maxMetadata  = 16
)

// bulkClient is the scheduler's client of all lines: together they have the share of one client, so that whoever waits for an answer
// does not wait for anybody's batch.
var bulkClient = common.BytesToAddress(crypto.Keccak256([]byte("aitbc/batches")))

// bulkPrefix begins the idempotency keys of lines. No header can hold it.
const bulkPrefix = "\x01batch/"

func isBulkKey(key string) bool { return strings.HasPrefix(key, bulkPrefix) }

// lineKey makes a line's job findable after a restart, and only one: attempt counts from 1.
func lineKey(id string, line, attempt int) string {
	return fmt.Sprintf("%s%s/%d/%d", bulkPrefix, id, line, attempt)
}

// CreateBulk takes a batch in. What is wrong with its file shows later.
func (s *Service) CreateBulk(ctx context.Context, c Caller, r BulkRequest) (*ledger.Bulk, error) {
	no := func(format string, a ...any) (*ledger.Bulk, error) {
		return nil, apierr.New(apierr.Invalid, format, a...)
	}
	switch {
	case s.cfg.Translate == nil:
		return nil, apierr.New(apierr.Unavailable, "this coordinator takes no batches")
	case !slices.Contains(BulkEndpoints, r.Endpoint):
		return no("endpoint is %.60q: use one of %s", r.Endpoint, strings.Join(BulkEndpoints, ", "))
	case r.Window != bulkWindow:
		return no("completion_window is %.20q: use %s", r.Window, bulkWindow)
	case len(r.Metadata) > maxMetadata:
		return no("metadata has more than %d entries", maxMetadata)
	case len(r.IdemKey) > 256 || isBulkKey(r.IdemKey):
		return no("Idempotency-Key is longer than 256 bytes, or no text")
	}
	for k, v := range r.Metadata {
		if len(k) > 64 || len(v) > 512 {
			return no("metadata has a name of more than 64 bytes, or a value of more than 512")
		}
	}
	f, _, err := s.File(ctx, c, r.Input)
	if err != nil {
		return nil, err
	}
	if f.Purpose != purposeBatch {
		return no("the file's purpose is %s, not batch", f.Purpose)
	}
	session, err := s.cfg.Store.Session(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	if session.Self() {
		return nil, errSelfSigned(session.ID)
	}
	now := time.Now()
	b := &ledger.Bulk{
		ID: newID("batch_"), Account: c.Account, Session: c.Session, Key: c.hash, Budget: c.Budget.Limits(), Endpoint: r.Endpoint, Input: r.Input,
		Window: r.Window, Metadata: r.Metadata, State: ledger.BulkValidating, Created: now.UnixMilli(), Expires: now.Add(bulkTime).UnixMilli(),
		Keep: now.Add(bulkTime + s.cfg.KeepContent).UnixMilli(), IdemKey: r.IdemKey,
	}
	if r.IdemKey != "" {
		h := hashKey("batches\x00" + string(r.Body))
		b.IdemHash = h[:]
	}
	open, err := s.cfg.Store.OpenBulks(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(slices.DeleteFunc(open, func(x *ledger.Bulk) bool { return x.Account != c.Account || x.IdemKey == r.IdemKey && r.IdemKey != "" })); n >= maxOpenBulks {
		return nil, apierr.New(apierr.RateLimited, "%d batches of the account are under way: wait for the end of one", n)
	}
	old, err := s.cfg.Store.InsertBulk(ctx, b)
	switch {
	case errors.Is(err, ledger.ErrIdempotency):
		return nil, apierr.New(apierr.Conflict, "the Idempotency-Key was used with another request")
	case err != nil:
		return nil, err
	case old != nil:
		return old, nil
	}
	s.wakeBulks()
	return b, nil
}

func (s *Service) wakeBulks() {
	select {
	case s.bulkWake <- struct{}{}:
	default:
	}
}

// Bulk returns a batch of the caller's account.
func (s *Service) Bulk(ctx context.Context, c Caller, id string) (*ledger.Bulk, error) {
	b, err := s.cfg.Store.Bulk(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && b.Account != c.Account {
		return nil, apierr.New(apierr.NotFound, "there is no such batch of this account")
	}
	return b, err
}

// Bulks lists the batches of the caller's account, newest first.
func (s *Service) Bulks(ctx context.Context, c Caller) ([]*ledger.Bulk, error) {
	return s.cfg.Store.Bulks(ctx, c.Account, maxBulkList)
}

// CancelBulk has no more lines of a batch ordered, and stops those that are under way. What was made is paid for.
func (s *Service) CancelBulk(ctx context.Context, c Caller, id string) (*ledger.Bulk, error) {
	b, err := s.cfg.Store.CancelBulk(ctx, c.Account, id, time.Now().UnixMilli())
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, apierr.New(apierr.NotFound, "there is no such batch of this account")
	case err != nil:
		return nil, err
	case !b.Open() && b.State != ledger.BulkCancelled:
		return nil, apierr.New(apierr.Conflict, "the batch is %s already", b.State)
	}
	s.wakeBulks()
	return b, nil
}
