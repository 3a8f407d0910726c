// Package ledger signs with the Ethereum app of a Ledger device, over its
// published protocol: commands (APDUs) in packets of 64 bytes.
//
// It was written from Ledger's documents and tested against a device in
// software; no hardware was used.
package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/aitbc/aitbc/wallet/hd"
)

var (
	// ErrDenied reports that the person declined at the device.
	ErrDenied = errors.New("declined at the Ledger")
	// ErrLocked reports a device that waits for its PIN.
	ErrLocked = errors.New("the Ledger is locked: enter its PIN")
	// ErrApp reports a device whose Ethereum app is not open.
	ErrApp = errors.New("the Ledger's Ethereum app is not open")
	// ErrData reports what the app does not sign, such as calls that it cannot show
	// while blind signing is off in its settings.
	ErrData = errors.New("the Ledger's app does not sign this: it may need blind signing in its settings")
	// ErrProtocol reports an answer that is none.
	ErrProtocol = errors.New("the Ledger answered in another protocol")
)

// The commands of the Ethereum app.
const (
	class        = 0xe0
	getAddress   = 0x02
	signTx       = 0x04
	signMessage  = 0x08
	signTyped    = 0x0c
	firstBlock   = 0x00
	nextBlock    = 0x80
	maxBlock     = 255
	eip155Fields = 3 // bytes at a transaction's end at which older apps must not be cut
)

// Device is an open device. Its methods must not be called at the same time.
type Device struct{ rw io.ReadWriter }

// New returns the device at the other end of rw, which carries packets.
func New(rw io.ReadWriter) *Device { return &Device{rw} }

// Address returns the account at a path. The device shows nothing.
func (d *Device) Address(p hd.Path) (common.Address, error) {
	out, err := d.command(getAddress, 0, pathBytes(p))
	if err != nil {
		return common.Address{}, err
	}
	if _, out, err = lengthed(out); err != nil { // the public key
		return common.Address{}, err
	}
	text, _, err := lengthed(out)
	if err != nil {
		return common.Address{}, err
	}
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != common.AddressLength {
		return common.Address{}, ErrProtocol
	}
	return common.Address(raw), nil
}

func lengthed(b []byte) (value, rest []byte, err error) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return nil, nil, ErrProtocol
	}
	return b[1 : 1+int(b[0])], b[1+int(b[0]):], nil
}

func pathBytes(p hd.Path) []byte {
	out := []byte{byte(len(p))} //nolint:gosec // a path has at most ten steps
	for _, n := range p {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return out
}

// SignTransaction has the person confirm a transaction and returns r‖s‖v with v
// 0 or 1. It returns [ErrDenied], [ErrLocked], [ErrApp], [ErrData] or [ErrProtocol].
func (d *Device) SignTransaction(p hd.Path, tx *types.Transaction, chainID *big.Int) ([]byte, error) {
	var raw []byte
	var err error
	switch tx.Type() {
	case types.LegacyTxType:
		raw, err = rlp.EncodeToBytes([]any{tx.Nonce(), tx.GasPrice(), tx.Gas(), to(tx), tx.Value(), tx.Data(), chainID, uint(0), uint(0)})
	case types.DynamicFeeTxType:
		raw, err = rlp.EncodeToBytes([]any{chainID, tx.Nonce(), tx.GasTipCap(), tx.GasFeeCap(), tx.Gas(), to(tx), tx.Value(), tx.Data(), tx.AccessList()})
		raw = append([]byte{types.DynamicFeeTxType}, raw...)
	default:
		return nil, fmt.Errorf("%w: transactions of type %d", ErrData, tx.Type())
	}
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	payload := append(pathBytes(p), raw...)
	block := maxBlock
	for tx.Type() == types.LegacyTxType && len(payload)%block <= eip155Fields {
		block--
	}
	out, err := d.blocks(signTx, payload, block)
	if err != nil {
		return nil, err
	}
	if tx.Type() == types.LegacyTxType {
		// Of v = 35 + 2·chain + parity the device sends the last byte.
		v := new(big.Int).Add(new(big.Int).Lsh(chainID, 1), big.NewInt(35))
		return signature(out, byte(v.Uint64())) //nolint:gosec // that very byte
	}
	return signature(out, 0)
}

// to is a transaction's receiver as it is encoded: no bytes for none.
func to(tx *types.Transaction) []byte {
	if tx.To() == nil {
		return nil
	}
	return tx.To().Bytes()
}

// SignMessage is [Device.SignTransaction] for a personal message.
func (d *Device) SignMessage(p hd.Path, message []byte) ([]byte, error) {
	payload := binary.BigEndian.AppendUint32(pathBytes(p), uint32(len(message))) //nolint:gosec // bounded by who decoded it
	out, err := d.blocks(signMessage, append(payload, message...), maxBlock)
	if err != nil {
		return nil, err
	}
	return signature(out, 27)
}

// SignTypedData is [Device.SignTransaction] for typed data, of which the device
// shows the two hashes.
func (d *Device) SignTypedData(p hd.Path, domain, message common.Hash) ([]byte, error) {
	payload := append(append(pathBytes(p), domain[:]...), message[:]...)
	out, err := d.command(signTyped, firstBlock, payload)
	if err != nil {
		return nil, err
	}
	return signature(out, 27)
}

// signature turns v‖r‖s into r‖s‖v, v counted from base.
func signature(out []byte, base byte) ([]byte, error) {
	if len(out) != 65 || out[0]-base > 1 {
		return nil, ErrProtocol
	}
	return append(append(make([]byte, 0, 65), out[1:]...), out[0]-base), nil
}

// blocks sends a payload in blocks and returns the last answer.
func (d *Device) blocks(ins byte, payload []byte, size int) (out []byte, err error) {
	kind := byte(firstBlock)
	for len(payload) > 0 {
		n := min(size, len(payload))
		if out, err = d.command(ins, kind, payload[:n]); err != nil {
			return nil, err
		}
		payload, kind = payload[n:], nextBlock
	}
	return out, nil
}

// command sends one command and returns its answer without the status.
func (d *Device) command(ins, p1 byte, data []byte) ([]byte, error) {
	apdu := append([]byte{class, ins, p1, 0, byte(len(data))}, data...) //nolint:gosec // at most maxBlock
	if err := writePackets(d.rw, apdu); err != nil {
		return nil, err
	}
	out, err := readPackets(d.rw)
	if err != nil {
		return nil, err
	}
	if len(out) < 2 {
		return nil, ErrProtocol
	}
	status := binary.BigEndian.Uint16(out[len(out)-2:])
	switch status {
	case 0x9000:
		return out[:len(out)-2], nil
	case 0x6985:
		return nil, ErrDenied
	case 0x5515, 0x6b0c, 0x6804:
		return nil, ErrLocked
	case 0x6d00, 0x6e00, 0x6511, 0x6700:
		return nil, ErrApp
	case 0x6a80, 0x6a82:
		return nil, ErrData
	}
	return nil, fmt.Errorf("%w: status %04x", ErrProtocol, status)
}
