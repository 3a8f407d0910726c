// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Bounded
/// @notice Calls another contract with a fixed gas bound, and lives with its failure.
/// @dev What comes back is not copied. A callee that fails with less gas than the bound has not failed by itself: that
/// reverts, so that nobody chooses the outcome by the gas of a transaction, and gas estimates find enough. (A call that
/// succeeds may be given less than the bound.)
library Bounded {
    /// @notice The caller gave so little gas that nobody can say whether the callee would have failed.
    error InsufficientGas();

    /// @dev More than a call costs by itself: a cold account and a value.
    uint256 private constant OVERHEAD = 12_000;

    /// @notice Calls to with value, data and at most bound gas, and says whether that succeeded.
    /// @dev An account without code counts as a failure: coins would be lost in it.
    function tryCall(address to, uint256 value, uint256 bound, bytes memory data) internal returns (bool ok) {
        if (to.code.length == 0) return false;
        uint256 available = gasleft();
        assembly ("memory-safe") {
            ok := call(bound, to, value, add(data, 0x20), mload(data), 0, 0)
        }
        if (!ok && available - available / 64 < bound + OVERHEAD) revert InsufficientGas();
    }

    /// @notice Calls to with data and exactly given gas, and says whether that succeeded. Reverts before the call when
    /// the caller has so little gas that less would be handed on (a call is given at most 63/64 of what there is).
    /// @dev An account without code counts as a failure, and is not called.
    function callExactly(address to, uint256 given, bytes memory data) internal returns (bool ok) {
        if (to.code.length == 0) return false;
        uint256 available = gasleft();
        if (available - available / 64 < given + OVERHEAD) revert InsufficientGas();
        assembly ("memory-safe") {
            ok := call(given, to, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }
}
