// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Reason
/// @notice Why an entry of a batch was skipped: the `reason` of EntrySkipped.
library Reason {
    /// @notice Not skipped.
    uint8 internal constant NONE = 0;
    /// @notice There is no such session.
    uint8 internal constant UNKNOWN_SESSION = 1;
    /// @notice The session is with another coordinator.
    uint8 internal constant WRONG_COORDINATOR = 2;
    /// @notice The session is closed or due.
    uint8 internal constant SESSION_OVER = 3;
    /// @notice The voucher or order is not signed by the session's spender.
    uint8 internal constant BAD_SPENDER_SIGNATURE = 4;
    /// @notice The voucher moves nothing.
    uint8 internal constant STALE = 5;
    /// @notice The order was settled before, by itself or by a voucher.
    uint8 internal constant ORDER_SETTLED = 6;
    /// @notice Nothing of the deposit is left.
    uint8 internal constant DEPOSIT_SPENT = 7;
    /// @notice The receipt does not answer the order.
    uint8 internal constant RECEIPT_MISMATCH = 8;
    /// @notice The client did not accept this miner.
    uint8 internal constant NOT_CANDIDATE = 9;
    /// @notice The work ended after the order's deadline, or before it began.
    uint8 internal constant LATE = 10;
    /// @notice The price is not that of the usage, or above the order's limit.
    uint8 internal constant WRONG_PRICE = 11;
    /// @notice The receipt is not signed by the miner's key.
    uint8 internal constant BAD_MINER_SIGNATURE = 12;
    /// @notice The countersignature is not by the coordinator's key.
    uint8 internal constant BAD_COUNTERSIGNATURE = 13;
    /// @notice The miner has been paid this total already, or is the zero address.
    uint8 internal constant NOTHING_OWED = 14;
    /// @notice Neither the settlement account nor the miner's limit can pay anything.
    uint8 internal constant NO_FUNDS = 15;
}
