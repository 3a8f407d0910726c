package abci

import "time"

// The bounds of a pace.
const (
	// leastBuild is the least time for making a block: with less, what every block costs would be most of the work.
	leastBuild = 20 * time.Millisecond
	// proposalWay is what a proposal may take to come, beside being made: the gap between blocks, and the network.
	proposalWay = 400 * time.Millisecond
)

// pace decides how long a proposer may take to fill a block. All validators run what it chose, one after another in
// part, and on a slow or busy machine for longer than it took the proposer: blocks that are full to the proposer's limit
// would then come seldom, and everybody would wait for long.
type pace struct {
	most   time.Duration // for making a block, as configured
	goal   time.Duration // from block to block while transactions wait
	budget time.Duration // now
	last   time.Time     // of the last block after which something waited; zero after one that left nothing

	ended, began time.Time // of the last block, of the last proposal
}

// newPace begins with all the time there is. From block to block it should be two thirds of how long a transaction may
// wait in the pool: one that comes when the room before it is taken waits for about two blocks.
func newPace(most, wait time.Duration) pace {
	return pace{most: most, goal: wait / 3 * 2, budget: most}
}

// proposed notes that a proposal of the next block is here, or begins to be made.
func (p *pace) proposed(now time.Time) { p.began = now }

// paused is how long nobody proposed the block that is final now, if that was longer than proposers need: the first of
// them may have been dead. Without this, one dead validator of four would look like slow blocks.
func (p *pace) paused() time.Duration {
	if quiet := p.began.Sub(p.ended); !p.ended.IsZero() && quiet > p.most+proposalWay {
		return quiet
	}
	return 0
}

// committed learns from a block that is final now, after which something waits or nothing does.
func (p *pace) committed(now time.Time, waiting bool) {
	paused := p.paused()
	p.ended = now
	switch took := now.Sub(p.last) - paused; {
	case p.last.IsZero() || took <= 0:
		p.budget += p.most / 10 // nothing waited for this block: there is no telling how a full one would do
	case took > p.goal:
		p.budget = time.Duration(float64(p.budget) * max(0.5, float64(p.goal)/float64(took)))
	default:
		p.budget = time.Duration(float64(p.budget) * min(1.2, float64(p.goal)/float64(took)))
	}
	p.budget = min(max(p.budget, leastBuild), p.most)
	if p.last = now; !waiting {
		p.last = time.Time{}
	}
}
