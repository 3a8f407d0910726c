// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingEvents} from "../src/interfaces/IStakingEvents.sol";
import {Evidence, Mode, StakingParams, Validator} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Deeds and what follows from them.
contract StakingSlashingTest is StakingFixture {
    address private alice = address(0xa11ce);
    address private bob = address(0xb0b);

    function setUp() public {
        deploy(Mode.POS, 7);
    }

    function test_DoubleSigningCostsEveryoneAndEndsIt() public {
        delegate(alice, 0, 1_000 * COIN);
        doubleSign(0);
        Validator memory v = staking.validator(operator(0));
        vm.assertEq(v.tokens, 1_900 * COIN, "5 %");
        vm.assertEq(worth(alice, 0), 950 * COIN, "alice");
        vm.assertEq(v.selfStake, 950 * COIN, "operator");
        vm.assertTrue(v.tombstoned && v.jailed, "tombstoned");
        vm.assertEq(v.jailedUntil, type(uint64).max, "for ever");
        vm.assertEq(treasury.owed(), 100 * COIN, "to the Treasury");
        checkBooks();
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.CannotUnjail.selector, type(uint64).max));
        staking.unjail();
        vm.deal(bob, COIN);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.Closed.selector, operator(0)));
        staking.delegate{value: COIN}(operator(0));
        // Stake leaves, either way.
        redelegate(alice, 0, 1, 100 * COIN);
        (,, uint64 until) = staking.delegation(alice, operator(1));
        vm.assertEq(until, 0, "and is not locked: nothing can come any more");
        undelegate(alice, 0, ALL);
        undelegate(operator(0), 0, ALL);
        pass(49 hours, 101);
        near(withdraw(alice), 850 * COIN, "alice");
        near(withdraw(operator(0)), 950 * COIN + 3, "operator");
        checkBooks();
    }

    function test_UnbondingDoesNotFlee() public {
        delegate(alice, 0, 1_000 * COIN);
        delegate(bob, 0, 1_000 * COIN);
        vm.warp(time() / 1 days * 1 days + 1 days - 10);
        undelegate(bob, 0, ALL); // on the day before the deed
        pass(20, 1);
        (uint64 height, uint64 at) = (uint64(vm.getBlockNumber()), uint64(time()));
        undelegate(alice, 0, ALL); // at once after it
        pass(20 hours, 50);
        doubleSign(0, height, at);
        vm.assertEq(staking.unbondings(alice)[0].amount, 950 * COIN, "alice pays");
        vm.assertEq(staking.unbondings(bob)[0].amount, 1_000 * COIN, "bob had left before");
        vm.assertEq(tokens(0), 950 * COIN, "bonded pays");
        vm.assertEq(treasury.owed(), 100 * COIN, "Treasury");
        checkBooks();
        pass(49 hours, 101);
        vm.assertEq(withdraw(alice), 950 * COIN, "paid");
        vm.assertEq(withdraw(bob), 1_000 * COIN, "paid");
    }

    function test_RedelegationDoesNotFlee() public {
        delegate(alice, 0, 1_000 * COIN);
        delegate(alice, 1, 100 * COIN);
        (uint64 height, uint64 at) = (uint64(vm.getBlockNumber()), uint64(time()));
        redelegate(alice, 0, 1, ALL);
        pass(40 hours, 50);
        doubleSign(0, height, at);
        vm.assertEq(worth(alice, 1), 1_100 * COIN, "not settled yet");
        staking.settleRedelegations(alice, operator(1));
        vm.assertEq(worth(alice, 1), 1_050 * COIN, "settled by anyone");
        vm.assertEq(treasury.owed(), 100 * COIN, "50 of the operator's, 50 of alice's");
        staking.settleRedelegations(alice, operator(1));
        vm.assertEq(worth(alice, 1), 1_050 * COIN, "once");
        vm.assertEq(tokens(1), 2_050 * COIN, "pool");
        checkBooks();
        pass(8 hours + 1, 101);
        undelegate(alice, 1, ALL);
        vm.assertEq(staking.unbondings(alice)[0].amount, 1_050 * COIN, "leaves");
    }

    function test_AnUnsettledPenaltyOutlivesItsLock() public {
        delegate(alice, 0, 1_000 * COIN);
        redelegate(alice, 0, 1, ALL);
        doubleSign(0);
        pass(60 days, 1_000);
        undelegate(alice, 1, ALL);
        vm.assertEq(staking.unbondings(alice)[0].amount, 950 * COIN, "paid before it leaves");
    }

    function test_RedelegatedStakePaysForBoth() public {
        delegate(alice, 0, 1_000 * COIN);
        redelegate(alice, 0, 1, ALL);
        doubleSign(1);
        doubleSign(0);
        staking.settleRedelegations(alice, operator(1));
        // 5 % of the pool it is in, then 5 % of the 1,000 that came.
        near(worth(alice, 1), 900 * COIN, "both");
        checkBooks();
    }

    function test_ManySlashesOnOneDayReachLiensExactlyOnce() public {
        delegate(alice, 0, 1_000 * COIN);
        redelegate(alice, 0, 1, 400 * COIN);
        jail(0); // 1 %
        redelegate(alice, 0, 1, 297 * COIN); // the same day: the same lien, after its penalty
        vm.assertEq(worth(alice, 1), 396 * COIN + 297 * COIN, "1 % of the first part");
        doubleSign(0);
        staking.settleRedelegations(alice, operator(1));
        vm.assertEq(worth(alice, 1), 693 * COIN * 95 / 100, "5 % of both");
    }

    function test_EvidenceAtTheEdgeOfItsAge() public {
        delegate(alice, 0, 1_000 * COIN);
        delegate(alice, 1, 1_000 * COIN);
        (uint64 height, uint64 at) = (uint64(vm.getBlockNumber()), uint64(time()));
        undelegate(alice, 0, ALL);
        // The block in which it is still young enough: what left right after the deed is not due before.
        pass(48 hours - 1, 99);
        vm.warp(time() + 1);
        vm.roll(vm.getBlockNumber() + 1);
        vm.prank(alice);
        vm.expectRevert();
        staking.withdraw();
        vm.warp(time() - 1);
        vm.roll(vm.getBlockNumber() - 1);
        doubleSign(0, height, at);
        vm.assertTrue(staking.validator(operator(0)).tombstoned, "accepted");
        vm.assertEq(staking.unbondings(alice)[0].amount, 950 * COIN, "slashed");

        // Too old in time alone, or in blocks alone, is not too old; in both it is.
        doubleSign(1, height, uint64(time()));
        vm.assertTrue(staking.validator(operator(1)).tombstoned, "old in blocks");
        doubleSign(2, uint64(vm.getBlockNumber()), at);
        vm.assertTrue(staking.validator(operator(2)).tombstoned, "old in time");
        vm.recordLogs();
        doubleSign(3, height, at);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], IStakingEvents.EvidenceIgnored.selector, "ignored");
        vm.assertTrue(!staking.validator(operator(3)).tombstoned, "too old");
        checkBooks();
    }

    function test_EvidenceAgainstNobodyIsIgnored() public {
        Evidence[] memory guilty = new Evidence[](3);
        guilty[0] = Evidence(address(0xdead), 1, uint64(START));
        guilty[1] = Evidence(consensus(0), 1, uint64(START));
        guilty[2] = Evidence(consensus(0), 1, uint64(START)); // the same again
        endBlock(new address[](0), guilty);
        vm.assertEq(tokens(0), 950 * COIN, "once");
        doubleSign(0);
        vm.assertEq(tokens(0), 950 * COIN, "once");
        guilty[0] = Evidence(consensus(1), type(uint64).max, type(uint64).max);
        guilty[1] = Evidence(address(0), type(uint64).max, 0);
        guilty[2] = Evidence(consensus(2), 0, 0);
        endBlock(new address[](0), guilty); // nonsense reverts nothing
        checkBooks();
    }

    function test_AbsenceIsCountedInAWindow() public {
        vm.roll(199);
        for (uint256 i; i < 50; ++i) {
            absent(0);
        }
        vm.assertEq(staking.validator(operator(0)).missed, 50, "as many as may be missed");
        vm.roll(299);
        absent(0);
        vm.assertEq(staking.validator(operator(0)).missed, 1, "a new window");
        for (uint256 i; i < 49; ++i) {
            absent(0);
        }
        vm.assertTrue(!staking.validator(operator(0)).jailed, "free");
        absent(0);
        Validator memory v = staking.validator(operator(0));
        vm.assertTrue(v.jailed && !v.tombstoned, "jailed");
        vm.assertEq(v.tokens, 990 * COIN, "1 %");
        vm.assertEq(v.power, 0, "out at once");
        vm.assertEq(v.jailedUntil, time() + 1 hours, "for an hour");
        vm.assertEq(v.missed, 0, "counter reset");

        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.CannotUnjail.selector, v.jailedUntil));
        staking.unjail();
        endEpoch();
        vm.assertEq(power(0), 0, "still out");
        pass(1 hours, 1);
        vm.prank(operator(0));
        staking.unjail();
        endEpoch();
        vm.assertEq(power(0), 990, "back");
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.CannotUnjail.selector, uint64(0)));
        staking.unjail();
    }

    /// @dev In the first epoch, too.
    function test_GenesisIsAnEpochsBeginning() public {
        doubleSign(0);
        vm.assertEq(power(0), 0, "out at once");
    }

    function test_NobodyIsBlamedWhileMoreThanAThirdIsAbsent() public {
        deploy(Mode.POS, 6);
        address[] memory missed = new address[](3);
        (missed[0], missed[1], missed[2]) = (consensus(0), consensus(1), consensus(2));
        for (uint256 i; i < 80; ++i) {
            endBlock(missed, new Evidence[](0));
        }
        vm.assertEq(staking.validator(operator(0)).missed, 0, "three of six");
        missed = new address[](2);
        (missed[0], missed[1]) = (consensus(0), consensus(1));
        endBlock(missed, new Evidence[](0));
        vm.assertEq(staking.validator(operator(0)).missed, 1, "just a third counts");
    }

    function test_UnjailNeedsOwnStake() public {
        jail(0);
        undelegate(operator(0), 0, 950 * COIN);
        pass(2 hours, 1);
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.SelfStakeTooLow.selector, 40 * COIN, 100 * COIN));
        staking.unjail();
        delegate(operator(0), 0, 60 * COIN);
        vm.prank(operator(0));
        staking.unjail();
    }

    /// @dev Whoever had no more than the least own stake lacks, after a slash, what the error says: its operator adds
    /// that (and a base unit, as shares are rounded down) from within jail, however the pool is divided.
    function testFuzz_TheWayOutOfJailWithTheLeastStake(uint256 others, uint16 bps, uint8 slashes) public {
        StakingParams memory p = stakingParams();
        p.downtimeBps = 1 + bps % 1_000;
        p.downtimeJail = 1 hours;
        uint128[] memory stakes = new uint128[](4);
        (stakes[0], stakes[1], stakes[2], stakes[3]) = (p.minSelfStake, 10_000 * COIN, 10_000 * COIN, 10_000 * COIN);
        deploy(Mode.POS, p, stakes);
        delegate(alice, 0, uint128(1 + others % (1_000 * COIN)));
        for (uint256 n; n < 1 + slashes % 3; ++n) {
            jail(0);
            pass(2 hours, 1);
            uint128 has = staking.validator(operator(0)).selfStake;
            vm.assertLe(has, p.minSelfStake - 1, "slashed");
            vm.prank(operator(0));
            vm.expectRevert(abi.encodeWithSelector(IStakingEvents.SelfStakeTooLow.selector, has, p.minSelfStake));
            staking.unjail();
            delegate(operator(0), 0, p.minSelfStake - has + 1);
            vm.prank(operator(0));
            staking.unjail();
            endEpoch();
            vm.assertGe(power(0), 1, "back");
        }
        checkBooks();
    }

    function test_SlashedToNothing() public {
        StakingParams memory p = stakingParams();
        p.doubleSignBps = 10_000;
        deploy(Mode.POS, p, 7);
        delegate(alice, 0, 10 * COIN);
        delegate(bob, 0, 10 * COIN);
        undelegate(bob, 0, 4 * COIN);
        redelegate(bob, 0, 1, 4 * COIN);
        doubleSign(0);
        vm.assertEq(tokens(0), 0, "nothing");
        vm.startPrank(alice);
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        staking.redelegate(operator(0), operator(1), ALL);
        staking.undelegate(operator(0), ALL); // clears it away
        vm.stopPrank();
        vm.assertEq(staking.unbondings(alice).length, 0, "nothing unbonds");
        undelegate(bob, 0, ALL);
        staking.settleRedelegations(bob, operator(1));
        vm.assertEq(worth(bob, 1), 0, "all of it");
        pass(49 hours, 101);
        vm.assertEq(withdraw(bob), 0, "nothing comes out");
        vm.assertEq(staking.unbondings(bob).length, 0, "and nothing stays");
        vm.assertEq(treasury.owed(), 1_020 * COIN, "all is the Treasury's");
        checkBooks();
    }

    function test_ATreasuryThatRefusesStopsNothing() public {
        bytes memory code = address(treasury).code;
        vm.etch(address(treasury), hex"60006000fd");
        doubleSign(0);
        vm.assertEq(tokens(0), 950 * COIN, "slashed");
        vm.assertEq(address(staking).balance - staking.owed(), 50 * COIN, "kept as surplus");
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.TransferFailed.selector, address(treasury)));
        staking.sweep();
        vm.etch(address(treasury), hex"5b600056"); // burns all its gas
        doubleSign(1);
        vm.assertEq(tokens(1), 950 * COIN, "slashed");
        vm.etch(address(treasury), code);
        staking.sweep();
        vm.assertEq(treasury.owed(), 100 * COIN, "swept");
        vm.assertEq(address(staking).balance, staking.owed(), "exactly");
    }

    function test_WhoIsPunishedAfterItLeft() public {
        undelegate(operator(0), 0, ALL);
        (uint64 height, uint64 at) = (uint64(vm.getBlockNumber()), uint64(time()));
        endEpoch();
        vm.assertEq(power(0), 0, "out");
        doubleSign(0, height, at);
        vm.assertEq(staking.unbondings(operator(0))[0].amount, 950 * COIN, "still liable");
        pass(49 hours, 101);
        withdraw(operator(0));
        vm.deal(operator(0), 1_000 * COIN);
        (bytes32 x, bytes32 y) = point(50);
        bytes memory proof = proofOf(50, operator(0));
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.AlreadyValidator.selector, operator(0)));
        staking.createValidator{value: 1_000 * COIN}(x, y, proof, 0, 0, "again");
    }
}
