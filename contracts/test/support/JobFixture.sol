// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketJobs} from "../../src/interfaces/IMarketJobs.sol";
import {Job, JobTerms} from "../../src/JobTypes.sol";
import {Receipt} from "../../src/Types.sol";
import {Fixture} from "./Fixture.sol";

/// @notice The fixture with what direct jobs need: orders, receipts that answer them, and the steps of a job's life.
abstract contract JobFixture is Fixture {
    uint8 internal constant OPEN = 1;
    uint8 internal constant ACCEPTED = 2;
    uint8 internal constant SUBMITTED = 3;
    uint8 internal constant CHALLENGED = 4;
    uint8 internal constant PAID = 5;
    uint8 internal constant REFUNDED = 6;

    bytes internal constant OUTPUT = "the output";

    IMarketJobs internal jobs;

    function setUp() public virtual override {
        super.setUp();
        jobs = IMarketJobs(address(market));
        vm.deal(miner, 1_000_000 * COIN);
    }

    function terms() internal view returns (JobTerms memory) {
        return JobTerms({
            spec: keccak256("spec"),
            model: keccak256("model"),
            class: 0,
            sealTo: 0,
            level: 0,
            acceptBy: uint64(time()) + 1 hours,
            deadline: uint64(time()) + 1 days,
            callbackGas: 0
        });
    }

    function nobody() internal pure returns (address[] memory) {
        return new address[](0);
    }

    function create(uint256 fee_) internal returns (uint64) {
        return create(terms(), fee_);
    }

    function create(JobTerms memory t, uint256 fee_) internal returns (uint64) {
        vm.prank(client);
        return jobs.createJob{value: fee_}(t, nobody(), "");
    }

    function accept(uint64 id) internal {
        uint256 bond = jobs.job(id).bond;
        vm.prank(miner);
        jobs.acceptJob{value: bond}(id);
    }

    /// @dev A receipt that answers the job.
    function proof(uint64 id, uint128 price) internal view returns (Receipt memory r) {
        Job memory x = jobs.job(id);
        (r.version, r.order, r.client, r.miner) = (1, jobs.jobKey(id), x.client, x.miner);
        (r.model, r.class, r.level, r.price) = (x.model, x.class, x.level, price);
        r.output = keccak256("commitment");
        (r.startedAt, r.finishedAt) = (uint64(time()) * 1000 - 500, uint64(time()) * 1000);
    }

    function submit(uint64 id, uint128 price) internal {
        submitAs(miner, id, proof(id, price), keccak256(OUTPUT));
    }

    function submitAs(address who, uint64 id, Receipt memory r, bytes32 delivery) internal {
        (bytes32 a, bytes32 b) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
        vm.prank(who);
        jobs.submitResult(id, r, a, b, delivery);
    }

    function acknowledge(uint64 id) internal {
        vm.prank(client);
        jobs.acknowledgeJob(id);
    }

    function challenge(uint64 id) internal {
        uint256 bond = jobs.job(id).bond;
        vm.prank(client);
        jobs.challengeJob{value: bond}(id);
    }

    function deliver(uint64 id, bytes memory output) internal {
        vm.prank(miner);
        jobs.deliverJob(id, output);
    }

    function endJobs() internal {
        vm.prank(SYSTEM);
        jobs.endJobs();
    }

    function state(uint64 id) internal view returns (uint8) {
        return jobs.job(id).state;
    }

    /// @dev The books of a Market in which nothing but jobs and fees is.
    function balanced() internal view {
        uint256 locked = jobs.jobsLocked();
        vm.assertEq(locked, jobs.jobsLockedIn(1, jobs.jobCount()), "the sum is that of the jobs");
        uint256 kept = uint256(market.withdrawable(client)) + market.withdrawable(miner);
        vm.assertEq(market.owed(), locked + market.fees() + kept, "owed");
        vm.assertEq(address(market).balance, market.owed(), "held");
    }
}
