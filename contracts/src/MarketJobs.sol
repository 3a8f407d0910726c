// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketJobs} from "./interfaces/IMarketJobs.sol";
import {JobParams} from "./JobTypes.sol";
import {JobResults} from "./market/JobResults.sol";

/// @title MarketJobs
/// @notice The second half of the Market: direct jobs.
/// @dev The Market is more than one contract may hold, so it hands these calls here with its own storage. Layers, each
/// on the one before: JobStorage and MarketLedger (which the Market has too), JobEnds, JobOrders, JobResults. This
/// contract adds parameters. A Market that was made before there were jobs has them from the first setJobParams on.
contract MarketJobs is JobResults {
    uint64 private constant MAX_DURATION = 366 days;
    uint32 private constant MAX_WINDOW = 30 days;
    uint16 private constant MAX_JOBS = 128;
    /// @dev The highest verification level that there is a word for.
    uint8 private constant MAX_LEVEL = 6;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the first parameters. Only while the Market itself is being initialized.
    function initializeJobs(JobParams calldata params_) external onlyInitializing {
        _setJobParams(params_);
    }

    /// @inheritdoc IMarketJobs
    function setJobParams(JobParams calldata params_) external onlyGovernor {
        _setJobParams(params_);
    }

    /// @inheritdoc IMarketJobs
    function jobParams() external view returns (JobParams memory) {
        return _jobs().params;
    }

    /// @dev No bound touches what exists: jobs keep fee rate, bond and windows.
    function _setJobParams(JobParams calldata p) private {
        if (p.minFee == 0) revert BadParameter("minFee");
        if (p.minBond == 0) revert BadParameter("minBond");
        if (p.bondBps > 10_000) revert BadParameter("bondBps");
        if (p.maxDuration == 0 || p.maxDuration > MAX_DURATION) revert BadParameter("maxDuration");
        if (p.challengeWindow == 0 || p.challengeWindow > MAX_WINDOW) revert BadParameter("challengeWindow");
        if (p.answerWindow == 0 || p.answerWindow > MAX_WINDOW) revert BadParameter("answerWindow");
        if (p.jobsPerBlock == 0 || p.jobsPerBlock > MAX_JOBS) revert BadParameter("jobsPerBlock");
        if (p.maxLevel > MAX_LEVEL) revert BadParameter("maxLevel");
        _jobs().params = p;
        emit JobParamsSet(p);
    }
}
