package evm

import (
	"errors"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/txpool/legacypool"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chain/intake"
)

// Refusal is why the pool did not take a transaction. It is one of the constants.
type Refusal string

// The reasons.
const (
	RefusedMalformed   Refusal = "malformed"
	RefusedKind        Refusal = "kind"
	RefusedSize        Refusal = "size"
	RefusedGas         Refusal = "gas"
	RefusedNonce       Refusal = "nonce"
	RefusedFunds       Refusal = "funds"
	RefusedPrice       Refusal = "price"
	RefusedReplacement Refusal = "replacement"
	RefusedFull        Refusal = "full"
	RefusedSender      Refusal = "sender"
	RefusedOther       Refusal = "other"
)

var refusals = []struct {
	reason Refusal
	causes []error
}{
	{RefusedKind, []error{ErrBlob, types.ErrTxTypeNotSupported, errUnprotected}},
	{RefusedSize, []error{txpool.ErrOversizedData}},
	{RefusedGas, []error{txpool.ErrGasLimit, core.ErrIntrinsicGas, core.ErrGasLimitTooHigh, core.ErrFloorDataGas}},
	{RefusedNonce, []error{core.ErrNonceTooLow, core.ErrNonceTooHigh, core.ErrNonceMax}},
	{RefusedFunds, []error{core.ErrInsufficientFunds, core.ErrInsufficientFundsForTransfer}},
	{RefusedReplacement, []error{txpool.ErrReplaceUnderpriced, legacypool.ErrFutureReplacePending}},
	{RefusedPrice, []error{txpool.ErrUnderpriced, txpool.ErrTxGasPriceTooLow, core.ErrTipAboveFeeCap, core.ErrFeeCapTooLow, types.ErrGasFeeCapTooLow}},
	{RefusedFull, []error{intake.ErrFull, intake.ErrSender, legacypool.ErrTxPoolOverflow, txpool.ErrAccountLimitExceeded, txpool.ErrInflightTxLimitReached, txpool.ErrOutOfCapacity}},
	{RefusedSender, []error{txpool.ErrInvalidSender, types.ErrInvalidChainId, types.ErrInvalidSig}},
	{RefusedMalformed, []error{errMalformed}},
}

// Why sorts an error of Submit.
func Why(err error) Refusal {
	for _, r := range refusals {
		for _, cause := range r.causes {
			if errors.Is(err, cause) {
				return r.reason
			}
		}
	}
	return RefusedOther
}

func (c *Chain) refuse(err error) {
	if c.refused != nil {
		c.refused(Why(err))
	}
}
