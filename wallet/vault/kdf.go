package vault

import (
	"crypto/rand"
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/aitbc/aitbc/internal/secret"
)

// Cost is the work of argon2id that protects a passphrase.
type Cost struct {
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
}

// Floor is the second recommendation of RFC 9106, below which no vault is made
// or opened.
func Floor() Cost { return Cost{Time: 3, MemoryKiB: 64 << 10, Threads: 4} }

// Bounds of what a file may ask of us: somebody else may have written it.
const (
	maxTime   = 64
	maxMemory = 2 << 20 // KiB
	maxWork   = 16 << 20
	saltSize  = 16
	keySize   = 32
)

func (c Cost) check() error {
	f := Floor()
	if c.Time < f.Time || c.MemoryKiB < f.MemoryKiB || c.Threads < f.Threads {
		return fmt.Errorf("%w: cost of argon2id below RFC 9106's second recommendation", ErrFormat)
	}
	if c.Time > maxTime || c.MemoryKiB > maxMemory || c.Threads > 64 || uint64(c.Time)*uint64(c.MemoryKiB) > maxWork {
		return fmt.Errorf("%w: cost of argon2id out of bounds", ErrFormat)
	}
	return nil
}

// Calibrate returns the largest cost that takes at most about target on this
// machine, and never less than [Floor]: first more memory, up to most KiB, then
// more rounds. run does the work once and says how long it took; nil measures.
func Calibrate(target time.Duration, most uint32, run func(Cost) time.Duration) Cost {
	if run == nil {
		run = measure
	}
	best := Floor()
	took := run(best)
	for took > 0 && took*2 <= target && best.MemoryKiB*2 <= min(most, maxMemory) {
		best.MemoryKiB *= 2
		took = run(best)
	}
	if took > 0 && took < target {
		rounds := int64(best.Time) * int64(target/took)
		best.Time = max(best.Time, uint32(min(rounds, maxTime, maxWork/int64(best.MemoryKiB)))) //nolint:gosec // at most maxTime
	}
	return best
}

func measure(c Cost) time.Duration {
	start := time.Now()
	clear(argon2.IDKey([]byte("measure"), make([]byte, saltSize), c.Time, c.MemoryKiB, c.Threads, keySize))
	return time.Since(start)
}

// derive makes the key that wraps the vault's, to be wiped.
func derive(passphrase secret.Text, salt []byte, c Cost) []byte {
	p := []byte(passphrase.Reveal())
	defer clear(p)
	return argon2.IDKey(p, salt, c.Time, c.MemoryKiB, c.Threads, keySize)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
