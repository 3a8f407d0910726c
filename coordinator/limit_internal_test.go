package coordinator

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiterFillsWithTime(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Unix(1000, 0)
	for range 6 {
		if wait := l.take("a", 6, now); wait != 0 {
			t.Fatalf("wait %s within the rate", wait)
		}
	}
	if wait := l.take("a", 6, now); wait != 10*time.Second {
		t.Fatalf("wait %s, want 10 s", wait)
	}
	if wait := l.take("b", 6, now); wait != 0 {
		t.Fatalf("another waits %s", wait)
	}
	if wait := l.take("a", 6, now.Add(9*time.Second)); wait != time.Second {
		t.Fatalf("wait %s, want 1 s", wait)
	}
	if wait := l.take("a", 6, now.Add(10*time.Second)); wait != 0 {
		t.Fatalf("wait %s after the time", wait)
	}
	for range 6 { // no more than a minute's are kept
		if wait := l.take("a", 6, now.Add(time.Hour)); wait != 0 {
			t.Fatal(wait)
		}
	}
	if l.take("a", 6, now.Add(time.Hour)) == 0 {
		t.Fatal("the bucket runs over")
	}
	for range 1000 {
		if l.take("", 0, now) != 0 {
			t.Fatal("no rate is a limit")
		}
	}
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Unix(1000, 0)
	for n := range maxBuckets + 10 {
		l.take(fmt.Sprint(n), 60, now.Add(time.Duration(n)*time.Millisecond))
	}
	if n := len(l.buckets); n > maxBuckets {
		t.Fatalf("%d buckets", n)
	}
}
