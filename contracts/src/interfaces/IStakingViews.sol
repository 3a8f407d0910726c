// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Mode, StakingParams, Validator} from "../StakingTypes.sol";

/// @title IStakingViews
/// @notice What anyone may read of Staking.
interface IStakingViews {
    /// @notice Returns the mode, fixed at genesis.
    function mode() external view returns (Mode);
    /// @notice Returns the parameters.
    function params() external view returns (StakingParams memory);
    /// @notice Returns a validator.
    function validator(address operator) external view returns (Validator memory);
    /// @notice Returns the operator that a consensus address belongs to, for ever, or zero.
    function operatorOf(address consensus) external view returns (address);
    /// @notice Returns up to limit operators from place offset on, in the order in which they registered, and how many there are.
    function validators(uint256 offset, uint256 limit) external view returns (address[] memory operators, uint256 total);
    /// @notice Returns the set as told to the node last.
    function activeSet() external view returns (address[] memory operators, uint64[] memory powers);
    /// @notice Returns the rewards an account would be paid now.
    function rewards(address account, address operator) external view returns (uint128);
    /// @notice Returns the number of the epoch: how many have ended.
    function epoch() external view returns (uint64);
    /// @notice Returns what the contract owes: all bonded, all unbonding, all rewards not yet paid.
    function owed() external view returns (uint256);
    /// @notice Returns the three parts of owed.
    function accounts() external view returns (uint256 bonded, uint256 unbonding, uint256 unpaidRewards);
    /// @notice Returns what a consensus key signs to prove that it is the operator's.
    function keyDigest(address operator, bytes32 x, bytes32 y) external view returns (bytes32);
}
