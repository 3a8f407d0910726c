// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Power, StakingParams} from "../StakingTypes.sol";
import {IStakingEvents} from "./IStakingEvents.sol";

/// @title IStakingSystem
/// @notice What governance and the node do.
interface IStakingSystem is IStakingEvents {
    /// @notice Admits or removes an authority, who need not be a validator yet. Governor only. The last one cannot be
    /// removed.
    function setAuthority(address operator, bool admitted) external;
    /// @notice Sets the parameters. Governor only.
    function setParams(StakingParams calldata params) external;

    /// @notice Ends a block: counts who was absent, punishes who signed twice, and now and then changes the set.
    /// System address only.
    /// @param missed consensus addresses whose votes are absent from the last commit
    /// @return set the whole new set when it changes at this block, and otherwise nothing
    function endBlock(address[] calldata missed, Evidence[] calldata guilty) external returns (Power[] memory set);
}
