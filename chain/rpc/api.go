package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/consensus"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/intake"
	"github.com/aitbc/aitbc/chain/proof"
)

// ErrNotFound is returned for a block, transaction or state that the node does not have.
var ErrNotFound = proof.ErrNotFound

// ErrRequest is returned for a request that can never be answered.
var ErrRequest = errors.New("bad request")

// ErrBusy is returned while another audit runs.
var ErrBusy = errors.New("another check is running")

// API answers our own methods. It may be used from any goroutine.
type API struct {
	Chain     *evm.Chain
	Genesis   *genesis.State
	Decided   consensus.Decided
	Proofs    *proof.Builder
	Validator common.Address
	Version   string
	// FailedCalls counts reverted system calls.
	FailedCalls func() uint64

	auditing chan struct{} // holds one token while an audit runs
}

// NewAPI completes an API.
func NewAPI(a API) *API {
	a.auditing = make(chan struct{}, 1)
	return &a
}

func (a *API) signer() types.Signer {
	return types.LatestSignerForChainID(a.Genesis.ChainID())
}

func (a *API) header(h Height) (*types.Header, error) {
	if !h.Set {
		return a.Chain.Head(), nil
	}
	head := a.Chain.Head().Number.Uint64()
	header := a.Chain.BlockChain().GetHeaderByNumber(h.N)
	if header == nil && h.N < a.Chain.First() {
		return nil, a.gone(h.N)
	}
	if h.N > head || header == nil {
		return nil, fmt.Errorf("block %d: %w: the last block is %d", h.N, ErrNotFound, head)
	}
	return header, nil
}

// gone says why a block that there was is not here.
func (a *API) gone(height uint64) error {
	if first := a.Chain.First(); height < first {
		return fmt.Errorf("block %d: %w: %w, as it began with a snapshot of block %d", height, ErrNotFound, evm.ErrPruned, first)
	}
	return fmt.Errorf("block %d: %w: %w, but nodes with storage.retain_blocks = 0 do", height, ErrNotFound, evm.ErrPruned)
}

// GetBlock shows a block with its transactions.
func (a *API) GetBlock(h Height) (*Block, error) {
	header, err := a.header(h)
	if err != nil {
		return nil, err
	}
	b := a.Chain.BlockChain().GetBlock(header.Hash(), header.Number.Uint64())
	if b == nil {
		return nil, a.gone(header.Number.Uint64())
	}
	out, err := showBlock(b, a.Chain.BlockChain().GetReceiptsByHash(b.Hash()), a.signer())
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", header.Number, err)
	}
	if meta := a.Decided.Meta(header.Number.Int64()); meta != nil {
		out.ConsensusHash = meta.BlockID.Hash.Bytes()
	}
	return out, nil
}

// GetTx shows a transaction, in a block or pending.
func (a *API) GetTx(hash string) (*Tx, error) {
	id, err := parseHash(hash)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	tx, header, receipt, ok := a.Chain.Transaction(id)
	if !ok {
		if tx = a.Chain.Pool().Get(id); tx == nil { // perhaps it came into a block between the two looks
			tx, header, receipt, ok = a.Chain.Transaction(id)
		}
	}
	if tx == nil {
		return nil, fmt.Errorf("transaction %v: %w", id, ErrNotFound)
	}
	out, err := showTx(a.signer(), tx)
	if err != nil {
		return nil, fmt.Errorf("transaction %v: %w", id, err)
	}
	if ok {
		out.include(header, receipt)
	}
	return &out, nil
}

// BroadcastTx gives a signed Ethereum transaction, in hex, to the pool.
func (a *API) BroadcastTx(tx string) (*Broadcast, error) {
	raw, err := parseBytes(tx)
	if err != nil {
		return nil, fmt.Errorf("%w: tx %w", ErrRequest, err)
	}
	hash, err := a.Chain.Submit(raw)
	if errors.Is(err, intake.ErrFull) || errors.Is(err, intake.ErrSender) {
		return nil, err // the request is good, the time is not
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return &Broadcast{Hash: hash}, nil
}

// GetBalance shows an account's balance after a block.
func (a *API) GetBalance(address string, h Height) (*Balance, error) {
	addr, err := parseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	var out *Balance
	for range reads {
		if out, err = a.balance(addr, h); err == nil {
			return out, nil
		}
	}
	return nil, err
}

// reads is how often a balance is looked up before it counts as not there: a block may take the state away meanwhile.
const reads = 4

func (a *API) balance(addr common.Address, h Height) (*Balance, error) {
	header, err := a.header(h)
	if err != nil {
		return nil, err
	}
	st, err := a.Chain.StateAt(header)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	out := &Balance{Address: addr, Balance: st.GetBalance(addr).ToBig().String(), Height: header.Number.Uint64()}
	if err := st.Error(); err != nil {
		return nil, fmt.Errorf("state of block %d: %w", header.Number, err)
	}
	return out, nil
}

// Waits of the proof methods for the block after the head, and of the audit for old states. They end before the
// server's write timeout.
const (
	proofWait = 8 * time.Second
	auditWait = 60 * time.Second
)

// GetProof proves a transaction's receipt to light clients.
func (a *API) GetProof(ctx context.Context, tx string) (*proof.Bundle, error) {
	id, err := parseHash(tx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	ctx, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	return a.Proofs.Transaction(ctx, id)
}

// GetAnchor proves an Ethereum header to light clients: what eth_getProof showed of its state is then certain.
func (a *API) GetAnchor(ctx context.Context, h Height) (*proof.Anchor, error) {
	header, err := a.header(h)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	return a.Proofs.Anchor(ctx, header.Number.Uint64())
}

// Check audits the chain's money after a block. It reads every account, so one runs at a time.
func (a *API) Check(ctx context.Context, h Height) (*audit.Report, error) {
	select {
	case a.auditing <- struct{}{}:
		defer func() { <-a.auditing }()
	default:
		return nil, ErrBusy
	}
	at := int64(audit.Latest)
	if h.Set {
		at = int64(h.N) //nolint:gosec // parsed with 63 bits
	}
	ctx, cancel := context.WithTimeout(ctx, auditWait)
	defer cancel()
	r, err := audit.Check(ctx, a.Chain, a.Genesis, at)
	if errors.Is(err, audit.ErrHeight) || errors.Is(err, evm.ErrPruned) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return r, err
}

// ChainInfo shows the node and its chain in brief.
func (a *API) ChainInfo() (*Info, error) {
	head := a.Chain.Head()
	pending, queued := a.Chain.Pool().Stats()
	out := &Info{
		Version: a.Version, ChainID: a.Genesis.ChainID(), CometID: a.Genesis.CometID(), ConsensusMode: string(a.Genesis.Mode),
		Validator: a.Validator, Genesis: a.Chain.BlockChain().Genesis().Hash(),
		Height: head.Number.Uint64(), Hash: head.Hash(), Time: exec.BlockTime(head),
		Pending: pending, Queued: queued, FailedCalls: a.FailedCalls(), Archive: a.Chain.Archive(),
		Predeploys: map[string]common.Address{},
	}
	for _, p := range a.Genesis.Predeploys {
		out.Predeploys[p.Name] = p.Address
	}
	return out, nil
}
