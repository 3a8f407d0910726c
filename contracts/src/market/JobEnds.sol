// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketJobs} from "../interfaces/IMarketJobs.sol";
import {Job} from "../JobTypes.sol";
import {DueQueue} from "../lib/DueQueue.sol";
import {Pricing} from "../lib/Pricing.sol";
import {JobStorage} from "./JobStorage.sol";
import {MarketLedger} from "./MarketLedger.sol";

/// @title JobEnds
/// @notice How jobs end: paid or refunded, by somebody's act or at a deadline by the chain itself.
/// @dev Every change of a job's state puts it into the queue at the deadline of the new state. Accounts change before
/// coins move, and coins are pushed with a stipend or kept as withdrawable.
abstract contract JobEnds is JobStorage, MarketLedger, IMarketJobs {
    using DueQueue for DueQueue.Queue;

    /// @notice How a job ended: paid up to DELIVERED, and refunded after that.
    uint8 internal constant ACKNOWLEDGED = 1;
    uint8 internal constant UNCHALLENGED = 2;
    uint8 internal constant DELIVERED = 3;
    uint8 internal constant CANCELLED = 4;
    uint8 internal constant UNACCEPTED = 5;
    uint8 internal constant LATE = 6;
    uint8 internal constant NOT_DELIVERED = 7;

    /// @dev More than the end of one job costs: two accounts kept as withdrawable, and Rewards that burn what a report
    /// is given.
    uint256 private constant JOB_GAS = 500_000;

    /// @inheritdoc IMarketJobs
    function expireJob(uint64 id) external nonReentrant {
        Job storage x = _known(id);
        if (x.state >= JOB_PAID) revert WrongState(id, x.state);
        if (block.timestamp < x.dueAt) revert NotDue(x.dueAt);
        _expire(id, x);
    }

    /// @inheritdoc IMarketJobs
    /// @dev As Market.endBlock: nothing a user does makes this revert, and what does not fit the gas or the count waits
    /// for the next block. Nobody is called back here.
    function endJobs() external nonReentrant {
        if (msg.sender != SYSTEM) revert Unauthorized(msg.sender);
        JobState storage s = _jobs();
        uint256 steps = STEPS;
        for (uint256 n = s.params.jobsPerBlock; n != 0 && gasleft() > steps * STEP_GAS + JOB_GAS; n--) {
            uint64 id;
            (id, steps) = s.queue.pop(uint64(block.timestamp), steps);
            if (id == 0) break;
            Job storage x = s.jobs[id];
            // An entry of a state that was left before its deadline is used up and counts.
            if (x.state < JOB_PAID && block.timestamp >= x.dueAt) _expire(id, x);
        }
    }

    /// @inheritdoc IMarketJobs
    function job(uint64 id) external view returns (Job memory) {
        return _jobs().jobs[id];
    }

    /// @inheritdoc IMarketJobs
    function jobCount() external view returns (uint64) {
        return _jobs().jobCount;
    }

    /// @inheritdoc IMarketJobs
    function jobsLocked() external view returns (uint256) {
        return _jobs().locked;
    }

    /// @inheritdoc IMarketJobs
    function jobsLockedIn(uint64 from, uint64 through) external view returns (uint256 sum) {
        for (uint256 id = from; id <= through; ++id) {
            sum += _lockedBy(_jobs().jobs[uint64(id)]);
        }
    }

    /// @inheritdoc IMarketJobs
    function jobQueue() external view returns (uint64 second, uint64 index, uint64 outstanding) {
        DueQueue.Queue storage q = _jobs().queue;
        return (q.second, q.index, q.outstanding);
    }

    /// @dev Moves a job to a state that ends at dueAt, by the chain if by nobody else.
    function _enter(uint64 id, Job storage x, uint8 state, uint256 dueAt) internal {
        (x.state, x.dueAt) = (state, uint64(dueAt));
        _jobs().queue.push(uint64(dueAt), id);
    }

    /// @dev Locks more coins for a job, sent with this call.
    function _lock(uint256 value) internal {
        _jobs().locked += _take(value);
    }

    /// @dev Ends a job: price and bonds to the miner and the rest to the client, or everything to the client.
    function _close(uint64 id, Job storage x, uint8 outcome) internal {
        (address client, address miner) = (x.client, x.miner);
        uint128 toClient = _lockedBy(x);
        _jobs().locked -= toClient;
        uint128 toMiner;
        uint128 fee;
        if (outcome <= DELIVERED) {
            uint128 price = x.price;
            fee = uint128(Pricing.fee(0, price, x.feeBps));
            uint128 rest = x.fee - price;
            toMiner = toClient - rest - fee;
            toClient = rest;
            x.state = JOB_PAID;
            if (fee != 0) _state().fees += fee;
        } else {
            x.state = JOB_REFUNDED;
        }
        emit JobClosed(id, client, miner, outcome, toClient, toMiner, fee);
        _push(client, toClient);
        _push(miner, toMiner);
        if (fee != 0) _reportOne(miner, fee);
    }

    /// @dev Whoever had to act and did not, loses.
    function _expire(uint64 id, Job storage x) private {
        uint8 state = x.state;
        uint8 outcome = NOT_DELIVERED;
        if (state == JOB_OPEN) outcome = UNACCEPTED;
        else if (state == JOB_ACCEPTED) outcome = LATE;
        else if (state == JOB_SUBMITTED && x.callbackGas == 0) outcome = UNCHALLENGED;
        _close(id, x, outcome);
    }

    /// @dev What a job holds now: the fee, the miner's bond once it accepted, and the client's while it challenges.
    function _lockedBy(Job storage x) private view returns (uint128) {
        uint8 state = x.state;
        if (state == 0 || state >= JOB_PAID) return 0;
        if (state == JOB_OPEN) return x.fee;
        return x.fee + (state == JOB_CHALLENGED ? 2 * x.bond : x.bond);
    }

    function _known(uint64 id) internal view returns (Job storage x) {
        x = _jobs().jobs[id];
        if (x.state == 0) revert UnknownJob(id);
    }
}
