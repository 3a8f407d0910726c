// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Unbonding} from "../StakingTypes.sol";

/// @title IStakingVotes
/// @notice What an account has staked, and the votes that come of it.
interface IStakingVotes {
    /// @notice Returns what a delegation is worth now, and until when part of it is locked by redelegation (0: not).
    function delegation(address delegator, address operator)
        external
        view
        returns (uint128 amount, uint256 shares, uint64 lockedUntil);
    /// @notice Returns the validators that an account has delegated to.
    function delegationsOf(address delegator) external view returns (address[] memory operators);
    /// @notice Returns what of an account's stake unbonds.
    function unbondings(address delegator) external view returns (Unbonding[] memory);

    /// @notice Returns the votes of an account now: the stake of the validator that it operates.
    /// @dev Stake outside the set votes too, whatever the mode. Penalties of redelegated stake count until they are
    /// settled, which anyone may do.
    function getVotes(address account) external view returns (uint256);
    /// @notice Returns the votes of an account at a time that is past.
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256);
    /// @notice Returns all votes at a time that is past.
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256);
    /// @notice Returns what a delegation was worth at a time that is past; all of a validator's sum up to at most its votes.
    function getPastDelegation(address delegator, address operator, uint256 timepoint) external view returns (uint256);
    /// @notice Returns the block's timestamp (ERC-6372).
    function clock() external view returns (uint48);
    /// @notice Returns "mode=timestamp" (ERC-6372).
    function CLOCK_MODE() external view returns (string memory);
}
