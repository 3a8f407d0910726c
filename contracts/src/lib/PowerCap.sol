// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title PowerCap
/// @notice Lowers the greatest powers until none is more than a share of them all.
library PowerCap {
    /// @notice Caps powers, which come in falling order, in place. Where so few cannot all keep below the share, or
    /// could only with the same power each, there is no cap: whoever came second to a network of one could halt it by
    /// being away, and the least stake would count as much as the greatest.
    /// @dev With the m greatest at a level L and the others' sum R: L = share × (m × L + R). The least m for which the
    /// next one is not above L is sought; rounding L down keeps it within the share.
    function cap(uint64[] memory powers, uint256 bps) internal pure {
        uint256 count = powers.length;
        if (count * bps <= 10_000) return;
        uint256 rest;
        for (uint256 i; i < count; ++i) {
            rest += powers[i];
        }
        uint256 m;
        uint256 level;
        for (; m < count; ++m) {
            // Positive for as long as this runs: where it would not be, the level before was above all the rest.
            level = bps * rest / (10_000 - m * bps);
            if (powers[m] <= level) break;
            rest -= powers[m];
        }
        for (uint256 i; i < m; ++i) {
            powers[i] = uint64(level);
        }
    }
}
