// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Session} from "../Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title VoucherBatch
/// @notice Reads packed vouchers, recovers their signers and touches their sessions, at the least cost.
/// @dev Hundreds of vouchers share one transaction, so this works on whole words: each slot of a session is read once,
/// nothing is allocated per voucher, and fields are cut out by shifts, which need no constants. Tests compare it with
/// the plain path.
library VoucherBatch {
    /// @notice Bytes of a voucher: session u64 ‖ through u64 ‖ cumulative u128 ‖ r ‖ vs.
    uint256 internal constant BYTES = 96;

    /// @notice Memory that all vouchers of a batch share, laid out by {prepare}.
    /// @dev 0x00 type hash, 0x20 session, 0x40 through, 0x60 cumulative, 0x80 0x1901 ‖ domain ‖ struct hash (66 bytes),
    /// 0xe0 digest, 0x100 v, 0x120 r, 0x140 s, 0x160 session, 0x180 the slot of the sessions' mapping.
    type Scratch is uint256;

    /// @notice Sets the shared memory up for a domain and the sessions.
    function prepare(bytes32 domain, mapping(uint64 => Session) storage sessions)
        internal
        pure
        returns (Scratch scratch)
    {
        bytes memory room = new bytes(0x1a0);
        bytes32 kind = TypedData.VOUCHER;
        assembly ("memory-safe") {
            scratch := add(room, 0x20)
            mstore(scratch, kind)
            mstore(add(scratch, 0x80), hex"1901")
            mstore(add(scratch, 0x82), domain)
            mstore(add(scratch, 0x180), sessions.slot)
        }
    }

    /// @notice Returns the fields of the voucher that begins at an offset of the calldata.
    function fields(uint256 offset) internal pure returns (uint256 id, uint256 through, uint256 cumulative) {
        assembly ("memory-safe") {
            let word := calldataload(offset)
            id := shr(192, word)
            through := shr(192, shl(64, word))
            cumulative := shr(128, shl(128, word))
        }
    }

    /// @notice Returns who signed the voucher at an offset of the calldata, zero if nobody did.
    function signer(Scratch scratch, uint256 offset, uint256 id, uint256 through, uint256 cumulative)
        internal
        view
        returns (uint256 who)
    {
        assembly ("memory-safe") {
            mstore(add(scratch, 0x20), id)
            mstore(add(scratch, 0x40), through)
            mstore(add(scratch, 0x60), cumulative)
            mstore(add(scratch, 0xa2), keccak256(scratch, 0x80))
            let vs := calldataload(add(offset, 0x40))
            let input := add(scratch, 0xe0)
            mstore(input, keccak256(add(scratch, 0x80), 0x42))
            mstore(add(input, 0x20), add(shr(255, vs), 27))
            mstore(add(input, 0x40), calldataload(add(offset, 0x20)))
            mstore(add(input, 0x60), shr(1, shl(1, vs)))
            // The precompile answers nothing to a bad signature, and leaves the zero in place.
            mstore(0x00, 0)
            pop(staticcall(gas(), 0x01, input, 0x80, 0x00, 0x20))
            who := mload(0x00)
        }
    }

    /// @notice Returns where a session's slots begin.
    function locate(Scratch scratch, uint256 id) internal pure returns (uint256 base) {
        assembly ("memory-safe") {
            let key := add(scratch, 0x160)
            mstore(key, id)
            base := keccak256(key, 0x40)
        }
    }

    /// @notice Returns slot 1: whose the session is, in the upper 160 bits, and when it ends.
    function owner(uint256 base) internal view returns (uint256 coordinator, uint256 dueAt) {
        assembly ("memory-safe") {
            let word := sload(add(base, 1))
            coordinator := shl(96, word)
            dueAt := shr(160, word)
        }
    }

    /// @notice Returns slot 2 whole; isSpender and feeBpsOf take it apart.
    function terms(uint256 base) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(add(base, 2))
        }
    }

    /// @notice Says whether an address is the spender in slot 2.
    function isSpender(uint256 word, uint256 who) internal pure returns (bool yes) {
        assembly ("memory-safe") {
            yes := iszero(shl(96, xor(word, who)))
        }
    }

    /// @notice Returns feeBps of slot 2.
    function feeBpsOf(uint256 word) internal pure returns (uint256) {
        return (word >> 160) & 0xffff;
    }

    /// @notice Returns slot 3: what was paid in, what is spent, and the number up to which vouchers went.
    function funds(uint256 base) internal view returns (uint256 deposit, uint256 debited, uint256 through) {
        assembly ("memory-safe") {
            let word := sload(add(base, 3))
            deposit := shr(160, shl(160, word))
            debited := shr(160, shl(64, word))
            through := shr(192, word)
        }
    }

    /// @notice Writes slot 3.
    function setFunds(uint256 base, uint256 deposit, uint256 debited, uint256 through) internal {
        assembly ("memory-safe") {
            sstore(add(base, 3), or(or(deposit, shl(96, debited)), shl(192, through)))
        }
    }

    /// @notice Emits Debited(session, coordinator, through, debited, fee); topic is the event's.
    /// @param key the coordinator in the upper 160 bits
    function emitDebited(bytes32 topic, uint256 id, uint256 key, uint256 through, uint256 debited, uint256 fee)
        internal
    {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, through)
            mstore(add(m, 0x20), debited)
            mstore(add(m, 0x40), fee)
            log3(m, 0x60, topic, id, shr(96, key))
        }
    }
}
