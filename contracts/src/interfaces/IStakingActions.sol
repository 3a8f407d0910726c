// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingEvents} from "./IStakingEvents.sol";

/// @title IStakingActions
/// @notice What anyone may do with stake.
interface IStakingActions is IStakingEvents {
    /// @notice Registers the caller as a validator with the coins sent as its own stake.
    /// @param x,y the consensus key's public key, uncompressed
    /// @param proof the consensus key's signature (65 bytes r ‖ s ‖ v, or 64) of keyDigest(caller, x, y)
    function createValidator(
        bytes32 x,
        bytes32 y,
        bytes calldata proof,
        uint16 commissionBps,
        uint16 maxDailyChangeBps,
        string calldata moniker
    ) external payable;
    /// @notice Delegates the coins sent.
    function delegate(address operator) external payable;
    /// @notice Begins to unbond about that many coins; type(uint128).max is everything that is not locked.
    /// @dev About: a share can be worth more than one base unit. What is worth nothing any more just ends. An operator
    /// that takes its own stake below the least one is no candidate any more.
    function undelegate(address operator, uint128 amount) external;
    /// @notice Moves about that many coins to another validator at once; they stay liable for the first one's deeds.
    /// type(uint128).max is everything that is not locked.
    function redelegate(address from, address to, uint128 amount) external;
    /// @notice Pays the caller all that has unbonded.
    function withdraw() external returns (uint128 amount);
    /// @notice Pays the caller its rewards from a validator, as delegator and, if it is the operator, its commission.
    function claimRewards(address operator) external returns (uint128 amount);
    /// @notice Takes the penalty of redelegated stake whose former validator was slashed since. Anyone may call it.
    function settleRedelegations(address delegator, address operator) external;
    /// @notice Changes the caller's commission, within its promise.
    function setCommission(uint16 bps) external;
    /// @notice Changes the caller's name.
    function setMoniker(string calldata moniker) external;
    /// @notice Leaves jail.
    function unjail() external;
    /// @notice Takes coins for all active stake. When there is none they go to the Treasury.
    function distribute() external payable;
    /// @notice Moves coins that nobody is owed to the Treasury.
    function sweep() external;
}
