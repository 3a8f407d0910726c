// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Mode, StakingParams, Unbonding, Validator} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";
import {StakingHandler} from "./support/StakingHandler.sol";
import {Targets} from "./support/Targets.sol";

/// @notice What holds whatever anybody does, in any order.
abstract contract StakingInvariants is StakingFixture, Targets {
    /// @dev What rounding may leave behind of rewards, in base units.
    uint256 private constant DUST = 10_000;

    StakingHandler private world;
    uint256 private operators;
    uint256 private stakers;

    function mode() internal pure virtual returns (Mode);

    function setUp() public {
        StakingParams memory p = stakingParams();
        (p.window, p.maxMissed, p.unbondBlocks) = (20, 2, 20);
        deploy(mode(), p, 5);
        world = new StakingHandler(staking, treasury);
        (operators, stakers) = (world.OPERATORS(), world.PEOPLE() + world.OPERATORS());
    }

    function handler() internal view override returns (address) {
        return address(world);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[26] memory all = [
            // Weighted: what moves stake comes more often.
            StakingHandler.delegate.selector,
            StakingHandler.delegate.selector,
            StakingHandler.delegate.selector,
            StakingHandler.undelegate.selector,
            StakingHandler.undelegate.selector,
            StakingHandler.redelegate.selector,
            StakingHandler.redelegate.selector,
            StakingHandler.redelegate.selector,
            StakingHandler.withdraw.selector,
            StakingHandler.claim.selector,
            StakingHandler.settle.selector,
            StakingHandler.register.selector,
            StakingHandler.register.selector,
            StakingHandler.unjail.selector,
            StakingHandler.setCommission.selector,
            StakingHandler.setAuthority.selector,
            StakingHandler.setParams.selector,
            StakingHandler.distribute.selector,
            StakingHandler.distribute.selector,
            StakingHandler.forceEther.selector,
            StakingHandler.sweep.selector,
            StakingHandler.nextBlock.selector,
            StakingHandler.nextBlock.selector,
            StakingHandler.nextEpoch.selector,
            StakingHandler.nextEpoch.selector,
            StakingHandler.wait.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(world);
        list[0].selectors = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            list[0].selectors[i] = all[i];
        }
    }

    /// @dev One invariant, so that one sequence of calls is checked for all of it. What asks about everybody is asked
    /// after every fourth call or so, and at the end.
    function invariant_StakeIsSound() external view {
        theBooksAddUp();
        theSetIsSound();
        coinsAreConserved();
        if (uint256(keccak256(abi.encode(staking.owed(), time()))) % 4 == 0) everybodyIsRight();
    }

    function everybodyIsRight() private view {
        delegationsAreTheirPool();
        whatIsPromisedIsThere();
        votesAreStake();
    }

    /// @dev Σ validators is what is bonded, and the balance covers the three parts of what is owed.
    function theBooksAddUp() private view {
        checkBooks();
    }

    /// @dev A validator's delegations have its shares among them, and are worth no more than its tokens.
    function delegationsAreTheirPool() private view {
        (address[] memory all,) = staking.validators(0, 100);
        for (uint256 i; i < all.length; ++i) {
            Validator memory v = staking.validator(all[i]);
            uint256 shares;
            uint256 worth_;
            for (uint256 j; j < stakers; ++j) {
                (uint128 a, uint256 s,) = staking.delegation(world.staker(j), all[i]);
                shares += s;
                worth_ += a;
            }
            vm.assertEq(shares, v.shares, "shares");
            vm.assertLe(worth_, v.tokens, "worth");
        }
    }

    /// @dev What unbonds is there, and so are the rewards that everybody could claim.
    function whatIsPromisedIsThere() private view {
        (, uint256 unbonding, uint256 unpaid) = staking.accounts();
        (address[] memory all,) = staking.validators(0, 100);
        uint256 leaving;
        uint256 claimable;
        for (uint256 j; j < stakers; ++j) {
            Unbonding[] memory list = staking.unbondings(world.staker(j));
            vm.assertLe(list.length, 16, "bounded");
            for (uint256 i; i < list.length; ++i) {
                leaving += list[i].amount;
            }
            for (uint256 i; i < all.length; ++i) {
                claimable += staking.rewards(world.staker(j), all[i]);
            }
        }
        vm.assertLe(leaving, unbonding, "unbonding");
        vm.assertLe(claimable, unpaid, "rewards");
        vm.assertTrue(!world.rewardsLost(), "rewards fall by what is paid");
    }

    /// @dev Votes are stake: all of it, and a validator's delegators have no more than it has.
    function votesAreStake() private view {
        uint256 past = time() - 1;
        (address[] memory all,) = staking.validators(0, 100);
        uint256 sum;
        uint256 pastSum;
        for (uint256 i; i < all.length; ++i) {
            sum += staking.getVotes(all[i]);
            uint256 votes = staking.getPastVotes(all[i], past);
            pastSum += votes;
            uint256 overrides;
            for (uint256 j; j < stakers; ++j) {
                overrides += staking.getPastDelegation(world.staker(j), all[i], past);
            }
            vm.assertLe(overrides, votes, "overrides");
        }
        (uint256 bonded,,) = staking.accounts();
        vm.assertEq(sum, bonded, "votes");
        vm.assertEq(pastSum, staking.getPastTotalSupply(past), "past votes");
    }

    /// @dev There is always a set, of bounded size, all with power, and it never changes too fast.
    function theSetIsSound() private view {
        (address[] memory members, uint64[] memory powers) = staking.activeSet();
        vm.assertGe(members.length, 1, "not empty");
        vm.assertLe(members.length, operators, "no more than there are");
        for (uint256 i; i < members.length; ++i) {
            vm.assertGe(powers[i], 1, "power");
            for (uint256 j; j < i; ++j) {
                vm.assertTrue(members[i] != members[j], "once");
            }
        }
        vm.assertTrue(!world.tooFast(), "a third an epoch");
    }

    /// @dev No coin is made or lost.
    function coinsAreConserved() private view {
        uint256 sum = address(staking).balance + address(treasury).balance;
        for (uint256 j; j < stakers; ++j) {
            sum += world.staker(j).balance;
        }
        vm.assertEq(sum, world.coins(), "coins");
    }

    /// @dev Whatever happened, everybody can leave, and nothing but the dust of rewards stays.
    function afterInvariant() external {
        everybodyIsRight();
        // The contract that refuses coins is replaced by one that takes them.
        vm.etch(world.people(world.PEOPLE() - 1), "");
        (address[] memory all,) = staking.validators(0, 100);
        pass(61 days, 20_000);
        for (uint256 j; j < stakers; ++j) {
            pay(world.staker(j));
        }
        // Sixteen at a time.
        for (uint256 j; j < stakers; ++j) {
            address who = world.staker(j);
            for (uint256 i; i < all.length; ++i) {
                vm.prank(who);
                staking.claimRewards(all[i]);
                (, uint256 shares,) = staking.delegation(who, all[i]);
                if (shares == 0) continue;
                vm.prank(who);
                staking.undelegate(all[i], ALL);
            }
        }
        pass(61 days, 20_000);
        for (uint256 j; j < stakers; ++j) {
            pay(world.staker(j));
            vm.assertEq(staking.unbondings(world.staker(j)).length, 0, "all withdrawn");
        }
        (uint256 bonded, uint256 unbonding, uint256 unpaid) = staking.accounts();
        vm.assertEq(bonded, 0, "all left");
        vm.assertEq(unbonding, 0, "all paid");
        vm.assertLe(unpaid, DUST, "dust");
        staking.sweep();
        vm.assertEq(address(staking).balance, unpaid, "and nothing else is kept");
    }

    function pay(address who) private {
        if (staking.unbondings(who).length == 0) return;
        vm.prank(who);
        staking.withdraw();
    }
}

/// @notice With an open set.
contract StakingPosInvariantsTest is StakingInvariants {
    function mode() internal pure override returns (Mode) {
        return Mode.POS;
    }
}

/// @notice With authorities, by stake.
contract StakingHybridInvariantsTest is StakingInvariants {
    function mode() internal pure override returns (Mode) {
        return Mode.HYBRID;
    }
}
