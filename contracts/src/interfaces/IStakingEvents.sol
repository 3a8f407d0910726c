// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StakingParams} from "../StakingTypes.sol";

/// @title IStakingEvents
/// @notice The errors and events of Staking.
interface IStakingEvents {
    /// @notice The account is no validator.
    error UnknownValidator(address operator);
    /// @notice The account is a validator already, or was one under another key.
    error AlreadyValidator(address operator);
    /// @notice The consensus key was registered before, by whomever.
    error KeyUsed(address consensus);
    /// @notice The signature does not prove that the operator holds the consensus key, or the point is not on the curve.
    error BadProof();
    /// @notice An amount is zero, too small, or more than there is.
    error BadAmount();
    /// @notice The operator's own stake would be below the least one.
    error SelfStakeTooLow(uint128 stake, uint128 least);
    /// @notice The commission is above 100 %, or changes more, or sooner, than the validator has promised.
    error BadCommission();
    /// @notice The validator was tombstoned or slashed to nothing: stake can only leave it.
    error Closed(address operator);
    /// @notice Redelegated stake stays where it is until the validator it came from can no longer be slashed for it.
    error Locked(uint64 until);
    /// @notice Too many unbondings or redelegations at once: withdraw what is due first.
    error TooMany();
    /// @notice Not due yet, or nothing there.
    error NotDue(uint64 dueAt);
    /// @notice The validator is not jailed, or not yet free to leave.
    error CannotUnjail(uint64 until);
    /// @notice The list of candidates is full of validators with more stake.
    error SetFull();
    /// @notice A parameter is out of its bounds.
    error BadParameter(string name);
    /// @notice Votes are known for times that are past only.
    error FutureLookup(uint256 timepoint);
    /// @notice The last authority cannot be removed.
    error LastAuthority();
    /// @notice The receiver refused the coins.
    error TransferFailed(address to);

    /// @notice A validator was registered.
    event ValidatorCreated(address indexed operator, address indexed consensus, uint128 stake, string moniker);
    /// @notice Coins were delegated.
    event Delegated(address indexed delegator, address indexed operator, uint128 amount, uint256 shares);
    /// @notice Stake began to unbond.
    event Undelegated(
        address indexed delegator, address indexed operator, uint128 amount, uint64 dueAt, uint64 dueBlock
    );
    /// @notice Stake moved to another validator.
    event Redelegated(address indexed delegator, address indexed from, address indexed to, uint128 amount);
    /// @notice Unbonded stake was paid out.
    event Withdrawn(address indexed delegator, uint128 amount);
    /// @notice Rewards were paid out, the operator's commission among them.
    event RewardsPaid(address indexed account, address indexed operator, uint128 amount);
    /// @notice A validator changed its commission.
    event CommissionSet(address indexed operator, uint16 bps);
    /// @notice A validator was slashed: bonded and unbonding coins went to the Treasury.
    event Slashed(address indexed operator, uint128 bonded, uint128 unbonding, string reason);
    /// @notice Redelegated stake paid for what its former validator was slashed for since: the coins went to the Treasury.
    event RedelegationSlashed(address indexed delegator, address indexed operator, uint128 amount);
    /// @notice A validator was jailed; until is the end of time for one that was tombstoned.
    event Jailed(address indexed operator, uint64 until, string reason);
    /// @notice A validator left jail.
    event Unjailed(address indexed operator);
    /// @notice Evidence named nobody who could be punished.
    event EvidenceIgnored(address indexed consensus, uint64 height, string reason);
    /// @notice Governance admitted or removed an authority.
    event AuthoritySet(address indexed operator, bool admitted);
    /// @notice The set of validators changed.
    event SetChanged(uint64 indexed epoch, uint256 validators, uint256 power);
    /// @notice Coins were distributed to stakers.
    event Distributed(uint128 amount);
    /// @notice The parameters changed.
    event ParamsSet(StakingParams params);
    /// @notice Coins that nobody is owed went to the Treasury.
    event Swept(uint256 amount);
}
