// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketJobs} from "../interfaces/IMarketJobs.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {DirectJob, Job, JobParams, JobTerms} from "../JobTypes.sol";
import {TypedData} from "../lib/TypedData.sol";
import {JobEnds} from "./JobEnds.sol";

/// @title JobOrders
/// @notice The first half of a job's life: ordered, taken back, accepted.
/// @dev What a job costs and how long its windows are is fixed when it is ordered.
abstract contract JobOrders is JobEnds {
    uint256 private constant WHOLE = 10_000;
    uint256 private constant MAX_MINERS = 32;
    uint256 private constant MAX_DOCUMENT = 16_384;
    /// @dev With the posting of the longest output this fits the gas that a transaction may have.
    uint32 private constant MAX_CALLBACK_GAS = 2_000_000;

    /// @inheritdoc IMarketJobs
    function createJob(JobTerms calldata terms, address[] calldata miners, bytes calldata document)
        external
        payable
        nonReentrant
        returns (uint64 id)
    {
        JobState storage s = _jobs();
        _check(s.params, terms, miners, document);
        _lock(msg.value);
        id = ++s.jobCount;
        Job storage x = s.jobs[id];
        _record(x, terms, s.params);
        if (miners.length != 0) s.miners[id] = miners;
        _enter(id, x, JOB_OPEN, terms.acceptBy);
        emit JobCreated(
            id, msg.sender, terms.model, jobKey(id), x.fee, x.bond, terms.acceptBy, terms.deadline, miners, document
        );
    }

    /// @inheritdoc IMarketJobs
    function cancelJob(uint64 id) external nonReentrant {
        Job storage x = _clients(id);
        if (x.state != JOB_OPEN) revert WrongState(id, x.state);
        _close(id, x, CANCELLED);
    }

    /// @inheritdoc IMarketJobs
    /// @dev Whoever comes first has the job; one that comes second gets its coins back with the revert.
    function acceptJob(uint64 id) external payable nonReentrant {
        Job storage x = _known(id);
        if (x.state != JOB_OPEN) revert WrongState(id, x.state);
        _inTime(x);
        if (msg.value != x.bond) revert BadAmount();
        if (!IRegistry(_state().registry).active(MINER, msg.sender)) revert MinerInactive(msg.sender);
        if (!_allowed(_jobs().miners[id])) revert MinerNotAllowed(msg.sender);
        _lock(msg.value);
        x.miner = msg.sender;
        _enter(id, x, JOB_ACCEPTED, x.deadline);
        emit JobAccepted(id, msg.sender, x.bond, x.deadline);
    }

    /// @inheritdoc IMarketJobs
    function jobMiners(uint64 id) external view returns (address[] memory) {
        return _jobs().miners[id];
    }

    /// @inheritdoc IMarketJobs
    function jobKey(uint64 id) public view returns (bytes32) {
        Job storage x = _known(id);
        DirectJob memory d = DirectJob({
            job: id,
            client: x.client,
            spec: x.spec,
            model: x.model,
            class: x.class,
            sealTo: x.sealTo,
            miners: _hash(_jobs().miners[id]),
            level: x.level,
            fee: x.fee,
            acceptBy: x.acceptBy,
            deadline: x.deadline,
            callbackGas: x.callbackGas
        });
        return TypedData.directJob(TypedData.separator(address(this)), d);
    }

    function _clients(uint64 id) internal view returns (Job storage x) {
        x = _known(id);
        if (msg.sender != x.client) revert Unauthorized(msg.sender);
    }

    function _inTime(Job storage x) internal view {
        if (block.timestamp >= x.dueAt) revert TooLate(x.dueAt);
    }

    function _record(Job storage x, JobTerms calldata terms, JobParams storage p) private {
        (x.client, x.acceptBy, x.level, x.feeBps) = (msg.sender, terms.acceptBy, terms.level, _state().params.feeBps);
        (x.callbackGas, x.fee) = (terms.callbackGas, uint128(msg.value));
        uint256 bond = (msg.value * p.bondBps + WHOLE - 1) / WHOLE;
        x.bond = uint128(bond < p.minBond ? p.minBond : bond);
        (x.deadline, x.challengeWindow, x.answerWindow) = (terms.deadline, p.challengeWindow, p.answerWindow);
        (x.spec, x.model, x.class, x.sealTo) = (terms.spec, terms.model, terms.class, terms.sealTo);
    }

    /// @dev While no parameters are set, no deadline is good: nothing can be ordered.
    function _check(JobParams storage p, JobTerms calldata terms, address[] calldata miners, bytes calldata document)
        private
        view
    {
        if (terms.acceptBy <= block.timestamp) revert BadTerms("acceptBy");
        if (terms.deadline < terms.acceptBy || terms.deadline > block.timestamp + p.maxDuration) {
            revert BadTerms("deadline");
        }
        if (msg.value < p.minFee) revert BadAmount();
        if (terms.level > p.maxLevel) revert BadTerms("level");
        if (terms.callbackGas > MAX_CALLBACK_GAS) revert BadTerms("callbackGas");
        if (terms.spec == 0 || (document.length != 0 && keccak256(document) != terms.spec)) revert BadTerms("spec");
        if (document.length > MAX_DOCUMENT) revert BadTerms("document");
        if (miners.length > MAX_MINERS) revert BadTerms("miners");
        address last;
        for (uint256 i; i < miners.length; ++i) {
            if (miners[i] <= last) revert BadTerms("miners");
            last = miners[i];
        }
    }

    function _allowed(address[] storage list) private view returns (bool) {
        uint256 length = list.length;
        for (uint256 i; i < length; ++i) {
            if (list[i] == msg.sender) return true;
        }
        return length == 0;
    }

    /// @dev The hash of the miners as an Order has it: their addresses, ascending, packed; zero for none.
    function _hash(address[] memory list) private pure returns (bytes32) {
        if (list.length == 0) return 0;
        bytes memory packed = new bytes(list.length * 20);
        for (uint256 i; i < list.length; ++i) {
            address a = list[i];
            assembly ("memory-safe") {
                // The word's last 12 bytes are written over by the next address, or lie behind the end.
                let at := add(add(packed, 0x20), mul(i, 20))
                let kept := and(mload(at), 0xffffffffffffffffffffffff)
                mstore(at, or(shl(96, a), kept))
            }
        }
        return keccak256(packed);
    }
}
