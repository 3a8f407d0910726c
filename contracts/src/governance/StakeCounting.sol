// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GovernorUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import {
    GovernorVotesUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorVotesUpgradeable.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IGovernance} from "../interfaces/IGovernance.sol";
import {IStaking} from "../interfaces/IStaking.sol";

/// @title StakeCounting
/// @notice Counts stake: a validator votes with all that is delegated to it, less what delegators voted with themselves.
/// @dev For each validator, its vote and its delegators' together never have more than its votes at the snapshot, and
/// all validators' votes are all stake: so a proposal never counts more than that, whatever the order.
abstract contract StakeCounting is GovernorVotesUpgradeable, IGovernance {
    uint8 private constant AGAINST = 0;
    uint8 private constant FOR = 1;
    uint8 private constant ABSTAIN = 2;

    struct OperatorVote {
        /// @dev 0 is not cast, else support + 1.
        uint8 cast;
        uint248 overridden;
    }

    struct Ballot {
        uint256[3] votes;
        mapping(address operator => OperatorVote) operators;
        mapping(address delegator => mapping(address operator => bool)) overridden;
    }

    /// @custom:storage-location erc7201:aitbc.storage.StakeCounting
    struct CountingState {
        mapping(uint256 proposalId => Ballot) ballots;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.StakeCounting")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant COUNTING_SLOT = 0xf6d786661130ed3a52961a5b8031f22ddad103f9e413affc576aa10e75809a00;

    /// @inheritdoc IGovernance
    function castOverrideVote(uint256 proposalId, address operator, uint8 support, string calldata reason)
        external
        returns (uint256 weight)
    {
        _validateStateBitmap(proposalId, _encodeStateBitmap(ProposalState.Active));
        if (support > ABSTAIN) revert GovernorInvalidVoteType();
        address delegator = _msgSender();
        if (delegator == operator) revert OwnStake(operator);
        Ballot storage b = _ballot(proposalId);
        if (b.overridden[delegator][operator]) revert AlreadyOverridden(delegator, operator);

        OperatorVote storage v = b.operators[operator];
        uint256 snapshot = proposalSnapshot(proposalId);
        uint256 before = v.overridden;
        uint256 left = _getVotes(operator, snapshot, "") - before;
        weight = _staking().getPastDelegation(delegator, operator, snapshot);
        if (weight > left) weight = left;
        if (weight == 0) revert NoVotes(delegator, operator);

        b.overridden[delegator][operator] = true;
        v.overridden = uint248(before + weight);
        if (v.cast != 0) b.votes[v.cast - 1] -= weight;
        b.votes[support] += weight;
        emit OverrideVoteCast(delegator, operator, proposalId, support, weight, reason);
        _tallyUpdated(proposalId);
    }

    /// @inheritdoc IGovernance
    function proposalVotes(uint256 proposalId)
        external
        view
        returns (uint256 againstVotes, uint256 forVotes, uint256 abstainVotes)
    {
        uint256[3] storage votes = _ballot(proposalId).votes;
        return (votes[AGAINST], votes[FOR], votes[ABSTAIN]);
    }

    /// @inheritdoc IGovernance
    function hasOverridden(uint256 proposalId, address delegator, address operator) external view returns (bool) {
        return _ballot(proposalId).overridden[delegator][operator];
    }

    /// @inheritdoc IGovernance
    function overridden(uint256 proposalId, address operator) external view returns (uint256) {
        return _ballot(proposalId).operators[operator].overridden;
    }

    /// @inheritdoc IGovernance
    function proposingPower(address account, uint256 timepoint) public view returns (uint256 power) {
        power = getVotes(account, timepoint);
        IStaking staking = _staking();
        address[] memory operators = staking.delegationsOf(account);
        for (uint256 i; i < operators.length; ++i) {
            if (operators[i] != account) power += staking.getPastDelegation(account, operators[i], timepoint);
        }
    }

    /// @inheritdoc IGovernor
    // forge-lint: disable-next-line(mixed-case-function)
    function COUNTING_MODE() public pure override returns (string memory) {
        return "support=bravo,override&quorum=for,abstain&overridable=true";
    }

    /// @inheritdoc IGovernor
    function hasVoted(uint256 proposalId, address account) public view override returns (bool) {
        return _ballot(proposalId).operators[account].cast != 0;
    }

    /// @inheritdoc GovernorUpgradeable
    function _countVote(uint256 proposalId, address account, uint8 support, uint256 weight, bytes memory)
        internal
        override
        returns (uint256 counted)
    {
        if (support > ABSTAIN) revert GovernorInvalidVoteType();
        if (weight == 0) revert NoVotes(account, account);
        Ballot storage b = _ballot(proposalId);
        OperatorVote storage v = b.operators[account];
        if (v.cast != 0) revert GovernorAlreadyCastVote(account);
        v.cast = support + 1;
        counted = weight - v.overridden;
        b.votes[support] += counted;
    }

    /// @inheritdoc GovernorUpgradeable
    function _quorumReached(uint256 proposalId) internal view override returns (bool) {
        uint256[3] storage votes = _ballot(proposalId).votes;
        return votes[FOR] + votes[ABSTAIN] >= quorum(proposalSnapshot(proposalId));
    }

    /// @inheritdoc GovernorUpgradeable
    function _voteSucceeded(uint256 proposalId) internal view override returns (bool) {
        uint256[3] storage votes = _ballot(proposalId).votes;
        return votes[FOR] > votes[AGAINST];
    }

    function _staking() internal view returns (IStaking) {
        return IStaking(address(token()));
    }

    function _ballot(uint256 proposalId) private view returns (Ballot storage) {
        CountingState storage s;
        bytes32 slot = COUNTING_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
        return s.ballots[proposalId];
    }
}
