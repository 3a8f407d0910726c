// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Pricing
/// @notice The price of a job and the protocol's fee, each with its one rounding.
library Pricing {
    /// @notice Rates are per this many tokens.
    uint256 internal constant TOKENS = 1e6;
    /// @notice The whole, in basis points.
    uint256 internal constant WHOLE = 1e4;

    /// @notice Returns ceil((promptTokens·promptRate + completionTokens·completionRate) / 10^6).
    /// @dev Below 2^174, so the sum cannot overflow; the caller compares with an amount below 2^128.
    function price(uint64 promptTokens, uint128 promptRate, uint64 completionTokens, uint128 completionRate)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 sum = uint256(promptTokens) * promptRate + uint256(completionTokens) * completionRate;
            return (sum + TOKENS - 1) / TOKENS;
        }
    }

    /// @notice Returns F(b) − F(a) with F(x) = floor(x·feeBps/10^4): the fee of a debit from a to b.
    /// @dev However a session's debits are cut, its fees add up to F(total).
    /// Amounts are below 2^128 and feeBps below 2^16, so nothing overflows.
    function fee(uint256 a, uint256 b, uint256 feeBps) internal pure returns (uint256) {
        unchecked {
            return (b * feeBps) / WHOLE - (a * feeBps) / WHOLE;
        }
    }
}
