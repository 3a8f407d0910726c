// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice How proposals run. Times are seconds; quorumBps is in 1/10,000 of all stake.
struct GovernorParams {
    uint48 votingDelay;
    uint32 votingPeriod;
    uint256 proposalThreshold;
    uint16 quorumBps;
}

/// @title IGovernance
/// @notice What the Governor has beyond OpenZeppelin's: votes are stake, and a delegator may vote for itself.
interface IGovernance {
    /// @notice The account has no stake that could vote here.
    error NoVotes(address account, address operator);
    /// @notice An operator's own stake counts through its vote only.
    error OwnStake(address operator);
    /// @notice The delegator voted with this stake already.
    error AlreadyOverridden(address delegator, address operator);
    /// @notice A setting is out of its bounds.
    error BadParameter(string name);

    /// @notice A delegator voted with weight of its stake, which its validator's vote does not have.
    event OverrideVoteCast(
        address indexed delegator,
        address indexed operator,
        uint256 indexed proposalId,
        uint8 support,
        uint256 weight,
        string reason
    );

    /// @notice Votes (0 against, 1 for, 2 abstain) with what the caller had delegated to a validator at the proposal's
    /// snapshot. It is taken out of the validator's vote, whether that is cast already or later. Once for each validator.
    function castOverrideVote(uint256 proposalId, address operator, uint8 support, string calldata reason)
        external
        returns (uint256 weight);
    /// @notice Returns the votes that a proposal has.
    function proposalVotes(uint256 proposalId)
        external
        view
        returns (uint256 againstVotes, uint256 forVotes, uint256 abstainVotes);
    /// @notice Says whether a delegator voted with its stake at a validator.
    function hasOverridden(uint256 proposalId, address delegator, address operator) external view returns (bool);
    /// @notice Returns how much of a validator's votes its delegators have cast themselves.
    function overridden(uint256 proposalId, address operator) external view returns (uint256);
    /// @notice Returns the stake by which an account may propose at a time that is past: a validator's votes, and what
    /// the account has delegated to others.
    function proposingPower(address account, uint256 timepoint) external view returns (uint256);
}
