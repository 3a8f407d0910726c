// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJobReceiver} from "../../src/interfaces/IJobReceiver.sol";
import {IMarketJobs} from "../../src/interfaces/IMarketJobs.sol";
import {JobTerms} from "../../src/JobTypes.sol";
import {Market} from "../../src/Market.sol";

/// @notice A client that is a contract, and does to its callback and to coins what its mood says.
contract JobClient is IJobReceiver {
    /// @notice What it does when it is called with an output: remembers it, reverts, burns all gas, answers with as much
    /// as it can pay for, or tries to enter the Market again.
    enum Mood {
        TAKES,
        REVERTS,
        BURNS,
        BOMBS,
        REENTERS
    }

    IMarketJobs internal immutable market;
    Mood public mood;
    bool public refuses;
    uint256 public calls;
    uint256 public gasSeen;
    uint256 public entered;
    bytes32 public seen;

    constructor(address market_) payable {
        market = IMarketJobs(market_);
    }

    function set(Mood mood_, bool refuses_) external {
        (mood, refuses) = (mood_, refuses_);
    }

    function create(JobTerms calldata terms, uint256 fee) external returns (uint64) {
        return market.createJob{value: fee}(terms, new address[](0), "");
    }

    function forward(uint256 value, bytes calldata data) external returns (bool ok) {
        (ok,) = address(market).call{value: value}(data);
    }

    function onJobDelivered(uint64 job, bytes calldata output) external {
        gasSeen = gasleft();
        if (mood == Mood.REVERTS) revert("no");
        while (mood == Mood.BURNS) {}
        if (mood == Mood.BOMBS) {
            assembly {
                return(0, 0x18000)
            }
        }
        if (mood == Mood.REENTERS) reenter(job);
        ++calls;
        seen = keccak256(output);
    }

    receive() external payable {
        if (refuses) revert("no coins");
        // With the stipend of a push none of this gets anywhere; from elsewhere it would.
        if (mood == Mood.REENTERS && gasleft() > 10_000) reenter(1);
    }

    /// @dev Everything that moves coins.
    function reenter(uint64 job) private {
        bytes[7] memory tries = [
            abi.encodeCall(IMarketJobs.acknowledgeJob, (job)),
            abi.encodeCall(IMarketJobs.expireJob, (job)),
            abi.encodeCall(IMarketJobs.cancelJob, (job)),
            abi.encodeCall(IMarketJobs.challengeJob, (job)),
            abi.encodeCall(Market(payable(address(market))).withdraw, (payable(address(this)))),
            abi.encodeCall(Market(payable(address(market))).collectFees, ()),
            abi.encodeCall(Market(payable(address(market))).sweep, ())
        ];
        for (uint256 i; i < tries.length; ++i) {
            (bool ok,) = address(market).call(tries[i]);
            if (ok) ++entered;
        }
    }
}

/// @notice A miner that is a contract and takes no coins, or enters the Market again when it is paid.
contract JobMiner {
    address internal immutable market;
    bool public refuses;
    uint256 public entered;

    constructor(address market_) payable {
        market = market_;
    }

    function set(bool refuses_) external {
        refuses = refuses_;
    }

    function forward(address to, uint256 value, bytes calldata data) external {
        (bool ok, bytes memory why) = to.call{value: value}(data);
        if (!ok) {
            assembly {
                revert(add(why, 0x20), mload(why))
            }
        }
    }

    receive() external payable {
        if (refuses) revert("no coins");
    }
}
