// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingEvents} from "../src/interfaces/IStakingEvents.sol";
import {PowerCap} from "../src/lib/PowerCap.sol";
import {Mode, Power, StakingParams} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";

/// @notice Who validates, with which power, and how fast that changes.
contract StakingSetTest is StakingFixture {
    address private alice = address(0xa11ce);

    function stakes(uint128 a, uint128 b, uint128 c, uint128 d) private pure returns (uint128[] memory list) {
        list = new uint128[](4);
        (list[0], list[1], list[2], list[3]) = (a * COIN, b * COIN, c * COIN, d * COIN);
    }

    function admit(uint256 i, bool yes) private {
        vm.prank(governor);
        staking.setAuthority(operator(i), yes);
    }

    function set(StakingParams memory p) private {
        vm.prank(governor);
        staking.setParams(p);
    }

    function test_PoaIsEqualWhateverTheStake() public {
        deploy(Mode.POA, stakingParams(), stakes(100, 1_000, 50_000, 7_000));
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(power(i), 1_000, "equal");
        }
        delegate(alice, 0, 1_000_000 * COIN);
        vm.assertEq(endEpoch().length, 0, "nothing changes");
    }

    function test_PosTakesAnyone() public {
        deploy(Mode.POS, 4);
        create(7, 2_500 * COIN);
        vm.assertEq(power(7), 0, "not before the epoch ends");
        Power[] memory list = endEpoch();
        vm.assertEq(list.length, 5, "five");
        (bytes32 x, bytes32 y) = point(7);
        vm.assertEq(list[4].x, x, "x");
        vm.assertEq(list[4].y, y, "y");
        vm.assertEq(list[4].power, 2_500, "power");
        vm.assertEq(endEpoch().length, 0, "told once");
    }

    function test_HybridTakesAuthorities() public {
        deploy(Mode.HYBRID, 4);
        create(7, 2_000 * COIN);
        vm.assertEq(endEpoch().length, 0, "a stranger");
        admit(7, true);
        vm.assertEq(endEpoch().length, 5, "admitted");
        vm.assertEq(power(7), 2_000, "by stake");
        admit(7, false);
        // 2,000 of 6,000 is just a third.
        vm.assertEq(endEpoch().length, 4, "removed");
        vm.assertEq(power(7), 0, "no power");
        undelegate(operator(7), 7, ALL);
    }

    function test_TheLastAuthorityStays() public {
        deploy(Mode.HYBRID, 2);
        admit(0, false);
        admit(0, false); // nothing to do
        vm.prank(governor);
        vm.expectRevert(IStakingEvents.LastAuthority.selector);
        staking.setAuthority(operator(1), false);
    }

    function test_OnlyTheJailedLosePowerBetweenEpochs() public {
        deploy(Mode.POS, 7);
        endEpoch();
        delegate(alice, 1, 500 * COIN);
        create(9, 5_000 * COIN);
        undelegate(operator(2), 2, ALL);
        Power[] memory list = doubleSign(3);
        vm.assertEq(list.length, 6, "one left");
        vm.assertEq(power(3), 0, "the guilty one");
        vm.assertEq(power(1), 1_000, "more stake waits");
        vm.assertEq(power(2), 1_000, "leaving waits");
        vm.assertEq(power(9), 0, "joining waits");
        list = endEpoch();
        vm.assertEq(power(1), 1_500, "more stake");
        vm.assertEq(power(2), 0, "left");
        vm.assertEq(power(9), 5_000, "joined");
        vm.assertEq(list.length, 6, "six");
    }

    function test_AThirdAnEpoch_TombstonedFirst() public {
        deploy(Mode.POS, 4);
        endEpoch();
        undelegate(operator(0), 0, ALL);
        undelegate(operator(1), 1, ALL);
        doubleSign(2); // at once: 1,000 of 1,333
        vm.assertEq(power(2), 0, "tombstoned");
        doubleSign(3);
        vm.assertEq(power(3), 667, "the rest waits");
        // All are leaving or guilty: nobody is left to elect, so it stays.
        endEpoch();
        vm.assertEq(power(3), 667, "stays");
        vm.assertEq(totalPower(), 2_667, "as it is");
        create(8, 100 * COIN);
        endEpoch(); // 2,667/3 = 889: the tombstoned one first, then of operator 0
        vm.assertEq(power(3), 0, "gone");
        vm.assertEq(power(0), 1_000 - 222, "first of the rest");
        vm.assertEq(power(1), 1_000, "waits");
        vm.assertEq(power(8), 100, "joined");
        for (uint256 i; i < 12; ++i) {
            uint256 before = totalPower();
            endEpoch();
            vm.assertGe(totalPower() + before / 3, before, "a third");
        }
        vm.assertEq(totalPower(), 100, "in the end only the new one");
    }

    function test_NeverEmpty() public {
        deploy(Mode.POS, 1);
        undelegate(operator(0), 0, ALL);
        vm.assertEq(endEpoch().length, 0, "unchanged");
        doubleSign(0);
        endEpoch();
        vm.assertEq(power(0), 1_000, "the last one goes on");
        pass(49 hours, 101);
        withdraw(operator(0));
        vm.assertEq(staking.owed(), 0, "though its stake has left");
        // A second one takes over, in as many epochs as that needs.
        create(1, 100 * COIN);
        for (uint256 i; i < 12; ++i) {
            endEpoch();
        }
        (address[] memory list,) = staking.activeSet();
        vm.assertEq(list.length, 1, "one");
        vm.assertEq(list[0], operator(1), "the new one");
    }

    function test_NobodyEligibleChangesNothing() public {
        deploy(Mode.HYBRID, 4);
        StakingParams memory p = stakingParams();
        p.minSelfStake = 1_000_000 * COIN;
        set(p);
        vm.assertEq(endEpoch().length, 0, "unchanged");
        vm.assertEq(totalPower(), 4_000, "all validate");
        p.minSelfStake = 100 * COIN;
        set(p);
        endEpoch();
        // They dropped off the list, and come back with any delegation.
        delegate(alice, 0, COIN);
        endEpoch();
        vm.assertEq(power(0), 1_001, "back");
    }

    function test_TheFirstByStakeThenByAge() public {
        StakingParams memory p = stakingParams();
        p.maxValidators = 2;
        deploy(Mode.POS, p, stakes(1_000, 3_000, 2_000, 2_000));
        vm.assertEq(power(1), 3_000, "most");
        vm.assertEq(power(2), 2_000, "as much as the next, but older");
        vm.assertEq(power(3), 0, "third");
        delegate(alice, 3, COIN);
        for (uint256 i; i < 3; ++i) {
            endEpoch();
        }
        vm.assertEq(power(2), 0, "overtaken");
        vm.assertEq(power(3), 2_001, "in");
    }

    function test_CapHoldsHoweverMuchIsDelegated() public {
        StakingParams memory p = stakingParams();
        p.maxPowerBps = 3_000;
        deploy(Mode.POS, p, 5);
        delegate(alice, 0, 1_000_000 * COIN);
        endEpoch();
        // L = 0.3 × (L + 4,000)
        vm.assertEq(power(0), 1_714, "capped");
        vm.assertLe(uint256(power(0)) * 10_000, totalPower() * 3_000, "share");
    }

    function test_TooFewForTheCapHaveNone() public {
        StakingParams memory p = stakingParams();
        p.maxPowerBps = 3_300;
        uint128[] memory three = new uint128[](3);
        (three[0], three[1], three[2]) = (uint128(100 * COIN), uint128(200 * COIN), uint128(3_000 * COIN));
        deploy(Mode.POS, p, three);
        vm.assertEq(power(2), 3_000, "by stake");
    }

    function test_JustEnoughForTheCapHaveNone() public {
        StakingParams memory p = stakingParams();
        p.maxPowerBps = 2_500;
        deploy(Mode.POS, p, stakes(100, 200, 300, 1_000));
        vm.assertEq(power(0), 100, "nobody has more than by stake");
        vm.assertEq(power(3), 1_000, "by stake");
    }

    /// @dev Against the definition: nobody above the share, nobody raised, only the greatest lowered, and none lower
    /// than the share allows, but for rounding.
    function testFuzz_Cap(uint64[12] memory raw, uint8 count, uint16 bps) public pure {
        uint256 k = 1 + count % 12;
        bps = uint16(1 + bps % 10_000);
        uint64[] memory before = new uint64[](k);
        uint64[] memory after_ = new uint64[](k);
        for (uint256 i; i < k; ++i) {
            uint64 x = 3 + raw[i] % (1 << 50);
            uint256 j = i;
            for (; j > 0 && before[j - 1] < x; --j) {
                before[j] = before[j - 1];
            }
            before[j] = x;
        }
        uint256 sum;
        for (uint256 i; i < k; ++i) {
            after_[i] = before[i];
        }
        PowerCap.cap(after_, bps);
        for (uint256 i; i < k; ++i) {
            sum += after_[i];
            vm.assertGe(after_[i], 3, "can be lowered by a third");
            if (i > 0) vm.assertLe(after_[i], after_[i - 1], "in order");
        }
        if (k * bps <= 10_000) {
            for (uint256 i; i < k; ++i) {
                vm.assertEq(after_[i], before[i], "no cap");
            }
            return;
        }
        for (uint256 i; i < k; ++i) {
            vm.assertLe(uint256(after_[i]) * 10_000, sum * bps, "share");
            vm.assertLe(after_[i], before[i], "not raised");
            if (after_[i] < before[i]) {
                vm.assertEq(after_[i], after_[0], "at the level");
                // One more for each of those at the level would be too much.
                vm.assertGe(uint256(after_[i] + 1) * 10_000, (sum + i + 1) * bps - k * bps, "as high as it may be");
            }
        }
    }

    function test_AFullListGivesWayToMoreStake() public {
        StakingParams memory p = stakingParams();
        deploy(Mode.POS, p, 200);
        (bytes32 x, bytes32 y) = point(300);
        bytes memory proof = proofOf(300, operator(300));
        fund(operator(300), 1_000 * COIN);
        vm.prank(operator(300));
        vm.expectRevert(IStakingEvents.SetFull.selector);
        staking.createValidator{value: 1_000 * COIN}(x, y, proof, 0, 0, "as much is not more");
        delegate(alice, 5, COIN);
        create(300, 1_001 * COIN); // in place of operator 0, the first of those with least
        endEpoch();
        vm.assertEq(power(300), 1_001, "in");
        vm.assertEq(power(0), 0, "displaced");
        delegate(alice, 0, 2 * COIN); // comes back, in place of the next
        for (uint256 i; i < 3; ++i) {
            endEpoch();
        }
        vm.assertEq(power(0), 1_002, "back");
        undelegate(operator(1), 1, ALL);
        checkBooks();
    }

    function test_TheSetIsBoundedAndSmallOnesLeaveToo() public {
        StakingParams memory p = stakingParams();
        p.maxValidators = 1;
        deploy(Mode.POS, p, stakes(1_000, 900, 800, 700));
        vm.assertEq(totalPower(), 1_000, "one");
        // Its stake leaves; the next one comes at once, and the first goes by thirds.
        undelegate(operator(0), 0, ALL);
        endEpoch();
        vm.assertEq(power(1), 900, "in");
        vm.assertEq(power(0), 667, "leaving");
        endEpoch();
        vm.assertEq(power(0), 667 - 522, "leaving");
        endEpoch();
        vm.assertEq(power(0), 0, "left");
        vm.assertEq(totalPower(), 900, "one");
    }

    function test_ParametersAreBounded() public {
        deploy(Mode.POS, 1);
        for (uint256 i; i < 15; ++i) {
            StakingParams memory p = stakingParams();
            if (i == 0) p.maxValidators = 0;
            if (i == 1) p.maxValidators = 101;
            if (i == 2) p.epochBlocks = 0;
            if (i == 3) p.epochBlocks = 100_001;
            if (i == 4) p.maxPowerBps = 0;
            if (i == 5) p.maxPowerBps = 10_001;
            if (i == 6) p.unbondDelay = 59;
            if (i == 7) p.unbondDelay = 60 days + 1;
            if (i == 8) p.unbondBlocks = 10_000_001;
            if (i == 9) p.doubleSignBps = 10_001;
            if (i == 10) p.downtimeBps = 1_001;
            if (i == 11) p.downtimeJail = 30 days + 1;
            if (i == 12) p.window = 9;
            if (i == 13) p.window = 1_000_001;
            if (i == 14) p.maxMissed = p.window;
            vm.prank(governor);
            vm.expectRevert();
            staking.setParams(p);
        }
        StakingParams memory good = stakingParams();
        good.unbondDelay = 60 days;
        set(good);
        vm.assertEq(staking.params().unbondDelay, 60 days, "set");
    }

    function test_LongerDelaysDoNotTouchWhatUnbonds() public {
        deploy(Mode.POS, 2);
        delegate(alice, 0, COIN);
        undelegate(alice, 0, ALL);
        StakingParams memory p = stakingParams();
        p.unbondDelay = 60 days;
        p.unbondBlocks = 10_000_000;
        set(p);
        pass(48 hours + 1, 101);
        vm.assertEq(withdraw(alice), COIN, "as promised");
    }
}
