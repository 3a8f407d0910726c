// Package spool keeps what a miner must not lose: results that no coordinator
// has acknowledged, and the latest word of each coordinator on what it owes.
//
// It holds receipts and signatures only, never a prompt or an answer.
package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Result is a finished job that its coordinator has not acknowledged.
type Result struct {
	Coordinator common.Address    `json:"coordinator"`
	Job         common.Hash       `json:"job"`
	Request     api.ResultRequest `json:"request"`
	Deadline    uint64            `json:"deadline"`    // of the order, seconds since 1970
	Earned      market.Amount     `json:"earned"`      // the least that it must add to what is owed
	OwedBefore  market.Amount     `json:"owed_before"` // what was owed when the job came
}

// IOU is a coordinator's signed word that it owes or has paid this miner Total
// in all. It is what Market.claimReceipt takes.
type IOU struct {
	Coordinator      common.Address    `json:"coordinator"`
	Receipt          receipt.Receipt   `json:"receipt"`
	Total            market.Amount     `json:"total"`
	Countersignature receipt.Signature `json:"countersignature"`
}

// Spool is a directory of results and IOUs. It is safe for concurrent use by
// one process.
type Spool struct {
	results, ious string

	mu sync.Mutex // guards the IOU files: a newer one must not be overwritten
}

// Open returns the spool in dir, creating it if needed.
func Open(dir string) (*Spool, error) {
	s := &Spool{results: filepath.Join(dir, "results"), ious: filepath.Join(dir, "owed")}
	for _, d := range []string{s.results, s.ious} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open spool: %w", err)
		}
	}
	return s, nil
}

// resultFile names a result by job and lease: a job may be leased to the same
// miner twice.
func (s *Spool) resultFile(job common.Hash, lease string) string {
	h := sha256.Sum256([]byte(lease))
	return filepath.Join(s.results, job.Hex()+"-"+hex.EncodeToString(h[:8])+".json")
}

// PutResult stores a result. It is on the disk when PutResult returns.
func (s *Spool) PutResult(r Result) error { return write(s.resultFile(r.Job, r.Request.Lease), r) }

// DropResult forgets the result of a job under a lease.
func (s *Spool) DropResult(job common.Hash, lease string) error {
	if err := atomicfile.Remove(s.resultFile(job, lease)); err != nil {
		return fmt.Errorf("drop result: %w", err)
	}
	return nil
}

// Results returns the results that wait. A file that cannot be read is an
// error: it may be worth money.
func (s *Spool) Results() ([]Result, error) {
	entries, err := os.ReadDir(s.results)
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	var all []Result
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // a write that a crash interrupted
		}
		var r Result
		switch err := read(filepath.Join(s.results, e.Name()), &r); {
		case errors.Is(err, fs.ErrNotExist):
			continue // delivered and forgotten meanwhile
		case err != nil:
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// PutIOU stores a coordinator's word unless the one stored is for as much or
// more. It is on the disk when PutIOU returns.
func (s *Spool) PutIOU(i IOU) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.IOU(i.Coordinator)
	if err != nil {
		return err
	}
	if old.Total.Cmp(i.Total) >= 0 && old.Receipt.Version != 0 {
		return nil
	}
	return write(s.iouFile(i.Coordinator), i)
}

func (s *Spool) iouFile(coordinator common.Address) string {
	return filepath.Join(s.ious, strings.ToLower(coordinator.Hex())+".json")
}

// IOU returns a coordinator's latest word; the zero IOU if there is none.
func (s *Spool) IOU(coordinator common.Address) (IOU, error) {
	var i IOU
	err := read(s.iouFile(coordinator), &i)
	if errors.Is(err, fs.ErrNotExist) {
		return IOU{Coordinator: coordinator}, nil
	}
	return i, err
}

// IOUs returns the latest word of every coordinator that this miner worked for.
func (s *Spool) IOUs() ([]IOU, error) {
	entries, err := os.ReadDir(s.ious)
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	var all []IOU
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // a write that a crash interrupted
		}
		var i IOU
		if err := read(filepath.Join(s.ious, e.Name()), &i); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

func write(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return atomicfile.Write(path, append(b, '\n'), 0o600)
}

func read(path string, v any) error {
	b, err := os.ReadFile(path) //nolint:gosec // a path within our own spool
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	if err := api.Decode(b, v); err != nil {
		return fmt.Errorf("read spool file %s: %w", path, err)
	}
	return nil
}
