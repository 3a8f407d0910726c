// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Receipt} from "../Types.sol";

/// @title Pricing
/// @notice The price of a job and the protocol's fee, each with its one rounding.
library Pricing {
    /// @notice Rates are per this many tokens.
    uint256 internal constant TOKENS = 1e6;
    /// @notice Milliseconds in a second, for which the rate of time is.
    uint256 internal constant SECOND = 1e3;
    /// @notice The whole, in basis points.
    uint256 internal constant WHOLE = 1e4;

    /// @notice Returns ceil((promptTokens·promptRate + completionTokens·completionRate) / 10^6 + computeMillis·secondRate / 10^3
    /// + items·itemRate).
    /// @dev Below 2^213, so the sum cannot overflow; the caller compares with an amount below 2^128.
    function price(Receipt calldata r) internal pure returns (uint256) {
        (uint256 prompt, uint256 completion) = (r.promptTokens, r.completionTokens);
        (uint256 millis, uint256 items) = (r.computeMillis, r.items);
        unchecked {
            uint256 sum = prompt * r.promptRate + completion * r.completionRate
                + millis * r.secondRate * (TOKENS / SECOND) + items * r.itemRate * TOKENS;
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
