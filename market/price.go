package market

import (
	"fmt"

	"github.com/holiman/uint256"
)

// BasisPoints is the denominator of fees and margins: 10,000 is the whole.
const BasisPoints = 10_000

// Rates are prices in base units: per 10^6 tokens, per second of computing, and
// per item. Those that are zero are not charged.
type Rates struct {
	Prompt     Amount `json:"prompt_rate"`
	Completion Amount `json:"completion_rate"`
	Second     Amount `json:"second_rate,omitzero"`
	Item       Amount `json:"item_rate,omitzero"`
}

// Describe says what is charged.
func (r Rates) Describe() string {
	s := r.Prompt.Coins() + " and " + r.Completion.Coins() + " per 10^6 tokens"
	if !r.Second.IsZero() {
		s += ", " + r.Second.Coins() + " a second"
	}
	if !r.Item.IsZero() {
		s += ", " + r.Item.Coins() + " an item"
	}
	return s
}

// Usage counts what a job consumed. Items are the texts of a job for embeddings;
// any other job is one.
type Usage struct {
	PromptTokens     uint64 `json:"prompt_tokens"`
	CompletionTokens uint64 `json:"completion_tokens"`
	ComputeMillis    uint64 `json:"compute_millis,omitempty"`
	Items            uint64 `json:"items,omitempty"`
}

// Bound is the most that a job uses which ends within some tokens and seconds.
func Bound(prompt, completion, seconds, items uint64) Usage {
	return Usage{PromptTokens: prompt, CompletionTokens: completion, ComputeMillis: seconds * 1000, Items: max(1, items)}
}

// Price returns ceil((prompt·promptRate + completion·completionRate) / 10^6 +
// millis·secondRate / 10^3 + items·itemRate), the whole price of a job: the only
// rounding there is. It returns [ErrAmount] if the price does not fit an Amount.
func Price(r Rates, u Usage) (Amount, error) {
	// No product is above 2^212: no overflow in 256 bits.
	p := new(uint256.Int)
	for _, x := range []struct {
		rate     *Amount
		n, parts uint64
	}{{&r.Prompt, u.PromptTokens, 1}, {&r.Completion, u.CompletionTokens, 1}, {&r.Second, u.ComputeMillis, 1_000}, {&r.Item, u.Items, 1_000_000}} {
		c := new(uint256.Int).Mul(&x.rate.v, uint256.NewInt(x.n))
		p.Add(p, c.Mul(c, uint256.NewInt(x.parts)))
	}
	p.AddUint64(p, 999_999)
	p.Div(p, uint256.NewInt(1_000_000))
	a, err := check(p)
	if err != nil {
		return Amount{}, fmt.Errorf("price: %w", err)
	}
	return a, nil
}

// share returns floor(x·bps/10^4); bps is at most 10^4, so the result fits.
func share(x Amount, bps uint16) Amount {
	v := new(uint256.Int).Mul(&x.v, uint256.NewInt(uint64(bps)))
	return Amount{*v.Div(v, uint256.NewInt(BasisPoints))}
}

// Fee returns the protocol fee of a debit that moves a session's total from
// before to after: F(after) - F(before) with F(x) = floor(x·bps/10^4). The fees
// of a session so add up to F(total) however its debits are cut. It returns
// [ErrAmount] if after is less than before or bps is above 10^4.
func Fee(before, after Amount, bps uint16) (Amount, error) {
	if bps > BasisPoints || after.Cmp(before) < 0 {
		return Amount{}, fmt.Errorf("%w: fee of %s to %s at %d bps", ErrAmount, before, after, bps)
	}
	return share(after, bps).Sub(share(before, bps))
}

// Split divides a job's price into the protocol's fee, the coordinator's margin
// and the miner's earnings. before is what the session was charged until now.
type Split struct{ Fee, Margin, Miner Amount }

// Divide returns the split of price; see [Split]. feeBps + marginBps must be
// below 10^4, or [ErrAmount] is returned.
func Divide(before, price Amount, feeBps, marginBps uint16) (Split, error) {
	if uint32(feeBps)+uint32(marginBps) >= BasisPoints {
		return Split{}, fmt.Errorf("%w: fee and margin of %d and %d bps leave nothing", ErrAmount, feeBps, marginBps)
	}
	after, err := before.Add(price)
	if err != nil {
		return Split{}, err
	}
	fee, err := Fee(before, after, feeBps)
	if err != nil {
		return Split{}, err
	}
	// The fee may exceed floor(price·bps/10^4) by one unit; the margin yields it.
	margin := share(price, marginBps)
	rest, err := price.Sub(fee)
	if err != nil {
		return Split{}, err
	}
	if rest.Cmp(margin) < 0 {
		margin = rest
	}
	miner, err := rest.Sub(margin)
	if err != nil {
		return Split{}, err
	}
	return Split{Fee: fee, Margin: margin, Miner: miner}, nil
}
