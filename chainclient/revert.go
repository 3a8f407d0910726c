package chainclient

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// RevertError says why a contract refused a call.
type RevertError struct {
	Name   string         // of the contract's error, or "" when it gave a text or nothing
	Text   string         // the error with its values, for people
	Values map[string]any // of the contract's error, by name
	Data   []byte         // as returned
}

func (e *RevertError) Error() string { return "the contract refused: " + e.Text }

// decodeRevert explains what a reverted call returned with the errors of abis.
func decodeRevert(data []byte, abis []abi.ABI) *RevertError {
	e := &RevertError{Data: data}
	if text, err := abi.UnpackRevert(data); err == nil {
		e.Text = text
		return e
	}
	if len(data) >= 4 {
		for _, a := range abis {
			known, err := a.ErrorByID([4]byte(data))
			if err != nil {
				continue
			}
			values, err := known.Inputs.Unpack(data[4:])
			if err != nil {
				continue
			}
			text := make([]string, len(values))
			e.Values = make(map[string]any, len(values))
			for i, v := range values {
				text[i] = known.Inputs[i].Name + " " + word(v)
				e.Values[known.Inputs[i].Name] = v
			}
			e.Name = known.Name
			e.Text = known.Name + "(" + strings.Join(text, ", ") + ")"
			return e
		}
	}
	e.Text = "no reason given"
	if len(data) > 0 {
		e.Text = "unknown error " + hexutil.Encode(data[:min(len(data), 36)])
	}
	return e
}

// word is a value of a contract's error for people.
func word(v any) string {
	switch v := v.(type) {
	case [32]byte:
		return common.Hash(v).Hex()
	case []byte:
		return hexutil.Encode(v)
	default:
		return fmt.Sprint(v)
	}
}

// Explain returns err as a *[RevertError] if it is a node's report of a revert,
// explained with the errors of abis, and err itself otherwise.
func Explain(err error, abis ...abi.ABI) error {
	e, ok := errors.AsType[*RPCError](err)
	if !ok || (e.Code != 3 && !strings.Contains(e.Message, "revert")) {
		return err
	}
	return decodeRevert(e.revertData(), abis)
}
