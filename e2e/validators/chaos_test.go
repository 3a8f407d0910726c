package validators_test

import (
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/validators"
)

// A plan depends on nothing but what it is drawn from.
func TestAPlanOfFaultsReplaysByItsSeed(t *testing.T) {
	t.Parallel()
	all := validators.Means{Network: true, Disks: true}
	a, b := validators.Plan(7, 4, all, 5*time.Minute), validators.Plan(7, 4, all, 5*time.Minute)
	if !reflect.DeepEqual(a, b) {
		t.Fatal("the same seed gave two plans")
	}
	if reflect.DeepEqual(a, validators.Plan(8, 4, all, 5*time.Minute)) {
		t.Fatal("two seeds gave the same plan")
	}
	for _, f := range validators.Plan(7, 4, validators.Means{}, time.Hour) {
		if f.Kind == "cut off" || f.Kind == "slow" || f.Kind == "full disk" {
			t.Fatalf("%v needs what is not there", f)
		}
	}
}

// A random sequence of faults, the same for the same seed: after each the chain
// goes on, all nodes have the same app hashes, and all money is there.
// AITBC_CHAOS_SEED and AITBC_CHAOS_DURATION choose it; make chaos sets them.
func TestChaos(t *testing.T) {
	seed, lasts := settings(t)
	have := validators.Means{Network: validators.HasNamespaces(), Disks: validators.HasDisks(t)}
	plan := validators.Plan(seed, 4, have, lasts)
	t.Logf("seed %d, %d faults in about %s, networks of their own: %t, disks of their own: %t", seed, len(plan), lasts, have.Network, have.Disks)
	for i, f := range plan {
		t.Logf("%3d  %v", i+1, f)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: make chaos SEED=%d DURATION=%s", seed, lasts)
		}
	})
	c := validators.Start(t, validators.Options{Namespaces: have.Network, Disks: have.Disks})
	load := c.Load()
	c.Progress(1)
	for i, f := range plan {
		begin := time.Now()
		c.Suffer(f)
		t.Logf("%3d  %v: all agree at block %d, %s after it began", i+1, f, c.Height(), time.Since(begin).Round(100*time.Millisecond))
	}
	t.Logf("%d transactions were committed, all are kept", load.Finish())
}

// settings are those of make chaos, or of the nightly run.
func settings(t *testing.T) (seed uint64, lasts time.Duration) {
	t.Helper()
	text, given := os.LookupEnv("AITBC_CHAOS_SEED")
	if !given {
		long(t)
		return uint64(time.Now().Unix()), 5 * time.Minute
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("AITBC_CHAOS_SEED: %v", err)
	}
	if lasts, err = time.ParseDuration(os.Getenv("AITBC_CHAOS_DURATION")); err != nil {
		t.Fatalf("AITBC_CHAOS_DURATION: %v", err)
	}
	return seed, lasts
}
