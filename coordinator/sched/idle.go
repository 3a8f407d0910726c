package sched

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// looksIdle is among how many idle miners that could run a job the best one is chosen, cheapest first.
const looksIdle = 32

// idle is the miners that wait for a job of one model, cheapest first.
type idle []*miner

func (d idle) find(m *miner, model common.Hash) (int, bool) {
	return slices.BinarySearchFunc(d, m, func(a, b *miner) int {
		x, y := a.Offers[model].Rates, b.Offers[model].Rates
		if c := x.Completion.Cmp(y.Completion); c != 0 {
			return c
		}
		if c := x.Prompt.Cmp(y.Prompt); c != 0 {
			return c
		}
		return a.ID.Cmp(b.ID)
	})
}

// rest enters a miner among the idle ones of its models, or takes it out. Its offers must not change between the two.
func (s *Sched) rest(m *miner, waits bool) {
	if m.waiting == waits {
		return
	}
	m.waiting, m.woken = waits, false
	for model := range m.Offers {
		i, ok := s.idle[model].find(m, model)
		switch {
		case waits && !ok:
			s.idle[model] = slices.Insert(s.idle[model], i, m)
		case !waits && ok:
			s.idle[model] = slices.Delete(s.idle[model], i, i+1)
			if len(s.idle[model]) == 0 {
				delete(s.idle, model)
			}
		}
	}
}

// wake chooses an idle miner for a job that waits, by the job's route, and one that was not woken yet if there is one.
func (s *Sched) wake(j *Job) (common.Address, bool) {
	var best *miner
	seen := 0
	look := func(m *miner) {
		if m == nil || !m.waiting || m.reason(j) != Ready {
			return
		}
		seen++
		if best == nil || better(m, best, j) {
			best = m
		}
	}
	if len(j.Terms.Miners) > 0 {
		for _, id := range j.Terms.Miners {
			look(s.miners[id])
		}
	} else {
		for _, m := range s.idle[j.Terms.Model] {
			if look(m); seen == looksIdle {
				break
			}
		}
	}
	if best == nil {
		return common.Address{}, false
	}
	best.woken = true
	return best.ID, true
}

// better says whether a job should rather go to a than to b.
func better(a, b *miner, j *Job) bool {
	if a.woken != b.woken {
		return b.woken
	}
	x, y := a.Offers[j.Terms.Model], b.Offers[j.Terms.Model]
	switch { // what is not known comes last
	case j.Route == ByLatency && x.FirstToken != y.FirstToken:
		return x.FirstToken != 0 && (y.FirstToken == 0 || x.FirstToken < y.FirstToken)
	case j.Route == ByThroughput && x.TokensPerSecond != y.TokensPerSecond: //nolint:gocritic // measured numbers: no tolerance is meant
		return x.TokensPerSecond > y.TokensPerSecond
	}
	if c := a.price(j).Cmp(b.price(j)); c != 0 {
		return c < 0
	}
	return a.ID.Cmp(b.ID) < 0
}
