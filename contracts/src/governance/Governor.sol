// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GovernorUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import {
    GovernorSettingsUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorSettingsUpgradeable.sol";
import {
    GovernorStorageUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorStorageUpgradeable.sol";
import {
    GovernorTimelockControlUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorTimelockControlUpgradeable.sol";
import {
    GovernorVotesQuorumFractionUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorVotesQuorumFractionUpgradeable.sol";
import {
    GovernorVotesUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorVotesUpgradeable.sol";
import {
    TimelockControllerUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {GovernorParams} from "../interfaces/IGovernance.sol";
import {StakeCounting} from "./StakeCounting.sol";

/// @title Governor
/// @notice The predeploy by which stake decides: proposals are voted on, wait in the Timelock, and are executed by it.
/// @dev Proposals are kept in storage, so that a node without old logs can list and execute them. Settings have bounds
/// within which governance stays able to decide.
contract Governor is
    UUPSUpgradeable,
    GovernorSettingsUpgradeable,
    StakeCounting,
    GovernorVotesQuorumFractionUpgradeable,
    GovernorTimelockControlUpgradeable,
    GovernorStorageUpgradeable
{
    uint48 private constant MAX_DELAY = 30 days;
    uint32 private constant MAX_PERIOD = 90 days;
    uint256 private constant WHOLE = 10_000;
    uint256 private constant MIN_QUORUM = 100;
    uint256 private constant MAX_QUORUM = 5_000;
    /// @dev A twentieth of all stake may always propose.
    uint256 private constant MAX_THRESHOLD_PART = 20;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the contract up, once.
    /// @param staking whose stake votes; it need not exist yet
    function initialize(address staking, address payable timelock_, GovernorParams calldata p) external initializer {
        __Governor_init("AITBC Governor");
        __GovernorSettings_init(p.votingDelay, p.votingPeriod, p.proposalThreshold);
        __GovernorVotes_init(IVotes(staking));
        __GovernorVotesQuorumFraction_init(p.quorumBps);
        __GovernorTimelockControl_init(TimelockControllerUpgradeable(timelock_));
    }

    /// @inheritdoc GovernorUpgradeable
    function propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description
    ) public override returns (uint256) {
        address proposer = _msgSender();
        if (!_isValidDescriptionForProposer(proposer, description)) revert GovernorRestrictedProposer(proposer);
        (uint256 least, uint256 power) = (proposalThreshold(), proposingPower(proposer, clock() - 1));
        if (power < least) revert GovernorInsufficientProposerVotes(proposer, power, least);
        return _propose(targets, values, calldatas, description, proposer);
    }

    /// @notice Returns the stake that may propose: the setting, or a twentieth of all stake if that is less.
    function proposalThreshold()
        public
        view
        override(GovernorUpgradeable, GovernorSettingsUpgradeable)
        returns (uint256)
    {
        uint256 set = super.proposalThreshold();
        uint256 most = token().getPastTotalSupply(clock() - 1) / MAX_THRESHOLD_PART;
        return set < most ? set : most;
    }

    /// @inheritdoc GovernorVotesQuorumFractionUpgradeable
    function quorumDenominator() public pure override returns (uint256) {
        return WHOLE;
    }

    /// @dev The clock of Staking, known before Staking is: genesis makes it later.
    function clock() public view override(GovernorUpgradeable, GovernorVotesUpgradeable) returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @notice Returns "mode=timestamp" (ERC-6372).
    // forge-lint: disable-next-line(mixed-case-function)
    function CLOCK_MODE() public pure override(GovernorUpgradeable, GovernorVotesUpgradeable) returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc GovernorTimelockControlUpgradeable
    function state(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (ProposalState)
    {
        return super.state(proposalId);
    }

    /// @inheritdoc GovernorTimelockControlUpgradeable
    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    function _setVotingDelay(uint48 delay) internal override {
        if (delay > MAX_DELAY) revert BadParameter("votingDelay");
        super._setVotingDelay(delay);
    }

    function _setVotingPeriod(uint32 period) internal override {
        if (period > MAX_PERIOD) revert BadParameter("votingPeriod");
        super._setVotingPeriod(period);
    }

    function _updateQuorumNumerator(uint256 numerator) internal override {
        if (numerator < MIN_QUORUM || numerator > MAX_QUORUM) revert BadParameter("quorumBps");
        super._updateQuorumNumerator(numerator);
    }

    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override(GovernorUpgradeable, GovernorStorageUpgradeable) returns (uint256) {
        return super._propose(targets, values, calldatas, description, proposer);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor()
        internal
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (address)
    {
        return super._executor();
    }

    function _authorizeUpgrade(address) internal override onlyGovernance {}
}
