package validators_test

import (
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/validators"
)

// A program that does not know the plan ends before its height and says which
// program it needs; with that program the chain goes on where it was.
func TestAPlannedUpgradeChangesTheProgram(t *testing.T) {
	long(t)
	next := validators.BuildKnowing(t, "v2")
	c := validators.Start(t, validators.Options{Params: map[string]any{"governor": validators.Governor()}})
	load := c.Load()
	at := c.Height() + 12
	c.PlanUpgrade("v2", at, "https://example.org/v2")
	for i := range c.Nodes {
		if !c.Ends(i, time.Minute) {
			t.Fatalf("node%d goes on without the upgrade", i)
		}
		c.Says(i, `needs a program with the upgrade "v2"`)
	}
	c.Launch(0) // the old program again: it stays where it is
	if !c.Ends(0, time.Minute) {
		t.Fatal("the old program started again")
	}
	for i := range c.Nodes {
		c.Upgrade(i, next)
		c.Launch(i)
	}
	for i := range c.Nodes {
		c.Answers(i)
	}
	c.Reach(at + 3)
	c.Agree()
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}
