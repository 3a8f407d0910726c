package predeploy

import (
	"context"
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// SignedVoucher is a voucher with its spender's signature.
type SignedVoucher struct {
	receipt.Voucher
	Signature receipt.Signature
}

// SingleOrder is one order settled alone, with all its signatures.
type SingleOrder struct {
	Order            receipt.Order
	OrderSignature   receipt.Signature
	Candidates       []common.Address
	Receipt          receipt.Receipt
	MinerSignature   receipt.Signature
	MinerTotal       market.Amount
	Countersignature receipt.Signature
}

// Credit says how much a coordinator owes or has paid a miner in all.
type Credit struct {
	Miner common.Address
	Total market.Amount
}

// Batch is one settlement: what to debit, whom to credit, and the root of the
// receipts that it is about.
type Batch struct {
	Coordinator common.Address
	Vouchers    []SignedVoucher
	Orders      []SingleOrder
	Credits     []Credit
	Root        common.Hash
	Count       uint32                                                 // number of receipts below Root
	Pin         func(ctx context.Context, next uint64) (uint64, error) // see [chainclient.Tx]
}

// Settle sends a batch. Entries that the Market skips are in the receipt's
// logs as [EntrySkipped]; they are no error.
func (m *Market) Settle(ctx context.Context, s *chainclient.Sender, b Batch) (*types.Receipt, error) {
	orders := make([]singleOrderABI, len(b.Orders))
	for i, o := range b.Orders {
		orders[i] = o.abi()
	}
	return m.sendPinned(ctx, s, b.Pin, market.Amount{}, "settle", b.Coordinator, packVouchers(b.Vouchers), orders, packCredits(b.Credits), b.Root, b.Count)
}

// Claim is a miner's proof of what a coordinator owes it.
type Claim struct {
	Receipt          receipt.Receipt
	MinerTotal       market.Amount
	Countersignature receipt.Signature
}

// ClaimReceipt makes the coordinator's bond pay, a while after the receipt's end.
func (m *Market) ClaimReceipt(ctx context.Context, s *chainclient.Sender, c Claim) (*types.Receipt, error) {
	r, vs := c.Countersignature.Compact()
	return m.send(ctx, s, market.Amount{}, "claimReceipt", receiptToABI(c.Receipt), c.MinerTotal.Big(), r, vs)
}

func packVouchers(vouchers []SignedVoucher) []byte {
	b := make([]byte, 0, 96*len(vouchers))
	for _, v := range vouchers {
		b = binary.BigEndian.AppendUint64(b, v.Session)
		b = binary.BigEndian.AppendUint64(b, v.Through)
		cumulative := v.Cumulative.Bytes16()
		b = append(b, cumulative[:]...)
		r, vs := v.Signature.Compact()
		b = append(append(b, r[:]...), vs[:]...)
	}
	return b
}

func packCredits(credits []Credit) []byte {
	b := make([]byte, 0, 36*len(credits))
	for _, c := range credits {
		total := c.Total.Bytes16()
		b = append(append(b, c.Miner[:]...), total[:]...)
	}
	return b
}

// The tuples of the ABI; go-ethereum matches their fields by name.
type orderABI struct {
	Session, Number             uint64
	Model, Class, Input, Miners [32]byte
	MaxPrice                    *big.Int
	Deadline                    uint64
}

type receiptABI struct {
	Version                                                 uint8
	Order                                                   [32]byte
	Session                                                 uint64
	Client, Coordinator, Miner                              common.Address
	Model, Class, Output                                    [32]byte
	PromptTokens, CompletionTokens, ComputeMillis, Items    uint64
	PromptRate, CompletionRate, SecondRate, ItemRate, Price *big.Int
	TemperatureMilli, TopPMilli, TopK                       uint32
	Seed, StartedAt, FinishedAt                             uint64
	Level                                                   uint8
	Evidence                                                [32]byte
}

type singleOrderABI struct {
	Order               orderABI
	OrderR, OrderVS     [32]byte
	Candidates          []common.Address
	Receipt             receiptABI
	ReceiptR, ReceiptVS [32]byte
	MinerTotal          *big.Int
	CounterR, CounterVS [32]byte
}

func receiptToABI(r receipt.Receipt) receiptABI {
	return receiptABI{
		Version: r.Version, Order: r.Order, Session: r.Session,
		Client: r.Client, Coordinator: r.Coordinator, Miner: r.Miner,
		Model: r.Model, Class: r.Class, Output: r.Output,
		PromptTokens: r.PromptTokens, CompletionTokens: r.CompletionTokens, ComputeMillis: r.ComputeMillis, Items: r.Items,
		PromptRate: r.PromptRate.Big(), CompletionRate: r.CompletionRate.Big(), SecondRate: r.SecondRate.Big(), ItemRate: r.ItemRate.Big(), Price: r.Price.Big(),
		TemperatureMilli: r.TemperatureMilli, TopPMilli: r.TopPMilli, TopK: r.TopK,
		Seed: r.Seed, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
		Level: r.Level, Evidence: r.Evidence,
	}
}

func (o SingleOrder) abi() singleOrderABI {
	a := singleOrderABI{
		Order: orderABI{
			Session: o.Order.Session, Number: o.Order.Number,
			Model: o.Order.Model, Class: o.Order.Class, Input: o.Order.Input, Miners: o.Order.Miners,
			MaxPrice: o.Order.MaxPrice.Big(), Deadline: o.Order.Deadline,
		},
		Candidates: o.Candidates,
		Receipt:    receiptToABI(o.Receipt),
		MinerTotal: o.MinerTotal.Big(),
	}
	a.OrderR, a.OrderVS = o.OrderSignature.Compact()
	a.ReceiptR, a.ReceiptVS = o.MinerSignature.Compact()
	a.CounterR, a.CounterVS = o.Countersignature.Compact()
	return a
}
