package coordinator

import (
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/receipt"
)

// gib is a GiB in MiB, the scheduler's unit.
const gib = 1 << 10

// routes are the words that a job may say.
var routes = []string{"", string(sched.ByPrice), string(sched.ByLatency), string(sched.ByThroughput)}

// checkTerms validates constraints and turns them into terms.
func checkTerms(c api.Constraints, route string) (ledger.Terms, error) {
	bad := func(format string, a ...any) (ledger.Terms, error) {
		return ledger.Terms{}, apierr.New(apierr.Invalid, format, a...)
	}
	switch {
	case !slices.Contains(routes, route):
		return bad("route is %.20q: use price, latency or throughput", route)
	case len(c.Models) > 64:
		return bad("constraints.models has more than 64 digests")
	case len(c.GPU) > 32 || len(strings.Fields(c.GPU)) > 1:
		return bad("constraints.gpu is one word of the GPU's name, such as h100")
	case c.MinVRAMGB > 1<<12:
		return bad("constraints.min_vram_gb is above %d", 1<<12)
	case len(c.Region) > 32:
		return bad("constraints.region is longer than 32 bytes")
	case c.MinReputation > maxReputation:
		return bad("constraints.min_reputation is in thousandths, from 0 to %d", maxReputation)
	}
	return ledger.Terms{
		GPU: strings.ToLower(strings.TrimSpace(c.GPU)), VRAMGB: c.MinVRAMGB, Region: strings.ToLower(c.Region),
		Reputation: c.MinReputation, Level: c.Verification, Route: route,
	}, nil
}

// noEmbeddings is why an offer does not do for a job that asks for some.
const noEmbeddings sched.Reason = "embeddings"

// noSealing is why an offer does not do for a sealed job.
const noSealing sched.Reason = "sealing"

// noKind is why an offer does not do for a job of the other kind: models answer,
// and images run programs.
const noKind sched.Reason = "kind"

// tooLong is why an offer does not do for a program that may run for longer.
const tooLong sched.Reason = "max_seconds"

// unmet says which demand of a job an offer of its model does not meet, in the scheduler's words; Ready if none.
func unmet(p *presence, o api.Offer, r ask, t ledger.Terms) sched.Reason {
	c := r.constraints
	switch {
	case len(c.Miners) > 0 && !slices.Contains(c.Miners, p.account):
		return sched.NotAllowed
	case len(c.Models) > 0 && !slices.Contains(c.Models, o.Digest):
		return sched.NoModel
	case r.container != (o.Kind == api.KindContainer):
		return noKind
	case r.container && r.maxSeconds > o.MaxSeconds:
		return tooLong
	case r.texts > 0 && !o.Embeddings:
		return noEmbeddings
	case r.sealed && len(o.SealingKey) == 0:
		return noSealing
	}
	want := sched.Terms{Model: o.Digest, GPU: t.GPU, VRAM: t.VRAMGB * gib, Region: t.Region, Reputation: t.Reputation, Level: t.Level}
	if c.Class != "" {
		want.Class = receipt.Class(c.Class)
	}
	m := p.schedMiner()
	return m.Suits(&want)
}

func schedJob(j *ledger.Job) sched.Job {
	o, t := j.Spec.Order, j.Spec.Terms
	client := j.Client
	if isBulkKey(j.IdemKey) {
		client = bulkClient
	}
	return sched.Job{
		ID: j.ID, Client: client, Route: sched.Route(t.Route), Bound: j.Spec.Bound(), MaxPrice: j.MaxPrice,
		Terms: sched.Terms{
			Model: o.Model, Class: o.Class, Miners: j.Spec.Candidates, GPU: t.GPU, VRAM: t.VRAMGB * gib, Region: t.Region,
			Reputation: t.Reputation, Level: t.Level,
		},
	}
}

func (p *presence) schedMiner() sched.Miner {
	if p.scheduled == nil {
		p.scheduled = make(map[common.Hash]sched.Offer, len(p.offers))
		for d, o := range p.offers {
			s := sched.Offer{
				Class: receipt.Class(o.Class), Rates: o.Rates, GPU: strings.ToLower(o.GPU), VRAM: o.VRAMGB * gib, Region: strings.ToLower(o.Region), Level: o.Verification,
			}
			if x := p.measured[d]; x != nil {
				s.FirstToken, s.TokensPerSecond = time.Duration(x.FirstTokenMS)*time.Millisecond, x.TokensPerSecond
			}
			p.scheduled[d] = s
		}
	}
	return sched.Miner{ID: p.account, Offers: p.scheduled, Slots: p.slots, Draining: p.drain || p.hold != "", Unavailable: p.shut, Reputation: p.reputation()}
}

// Reputation comes from settled receipts alone: a stranger's has to be paid for, with fees that nobody gives back. It
// rises quickly with the first receipts and never reaches the most.
const (
	maxReputation  = 1000
	halfReputation = 20 // settled receipts that are worth half of it
)

// reputation is that of a miner with so many settled receipts, in thousandths.
func reputation(settled uint64) uint32 {
	return uint32(maxReputation * settled / (settled + halfReputation))
}

func (p *presence) reputation() uint32 { return reputation(p.settled) }

// maxLevel is the highest level of verification that receipts can have here.
const maxLevel = 0

// fresher is the weight of the newest measurement.
const fresher = 0.2

// measureLocked learns from an answer that is complete how quick the miner is.
func (s *Service) measureLocked(l *lease, st *stream, tokens uint64, now time.Time) {
	p, first := s.miners[l.miner], st.first()
	if p == nil || first.IsZero() || first.Before(l.since) {
		return
	}
	x := p.measured[l.offer.Digest]
	if x == nil {
		x = &api.Measured{}
		p.measured[l.offer.Digest] = x
	}
	mean := func(old, v float64) float64 {
		if x.Jobs == 0 {
			return v
		}
		return old + fresher*(v-old)
	}
	x.FirstTokenMS = uint64(mean(float64(x.FirstTokenMS), float64(first.Sub(l.since).Milliseconds())))
	if took := now.Sub(first).Seconds(); l.offer.Kind == "" && tokens > 1 && took > 0 {
		x.TokensPerSecond = mean(x.TokensPerSecond, float64(tokens-1)/took)
	}
	x.Jobs++
	p.scheduled = nil
	s.put(p)
}

// settledLocked counts the receipts of a settlement that is in a block, by miner.
func (s *Service) settledLocked(receipts map[common.Address]uint64) {
	for id, n := range receipts {
		if p := s.miners[id]; p != nil {
			p.settled += n
			s.put(p)
		}
	}
}

// put tells the scheduler of a miner that is online.
func (s *Service) put(p *presence) {
	if p.online && !p.remote {
		s.wakeLocked(p.account, s.sched.PutMiner(p.schedMiner()))
	}
}

// offersOf returns what a miner offers, with what was measured of it.
func (p *presence) offersOf() []api.Offer {
	out := make([]api.Offer, 0, len(p.offers))
	for d, o := range p.offers {
		o.SealingKey = nil // long, and of use in a quote only
		if x := p.measured[d]; x != nil {
			c := *x
			o.Measured = &c
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b api.Offer) int { return a.Digest.Cmp(b.Digest) })
	return out
}
