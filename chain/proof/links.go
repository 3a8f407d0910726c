package proof

import (
	"fmt"
	"sort"

	cmttypes "github.com/cometbft/cometbft/types"
)

// links lead from the first set of validators to the one that signed a block, lowest first. Each is a header, signed by
// its own set, that follows the one before in one of two ways: the one before names its set as the next, or more than
// two thirds of the power of the set before signed it too. The second lets one link stand for many small changes, as
// with skipping verification in CometBFT's light client, but with two thirds where that takes one: a forger needs as
// many keys as for a block of the trusted set.
func (b *Builder) links(to Commitment) ([]Link, error) {
	eras, err := b.eras(to.Header.Height)
	if err != nil {
		return nil, err
	}
	out := []Link{}
	// The last header of the first set comes first. It tells a verifier, who knows its hash only, who is in the set.
	for era := 0; era < len(eras); {
		c, err := b.commits.Commitment(eras[era])
		if err != nil {
			return nil, err
		}
		enc, err := c.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, Link{Header: enc.Header, Commit: enc.Commit, Validators: enc.Validators})
		if era, err = b.farthest(c.Validators, eras, era+1, to); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eras are the last heights of all sets before the one that signed the height.
func (b *Builder) eras(below int64) ([]int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.seen+1 < below {
		changed, err := b.commits.Changes(b.seen + 1)
		if err != nil {
			return nil, fmt.Errorf("follow the validators from the first block on (a node that joined later, or has pruned, cannot): %w", err)
		}
		if changed {
			b.changes = append(b.changes, b.seen+1)
		}
		b.seen++
	}
	n := sort.Search(len(b.changes), func(i int) bool { return b.changes[i] >= below })
	return b.changes[:n:n], nil
}

// farthest finds a late era, at least the given one, whose last header the set carries; len(eras) is the end. The given
// one always follows, named by the header before it.
func (b *Builder) farthest(set *cmttypes.ValidatorSet, eras []int64, next int, to Commitment) (int, error) {
	if carries(set, to) {
		return len(eras), nil
	}
	low, high := next, len(eras) // low follows, high does not
	for high-low > 1 {
		middle := (low + high) / 2
		c, err := b.commits.Commitment(eras[middle])
		if err != nil {
			return 0, err
		}
		if carries(set, c) {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// carries reports whether validators with more than two thirds of a set's power signed a block.
func carries(set *cmttypes.ValidatorSet, c Commitment) bool {
	signed := map[string]bool{}
	for i, v := range c.Validators.Validators {
		if i < len(c.Commit.Signatures) && c.Commit.Signatures[i].BlockIDFlag == cmttypes.BlockIDFlagCommit {
			signed[string(v.PubKey.Bytes())] = true
		}
	}
	var power int64
	for _, v := range set.Validators {
		if signed[string(v.PubKey.Bytes())] {
			power += v.VotingPower
		}
	}
	return 3*power > 2*set.TotalVotingPower()
}
