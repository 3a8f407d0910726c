package settings

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strconv"

	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
)

// stakeLine is the line of the settings that says the stake.
var stakeLine = regexp.MustCompile(`(?m)^([ \t]*stake_amount[ \t]*=[ \t]*)[0-9_]+`)

// ErrNoLine reports settings in which the line that is to be changed is not there
// once.
var ErrNoLine = errors.New("the line is not in the file once")

// Whole returns the whole AITBC of an amount.
func Whole(a market.Amount) uint64 {
	one := market.Coins(1)
	return new(big.Int).Div(a.Big(), one.Big()).Uint64()
}

// StakeVariable is the environment's name of mining.stake_amount, over which it counts.
const StakeVariable = "AITBC_STAKE_AMOUNT"

// SetStake changes mining.stake_amount in the settings of a data directory, and
// nothing else there. It returns [ErrNoLine] if the file does not say it once.
func SetStake(d home.Dir, whole uint64) error {
	file := File(d)
	raw, err := os.ReadFile(file) //nolint:gosec // the owner's own
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if len(stakeLine.FindAllIndex(raw, 2)) != 1 {
		return fmt.Errorf("%s: stake_amount: %w", file, ErrNoLine)
	}
	return atomicfile.Write(file, stakeLine.ReplaceAll(raw, []byte("${1}"+strconv.FormatUint(whole, 10))), 0o600)
}
