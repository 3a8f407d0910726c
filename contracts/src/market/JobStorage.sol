// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Job, JobParams} from "../JobTypes.sol";
import {DueQueue} from "../lib/DueQueue.sol";

/// @title JobStorage
/// @notice The state of direct jobs, at an ERC-7201 place of its own; their coins are part of the Market's `owed`.
abstract contract JobStorage {
    /// @notice The states of a job. The last two are ends.
    uint8 internal constant JOB_OPEN = 1;
    uint8 internal constant JOB_ACCEPTED = 2;
    uint8 internal constant JOB_SUBMITTED = 3;
    uint8 internal constant JOB_CHALLENGED = 4;
    uint8 internal constant JOB_PAID = 5;
    uint8 internal constant JOB_REFUNDED = 6;

    /// @dev locked is the sum of all jobs' fees and bonds inside.
    /// @custom:storage-location erc7201:aitbc.storage.MarketJobs
    struct JobState {
        mapping(uint64 id => Job) jobs;
        uint128 locked;
        uint64 jobCount;
        JobParams params;
        DueQueue.Queue queue;
        mapping(uint64 id => address[]) miners;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.MarketJobs")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant JOBS_SLOT = 0xee12c779c1f50faba759ca08ef7a829de53ecd7fb0d2508f3f8fd0f53ec15e00;

    function _jobs() internal pure returns (JobState storage s) {
        bytes32 slot = JOBS_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
