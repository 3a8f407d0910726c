// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Job} from "../src/JobTypes.sol";
import {Session} from "../src/Types.sol";
import {JobFixture} from "./support/JobFixture.sol";
import {JobHandler} from "./support/JobHandler.sol";
import {Targets} from "./support/Targets.sol";

/// @notice What holds of direct jobs whatever anybody does, in any order.
contract JobInvariantsTest is JobFixture, Targets {
    JobHandler private world;
    uint256 private outside;

    function setUp() public override {
        super.setUp();
        // Coordinator, miner and client of the fixture take no part, and their coins are outside of the world.
        world = JobHandler(
            payable(Code.make(
                    "JobHandler.sol:JobHandler", abi.encode(market, registry, treasury, verifier, governor, coordinator)
                ))
        );
        outside = address(registry).balance - 3_000 ether;
    }

    function handler() internal view override returns (address) {
        return address(world);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[22] memory all = [
            // Weighted: the way through a job's life comes more often than what is beside it.
            JobHandler.create.selector,
            JobHandler.create.selector,
            JobHandler.create.selector,
            JobHandler.advance.selector,
            JobHandler.advance.selector,
            JobHandler.advance.selector,
            JobHandler.advance.selector,
            JobHandler.advance.selector,
            JobHandler.advance.selector,
            JobHandler.accept.selector,
            JobHandler.submit.selector,
            JobHandler.challenge.selector,
            JobHandler.deliver.selector,
            JobHandler.acknowledge.selector,
            JobHandler.cancel.selector,
            JobHandler.expire.selector,
            JobHandler.openSession.selector,
            JobHandler.withdraw.selector,
            JobHandler.changeParams.selector,
            JobHandler.collect.selector,
            JobHandler.nextBlock.selector,
            JobHandler.wait.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(world);
        list[0].selectors = new bytes4[](all.length + 1);
        for (uint256 i; i < all.length; ++i) {
            list[0].selectors[i] = all[i];
        }
        list[0].selectors[all.length] = JobHandler.forceEther.selector;
    }

    /// @dev All in one, so that each history is checked for all of it: the sums after every call, every single job in one
    /// state of eight, by lot, and at the end of the history.
    function invariant_JobsAddUpAndHaveAnExit() external view {
        conserved();
        vm.assertGe(address(market).balance, market.owed(), "solvent");
        if (uint256(keccak256(abi.encode(time(), address(market).balance, jobs.jobCount()))) % 8 == 0) single();
    }

    function single() private view {
        addUp();
        exits();
        receipts();
    }

    /// @dev Σ jobs is what the Market says that they hold; with sessions, fees and what waits it is all it owes.
    function addUp() private view {
        uint256 sum;
        for (uint64 id = 1; id <= jobs.jobCount(); ++id) {
            sum += holds(jobs.job(id));
        }
        vm.assertEq(sum, jobs.jobsLocked(), "jobs");
        vm.assertEq(sum, jobs.jobsLockedIn(1, jobs.jobCount()), "added up by the contract");
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            Session memory s = market.session(id);
            if (s.state != 3) sum += s.deposit - s.debited;
        }
        vm.assertEq(sum + market.fees() + world.kept(), market.owed(), "the Market's sum");
    }

    /// @dev No coin is made or lost.
    function conserved() private view {
        uint256 inside = address(market).balance + address(registry).balance + address(treasury).balance
            + address(rewards).balance + address(stakers).balance;
        vm.assertEq(world.purses() + inside, world.coins() + outside, "coins");
    }

    /// @dev A job that is not at its end has a deadline, and an entry in the queue.
    function exits() private view {
        uint256 alive;
        for (uint64 id = 1; id <= jobs.jobCount(); ++id) {
            Job memory x = jobs.job(id);
            if (x.state >= PAID) continue;
            ++alive;
            vm.assertTrue(x.dueAt != 0, "a deadline");
            vm.assertLe(x.dueAt, time() + 30 days, "within reach");
            vm.assertTrue((x.state == OPEN) == (x.miner == address(0)), "a miner from acceptance on");
            vm.assertTrue((x.state >= SUBMITTED) == (x.delivery != 0), "a commitment from the result on");
            vm.assertLe(x.price, x.fee, "no price above the fee");
        }
        (,, uint64 waiting) = jobs.jobQueue();
        vm.assertGe(waiting, alive, "in the queue");
    }

    /// @dev A job is never paid without a receipt, and what was reported as work is what was taken as fees.
    function receipts() private view {
        for (uint64 id = 1; id <= jobs.jobCount(); ++id) {
            Job memory x = jobs.job(id);
            if (x.state == PAID) vm.assertTrue(x.receipt != 0, "a receipt");
        }
        (, uint256 miners) = world.count();
        uint256 work;
        for (uint256 i; i < miners; ++i) {
            (uint128 part,) = rewards.work(world.miners(i), 1);
            work += part;
        }
        // Jobs alone pay fees here. They are divided or wait.
        vm.assertEq(work, market.fees() + divided(), "work");
    }

    /// @dev Whatever happened, after all deadlines every job is at an end and every coin is out.
    function afterInvariant() external {
        single();
        for (uint256 i; i < 8; ++i) {
            vm.warp(time() + 8 days);
            for (uint256 j; j < 30; ++j) {
                (,, uint64 waiting) = jobs.jobQueue();
                if (waiting == 0 && j > 1) break; // and what sessions wait for was done
                world.end();
            }
        }
        for (uint64 id = 1; id <= jobs.jobCount(); ++id) {
            vm.assertGe(state(id), PAID, "an end");
        }
        (,, uint64 waiting) = jobs.jobQueue();
        vm.assertEq(waiting, 0, "the queue is empty");
        vm.assertEq(jobs.jobsLocked(), 0, "jobs hold nothing");
        (uint256 clients, uint256 miners) = world.count();
        for (uint256 i; i < clients; ++i) {
            take(world.clients(i));
        }
        for (uint256 i; i < miners; ++i) {
            take(world.miners(i));
        }
        market.collectFees();
        market.sweep();
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            vm.assertEq(market.session(id).state, 3, "sessions are closed");
        }
        vm.assertEq(world.kept(), 0, "all was fetched");
        vm.assertEq(market.fees(), 0, "fees went on");
        vm.assertEq(market.owed(), 0, "the Market owes nobody");
        vm.assertEq(address(market).balance, 0, "and holds nothing");
    }

    function holds(Job memory x) private pure returns (uint256) {
        if (x.state == 0 || x.state >= PAID) return 0;
        if (x.state == OPEN) return x.fee;
        return x.fee + (x.state == CHALLENGED ? 2 * uint256(x.bond) : x.bond);
    }

    /// @dev What the Rewards were given of fees: the stakers' part and the Treasury's, less what was swept.
    function divided() private view returns (uint256) {
        return address(stakers).balance + address(treasury).balance - world.swept();
    }

    function take(address account) private {
        if (market.withdrawable(account) == 0) return;
        vm.prank(account);
        market.withdraw(payable(address(0x9a5e)));
    }
}
