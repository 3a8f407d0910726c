// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {IMarketJobsEvents} from "../src/interfaces/IMarketJobs.sol";
import {Governed} from "../src/lib/Governed.sol";
import {JobTerms} from "../src/JobTypes.sol";
import {Bounded} from "../src/lib/Bounded.sol";
import {Receipt} from "../src/Types.sol";
import {JobFixture} from "./support/JobFixture.sol";
import {JobClient, JobMiner} from "./support/JobReceivers.sol";
import {Forcer} from "./support/Receivers.sol";
import {Vm} from "./support/Vm.sol";

/// @notice One attack on direct jobs a test: what is tried, and that it gains nothing.
contract JobAttacksTest is JobFixture {
    uint256 private constant FEE = 10 ether;
    uint256 private constant BOND = 2 ether;
    uint32 private constant GAS = 200_000;

    JobClient private caller;
    uint256 private minerHad;

    function setUp() public override {
        super.setUp();
        caller = new JobClient(address(market));
        vm.deal(address(caller), 100 ether);
        minerHad = miner.balance;
    }

    function test_ContractIsCalledBackWithTheOutput() public {
        uint64 id = contractJob();
        deliver(id, OUTPUT);
        vm.assertEq(caller.calls(), 1, "called");
        vm.assertEq(caller.seen(), keccak256(OUTPUT), "with the output");
        paid(id);
    }

    /// @dev However the callback fails: the miner is paid, and the output is posted.
    function test_CallbackThatFailsHarmsNobody() public {
        for (uint256 mood = 1; mood < 4; ++mood) {
            minerHad = miner.balance;
            uint64 id = contractJob();
            caller.set(JobClient.Mood(mood), false);
            vm.recordLogs();
            uint256 gas = gasleft();
            deliver(id, OUTPUT);
            gas -= gasleft();
            vm.assertLe(gas, GAS + 250_000, "no more than the gas that was ordered, and no copy of what comes back");
            vm.assertTrue(!calledBack() || mood == 3, "and it is said"); // a bomb within its gas is an answer
            paid(id);
        }
    }

    /// @dev Everything is decided before the callback, and the Market is locked during it.
    function test_CallbackCannotEnterAgain() public {
        uint64 id = contractJob();
        caller.set(JobClient.Mood.REENTERS, false);
        deliver(id, OUTPUT);
        vm.assertEq(caller.calls(), 1, "it ran");
        vm.assertEq(caller.entered(), 0, "and entered nothing");
        paid(id);
    }

    /// @dev A miner gives so little gas that the callback would fail: that reverts as a whole, and the job is not paid.
    function testFuzz_MinerCannotStarveTheCallback(uint256 gas) public {
        uint64 id = contractJob();
        gas = bound(gas, 100_000, 1_000_000);
        vm.prank(miner);
        (bool ok, bytes memory why) = address(market).call{gas: gas}(abi.encodeCall(jobs.deliverJob, (id, OUTPUT)));
        if (ok) {
            vm.assertEq(caller.calls(), 1, "called");
            // 100 or so are gone when it asks.
            vm.assertGe(caller.gasSeen(), GAS - 1_000, "with all the gas of the terms");
            vm.assertLe(caller.gasSeen(), GAS, "and no more");
        } else {
            vm.assertEq(state(id), SUBMITTED, "nothing happened");
            if (why.length == 4) {
                vm.assertEq(bytes32(bytes4(why)), bytes32(Bounded.InsufficientGas.selector), "and why");
            }
            deliver(id, OUTPUT);
        }
        paid(id);
    }

    /// @dev Who ordered a callback gets the output or its coins: silence is not paid.
    function test_SilenceTowardsAContractIsNotPaid() public {
        uint256 had = address(caller).balance;
        uint64 id = contractJob();
        vm.assertEq(jobs.job(id).dueAt, time() + 2 hours, "the answer window");
        vm.assertTrue(!caller.forward(BOND, abi.encodeCall(jobs.challengeJob, (id))), "nothing to challenge");
        vm.warp(jobs.job(id).dueAt);
        endJobs();
        vm.assertEq(state(id), REFUNDED, "refunded");
        vm.assertEq(address(caller).balance, had + BOND, "with the miner's bond");
        vm.assertEq(caller.calls(), 0, "the chain itself calls nobody");
        balanced();
    }

    /// @dev A callback to an account without code is none; the miner is paid.
    function test_CallbackToNobody() public {
        JobTerms memory t = terms();
        t.callbackGas = GAS;
        uint64 id = create(t, FEE);
        accept(id);
        submit(id, uint128(FEE));
        vm.recordLogs();
        deliver(id, OUTPUT);
        vm.assertTrue(!calledBack(), "nobody is there");
        paid(id);
    }

    /// @dev A client that refuses coins keeps its claim to them, and blocks nobody else's refund.
    function test_ClientThatRefusesCoins() public {
        caller.set(JobClient.Mood.TAKES, true);
        uint64 id = caller.create(terms(), FEE);
        uint64 other = create(FEE);
        uint256 had = client.balance;
        vm.warp(jobs.job(id).dueAt);
        endJobs();
        vm.assertEq(state(id), REFUNDED, "refunded");
        vm.assertEq(market.withdrawable(address(caller)), FEE, "withdrawable");
        vm.assertEq(state(other), REFUNDED, "the other one too");
        vm.assertEq(client.balance, had + FEE, "in coins");
        caller.forward(0, abi.encodeCall(market.withdraw, (payable(address(0x9a5e)))));
        vm.assertEq(address(0x9a5e).balance, FEE, "fetched");
        vm.assertEq(market.owed(), 0, "nothing stays");
    }

    /// @dev A miner that refuses its pay keeps its claim, and the client's acknowledgement goes through.
    function test_MinerThatRefusesCoins() public {
        JobMiner one = new JobMiner(address(market));
        uint256 key = 0x9191;
        vm.deal(address(one), 2_000 ether);
        one.forward(
            address(registry),
            1_000 ether,
            abi.encodeCall(registry.register, (MINER, vm.addr(key), keccak256("sealing"), ""))
        );
        uint64 id = create(FEE);
        one.forward(address(market), BOND, abi.encodeCall(jobs.acceptJob, (id)));
        Receipt memory r = proof(id, uint128(FEE));
        (bytes32 a, bytes32 b) = compact(key, verifier.receiptDigest(r));
        one.forward(address(market), 0, abi.encodeCall(jobs.submitResult, (id, r, a, b, keccak256(OUTPUT))));
        one.set(true);
        acknowledge(id);
        vm.assertEq(state(id), PAID, "paid");
        vm.assertEq(market.withdrawable(address(one)), FEE - fee(FEE) + BOND, "withdrawable");
        vm.assertEq(market.owed(), market.withdrawable(address(one)) + market.fees(), "owed");
    }

    /// @dev Two miners accept in one block: the second has its bond back with the revert.
    function test_AcceptanceThatComesSecond() public {
        uint64 id = create(FEE);
        address rival = vm.addr(0x313ff);
        enrol(MINER, rival, vm.addr(0x3140), 1_000 * COIN);
        vm.deal(rival, 10 ether);
        vm.prank(rival);
        jobs.acceptJob{value: BOND}(id);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.WrongState.selector, id, ACCEPTED));
        jobs.acceptJob{value: BOND}(id);
        vm.assertEq(miner.balance, minerHad, "nothing lost");
        // Nor can it do the other's work, or have its own receipt taken for the other's.
        Receipt memory r = proof(id, uint128(FEE));
        r.miner = miner;
        (bytes32 a, bytes32 b) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, miner));
        jobs.submitResult(id, r, a, b, keccak256(OUTPUT));
        vm.prank(rival);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadReceipt.selector, "miner"));
        jobs.submitResult(id, r, a, b, keccak256(OUTPUT));
        // Whoever accepts to be in the way pays for it.
        vm.warp(jobs.job(id).deadline);
        endJobs();
        vm.assertEq(rival.balance, 10 ether - BOND, "its bond is the client's");
    }

    function test_OnlyAllowedMinersAccept() public {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (address(1), address(2));
        vm.prank(client);
        uint64 id = jobs.createJob{value: FEE}(terms(), list, "");
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.MinerNotAllowed.selector, miner));
        jobs.acceptJob{value: BOND}(id);
        list[1] = miner;
        vm.prank(client);
        id = jobs.createJob{value: FEE}(terms(), list, "");
        accept(id);
        vm.assertEq(state(id), ACCEPTED, "accepted");
    }

    /// @dev Nobody without stake at risk accepts; whoever accepted may end what it began, jailed or gone.
    function test_UnregisteredAndJailedMiners() public {
        uint64 id = create(FEE);
        address stranger = address(0x57a);
        vm.deal(stranger, BOND);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.MinerInactive.selector, stranger));
        jobs.acceptJob{value: BOND}(id);
        accept(id);
        uint64 second = create(FEE);

        vm.prank(address(market));
        registry.jail(MINER, miner);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.MinerInactive.selector, miner));
        jobs.acceptJob{value: BOND}(second);
        vm.prank(miner);
        registry.requestUnbond(MINER, uint128(1_000 * COIN));
        submit(id, uint128(FEE));
        acknowledge(id);
        paid(id);
    }

    /// @dev A signature is good for one job: another job has another key, and so has another chain.
    function test_ReceiptIsOfOneJob() public {
        (uint64 a, uint64 b) = (create(FEE), create(FEE));
        accept(a);
        accept(b);
        Receipt memory r = proof(a, 1 ether);
        (bytes32 x, bytes32 y) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadReceipt.selector, "order"));
        jobs.submitResult(b, r, x, y, keccak256(OUTPUT));
        vm.chainId(4242);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadReceipt.selector, "order"));
        jobs.submitResult(a, r, x, y, keccak256(OUTPUT));
    }

    /// @dev The greatest output that there may be is posted within a transaction's gas, and a greater one never.
    function test_LongOutputs() public {
        bytes memory long = new bytes(65_536);
        for (uint256 i; i < 2; ++i) {
            uint64 id = create(FEE);
            accept(id);
            submitAs(miner, id, proof(id, uint128(FEE)), keccak256(long));
            challenge(id);
            if (i == 0) {
                uint256 gas = gasleft();
                deliver(id, long);
                vm.assertLe(gas - gasleft(), 2_000_000, "beside its calldata");
                long = new bytes(65_537);
                continue;
            }
            vm.prank(miner);
            vm.expectRevert(IMarketJobsEvents.WrongOutput.selector);
            jobs.deliverJob(id, long);
        }
    }

    /// @dev Forced ether is nobody's, and goes to the Treasury; what jobs hold stays.
    function test_ForcedEtherAndSweep() public {
        create(FEE);
        vm.deal(address(this), 3 ether);
        new Forcer{value: 3 ether}(payable(address(market)));
        market.sweep();
        vm.assertEq(treasury.owed(), 3 ether, "swept");
        balanced();
    }

    /// @dev The node's call: nobody else makes it, and with any amount of gas it does what it can and returns.
    function testFuzz_EndJobsWithLittleGasNeverReverts(uint256 gas) public {
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        jobs.endJobs();
        gas = bound(gas, 60_000, 4_000_000);
        for (uint256 i; i < 10; ++i) {
            uint64 id = create(FEE);
            if (i % 2 == 0) continue;
            accept(id);
            submit(id, uint128(FEE));
        }
        vm.warp(time() + 6 hours);
        vm.prank(SYSTEM);
        (bool ok,) = address(market).call{gas: gas}(abi.encodeCall(jobs.endJobs, ()));
        vm.assertTrue(ok, "no revert");
        endJobs();
        vm.assertEq(jobs.jobsLocked(), 0, "all ended in the end");
        balanced();
    }

    /// @dev Rewards that revert or burn all they are given: jobs end all the same.
    function test_RewardsThatBurnAllGas() public {
        vm.etch(address(rewards), type(BurningRewards).runtimeCode);
        for (uint256 i; i < 40; ++i) {
            uint64 id = create(FEE);
            accept(id);
            submit(id, uint128(FEE));
        }
        vm.warp(time() + 6 hours);
        for (uint256 i; i < 3; ++i) {
            vm.prank(SYSTEM);
            (bool ok,) = address(market).call{gas: 30_000_000}(abi.encodeCall(jobs.endJobs, ()));
            vm.assertTrue(ok, "no revert");
        }
        vm.assertEq(jobs.jobsLocked(), 0, "all ended");
        balanced();
    }

    function contractJob() private returns (uint64 id) {
        JobTerms memory t = terms();
        t.callbackGas = GAS;
        caller.set(JobClient.Mood.TAKES, false);
        id = caller.create(t, FEE);
        accept(id);
        submit(id, uint128(FEE));
    }

    function paid(uint64 id) private view {
        vm.assertEq(state(id), PAID, "paid");
        vm.assertEq(miner.balance, minerHad + FEE - fee(FEE), "the miner has its pay and its bond");
    }

    /// @dev What the last JobCalledBack of the recorded logs says.
    function calledBack() private returns (bool ok) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bool found;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IMarketJobsEvents.JobCalledBack.selector) continue;
            (found, ok) = (true, abi.decode(logs[i].data, (bool)));
        }
        vm.assertTrue(found, "an event");
    }
}

/// @notice Runtime code that burns all gas whatever is called.
contract BurningRewards {
    fallback() external payable {
        while (true) {}
    }
}
