// Package onchain is the coordinator's door to the blockchain: the Registry and
// Market predeploys through Ethereum JSON-RPC, and proofs from the node.
package onchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/light"
)

// Chain implements [coordinator.Chain] for one coordinator account.
type Chain struct {
	account  common.Address
	client   *chainclient.Client
	comet    *chainclient.Comet
	sender   *chainclient.Sender
	market   *predeploy.Market
	registry *predeploy.Registry
}

var _ coordinator.Chain = (*Chain)(nil)

// New returns a door for the account whose key signs. It makes no call.
func New(client *chainclient.Client, comet *chainclient.Comet, signer receipt.Signer) *Chain {
	c := Reader(client, signer.Address())
	c.comet, c.sender = comet, predeploy.NewSender(client, signer)
	return c
}

// Reader returns a door for looking only: it neither sends nor proves.
func Reader(client *chainclient.Client, account common.Address) *Chain {
	return &Chain{account: account, client: client, market: predeploy.NewMarket(client), registry: predeploy.NewRegistry(client)}
}

const latest = chainclient.Latest

func seconds(n uint64) time.Duration { return time.Duration(min(n, 1<<33)) * time.Second }

// Params implements [coordinator.Chain].
func (c *Chain) Params(ctx context.Context) (coordinator.Params, error) {
	p, err := c.market.Params(ctx, latest)
	if err != nil {
		return coordinator.Params{}, err
	}
	return coordinator.Params{
		FeeBps: p.FeeBps, MinDeposit: p.MinDeposit, MaxSessionDuration: seconds(p.MaxSessionDuration), CloseWindow: seconds(p.CloseWindow),
		MaxOrderDuration: seconds(p.MaxOrderDuration), Margin: seconds(p.Margin),
	}, nil
}

// Head implements [coordinator.Chain].
func (c *Chain) Head(ctx context.Context) (number, at uint64, err error) {
	h, err := c.client.Header(ctx, latest)
	if err != nil {
		return 0, 0, err
	}
	return h.Number.Uint64(), h.Time, nil
}

// Session implements [coordinator.Chain].
func (c *Chain) Session(ctx context.Context, id uint64) (coordinator.ChainSession, error) {
	s, err := c.market.Session(ctx, id, latest)
	if err != nil {
		return coordinator.ChainSession{}, err
	}
	return coordinator.ChainSession{
		Client: s.Client, Coordinator: s.Coordinator, Spender: s.Spender, Deposit: s.Deposit, Debited: s.Debited, Through: s.Through,
		Expiry: s.Expiry, DueAt: s.DueAt, FeeBps: s.FeeBps, State: int(s.State),
	}, nil
}

