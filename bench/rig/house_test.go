package rig

import (
	"fmt"
	"testing"
	"time"
)

// However many log in, each does so now; who logs in again does so a second later,
// as each login counts once.
func TestLoginsAreOfTheirTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for i := range 500 {
		key := NewKey(fmt.Sprint("one of many ", i)).Address()
		if first, second := issuedAt(key, now), issuedAt(key, now); first != 1000 || second != 1001 {
			t.Fatalf("login %d is of %d, and again of %d", i, first, second)
		}
	}
}
