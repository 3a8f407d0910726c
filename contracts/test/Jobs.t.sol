// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {IMarketJobsEvents} from "../src/interfaces/IMarketJobs.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Receipt} from "../src/Types.sol";
import {JobFixture} from "./support/JobFixture.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Every way through a direct job's life, with every coin of it.
contract JobsTest is JobFixture {
    uint256 private constant FEE = 10 ether;
    uint256 private constant BOND = 2 ether;

    uint256 private clientHad;
    uint256 private minerHad;

    function setUp() public override {
        super.setUp();
        (clientHad, minerHad) = (client.balance, miner.balance);
    }

    function test_AcknowledgedIsPaidAtOnce() public {
        uint64 id = create(FEE);
        vm.assertEq(market.owed(), FEE, "the fee is locked");
        accept(id);
        vm.assertEq(market.owed(), FEE + BOND, "and the bond");
        submit(id, 4 ether);
        acknowledge(id);
        vm.assertEq(state(id), PAID, "paid");
        uint128 part = fee(4 ether);
        vm.assertEq(miner.balance, minerHad + 4 ether - part, "the price less the fee, and the bond");
        vm.assertEq(client.balance, clientHad - 4 ether, "the rest of the fee came back");
        vm.assertEq(market.fees(), part, "fees");
        (uint128 worked,) = rewards.work(miner, 1);
        vm.assertEq(worked, part, "reported as the miner's work");
        balanced();
    }

    function test_UnchallengedIsPaidByTheChain() public {
        uint64 id = submitted();
        uint64 due = jobs.job(id).dueAt;
        vm.assertEq(due, time() + 6 hours, "the challenge window");
        vm.warp(due - 1);
        endJobs();
        vm.assertEq(state(id), SUBMITTED, "not a second early");
        vm.warp(due);
        endJobs();
        vm.assertEq(state(id), PAID, "paid");
        vm.assertEq(miner.balance, minerHad + FEE - fee(FEE), "the miner has it");
        (uint128 worked,) = rewards.work(miner, 1);
        vm.assertEq(worked, fee(FEE), "reported");
        balanced();
    }

    function test_UnacceptedIsRefundedByTheChain() public {
        uint64 id = create(FEE);
        vm.warp(time() + 1 hours);
        endJobs();
        vm.assertEq(state(id), REFUNDED, "refunded");
        vm.assertEq(client.balance, clientHad, "all of it");
        balanced();
    }

    function test_CancelledIsRefundedAtOnce() public {
        uint64 id = create(FEE);
        vm.prank(client);
        jobs.cancelJob(id);
        vm.assertEq(state(id), REFUNDED, "refunded");
        vm.assertEq(client.balance, clientHad, "all of it");
        balanced();
        // Its entry in the queue is used up and does nothing.
        vm.warp(time() + 1 hours);
        endJobs();
        (,, uint64 waiting) = jobs.jobQueue();
        vm.assertEq(waiting, 0, "used up");
        vm.assertEq(client.balance, clientHad, "once");
    }

    function test_MissedDeadlineCostsTheMinersBond() public {
        uint64 id = create(FEE);
        accept(id);
        vm.warp(jobs.job(id).deadline);
        endJobs();
        vm.assertEq(state(id), REFUNDED, "refunded");
        vm.assertEq(client.balance, clientHad + BOND, "fee and bond");
        vm.assertEq(miner.balance, minerHad - BOND, "the miner's");
        vm.assertEq(market.fees(), 0, "no fee of it");
        balanced();
    }

    function test_ChallengeAnsweredWinsPayAndBothBonds() public {
        uint64 id = submitted();
        challenge(id);
        vm.assertEq(market.owed(), FEE + 2 * BOND, "both bonds");
        vm.recordLogs();
        deliver(id, OUTPUT);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], IMarketJobsEvents.JobDelivered.selector, "posted");
        vm.assertEq(keccak256(abi.decode(logs[0].data, (bytes))), keccak256(OUTPUT), "as committed");
        vm.assertEq(state(id), PAID, "paid");
        vm.assertEq(miner.balance, minerHad + FEE - fee(FEE) + BOND, "pay, its bond and the client's");
        vm.assertEq(client.balance, clientHad - FEE - BOND, "the client's loss");
        balanced();
    }

    function test_ChallengeUnansweredRefundsWithBothBonds() public {
        uint64 id = submitted();
        challenge(id);
        uint64 due = jobs.job(id).dueAt;
        vm.assertEq(due, time() + 2 hours, "the answer window");
        vm.warp(due);
        endJobs();
        vm.assertEq(state(id), REFUNDED, "refunded");
        vm.assertEq(client.balance, clientHad + BOND, "fee and both bonds");
        vm.assertEq(miner.balance, minerHad - BOND, "the miner's loss");
        vm.assertEq(market.fees(), 0, "no fee of it");
        balanced();
    }

    /// @dev A client that sees the output after all gives in, before the miner has to post it.
    function test_ChallengerMayGiveIn() public {
        uint64 id = submitted();
        challenge(id);
        acknowledge(id);
        vm.assertEq(state(id), PAID, "paid");
        vm.assertEq(miner.balance, minerHad + FEE - fee(FEE) + BOND, "with the client's bond");
        balanced();
    }

    function test_AnyoneEndsWhatIsDue() public {
        uint64 id = create(FEE);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, uint64(time()) + 1 hours));
        jobs.expireJob(id);
        vm.warp(time() + 1 hours);
        jobs.expireJob(id);
        vm.assertEq(client.balance, clientHad, "refunded");
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.WrongState.selector, id, REFUNDED));
        jobs.expireJob(id);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.UnknownJob.selector, id + 1));
        jobs.expireJob(id + 1);
        endJobs();
        balanced();
    }

    /// @dev Each deadline to the second: the last second belongs to whoever acts, the next to the chain.
    function test_DeadlinesToTheSecond() public {
        (uint64 a, uint64 b) = (create(FEE), create(FEE));
        uint64 due = jobs.job(a).dueAt;
        vm.warp(due - 1);
        accept(a);
        vm.warp(due);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.TooLate.selector, due));
        jobs.acceptJob{value: BOND}(b);

        due = jobs.job(a).dueAt;
        vm.warp(due);
        Receipt memory r = proof(a, uint128(FEE));
        (bytes32 x, bytes32 y) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.TooLate.selector, due));
        jobs.submitResult(a, r, x, y, keccak256(OUTPUT));
        vm.warp(due - 1);
        submit(a, uint128(FEE));

        due = jobs.job(a).dueAt;
        vm.warp(due);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.TooLate.selector, due));
        jobs.challengeJob{value: BOND}(a);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.TooLate.selector, due));
        jobs.acknowledgeJob(a);
        vm.warp(due - 1);
        challenge(a);

        due = jobs.job(a).dueAt;
        vm.warp(due);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.TooLate.selector, due));
        jobs.deliverJob(a, OUTPUT);
        vm.warp(due - 1);
        deliver(a, OUTPUT);
        vm.assertEq(state(a), PAID, "in time");
    }

    /// @dev Nobody acts out of turn, and nothing is done twice.
    function test_OnlyWhoeverIsInTurnActs() public {
        uint64 id = create(FEE);
        refused(client, abi.encodeCall(jobs.acknowledgeJob, (id)), 0, wrong(id, OPEN));
        refused(client, abi.encodeCall(jobs.challengeJob, (id)), BOND, wrong(id, OPEN));
        refused(miner, abi.encodeCall(jobs.cancelJob, (id)), 0, unauthorized(miner));
        refused(miner, abi.encodeCall(jobs.deliverJob, (id, OUTPUT)), 0, unauthorized(miner));
        refused(
            miner,
            abi.encodeCall(jobs.acceptJob, (id)),
            BOND - 1,
            abi.encodeWithSelector(IMarketEvents.BadAmount.selector)
        );
        refused(
            miner,
            abi.encodeCall(jobs.acceptJob, (id)),
            BOND + 1,
            abi.encodeWithSelector(IMarketEvents.BadAmount.selector)
        );
        accept(id);
        refused(miner, abi.encodeCall(jobs.acceptJob, (id)), BOND, wrong(id, ACCEPTED));
        refused(client, abi.encodeCall(jobs.cancelJob, (id)), 0, wrong(id, ACCEPTED));
        refused(miner, abi.encodeCall(jobs.deliverJob, (id, OUTPUT)), 0, wrong(id, ACCEPTED));
        Receipt memory r = proof(id, 1 ether);
        (bytes32 a, bytes32 b) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
        bytes memory twice = abi.encodeCall(jobs.submitResult, (id, r, a, b, keccak256(OUTPUT)));
        refused(client, twice, 0, unauthorized(client));
        submit(id, 1 ether);
        refused(miner, twice, 0, wrong(id, SUBMITTED));
        refused(miner, abi.encodeCall(jobs.deliverJob, (id, OUTPUT)), 0, wrong(id, SUBMITTED));
        refused(miner, abi.encodeCall(jobs.acknowledgeJob, (id)), 0, unauthorized(miner));
        refused(miner, abi.encodeCall(jobs.challengeJob, (id)), BOND, unauthorized(miner));
        refused(
            client,
            abi.encodeCall(jobs.challengeJob, (id)),
            BOND - 1,
            abi.encodeWithSelector(IMarketEvents.BadAmount.selector)
        );
        challenge(id);
        refused(client, abi.encodeCall(jobs.challengeJob, (id)), BOND, wrong(id, CHALLENGED));
        bytes memory none = abi.encodeWithSelector(IMarketJobsEvents.WrongOutput.selector);
        refused(miner, abi.encodeCall(jobs.deliverJob, (id, "another")), 0, none);
        refused(client, abi.encodeCall(jobs.deliverJob, (id, OUTPUT)), 0, unauthorized(client));
        deliver(id, OUTPUT);
        refused(client, abi.encodeCall(jobs.acknowledgeJob, (id)), 0, wrong(id, PAID));
        refused(miner, abi.encodeCall(jobs.deliverJob, (id, OUTPUT)), 0, wrong(id, PAID));
        refused(client, abi.encodeCall(jobs.challengeJob, (id)), BOND, wrong(id, PAID));
        balanced();
    }

    /// @dev A price of nothing is paid with nothing: the bond comes back and the whole fee too.
    function test_PriceOfNothing() public {
        uint64 id = create(FEE);
        accept(id);
        submit(id, 0);
        acknowledge(id);
        vm.assertEq(client.balance, clientHad, "free");
        vm.assertEq(miner.balance, minerHad, "for nothing");
        vm.assertEq(market.owed(), 0, "and nothing stays");
    }

    /// @dev For any fee and price: floor(price·bps), the bond's rounding, and not a unit lost.
    function testFuzz_EveryUnitIsSomebodys(uint128 locked, uint128 price, bool challenged, bool answered) public {
        locked = uint128(bound(locked, 1e15, 100_000 ether));
        price = uint128(bound(price, 0, locked));
        uint64 id = create(locked);
        uint256 bond = jobs.job(id).bond;
        vm.assertEq(bond, max(1e16, (uint256(locked) * 2_000 + 9_999) / 10_000), "bond");
        accept(id);
        submit(id, price);
        if (challenged) challenge(id);
        if (challenged && answered) deliver(id, OUTPUT);
        if (!challenged || !answered) {
            vm.warp(jobs.job(id).dueAt);
            endJobs();
        }
        bool paid = !challenged || answered;
        uint256 extra = challenged ? bond : 0;
        vm.assertEq(state(id), paid ? PAID : REFUNDED, "end");
        vm.assertEq(market.fees(), paid ? fee(price) : 0, "fees");
        vm.assertEq(client.balance, paid ? clientHad - price - extra : clientHad + bond, "client");
        vm.assertEq(miner.balance, paid ? minerHad + price - fee(price) + extra : minerHad - bond, "miner");
        vm.assertEq(market.owed(), market.fees(), "nothing else stays");
    }

    function submitted() private returns (uint64 id) {
        id = create(FEE);
        accept(id);
        submit(id, uint128(FEE));
    }

    function refused(address who, bytes memory data, uint256 value, bytes memory why) private {
        vm.prank(who);
        (bool ok, bytes memory answer) = address(market).call{value: value}(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(answer), keccak256(why), "and why");
    }

    function wrong(uint64 id, uint8 state_) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IMarketJobsEvents.WrongState.selector, id, state_);
    }

    function unauthorized(address who) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Governed.Unauthorized.selector, who);
    }

    function max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
