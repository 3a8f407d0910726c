// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms} from "../src/JobTypes.sol";
import {Receipt} from "../src/Types.sol";
import {JobFixture} from "./support/JobFixture.sol";
import {JobClient} from "./support/JobReceivers.sol";

/// @notice What the calls of a direct job cost as transactions of their own, and that each stays within a bound.
/// forge-config: default.isolate = true
contract JobGasTest is JobFixture {
    function test_LifeOfAJob() public {
        uint64 id = create(1 ether);
        report("createJob", 420_000);
        accept(id);
        report("acceptJob", 200_000);
        submit(id, 1 ether);
        report("submitResult", 260_000);
        challenge(id);
        report("challengeJob", 120_000);
        deliver(id, OUTPUT);
        report("deliverJob, a short answer to a challenge", 200_000);

        id = create(1 ether);
        accept(id);
        submit(id, 1 ether);
        acknowledge(id);
        report("acknowledgeJob", 120_000);
        id = create(1 ether);
        vm.prank(client);
        jobs.cancelJob(id);
        report("cancelJob", 100_000);
        id = create(1 ether);
        vm.warp(time() + 1 hours);
        jobs.expireJob(id);
        report("expireJob", 100_000);
    }

    function test_GreatestCalls() public {
        JobTerms memory t = terms();
        bytes memory document = random(16_384);
        t.spec = keccak256(document);
        address[] memory list = new address[](32);
        for (uint160 i; i < 31; ++i) {
            list[i] = address(i + 1);
        }
        list[31] = miner;
        vm.prank(client);
        uint64 id = jobs.createJob{value: 1 ether}(t, list, document);
        report("createJob with the longest document and 32 miners", 2_000_000);
        accept(id);
        report("acceptJob as the last of 32", 260_000);
        bytes memory output = random(65_536);
        submitAs(miner, id, proof(id, 1 ether), keccak256(output));
        challenge(id);
        deliver(id, output);
        report("deliverJob, the longest output", 4_000_000);
    }

    function test_Callback() public {
        JobClient caller = new JobClient(address(market));
        vm.deal(address(caller), 10 ether);
        JobTerms memory t = terms();
        t.callbackGas = 2_000_000;
        uint64 id = caller.create(t, 1 ether);
        caller.set(JobClient.Mood.BURNS, false);
        accept(id);
        bytes memory output = random(65_536);
        submitAs(miner, id, proof(id, 1 ether), keccak256(output));
        deliver(id, output);
        report("deliverJob, the longest output and a callback that burns the most gas", 6_500_000);
    }

    /// @dev The worst block: jobs of the greatest number that a block ends, of as many clients and miners, all paid.
    function test_EndJobsWithAFullBatch() public {
        for (uint160 i; i < 32; ++i) {
            client = address(0xc11e0000 + i);
            miner = address(0x313e0000 + i);
            vm.deal(client, 1 ether);
            enrol(MINER, miner, vm.addr(0x51670000 + i), 1_000 * COIN);
            vm.deal(miner, 10 ether);
            uint64 id = create(1 ether);
            accept(id);
            Receipt memory r = proof(id, 0.5 ether);
            (bytes32 a, bytes32 b) = compact(0x51670000 + i, verifier.receiptDigest(r));
            vm.prank(miner);
            jobs.submitResult(id, r, a, b, keccak256(OUTPUT));
        }
        // Each has three entries in the queue; the oldest find it due already.
        vm.warp(START + 2 days);
        endJobs();
        report("endJobs with 32 jobs paid", 6_000_000);
        endJobs();
        endJobs();
        report("endJobs with 32 entries that are used up", 2_000_000);
        vm.assertEq(jobs.jobsLocked(), 0, "all were paid");
        endJobs();
        report("endJobs with nothing to do", 50_000);
    }

    function report(string memory what, uint256 most) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        vm.assertLe(gas, most, what);
    }

    function random(uint256 length) private pure returns (bytes memory out) {
        out = new bytes(length);
        for (uint256 i; i < length; i += 32) {
            bytes32 word = keccak256(abi.encode(i))
                | bytes32(uint256(0x0101010101010101010101010101010101010101010101010101010101010101));
            assembly {
                mstore(add(add(out, 0x20), i), word)
            }
        }
    }
}
