package intake

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
)

// uses learns which part of the gas that they claim the calls of a contract use. Wallets and services claim a bound, often
// a multiple of what a call takes: counted as claimed, a few settlements would fill a room in which there is place for
// dozens. Who claims more is no better off: what is not known counts as claimed, and so does a transfer.
type uses struct {
	parts lru.BasicLRU[common.Address, float64] // below 1
}

// remembered is the number of contracts whose calls are known. least is the least part that a call counts as: those who
// used little until now may all use everything at once.
const (
	remembered = 1024
	least      = 0.25
)

func newUses() uses { return uses{parts: lru.NewBasicLRU[common.Address, float64](remembered)} }

// expect is the gas that a call of a contract, or a creation of one, will probably use of what it claims.
func (u *uses) expect(to *common.Address, claimed uint64) uint64 {
	if to == nil {
		return claimed
	}
	part, ok := u.parts.Get(*to)
	if !ok {
		return claimed
	}
	return uint64(max(part, least) * float64(claimed))
}

// learn takes what a call used: at once if that is a greater part than was known, else slowly.
func (u *uses) learn(to *common.Address, claimed, used uint64) {
	if to == nil || claimed == 0 {
		return
	}
	part := float64(used) / float64(claimed)
	known, ok := u.parts.Peek(*to)
	switch {
	case !ok && part >= 1:
		return
	case ok && part < known:
		part = known + (part-known)/8
	}
	if part >= 1 {
		u.parts.Remove(*to)
		return
	}
	u.parts.Add(*to, part)
}
