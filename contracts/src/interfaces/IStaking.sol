// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Mode, Power, StakingParams, Unbonding, Validator} from "../StakingTypes.sol";

/// @title IStaking
/// @notice Validators, the stake behind them, and what they earn and lose.
/// @dev A validator's stake is a pool of shares: slashing lowers what each share is worth, in one step for all. What
/// unbonds lies in pools of the validator by day, which slashing lowers too. Rewards are a cumulative index over all
/// active stake and one in each validator: nothing ever loops over delegators. Votes are stake: a validator votes with
/// all that is delegated to it, unless a delegator votes for itself. The clock is the block's timestamp (ERC-6372).
interface IStaking {
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
    /// @notice Begins to unbond about that many coins; type(uint128).max is everything.
    /// @dev An operator that takes its own stake below the least one is no candidate any more.
    function undelegate(address operator, uint128 amount) external;
    /// @notice Moves about that many coins to another validator at once; they stay liable for the first one's deeds.
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
    /// @notice Admits or removes an authority. Governor only. The last one cannot be removed.
    function setAuthority(address operator, bool admitted) external;
    /// @notice Sets the parameters. Governor only.
    function setParams(StakingParams calldata params) external;
    /// @notice Takes coins for all active stake. When there is none they go to the Treasury.
    function distribute() external payable;
    /// @notice Moves coins that nobody is owed to the Treasury.
    function sweep() external;

    /// @notice Ends a block: counts who was absent, punishes who signed twice, and now and then changes the set.
    /// System address only.
    /// @param missed consensus addresses whose votes are absent from the last commit
    /// @return set the whole new set when it changes at this block, and otherwise nothing
    function endBlock(address[] calldata missed, Evidence[] calldata guilty) external returns (Power[] memory set);

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
    /// @notice Returns what a delegation is worth now, and until when part of it is locked by redelegation (0: not).
    function delegation(address delegator, address operator)
        external
        view
        returns (uint128 amount, uint256 shares, uint64 lockedUntil);
    /// @notice Returns the validators that an account has delegated to.
    function delegationsOf(address delegator) external view returns (address[] memory operators);
    /// @notice Returns what of an account's stake unbonds.
    function unbondings(address delegator) external view returns (Unbonding[] memory);
    /// @notice Returns the rewards an account would be paid now.
    function rewards(address account, address operator) external view returns (uint128);
    /// @notice Returns the number of the epoch: how often the set was computed.
    function epoch() external view returns (uint64);
    /// @notice Returns what the contract owes: all bonded, all unbonding, all rewards not yet paid.
    function owed() external view returns (uint256);
    /// @notice Returns the three parts of owed.
    function accounts() external view returns (uint256 bonded, uint256 unbonding, uint256 unpaidRewards);
    /// @notice Returns what a consensus key signs to prove that it is the operator's.
    function keyDigest(address operator, bytes32 x, bytes32 y) external view returns (bytes32);

    /// @notice Returns the votes of an account now: the stake of the validator that it operates.
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
