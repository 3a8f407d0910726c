package sched

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Terms are what a job demands of a miner besides its price. The zero value of a field demands nothing.
type Terms struct {
	Model  common.Hash      // digest, never a name: always demanded
	Class  common.Hash      // equivalence class
	Miners []common.Address // only these
	GPU    string           // a word of the name of the miner's GPU, in lower case: "h100"
	VRAM   uint64           // least memory of a GPU, in MiB
	Region string           // where the miner says it is
	// Reputation is the least, in thousandths.
	Reputation uint32
	Level      uint8 // least level of verification
}

// key is the same for equal terms only.
func (t *Terms) key() string {
	b := make([]byte, 0, 96+20*len(t.Miners)+len(t.GPU)+len(t.Region))
	b = append(append(b, t.Model[:]...), t.Class[:]...)
	b = binary.BigEndian.AppendUint64(b, t.VRAM)
	b = binary.BigEndian.AppendUint32(b, t.Reputation)
	b = append(b, t.Level, byte(len(t.GPU)))
	b = append(append(b, t.GPU...), byte(len(t.Region)))
	b = append(b, t.Region...)
	for _, m := range t.Miners {
		b = append(b, m[:]...)
	}
	return string(b)
}

// Route says which of several idle miners a job goes to.
type Route string

// The routes. The empty one is ByPrice.
const (
	ByPrice      Route = "price"
	ByLatency    Route = "latency"
	ByThroughput Route = "throughput"
)

// A Job waits to be run.
type Job struct {
	ID       common.Hash
	Client   common.Address // jobs of different clients take turns
	Terms    Terms
	Route    Route
	Excluded []common.Address // miners that failed it

	Bound    market.Usage // no miner charges for more
	MaxPrice market.Amount
}

// work is how much of a miner's time a job may take, in tokens.
func (j *Job) work() uint64 { return max(1, j.Bound.PromptTokens/16+j.Bound.CompletionTokens) }

// An Offer is a model that a miner runs, where and how well.
type Offer struct {
	Class  common.Hash
	Rates  market.Rates
	GPU    string // in lower case
	VRAM   uint64 // MiB
	Region string
	Level  uint8
	// FirstToken and TokensPerSecond were measured; zero is not known.
	FirstToken      time.Duration
	TokensPerSecond float64
}

// A Miner runs jobs.
type Miner struct {
	ID       common.Address
	Offers   map[common.Hash]Offer // by model digest
	Slots    int
	Draining bool
	// Unavailable are models of the offers that take no job now.
	Unavailable []common.Hash
	// Reputation in thousandths.
	Reputation uint32
}

// A Reason says why a miner does not run a job now.
type Reason string

// The reasons.
const (
	Ready          Reason = "ready"
	Busy           Reason = "busy"
	Draining       Reason = "draining"
	NoModel        Reason = "model_not_offered"
	WrongClass     Reason = "class"
	NotAllowed     Reason = "not_a_candidate"
	Failed         Reason = "failed_this_job"
	TooDear        Reason = "price"
	OtherGPU       Reason = "gpu"
	TooLittleVRAM  Reason = "min_vram"
	OtherRegion    Reason = "region"
	LowReputation  Reason = "min_reputation"
	LowVerifyLevel Reason = "verification"
)

// Suits says whether a miner meets terms: Ready, or why not.
func (m *Miner) Suits(t *Terms) Reason {
	o, ok := m.Offers[t.Model]
	switch {
	case !ok:
		return NoModel
	case t.Class != (common.Hash{}) && t.Class != o.Class:
		return WrongClass
	case len(t.Miners) > 0 && !slices.Contains(t.Miners, m.ID):
		return NotAllowed
	case t.GPU != "" && !slices.Contains(strings.Fields(o.GPU), t.GPU):
		return OtherGPU
	case t.VRAM > o.VRAM:
		return TooLittleVRAM
	case t.Region != "" && t.Region != o.Region:
		return OtherRegion
	case t.Reputation > m.Reputation:
		return LowReputation
	case t.Level > o.Level:
		return LowVerifyLevel
	}
	return Ready
}

// takes says whether a miner that suits a job's terms may run it: Ready, or why not.
func (m *Miner) takes(j *Job) Reason {
	switch {
	case slices.Contains(j.Excluded, m.ID):
		return Failed
	case j.Bound.ComputeMillis == 0 && !m.Offers[j.Terms.Model].Rates.Second.IsZero():
		return TooDear // a price by the second, and an order that bounds no seconds
	case m.price(j).Cmp(j.MaxPrice) > 0:
		return TooDear
	}
	return Ready
}

// price is the most that a job may cost with the miner.
func (m *Miner) price(j *Job) market.Amount {
	p, err := market.Price(m.Offers[j.Terms.Model].Rates, j.Bound)
	if err != nil {
		return market.MaxAmount()
	}
	return p
}
