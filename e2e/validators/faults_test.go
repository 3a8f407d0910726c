package validators_test

import (
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/validators"
)

// A machine that hangs and wakes up again is caught up with the others.
func TestAPausedValidatorCatchesUp(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{})
	load := c.Load()
	for _, i := range []int{1, 3} {
		c.Pause(i)
		c.Progress(4, others(c, i)...)
		c.Resume(i)
		c.Progress(2)
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// Twenty times a node, or all nodes at once, end as in a power cut.
func TestTwentyKillsUnderLoad(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{})
	load := c.Load()
	for n := range 20 {
		if n%5 == 4 { // all of them
			for i := range c.Nodes {
				c.Kill(i)
			}
			for i := range c.Nodes {
				c.Launch(i)
			}
			for i := range c.Nodes {
				c.Answers(i)
			}
		} else {
			i := n % len(c.Nodes)
			c.Kill(i)
			c.For(time.Duration(n%3) * 700 * time.Millisecond)
			c.Restart(i)
		}
		c.Progress(1)
		c.Agree()
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// A validator behind a slow line does not stop the others, nor is it lost.
func TestASlowLineIsNoHalt(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{Namespaces: true})
	load := c.Load()
	c.Progress(2)
	if err := c.Slow(2, "64kbit", "2s"); err != nil {
		t.Skipf("this kernel has no tbf: %v", err)
	}
	begin := time.Now()
	c.Progress(10, 0, 1, 3)
	t.Logf("10 blocks took %s with node2 behind 64 kbit/s", time.Since(begin).Round(time.Millisecond))
	c.Fast(2)
	c.Progress(2)
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// A disk that is full stops a node with words that say so, and with space it
// goes on where it was.
func TestAFullDiskStopsANodeAndNothingElse(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{})
	disk := c.SmallDisk(1)
	load := c.Load()
	c.Progress(2)
	disk.Fill()
	if !c.Ends(1, time.Minute) {
		t.Fatal("node1 runs on with a full disk")
	}
	c.Says(1, "aitbcd: the disk is full")
	c.Says(1, "aitbcd: hint: make room")
	c.Progress(3, 0, 2, 3)
	disk.Free()
	c.Restart(1)
	c.Progress(2)
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// Two nodes with the key of one validator sign different things: the evidence
// is in a block, the validator loses stake and never validates again, and
// everybody comes to the same conclusion.
func TestSigningTwiceIsSlashedAndTombstoned(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{})
	load := c.Load()
	c.Progress(2)
	before := c.Standing(3)
	if before.Consensus != c.Nodes[3].Validator || before.Power == 0 {
		t.Fatalf("node3 is no validator: %+v", before)
	}
	twin := c.Twin(3)
	height, guilty := c.Evidence(3 * time.Minute)
	if guilty != c.Nodes[3].Validator {
		t.Fatalf("block %d has evidence against %s, not against %s", height, guilty, c.Nodes[3].Validator)
	}
	twin.Kill()
	t.Logf("block %d has the evidence", height)
	c.Expelled(3, time.Minute)
	after := c.Standing(3)
	if !after.Tombstoned || !after.Jailed || after.Power != 0 || after.Tokens.Cmp(before.Tokens) >= 0 {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	t.Logf("of %d base units %d are left", before.Tokens, after.Tokens)
	c.Progress(3)
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// A validator that is away for too long is jailed, the others go on without it,
// and when its jail is over its operator brings it back.
func TestBeingAwayIsJailedAndUnjailed(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{Params: map[string]any{
		"staking": map[string]any{"window": 40, "max_missed": 10, "downtime_jail": 5, "epoch_blocks": 10},
	}})
	load := c.Load()
	c.Progress(2)
	before := c.Standing(2)
	c.Kill(2)
	c.Until("node2 in jail", func() bool { return c.Standing(2).Jailed })
	c.Expelled(2, time.Minute)
	after := c.Standing(2)
	if after.Tombstoned || after.Tokens.Cmp(before.Tokens) >= 0 {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	c.Restart(2)
	c.Progress(2)
	c.For(6 * time.Second) // its jail
	c.Unjail(2)
	c.Until("node2 among the validators", func() bool { return c.Standing(2).Power > 0 })
	c.Progress(12)
	if s := c.Standing(2); s.Jailed || s.Missed > 9 {
		t.Fatalf("node2 is back and does not sign: %+v", s)
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// A validator whose clock is an hour before the others', or half a minute after
// them, changes neither the time of the blocks nor their pace. (One that is
// before the chain's first block waits for it.)
func TestAWrongClockChangesNothing(t *testing.T) {
	long(t)
	validators.BuildSkewed(t)
	c := validators.Start(t, validators.Options{})
	load := c.Load()
	begin := time.Now()
	for _, skew := range []time.Duration{time.Hour, -30 * time.Second} {
		if skew < 0 {
			c.For(time.Until(begin.Add(time.Minute))) // the first block is older than that
		}
		c.Skew(1, skew)
		c.Stop(1)
		c.Restart(1)
		c.Progress(8)
		if off := time.Since(c.BlockTime()); off.Abs() > 15*time.Second {
			t.Fatalf("with a clock that is %s wrong among four the blocks are %s off", skew, off)
		}
		c.Agree()
		if s := c.Standing(1); s.Power == 0 {
			t.Fatalf("node1 with a clock %s wrong: %+v", skew, s)
		}
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// A node that nobody knew follows the chain, is registered with the proof that
// aitbcd makes, and decides blocks with the others.
func TestAFifthValidatorJoins(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{
		Env:    []string{"CONSENSUS_MODE=pos"},
		Params: map[string]any{"staking": map[string]any{"epoch_blocks": 5}},
	})
	load := c.Load()
	c.Progress(3)
	fifth := c.Follow()
	c.Progress(1)
	c.Register(fifth, 20_000)
	c.Until("five validators", func() bool { return c.Standing(fifth).Power > 0 })
	c.Progress(6)
	before := c.Standing(fifth).Missed
	c.Progress(6)
	if s := c.Standing(fifth); s.Missed > before+3 {
		t.Fatalf("node%d is a validator and does not sign: %+v, %d before", fifth, s, before)
	}
	c.Kill(0) // three of five would decide nothing: the fifth is needed now
	c.Progress(3)
	c.Restart(0)
	c.Progress(1)
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

func others(c *validators.Cluster, not int) []int {
	var out []int
	for i := range c.Nodes {
		if i != not {
			out = append(out, i)
		}
	}
	return out
}
