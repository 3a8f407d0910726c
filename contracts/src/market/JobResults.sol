// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJobReceiver} from "../interfaces/IJobReceiver.sol";
import {IMarketJobs} from "../interfaces/IMarketJobs.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Job} from "../JobTypes.sol";
import {Bounded} from "../lib/Bounded.sol";
import {Signature} from "../lib/Signature.sol";
import {TypedData} from "../lib/TypedData.sol";
import {Receipt} from "../Types.sol";
import {JobOrders} from "./JobOrders.sol";

/// @title JobResults
/// @notice The second half of a job's life: a result, and what its client and its miner say about it.
abstract contract JobResults is JobOrders {
    uint256 private constant MAX_OUTPUT = 65_536;

    /// @inheritdoc IMarketJobs
    /// @dev A client that is a contract cannot notice that it was given nothing: if it wants to be called back, the
    /// miner must post the output, and is not paid for silence.
    function submitResult(uint64 id, Receipt calldata receipt, bytes32 r, bytes32 vs, bytes32 delivery)
        external
        nonReentrant
    {
        Job storage x = _miners(id);
        if (x.state != JOB_ACCEPTED) revert WrongState(id, x.state);
        _inTime(x);
        if (delivery == 0) revert BadReceipt("delivery");
        _answers(id, x, receipt);
        bytes32 digest = TypedData.receipt(TypedData.separator(address(this)), receipt);
        address signer = Signature.recover(digest, r, vs);
        if (signer == address(0) || !IRegistry(_state().registry).signerValid(MINER, msg.sender, signer)) {
            revert BadSignature();
        }
        (x.receipt, x.delivery, x.price) = (digest, delivery, receipt.price);
        uint64 dueAt = uint64(block.timestamp) + (x.callbackGas == 0 ? x.challengeWindow : x.answerWindow);
        _enter(id, x, JOB_SUBMITTED, dueAt);
        emit JobSubmitted(id, msg.sender, digest, delivery, dueAt, r, vs, receipt);
    }

    /// @inheritdoc IMarketJobs
    function acknowledgeJob(uint64 id) external nonReentrant {
        Job storage x = _clients(id);
        if (x.state != JOB_SUBMITTED && x.state != JOB_CHALLENGED) revert WrongState(id, x.state);
        _inTime(x);
        _close(id, x, ACKNOWLEDGED);
    }

    /// @inheritdoc IMarketJobs
    function challengeJob(uint64 id) external payable nonReentrant {
        Job storage x = _clients(id);
        if (x.state != JOB_SUBMITTED || x.callbackGas != 0) revert WrongState(id, x.state);
        _inTime(x);
        if (msg.value != x.bond) revert BadAmount();
        _lock(msg.value);
        uint64 dueAt = uint64(block.timestamp) + x.answerWindow;
        _enter(id, x, JOB_CHALLENGED, dueAt);
        emit JobChallenged(id, dueAt);
    }

    /// @inheritdoc IMarketJobs
    /// @dev The client is called last, when nothing is left to decide. It has all the gas that the terms promise, or
    /// this reverts: a miner cannot have it fail by giving too little. What it answers is not read.
    function deliverJob(uint64 id, bytes calldata output) external nonReentrant {
        Job storage x = _miners(id);
        uint256 callbackGas = x.callbackGas;
        if (x.state != JOB_CHALLENGED && (x.state != JOB_SUBMITTED || callbackGas == 0)) {
            revert WrongState(id, x.state);
        }
        _inTime(x);
        if (output.length > MAX_OUTPUT || keccak256(output) != x.delivery) revert WrongOutput();
        emit JobDelivered(id, output);
        _close(id, x, DELIVERED);
        if (callbackGas == 0) return;
        address client = x.client;
        bool ok = Bounded.callExactly(client, callbackGas, abi.encodeCall(IJobReceiver.onJobDelivered, (id, output)));
        emit JobCalledBack(id, client, ok);
    }

    function _miners(uint64 id) private view returns (Job storage x) {
        x = _known(id);
        if (msg.sender != x.miner) revert Unauthorized(msg.sender);
    }

    /// @dev The receipt is of this job, by this miner, without session and coordinator, and asks no more than the fee.
    /// Clocks may differ from the block's time by the margin.
    function _answers(uint64 id, Job storage x, Receipt calldata receipt) private view {
        if (receipt.version != 1) revert BadReceipt("version");
        if (receipt.order != jobKey(id)) revert BadReceipt("order");
        if (receipt.session != 0) revert BadReceipt("session");
        if (receipt.client != x.client) revert BadReceipt("client");
        if (receipt.coordinator != address(0)) revert BadReceipt("coordinator");
        if (receipt.miner != msg.sender) revert BadReceipt("miner");
        if (receipt.model != x.model) revert BadReceipt("model");
        if (x.class != 0 && receipt.class != x.class) revert BadReceipt("class");
        if (receipt.level != x.level) revert BadReceipt("level");
        if (receipt.price > x.fee) revert BadReceipt("price");
        uint256 latest = (block.timestamp + _state().params.margin) * 1000;
        if (receipt.startedAt > receipt.finishedAt || receipt.finishedAt > latest) revert BadReceipt("finishedAt");
    }
}
