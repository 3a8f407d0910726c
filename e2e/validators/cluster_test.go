package validators_test

import (
	"os"
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/validators"
)

// long skips what only the nightly run has time for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("AITBC_LONG") == "" {
		t.Skip("long: AITBC_LONG=1 runs it")
	}
}

// Each of four validators is killed under load and comes back, while the other
// three go on; no committed transaction is lost.
func TestEachOfFourValidatorsIsKilledAndRestarted(t *testing.T) {
	c := validators.Start(t, validators.Options{})
	load := c.Load()
	for i := range c.Nodes {
		c.Kill(i)
		c.Progress(2)
		c.Restart(i)
		c.Progress(1)
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// A node that is cut off from three others falls behind, the others go on
// without it, and it catches up when the line is whole again.
func TestPartitionThreeToOne(t *testing.T) {
	c := validators.Start(t, validators.Options{Namespaces: true})
	load := c.Load()
	c.Progress(2)
	c.Partition([]int{0, 1, 2}, []int{3})
	c.Progress(3, 0, 1, 2)
	behind := c.HeightOf(3)
	if top := c.Height(); behind+2 > top {
		t.Fatalf("node3 has block %d of %d though nobody reaches it", behind, top)
	}
	c.Heal()
	c.Progress(2)
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// While two and two do not reach each other nothing is decided; afterwards it is.
func TestPartitionTwoToTwo(t *testing.T) {
	long(t)
	c := validators.Start(t, validators.Options{Namespaces: true})
	load := c.Load()
	c.Progress(3)
	for _, d := range []time.Duration{5 * time.Second, 30 * time.Second} {
		c.Partition([]int{0, 1}, []int{2, 3})
		c.For(2 * time.Second) // what was decided before is still being committed
		before := c.Height()
		c.For(d)
		if after := c.Height(); after > before {
			t.Fatalf("blocks %d to %d were decided by half of the power", before, after)
		}
		c.Heal()
		begin := time.Now()
		c.Progress(2)
		t.Logf("after %s apart the chain went on within %s", d, time.Since(begin).Round(time.Millisecond))
		c.Agree()
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}
