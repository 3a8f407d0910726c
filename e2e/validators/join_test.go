package validators_test

import (
	"testing"

	"github.com/aitbc/aitbc/e2e/validators"
)

// A fifth validator begins with a snapshot, is admitted by a vote of the four,
// and signs: without it three of five decide nothing.
func TestAFifthValidatorIsVotedInAndJoinsByStateSync(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{
		Params: map[string]any{
			"staking":    map[string]any{"epoch_blocks": 5},
			"governance": validators.Governance,
		},
		Settings: map[string]string{"snapshot_every = 1000": "snapshot_every = 100", "snapshot_keep = 2": "snapshot_keep = 10"},
	})
	load := c.Load()
	c.Reach(105)
	fifth := c.Join()
	c.Register(fifth, 20_000)
	c.Progress(12)
	if s := c.Standing(fifth); s.Power != 0 {
		t.Fatalf("node%d validates although nobody admitted it: %+v", fifth, s)
	}
	c.Admit(fifth)
	c.Until("five validators", func() bool { return c.Standing(fifth).Power > 0 })
	c.Progress(6)
	c.Kill(0)
	c.Progress(3)
	c.Restart(0)
	c.Progress(1)
	c.Agree()
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}
