// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Mode, Power, StakingParams} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";

/// @notice Gas of what people do. (What setUp writes is cold in a test, as it is in a transaction.)
contract StakingGasTest is StakingFixture {
    address private alice = address(0xa11ce);
    address private bob = address(0xb0b);

    function setUp() public {
        deploy(Mode.HYBRID, 4);
        delegate(alice, 0, 10 * COIN);
        undelegate(alice, 0, COIN);
        redelegate(alice, 0, 1, COIN);
        distribute(COIN);
        fund(alice, 10 * COIN);
        fund(bob, 10 * COIN);
        pass(49 hours, 101);
    }

    function report(string memory what, uint256 most) private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, used);
        vm.assertLe(used, most, what);
    }

    function test_FirstDelegate() public {
        vm.prank(bob);
        staking.delegate{value: COIN}(operator(0));
        report("delegate, the first time", 400_000);
    }

    function test_Delegate() public {
        vm.prank(alice);
        staking.delegate{value: COIN}(operator(0));
        report("delegate, again", 350_000);
    }

    function test_Undelegate() public {
        vm.prank(alice);
        staking.undelegate(operator(0), COIN);
        report("undelegate", 450_000);
    }

    function test_Redelegate() public {
        vm.prank(alice);
        staking.redelegate(operator(0), operator(2), COIN);
        report("redelegate", 800_000);
    }

    function test_Withdraw() public {
        vm.prank(alice);
        staking.withdraw();
        report("withdraw", 100_000);
    }

    function test_Claim() public {
        vm.prank(alice);
        staking.claimRewards(operator(0));
        report("claimRewards", 200_000);
    }

    function test_Distribute() public {
        vm.deal(address(this), COIN);
        staking.distribute{value: COIN}();
        report("distribute", 60_000);
    }

    function test_EndBlock() public {
        absent(0);
        report("endBlock, one absent", 80_000);
    }
}

/// @notice The dearest ends of blocks: all must stay below what the node grants.
contract StakingBlockGasTest is StakingFixture {
    uint256 private constant GRANTED = 30_000_000;

    /// @dev 200 candidates in the worst order, of whom 100 validate and are about to be replaced by the others.
    function setUp() public {
        StakingParams memory p = stakingParams();
        (p.maxMissed, p.window) = (0, 10);
        uint128[] memory stakes = new uint128[](200);
        for (uint128 i; i < 200; ++i) {
            stakes[i] = (1_000 + i) * COIN;
        }
        deploy(Mode.POS, p, stakes);
        for (uint128 i; i < 100; ++i) {
            delegate(address(uint160(0xa00000 + i)), i, 10_000 * COIN);
        }
        distribute(COIN);
    }

    function report(string memory what) private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, used);
        vm.assertLe(used, GRANTED, what);
    }

    function epochEnd(address[] memory missed) private returns (Power[] memory) {
        vm.roll(vm.getBlockNumber() / 10 * 10 + 9);
        return endBlock(missed, new Evidence[](0));
    }

    function first(uint256 n) private pure returns (address[] memory missed) {
        missed = new address[](n);
        for (uint256 i; i < n; ++i) {
            missed[i] = consensus(100 + i);
        }
    }

    function test_NobodyAbsent() public {
        endBlock();
        report("endBlock, 100 validators");
    }

    function test_AllAbsent() public {
        endBlock(first(100), new Evidence[](0));
        report("endBlock, 100 of 100 absent");
    }

    function test_AllAbsentAndReplaced() public {
        Power[] memory set = epochEnd(first(100));
        report("endBlock, all absent, 100 of 200 candidates replace the set");
        vm.assertGe(set.length, 167, "those who wait, and all the new");
    }

    function test_AThirdJailedAndTheRestReplaced() public {
        Power[] memory set = epochEnd(first(33));
        report("endBlock, 33 jailed, 100 of 200 candidates replace the set");
        vm.assertGe(set.length, 160, "those who wait, and all the new");
    }
}

/// @notice Fifty of a hundred sign twice, and from each of them stake has left on each of sixty days.
contract StakingEvidenceGasTest is StakingFixture {
    uint256 private constant GUILTY = 50;
    address private alice = address(0xa11ce);

    function setUp() public {
        StakingParams memory p = stakingParams();
        p.unbondDelay = 60 days;
        deploy(Mode.POS, p, 100);
        delegate(alice, 0, 100 * COIN);
        // Sixteen unbondings are an account's most, so every sixteen days another one leaves.
        for (uint256 day; day < 60; ++day) {
            for (uint256 i; i < GUILTY; ++i) {
                address who = address(uint160(0xa00000 + day / 16 * 1_000 + i));
                delegate(who, i, COIN);
                undelegate(who, i, COIN);
            }
            pass(1 days, 1);
        }
    }

    /// @dev At the end of an epoch. All are tombstoned at once, and slashed within a few blocks, by each of which
    /// their stake can have moved, and not fled.
    function test_HalfOfAllSignTwice() public {
        Evidence[] memory guilty = new Evidence[](2 * GUILTY);
        for (uint256 i; i < GUILTY; ++i) {
            guilty[i] = Evidence(consensus(i), uint64(vm.getBlockNumber()), uint64(START));
            guilty[GUILTY + i] = guilty[i];
        }
        vm.roll(vm.getBlockNumber() / 10 * 10 + 9);
        endBlock(new address[](0), guilty);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint("endBlock, 50 double signers with 60 days of unbonding each", used);
        vm.assertLe(used, 30_000_000, "granted");
        vm.assertEq(power(0), 0, "out");
        vm.assertEq(tokens(0), 1_100 * COIN, "not yet slashed");
        vm.assertTrue(staking.validator(operator(0)).tombstoned, "but tombstoned");
        redelegate(alice, 0, 99, ALL);
        for (uint256 i; i < 6; ++i) {
            endBlock();
            if (i == 0) emit log_named_uint("the next one", vm.lastCallGas().gasTotalUsed);
        }
        for (uint256 i; i < GUILTY; ++i) {
            vm.assertEq(tokens(i), 950 * COIN, "slashed once");
        }
        staking.settleRedelegations(alice, operator(99));
        vm.assertEq(worth(alice, 99), 95 * COIN, "and who moved meanwhile pays");
        (, uint256 unbonding,) = staking.accounts();
        vm.assertEq(unbonding, 60 * GUILTY * COIN * 95 / 100, "and who left");
        checkBooks();
    }
}
