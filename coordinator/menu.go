package coordinator

import (
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
)

// menuFor is how long what is on offer is remembered: nobody counts ten thousand
// miners for each job. Whoever joins or is lost is known at once.
const menuFor = 250 * time.Millisecond

// bid is what an offer says of weights, price and length. Many miners make the same.
type bid struct {
	digest    common.Hash
	rates     market.Rates
	maxTokens uint64
}

// dish is what a job without further demands asks for.
type dish struct {
	model      string
	embeddings bool
	sealed     bool
}

// menu is what is on offer, and how many offer each. It is never changed once it
// is made.
type menu struct {
	bids    map[bid]int
	refused map[sched.Reason]int // offers of the model that do not do
	until   time.Time
}

// menuLocked returns what is on offer for a job.
func (s *Service) menuLocked(r ask, demands ledger.Terms) menu {
	d := dish{r.model, r.texts > 0, r.sealed}
	demands.Route = "" // chooses among those that do
	plain := demands == (ledger.Terms{}) && r.constraints.Class == "" && len(r.constraints.Miners) == 0 && len(r.constraints.Models) == 0 && !r.container
	now := time.Now()
	if m, ok := s.menus[d]; ok && plain && now.Before(m.until) {
		return m
	}
	m := menu{map[bid]int{}, map[sched.Reason]int{}, now.Add(menuFor)}
	for _, p := range s.miners {
		if !p.online {
			continue
		}
		for _, o := range p.offers {
			if o.Model != r.model {
				continue
			}
			if why := unmet(p, o, r, demands); why != sched.Ready {
				m.refused[why]++
				continue
			}
			m.bids[bid{o.Digest, o.Rates, o.MaxTokens}]++
		}
	}
	if plain && len(m.bids) > 0 {
		s.menus[d] = m
	}
	return m
}
