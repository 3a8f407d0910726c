package coordinator

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

type terms struct {
	digest, class         common.Hash
	maxTokens, maxSeconds uint64
	bound                 market.Usage
	maxPrice              market.Amount
}

// defaultMaxSeconds is how long a job may compute at a price by the second whose
// client does not say.
const defaultMaxSeconds = 60

// ask is what is known of a job before its terms are.
type ask struct {
	model       string
	texts       uint64 // to embed, 0 for another job
	container   bool
	sealed      bool
	promptBound uint64 // no tokenizer makes more tokens of the prompt
	maxTokens   uint64 // 0 for the default
	maxSeconds  uint64 // the same
	maxPrice    *market.Amount
	constraints api.Constraints
}

// terms chooses the model's digest and bounds tokens and price by what is on offer.
func (s *Service) terms(r ask, demands ledger.Terms) (terms, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sched.Queued() >= s.cfg.MaxQueued {
		return terms{}, apierr.New(apierr.RateLimited, "%d jobs are waiting already: try again in a few seconds", s.cfg.MaxQueued)
	}
	var t terms
	if r.constraints.Class != "" {
		t.class = receipt.Class(r.constraints.Class)
	}
	on := s.menuLocked(r, demands)
	bids := on.bids
	if len(bids) == 0 {
		return t, s.noModelLocked(r, on.refused)
	}
	// One name may stand for several weights: take what most miners run.
	count := map[common.Hash]int{}
	for b, n := range bids {
		count[b.digest] += n
	}
	for d, n := range count {
		if c := count[t.digest]; n > c || (n == c && d.Cmp(t.digest) < 0) {
			t.digest = d
		}
	}
	fit := fitting(bids, t.digest, r.maxSeconds)
	var most uint64
	t.maxSeconds = r.maxSeconds
	for _, b := range fit {
		if most = max(most, b.maxTokens); !b.rates.Second.IsZero() {
			t.maxSeconds = cmp.Or(r.maxSeconds, defaultMaxSeconds)
		}
	}
	t.maxTokens = min(cmp.Or(r.maxTokens, defaultMaxTokens), most)
	t.bound = market.Bound(r.promptBound, t.maxTokens, t.maxSeconds, r.texts)
	low, high := market.MaxAmount(), market.Amount{}
	var cheapest market.Rates
	for _, b := range fit {
		price, err := market.Price(b.rates, t.bound)
		if err != nil {
			price = market.MaxAmount()
		}
		if price.Cmp(low) <= 0 {
			low, cheapest = price, b.rates
		}
		if price.Cmp(high) > 0 {
			high = price
		}
	}
	if r.maxPrice == nil {
		t.maxPrice = high
		return t, nil
	}
	t.maxPrice = *r.maxPrice
	if t.maxPrice.Cmp(low) < 0 {
		tokens := affordable(cheapest, t.bound, t.maxPrice)
		if r.maxTokens != 0 || tokens == 0 {
			return t, apierr.New(apierr.Invalid, "max_price is below what the cheapest miner may charge for this job, %s base units: raise it, or lower max_tokens or max_seconds", low).
				With(map[string]any{"needed": low})
		}
		t.maxTokens = min(t.maxTokens, tokens)
		t.bound.CompletionTokens = t.maxTokens
	}
	return t, nil
}

// fitting returns the bids of a digest that an order may go to. One without a
// bound of seconds goes to those without a price by the second, if there are any:
// else another's way to count would end it early.
func fitting(bids map[bid]int, digest common.Hash, seconds uint64) []bid {
	var timed, free []bid
	for b := range bids {
		switch {
		case b.digest != digest:
		case b.rates.Second.IsZero():
			free = append(free, b)
		default:
			timed = append(timed, b)
		}
	}
	if seconds == 0 && len(free) > 0 {
		return free
	}
	return append(free, timed...)
}

// affordable returns how many completion tokens most pays for beside the rest of
// what a job may use.
func affordable(r market.Rates, bound market.Usage, most market.Amount) uint64 {
	bound.CompletionTokens = 0
	rest, err := market.Price(r, bound)
	if err != nil || r.Completion.IsZero() {
		return 0
	}
	left, err := most.Sub(rest)
	if err != nil {
		return 0
	}
	fit := new(big.Int).Mul(left.Big(), big.NewInt(1_000_000))
	fit.Div(fit, r.Completion.Big())
	if !fit.IsUint64() {
		return math.MaxUint32
	}
	return fit.Uint64()
}

func (s *Service) noModelLocked(r ask, reasons map[sched.Reason]int) error {
	names := s.modelsLocked()
	if slices.Contains(names, r.model) {
		return apierr.New(apierr.ModelNotFound, "no miner that the constraints allow offers model %q: see details.reasons", r.model).With(map[string]any{"models": names, "reasons": reasons})
	}
	if err := s.awayLocked(r.model, time.Now()); err != nil {
		return err
	}
	return apierr.New(apierr.ModelNotFound, "no miner offers model %q", r.model).With(map[string]any{"models": names})
}

// modelsLocked lists the models on offer.
func (s *Service) modelsLocked() []string {
	names := []string{}
	for _, p := range s.miners {
		if p.online {
			for _, o := range p.offers {
				names = append(names, o.Model)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
