package coordinator

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/aitbc/aitbc/apierr"
)

// maxBuckets bounds what a limiter remembers; beyond it those that are full again are forgotten.
const maxBuckets = 100_000

// limiter holds a bucket of requests for each name: it fills with the rate and holds a minute's. Use [newLimiter].
type limiter struct {
	mu      sync.Mutex // guards buckets
	buckets map[string]*bucket
}

type bucket struct {
	left float64
	rate float64 // a second
	at   time.Time
}

func newLimiter() *limiter { return &limiter{buckets: map[string]*bucket{}} }

// take takes one request from the bucket of a name, whose rate is in requests a minute, 0 for no limit. It returns how
// long to wait if the bucket is empty.
func (l *limiter) take(name string, rate uint32, now time.Time) (wait time.Duration) {
	if rate == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[name]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.forgetLocked(now)
		}
		b = &bucket{left: float64(rate), rate: float64(rate) / 60, at: now}
		l.buckets[name] = b
	}
	b.fill(now)
	if b.left < 1 {
		return time.Duration(math.Ceil((1 - b.left) / b.rate * float64(time.Second)))
	}
	b.left--
	return 0
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.left, b.at = min(b.left+d.Seconds()*b.rate, b.rate*60), now
	}
}

// forgetLocked drops what is full again, or everything if that is nothing.
func (l *limiter) forgetLocked(now time.Time) {
	for name, b := range l.buckets {
		if b.fill(now); b.left >= b.rate*60 {
			delete(l.buckets, name)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// slow is the error of who asks too often.
func slow(wait time.Duration, format string, a ...any) error {
	return apierr.New(apierr.RateLimited, format, a...).With(map[string]any{"retry_after_seconds": int(math.Ceil(wait.Seconds()))})
}

// AllowAddress returns a rate_limited error to whoever asks too often for what needs no key: IPv4 addresses, and IPv6
// networks of 64 bits, are counted apart.
func (s *Service) AllowAddress(a netip.Addr) error {
	a = a.Unmap()
	if a.Is6() {
		p, err := a.Prefix(64)
		if err == nil {
			a = p.Addr()
		}
	}
	if wait := s.rates.take("address "+a.String(), s.cfg.AddressRate, time.Now()); wait > 0 {
		return slow(wait, "at most %d such requests a minute come from one address", s.cfg.AddressRate)
	}
	return nil
}