// TouchedSessions implements [coordinator.Chain].
func (c *Chain) TouchedSessions(ctx context.Context, from, to uint64) ([]uint64, error) {
	events, err := c.market.Events(ctx, from, to, "SessionToppedUp", "SessionClosing", "SessionClosed")
	if err != nil {
		return nil, err
	}
	var ids []uint64
	for _, e := range events {
		switch e := e.(type) {
		case *predeploy.SessionToppedUp:
			ids = append(ids, e.Session)
		case *predeploy.SessionClosing:
			ids = append(ids, e.Session)
		case *predeploy.SessionClosed:
			ids = append(ids, e.Session)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Miner implements [coordinator.Chain].
func (c *Chain) Miner(ctx context.Context, miner common.Address) (coordinator.ChainMiner, error) {
	p, err := c.registry.Participant(ctx, predeploy.RoleMiner, miner, latest)
	if err != nil {
		return coordinator.ChainMiner{}, err
	}
	l, err := c.market.Limit(ctx, c.account, miner, latest)
	if err != nil {
		return coordinator.ChainMiner{}, err
	}
	credited, err := c.market.Credited(ctx, c.account, miner, latest)
	if err != nil {
		return coordinator.ChainMiner{}, err
	}
	return coordinator.ChainMiner{
		Registered: p.Registered, Jailed: int64(min(p.JailedUntil, 1<<62)) > time.Now().Unix(), Stake: p.Stake, Limit: l.Amount, Credited: credited,
	}, nil
}

// MinerSigner implements [coordinator.Chain].
func (c *Chain) MinerSigner(ctx context.Context, miner, signer common.Address) (bool, error) {
	return c.registry.SignerValid(ctx, predeploy.RoleMiner, miner, signer, latest)
}

// SetMinerLimit implements [coordinator.Chain].
func (c *Chain) SetMinerLimit(ctx context.Context, miner common.Address, limit market.Amount) error {
	_, err := c.market.SetMinerLimit(ctx, c.sender, miner, limit)
	return err
}

// Settle implements [coordinator.Chain].
func (c *Chain) Settle(ctx context.Context, s coordinator.Settlement) (coordinator.Mined, error) {
	b := predeploy.Batch{Coordinator: c.account, Root: s.Root, Count: uint32(s.Count), Pin: s.Pin}
	for _, v := range s.Vouchers {
		b.Vouchers = append(b.Vouchers, predeploy.SignedVoucher{Voucher: v.Voucher, Signature: v.Signature})
	}
	for _, o := range s.Orders {
		b.Orders = append(b.Orders, predeploy.SingleOrder{
			Order: o.Spec.Order, OrderSignature: o.Spec.Signature, Candidates: sorted(o.Spec.Candidates), Receipt: o.Receipt,
			MinerSignature: o.MinerSignature, MinerTotal: o.MinerTotal, Countersignature: o.Countersignature,
		})
	}
	for _, x := range s.Credits {
		b.Credits = append(b.Credits, predeploy.Credit{Miner: x.Miner, Total: x.Total})
	}
	r, err := c.market.Settle(ctx, c.sender, b)
	if err != nil {
		return coordinator.Mined{}, err
	}
	return mined(r, s.Root)
}

// sorted returns candidates as the Market wants them: ascending, each once.
func sorted(candidates []common.Address) []common.Address {
	out := slices.Clone(candidates)
	slices.SortFunc(out, common.Address.Cmp)
	return slices.Compact(out)
}

// OrderSettled implements [coordinator.Chain].
func (c *Chain) OrderSettled(ctx context.Context, session, number uint64) (bool, error) {
	return c.market.OrderSettled(ctx, session, number, latest)
}

func mined(r *types.Receipt, root common.Hash) (coordinator.Mined, error) {
	m := coordinator.Mined{Tx: r.TxHash, Block: r.BlockNumber.Uint64(), LogIndex: -1}
	for i, l := range r.Logs {
		e, err := predeploy.Decode(*l)
		if errors.Is(err, predeploy.ErrEvent) {
			continue
		} else if err != nil {
			return m, err
		}
		switch e := e.(type) {
		case *predeploy.Settled:
			if e.Root == root {
				m.LogIndex = i
			}
		case *predeploy.EntrySkipped:
			m.Skipped++
		}
	}
	if m.LogIndex < 0 {
		return m, fmt.Errorf("transaction %s settled another batch", r.TxHash)
	}
	return m, nil
}

// FindSettlement implements [coordinator.Chain].
func (c *Chain) FindSettlement(ctx context.Context, root common.Hash, from uint64) (coordinator.Mined, bool, error) {
	head, err := c.client.BlockNumber(ctx)
	if err != nil {
		return coordinator.Mined{}, false, err
	}
	for ; from <= head; from += span {
		events, err := c.market.Events(ctx, from, min(head, from+span-1), "Settled")
		if err != nil {
			return coordinator.Mined{}, false, err
		}
		for _, e := range events {
			s, ok := e.(*predeploy.Settled)
			if !ok || s.Root != root || s.Coordinator != c.account {
				continue
			}
			r, err := c.client.Receipt(ctx, s.Tx)
			if err != nil {
				return coordinator.Mined{}, false, err
			}
			m, err := mined(r, root)
			return m, err == nil, err
		}
	}
	return coordinator.Mined{}, false, nil
}

// proved is what the node's get_proof and get_anchor answer.
type proved struct {
	TxIndex      uint64          `json:"tx_index"`
	Height       uint64          `json:"height"`
	ReceiptProof []hexutil.Bytes `json:"receipt_proof"`
	receipt.Anchor
}

// Prove implements [coordinator.Chain]. Where the node has pruned the state of
// the settlement's block, the keys are proved in its newest one.
func (c *Chain) Prove(ctx context.Context, tx common.Hash, signers []common.Address, sessions []uint64) (*receipt.ChainProof, error) {
	raw, err := c.comet.Proof(ctx, tx.Hex())
	if err != nil {
		return nil, fmt.Errorf("get_proof: %w", err)
	}
	var p proved
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("get_proof: %w", err)
	}
	if err := tidy(&p.Anchor); err != nil {
		return nil, fmt.Errorf("get_proof: %w", err)
	}
	r, err := c.client.Receipt(ctx, tx)
	if err != nil {
		return nil, err
	}
	out := &receipt.ChainProof{TxIndex: p.TxIndex, LogIndex: -1, Anchor: p.Anchor, ReceiptProof: p.ReceiptProof}
	for i, l := range r.Logs {
		if e, err := predeploy.Decode(*l); err == nil {
			if s, ok := e.(*predeploy.Settled); ok && s.Coordinator == c.account {
				out.LogIndex = i
			}
		}
	}
	if out.LogIndex < 0 {
		return nil, fmt.Errorf("transaction %s holds no settlement of ours", tx)
	}
	var inRegistry, inMarket []common.Hash
	for _, s := range signers {
		inRegistry = append(inRegistry, receipt.SignerSlot(s))
	}
	for _, id := range sessions {
		client, coord, spender := receipt.SessionSlots(id)
		inMarket = append(inMarket, client, coord, spender)
	}
	if out.State, err = c.state(ctx, p.Height, inRegistry, inMarket); err == nil {
		return out, nil
	}
	head, herr := c.client.BlockNumber(ctx)
	if herr != nil {
		return nil, errors.Join(err, herr)
	}
	if out.State, err = c.state(ctx, head, inRegistry, inMarket); err != nil {
		return nil, err
	}
	var a proved
	if err := c.comet.Call(ctx, &a, "get_anchor", map[string]any{"height": fmt.Sprint(head)}); err != nil {
		return nil, fmt.Errorf("get_anchor: %w", err)
	}
	if err := tidy(&a.Anchor); err != nil {
		return nil, fmt.Errorf("get_anchor: %w", err)
	}
	out.State.Anchor = &a.Anchor
	return out, nil
}

// tidy leaves of the validator sets what their hashes cover: what else the node
// keeps beside could be changed without anyone noticing.
func tidy(a *receipt.Anchor) error {
	sets := []*hexutil.Bytes{&a.Validators}
	for i := range a.Links {
		sets = append(sets, &a.Links[i].Validators)
	}
	for _, raw := range sets {
		set, err := light.ParseValidators(*raw)
		if err != nil {
			return err
		}
		if *raw, err = light.EncodeValidators(set); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) state(ctx context.Context, height uint64, inRegistry, inMarket []common.Hash) (receipt.StateProof, error) {
	var out receipt.StateProof
	for _, x := range []struct {
		account common.Address
		slots   []common.Hash
		dst     *receipt.StorageProof
	}{{contracts.RegistryAddress, inRegistry, &out.Registry}, {contracts.MarketAddress, inMarket, &out.Market}} {
		p, err := c.client.GetProof(ctx, x.account, x.slots, chainclient.At(height))
		if err != nil {
			return out, fmt.Errorf("eth_getProof of %s at %d: %w", x.account, height, err)
		}
		*x.dst = receipt.StorageProof{Account: p.AccountProof, Slots: map[common.Hash][]hexutil.Bytes{}}
		for i, s := range p.StorageProof {
			x.dst.Slots[x.slots[i]] = s.Proof
		}
	}
	return out, nil
}

// Join registers the account as a coordinator with the bond, if it is not one.
// The key signs both transactions and countersignatures.
func (c *Chain) Join(ctx context.Context, endpoint string, bond market.Amount) error {
	p, err := c.registry.Participant(ctx, predeploy.RoleCoordinator, c.account, latest)
	if err != nil || p.Registered {
		return err
	}
	_, err = c.registry.Register(ctx, c.sender, predeploy.Registration{Role: predeploy.RoleCoordinator, Signer: c.account, Endpoint: endpoint, Stake: bond})
	return err
}
