package chaintest

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
)

// Small contracts in raw bytecode, for tests that must not depend on a compiler.
var (
	// Counter adds one to slot 0 at every call and logs topic 0x…2a with no data.
	//	PUSH1 0 SLOAD PUSH1 1 ADD PUSH1 0 SSTORE PUSH1 42 PUSH1 0 PUSH1 0 LOG1 STOP
	Counter = common.FromHex("600054600101600055602a60006000a100")
	// Reverter always reverts, after writing to slot 0.
	//	PUSH1 1 PUSH1 0 SSTORE PUSH1 0 DUP1 REVERT
	Reverter = common.FromHex("6001600055600080fd")
	// Burner loops until its gas is gone.
	//	JUMPDEST PUSH1 0 JUMP
	Burner = common.FromHex("5b600056")
	// Holder keeps what it is sent and answers every call with 32 bytes: the number in its slot 0.
	//	PUSH1 0 SLOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN
	Holder = common.FromHex("60005460005260206000f3")
	// Doomed creates nothing and destroys itself in its own constructor, with itself as heir: its coins vanish.
	//	ADDRESS SELFDESTRUCT
	Doomed = common.FromHex("30ff")
)

// Creation is creation code that returns the runtime code.
func Creation(runtime []byte) []byte {
	// PUSH2 len DUP1 PUSH1 12 PUSH1 0 CODECOPY PUSH1 0 RETURN
	b := []byte{0x61}
	b = binary.BigEndian.AppendUint16(b, uint16(len(runtime))) //nolint:gosec // a few bytes
	b = append(b, 0x80, 0x60, 0x0c, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3)
	return append(b, runtime...)
}

// CreationWith stores value in slot 0 and then does as Creation.
func CreationWith(value byte, runtime []byte) []byte {
	// PUSH1 value PUSH1 0 SSTORE PUSH2 len DUP1 PUSH1 17 PUSH1 0 CODECOPY PUSH1 0 RETURN
	b := []byte{0x60, value, 0x60, 0x00, 0x55, 0x61}
	b = binary.BigEndian.AppendUint16(b, uint16(len(runtime))) //nolint:gosec // a few bytes
	b = append(b, 0x80, 0x60, 0x11, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3)
	return append(b, runtime...)
}
