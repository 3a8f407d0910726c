// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Staking} from "../src/Staking.sol";
import {IStakingEvents} from "../src/interfaces/IStakingEvents.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Evidence, Mode, Unbonding, Validator} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";

/// @notice Stake comes in, moves and leaves.
contract StakingDelegationTest is StakingFixture {
    address private alice = address(0xa11ce);
    address private bob = address(0xb0b);

    function setUp() public {
        deploy(Mode.HYBRID, 4);
    }

    function test_GenesisIsInTheSetAtOnce() public view {
        (address[] memory operators, uint64[] memory powers) = staking.activeSet();
        vm.assertEq(operators.length, 4, "four");
        vm.assertEq(powers[0], 1_000, "a coin is a power");
        vm.assertEq(staking.epoch(), 1, "epoch");
        Validator memory v = staking.validator(operator(2));
        vm.assertEq(v.consensus, consensus(2), "consensus");
        vm.assertEq(staking.operatorOf(consensus(2)), operator(2), "of");
        vm.assertEq(v.selfStake, 1_000 * COIN, "self");
        vm.assertTrue(v.authority, "authority");
        (address[] memory list, uint256 total) = staking.validators(1, 2);
        vm.assertEq(total, 4, "total");
        vm.assertEq(list.length, 2, "page");
        vm.assertEq(list[0], operator(1), "second");
        checkBooks();
    }

    function test_BothHalvesFitAContract() public {
        vm.assertLe(Code.make("Staking.sol:Staking").code.length, 24_576, "Staking");
        vm.assertLe(Code.creation("Staking.sol:Staking").length, 49_152, "creation");
    }

    function test_DelegateAndLeave() public {
        delegate(alice, 0, 500 * COIN);
        vm.assertEq(worth(alice, 0), 500 * COIN, "worth");
        vm.assertEq(staking.delegationsOf(alice)[0], operator(0), "listed");
        undelegate(alice, 0, 200 * COIN);
        vm.assertEq(worth(alice, 0), 300 * COIN, "rest");
        Unbonding[] memory u = staking.unbondings(alice);
        vm.assertEq(u[0].amount, 200 * COIN, "unbonding");
        vm.assertEq(u[0].dueAt, START + 48 hours + 1, "due");
        vm.assertEq(u[0].dueBlock, 102, "due block");
        checkBooks();

        pass(48 hours, 101);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.NotDue.selector, uint64(START + 48 hours + 1)));
        staking.withdraw();
        pass(1, 0);
        vm.assertEq(withdraw(alice), 200 * COIN, "paid");
        vm.assertEq(alice.balance, 200 * COIN, "has");
        undelegate(alice, 0, ALL);
        vm.assertEq(staking.delegationsOf(alice).length, 0, "not listed");
        pass(49 hours, 101);
        withdraw(alice);
        vm.assertEq(alice.balance, 500 * COIN, "all");
        vm.assertEq(staking.owed(), 4_000 * COIN, "only genesis");
        checkBooks();
    }

    function test_BlocksHoldBackToo() public {
        delegate(alice, 0, COIN);
        undelegate(alice, 0, ALL);
        pass(365 days, 100);
        vm.prank(alice);
        vm.expectRevert();
        staking.withdraw();
        pass(0, 1);
        vm.assertEq(withdraw(alice), COIN, "paid");
    }

    function test_NothingToWithdraw() public {
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.NotDue.selector, uint64(0)));
        staking.withdraw();
    }

    function test_UnknownAndBadAmounts() public {
        vm.deal(address(this), COIN);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.UnknownValidator.selector, alice));
        staking.delegate{value: 1}(alice);
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        staking.delegate(operator(0));
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        staking.undelegate(operator(0), 1);
        delegate(alice, 0, COIN);
        vm.startPrank(alice);
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        staking.undelegate(operator(0), COIN + 1);
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        staking.undelegate(operator(0), 0);
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        staking.redelegate(operator(0), operator(0), 1);
        vm.stopPrank();
    }

    function test_SixteenUnbondingsAndNoMore() public {
        delegate(alice, 0, 100 * COIN);
        for (uint256 i; i < 16; ++i) {
            undelegate(alice, 0, COIN);
            undelegate(alice, 0, COIN); // the same day: one entry
            pass(1 days, 1);
        }
        vm.assertEq(staking.unbondings(alice).length, 16, "merged");
        vm.prank(alice);
        vm.expectRevert(IStakingEvents.TooMany.selector);
        staking.undelegate(operator(0), COIN);
        pass(0, 100);
        vm.assertEq(withdraw(alice), 28 * COIN, "those that are due");
        undelegate(alice, 0, COIN);
        checkBooks();
    }

    function test_MergedUnbondingIsDueLater() public {
        delegate(alice, 0, 100 * COIN);
        vm.warp(time() / 1 days * 1 days + 1 days);
        undelegate(alice, 0, COIN);
        pass(12 hours, 5);
        undelegate(alice, 0, COIN);
        Unbonding[] memory u = staking.unbondings(alice);
        vm.assertEq(u.length, 1, "one");
        vm.assertEq(u[0].dueAt, time() + 48 hours + 1, "the later");
    }

    function test_RedelegationIsLockedUntilNobodyCanPunish() public {
        delegate(alice, 0, 100 * COIN);
        delegate(alice, 1, 10 * COIN);
        redelegate(alice, 0, 1, 40 * COIN);
        vm.assertEq(worth(alice, 0), 60 * COIN, "left");
        (uint128 amount,, uint64 until) = staking.delegation(alice, operator(1));
        vm.assertEq(amount, 50 * COIN, "arrived");
        vm.assertEq(until, START + 48 hours + 1, "locked");
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.Locked.selector, until));
        staking.undelegate(operator(1), 11 * COIN);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.Locked.selector, until));
        staking.redelegate(operator(1), operator(2), 11 * COIN);
        staking.undelegate(operator(1), ALL); // all that is free
        vm.assertEq(worth(alice, 1), 40 * COIN, "the locked part stays");
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.Locked.selector, until));
        staking.undelegate(operator(1), ALL);
        vm.stopPrank();
        pass(48 hours + 1, 101);
        redelegate(alice, 1, 2, ALL);
        vm.assertEq(worth(alice, 2), 40 * COIN, "free");
        checkBooks();
    }

    function test_SevenLiensAndNoMore() public {
        delegate(alice, 0, 100 * COIN);
        for (uint256 i; i < 7; ++i) {
            redelegate(alice, 0, 1, COIN);
            redelegate(alice, 0, 1, COIN);
            vm.warp(time() + 1 days); // no blocks: nothing expires
        }
        vm.prank(alice);
        vm.expectRevert(IStakingEvents.TooMany.selector);
        staking.redelegate(operator(0), operator(1), COIN);
        pass(0, 101);
        redelegate(alice, 0, 1, COIN);
    }

    function test_VotesAreStakeAtATime() public {
        uint256 t0 = time();
        pass(10, 1);
        delegate(alice, 0, 300 * COIN);
        uint256 t1 = time();
        pass(10, 1);
        doubleSign(0);
        vm.assertEq(staking.getPastVotes(operator(0), t0), 1_000 * COIN, "before");
        vm.assertEq(staking.getPastVotes(operator(0), t1), 1_300 * COIN, "after");
        vm.assertEq(staking.getPastDelegation(alice, operator(0), t0), 0, "no stake yet");
        vm.assertEq(staking.getPastDelegation(alice, operator(0), t1), 300 * COIN, "stake");
        vm.assertEq(staking.getPastTotalSupply(t1), 4_300 * COIN, "total");
        vm.assertEq(staking.getVotes(operator(0)), 1_235 * COIN, "slashed");
        pass(1, 1);
        vm.assertEq(staking.getPastDelegation(alice, operator(0), time() - 1), 285 * COIN, "slashed");
        vm.assertEq(staking.getPastTotalSupply(time() - 1), 4_235 * COIN, "total slashed");
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.FutureLookup.selector, time()));
        staking.getPastVotes(operator(0), time());
        vm.assertEq(staking.clock(), time(), "clock");
        vm.assertEq(keccak256(bytes(staking.CLOCK_MODE())), keccak256("mode=timestamp"), "mode");
    }

    function test_OnlyTheNodeEndsBlocksAndTheGovernorSets() public {
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        staking.endBlock(new address[](0), new Evidence[](0));
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        staking.setParams(stakingParams());
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        staking.setAuthority(alice, true);
    }

    /// @dev Whoever moves as it likes gets back what it put in, to the unit, where nobody is slashed.
    function testFuzz_InIsOut(uint128 a, uint128 b, uint16 part) public {
        a = uint128(1 + uint256(a) % (1e9 * uint256(COIN)));
        b = uint128(1 + uint256(b) % (1e9 * uint256(COIN)));
        delegate(alice, 0, a);
        delegate(bob, 0, b);
        uint128 some = uint128(uint256(a) * (part % 10_001) / 10_000);
        if (some != 0) undelegate(alice, 0, some);
        if (worth(alice, 0) != 0) redelegate(alice, 0, 1, ALL);
        pass(49 hours, 101);
        if (worth(alice, 1) != 0) undelegate(alice, 1, ALL);
        undelegate(bob, 0, ALL);
        pass(49 hours, 101);
        withdraw(alice);
        withdraw(bob);
        vm.assertEq(alice.balance, a, "alice");
        vm.assertEq(bob.balance, b, "bob");
        checkBooks();
    }
}
