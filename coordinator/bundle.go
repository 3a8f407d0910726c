package coordinator

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/receipt"
)

// Receipt returns the bundle of a job that the caller paid for or ran.
func (s *Service) Receipt(ctx context.Context, c Caller, job common.Hash) (*receipt.Bundle, error) {
	j, err := s.cfg.Store.Job(ctx, job)
	mine := err == nil && (c.Scope == ledger.ScopeClient && j.Client == c.Account && j.Session == c.Session || c.Scope == ledger.ScopeMiner && j.Miner == c.Account)
	if !mine || j.Signed == nil {
		return nil, apierr.New(apierr.NotFound, "there is no such receipt with this API key")
	}
	return s.bundle(ctx, j)
}

// Receipts returns the bundles of the caller's newest jobs that have one, of
// orders above a number.
func (s *Service) Receipts(ctx context.Context, c Caller, limit int, above uint64) ([]*receipt.Bundle, error) {
	jobs, err := s.cfg.Store.ReceiptJobs(ctx, c.Account, c.Session, limit)
	if err != nil {
		return nil, err
	}
	out := make([]*receipt.Bundle, 0, len(jobs))
	for _, j := range jobs {
		if j.Number <= above {
			continue
		}
		b, err := s.bundle(ctx, j)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// JobOfReceipt finds the job of a receipt id.
func (s *Service) JobOfReceipt(ctx context.Context, id common.Hash) (common.Hash, error) {
	j, err := s.cfg.Store.JobByReceipt(ctx, id)
	if err != nil {
		return common.Hash{}, apierr.New(apierr.NotFound, "there is no such receipt with this API key")
	}
	return j, nil
}

func (s *Service) bundle(ctx context.Context, j *ledger.Job) (*receipt.Bundle, error) {
	x := j.Signed
	b := &receipt.Bundle{
		Version: receipt.BundleVersion, ChainID: s.cfg.Domain.ChainID, ReceiptID: s.cfg.Domain.ReceiptID(j.ID), ReceiptDigest: receipt.Digest(s.cfg.Domain, x.Receipt),
		Order: j.Spec.Order, OrderSignature: j.Spec.Signature, Candidates: j.Spec.Candidates,
		Receipt: x.Receipt, MinerSignature: x.MinerSignature, MinerTotal: x.MinerTotal, Countersignature: x.Countersignature, Class: j.Class,
	}
	if j.Batch == 0 {
		return b, nil
	}
	batch, err := s.cfg.Store.Batch(ctx, j.Batch)
	if err != nil {
		return nil, err
	}
	if batch.State != ledger.BatchProved {
		return b, nil
	}
	var p receipt.ChainProof
	if err := json.Unmarshal([]byte(batch.Proof), &p); err != nil {
		return nil, fmt.Errorf("stored proof of batch %d: %w", batch.ID, err)
	}
	path, ok := receipt.NewSortedTree(batch.Plan.Leaves).Proof(receipt.Leaf(b.ReceiptID, b.ReceiptDigest))
	if !ok {
		return nil, fmt.Errorf("receipt %s is not in its batch %d", b.ReceiptID, batch.ID)
	}
	client, coordinator, spender := receipt.SessionSlots(j.Session)
	p.State.Registry = p.State.Registry.Pick(receipt.SignerSlot(x.MinerSigner), receipt.SignerSlot(x.CoordinatorSigner))
	p.State.Market = p.State.Market.Pick(client, coordinator, spender)
	b.Settlement = &receipt.Settlement{MerkleProof: path, ChainProof: p}
	return b, nil
}
