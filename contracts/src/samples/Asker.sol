// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJobReceiver} from "../interfaces/IJobReceiver.sol";
import {IMarketJobs} from "../interfaces/IMarketJobs.sol";
import {JobTerms} from "../JobTypes.sol";

/// @title Asker
/// @notice A sample: a contract that pays for the answer to a question, and is called back with it.
/// @dev What it shows: the document is public, since a contract has no secrets; only the Market's calls are believed;
/// the callback does little and within the gas that was ordered; coins that come back are taken by a plain receive,
/// which costs less than the Market's stipend. It trusts the miners that it names: the chain checks that an answer was
/// delivered and by whom, and not that it is right.
contract Asker is IJobReceiver {
    /// @notice The longest answer that is kept.
    uint256 public constant MAX_ANSWER = 512;
    /// @notice Enough to keep one.
    uint32 public constant CALLBACK_GAS = 600_000;

    /// @notice The Market.
    IMarketJobs public immutable market;
    /// @notice Who asks, and has what comes back.
    address public immutable owner;
    /// @notice The miners whose answers are believed.
    address[] private miners;
    /// @notice The answers, by the job's number.
    mapping(uint64 job => bytes) public answers;

    /// @notice A question was asked.
    event Asked(uint64 indexed job, bytes question);
    /// @notice It was answered.
    event Answered(uint64 indexed job, bytes answer);

    /// @notice The caller may not do this.
    error Unauthorized(address caller);
    /// @notice The answer is longer than MAX_ANSWER.
    error TooLong();

    constructor(IMarketJobs market_, address[] memory miners_) {
        (market, owner, miners) = (market_, msg.sender, miners_);
    }

    /// @notice Takes what the Market pays back.
    receive() external payable {}

    /// @notice Orders the answer to a question from a model, for at most the coins sent.
    function ask(bytes32 model, bytes calldata question, uint64 acceptWithin, uint64 answerWithin)
        external
        payable
        returns (uint64 job)
    {
        if (msg.sender != owner) revert Unauthorized(msg.sender);
        JobTerms memory terms = JobTerms({
            spec: keccak256(question),
            model: model,
            class: 0,
            sealTo: 0,
            level: 0,
            acceptBy: uint64(block.timestamp) + acceptWithin,
            deadline: uint64(block.timestamp) + acceptWithin + answerWithin,
            callbackGas: CALLBACK_GAS
        });
        job = market.createJob{value: msg.value}(terms, miners, question);
        emit Asked(job, question);
    }

    /// @inheritdoc IJobReceiver
    function onJobDelivered(uint64 job, bytes calldata output) external {
        if (msg.sender != address(market)) revert Unauthorized(msg.sender);
        if (output.length > MAX_ANSWER) revert TooLong();
        answers[job] = output;
        emit Answered(job, output);
    }

    /// @notice Moves the coins that came back.
    function take(address payable to) external {
        if (msg.sender != owner) revert Unauthorized(msg.sender);
        (bool ok,) = to.call{value: address(this).balance}("");
        require(ok, "refused");
    }
}
