// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Push
/// @notice Sends coins with nothing but the 2,300 gas that a transfer carries, and ignores what comes back.
/// @dev The receiver cannot write storage, burn the caller's gas or fill its memory.
library Push {
    /// @notice Tries to send amount to the receiver and reports whether it arrived.
    function tryPush(address to, uint128 amount) internal returns (bool ok) {
        if (amount == 0) return true;
        assembly ("memory-safe") {
            ok := call(0, to, amount, 0, 0, 0, 0)
        }
    }
}
