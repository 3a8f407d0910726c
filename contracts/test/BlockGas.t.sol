// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Mode, StakingParams} from "../src/StakingTypes.sol";
import {MarketParams, Session} from "../src/Types.sol";
import {GovernanceFixture} from "./support/GovernanceFixture.sol";

/// @notice The dearest end of a block: everything that any of the three system calls may have to do, at once.
/// @dev Each call is given what the node gives it (chain/setup); a call that needs more is dropped. What setUp writes
/// is cold in a test, as it is in a block.
contract BlockGasTest is GovernanceFixture {
    uint256 private constant STAKING_GAS = 30_000_000;
    uint256 private constant REWARDS_GAS = 5_000_000;
    uint256 private constant MARKET_GAS = 30_000_000;
    uint256 private constant CANDIDATES = 200;
    uint256 private constant GUILTY = 10;
    uint256 private constant DAYS = 400;
    /// @dev Those of the set who are absent: as many as may be before the network is blamed.
    address[] private missing;

    /// @dev 200 candidates in the worst order. The set has 165 members, two thirds of a former set among them that wait
    /// to leave, and at the end of the epoch it changes again. Stake has left ten of them on each of 400 days.
    function setUp() public override {
        StakingParams memory p = stakingParams();
        (p.unbondDelay, p.unbondBlocks, p.window, p.maxMissed) = (60 days, 10_000_000, 1_000_000, 0);
        uint128[] memory stakes = new uint128[](CANDIDATES);
        for (uint128 i; i < CANDIDATES; ++i) {
            stakes[i] = (1_000 + i) * COIN;
        }
        deploy(Mode.POS, p, stakes);
        rest();
        for (uint256 day; day < DAYS; ++day) {
            for (uint256 i; i < GUILTY; ++i) {
                // Sixteen unbondings are an account's most.
                address who = address(uint160(0xa00000 + day / 16 * 1_000 + i));
                delegate(who, 190 + i, COIN);
                undelegate(who, 190 + i, COIN);
            }
            pass(1 days, 1);
        }
        shift(0, 10_000);
        endEpoch();
        shift(100, 30_000);
        endEpoch();
        shift(0, 50_000);
        distribute(COIN);
        pass(1 days, 1);
        choose();
        trade();
    }

    function shift(uint256 from, uint128 amount) private {
        for (uint256 i = from; i < from + 100; ++i) {
            delegate(address(uint160(0xb00000 + i)), i, amount * COIN);
        }
    }

    /// @dev Those with least power first, and none who is guilty.
    function choose() private {
        (address[] memory members, uint64[] memory powers) = staking.activeSet();
        vm.assertGe(members.length, 165, "a set of that size");
        uint256 absent_;
        for (uint64 most = 1_000; most < 100_000; most += 1_000) {
            for (uint256 i; i < members.length; ++i) {
                if (powers[i] >= most || powers[i] < most - 1_000 || members[i] >= operator(190)) continue;
                if ((absent_ + powers[i]) * 3 > totalPower()) continue;
                absent_ += powers[i];
                missing.push(staking.validator(members[i]).consensus);
            }
        }
        vm.assertGe(missing.length, 60, "many are absent");
    }

    function beforeEpochEnds() private {
        vm.roll((vm.getBlockNumber() / 10 + 1) * 10 - 1);
    }

    /// @dev Ends a block with the node's gas, and says how much it took.
    function end(address[] memory missed, Evidence[] memory guilty, string memory what) private returns (uint256 used) {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(time() + 1);
        vm.prank(SYSTEM);
        staking.endBlock{gas: STAKING_GAS}(missed, guilty);
        used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, used);
        vm.assertLe(used, STAKING_GAS, what);
    }

    /// @dev Evidence as the node may bring it: first of the guilty, then more of the same up to what fits a block.
    function evidence(uint256 who, uint256 more, uint256 since) private view returns (Evidence[] memory list) {
        list = new Evidence[](who + more);
        for (uint256 i; i < list.length; ++i) {
            list[i] =
                Evidence(consensus(CANDIDATES - 1 - (i < who ? i : 0)), uint64(vm.getBlockNumber()), uint64(since));
        }
    }

    /// @dev All of it at the end of an epoch: who is guilty is tombstoned at once, and the rest is done within a few
    /// blocks, the election with the last of them.
    function test_EverythingAtOnce() public {
        beforeEpochEnds();
        (uint64 epoch, Evidence[] memory guilty) = (staking.epoch(), evidence(GUILTY, 5_000, START));
        uint128[] memory before = new uint128[](GUILTY);
        for (uint256 i; i < GUILTY; ++i) {
            before[i] = tokens(190 + i);
        }
        address[] memory missed = missing;
        end(missed, guilty, "Staking.endBlock, everything at once");
        for (uint256 i; i < GUILTY; ++i) {
            vm.assertTrue(staking.validator(operator(190 + i)).tombstoned, "tombstoned at once");
        }
        guilty = new Evidence[](0);
        uint256 blocks;
        for (; staking.epoch() == epoch; ++blocks) {
            vm.assertLe(blocks, 10, "the election comes");
            end(missed, guilty, "Staking.endBlock, the next one");
        }
        for (uint256 i; i < missed.length; ++i) {
            vm.assertTrue(staking.validator(staking.operatorOf(missed[i])).jailed, "the absent are jailed");
        }
        for (uint256 i; i < GUILTY; ++i) {
            vm.assertEq(tokens(190 + i), before[i] - before[i] * 500 / 10_000, "the guilty are slashed");
        }
        vm.assertEq(uint256(staking.epoch()), uint256(epoch) + 1, "once");
        checkBooks();
    }

    function test_Election() public {
        beforeEpochEnds();
        vm.assertLe(end(new address[](0), new Evidence[](0), "an election alone"), 23_000_000, "ELECTION_GAS");
    }

    function test_Slash() public {
        address[] memory nobody = new address[](0);
        end(nobody, new Evidence[](0), "a block with nothing to do");
        uint256 one = end(nobody, evidence(1, 0, time()), "one double signer");
        uint256 all = end(nobody, evidence(2, 0, START), "one double signer, 400 days of unbonding");
        vm.assertLe(all - one, 2_600_000, "SLASH_GAS");
    }

    /// @dev All of the set sign twice, in the middle of an epoch, and fill a block with more evidence of it.
    function test_EverybodyIsGuilty() public {
        end(new address[](0), evidence(CANDIDATES, 5_000, time()), "200 double signers, 5,000 more pieces of evidence");
        vm.assertTrue(staking.validator(operator(0)).tombstoned, "all of them");
        uint256 most;
        for (uint256 n; n < CANDIDATES / 8 + 1; ++n) {
            uint256 used = end(new address[](0), new Evidence[](0), "one of the next");
            if (used > most) most = used;
        }
        for (uint256 i; i < CANDIDATES; ++i) {
            vm.assertTrue(staking.validator(operator(i)).tombstoned, "all of them");
        }
        vm.assertLe(most, 8 * 2_600_000 + 6_000_000, "eight slashes and a set");
        checkBooks();
    }

    /// @dev With many absent for the first time too many, no evidence and no election.
    function test_ManyAreJailed() public {
        address[] memory missed = missing;
        end(missed, new Evidence[](0), "many jailed");
        for (uint256 i; i < missed.length; ++i) {
            vm.assertTrue(staking.validator(staking.operatorOf(missed[i])).jailed, "jailed");
        }
    }

    /// @dev An epoch of work ends, and its pool and the stakers' coins are made.
    function test_Rewards() public {
        uint128 made = rewards.issuance();
        vm.assertGe(made, 1, "coins are made");
        vm.deal(SYSTEM, made);
        vm.prank(SYSTEM);
        rewards.endBlock{value: made, gas: REWARDS_GAS}();
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint("Rewards.endBlock, an epoch's end", used);
        vm.assertLe(used, REWARDS_GAS, "granted");
        vm.assertEq(uint256(rewards.epoch()), 2, "the epoch ended");
        vm.assertGe(rewards.owed(), 1, "with a pool");
    }

    /// @dev As many sessions as parameters allow are due at once, each of an account that has nothing left.
    function test_Market() public {
        vm.prank(SYSTEM);
        market.endBlock{gas: MARKET_GAS}();
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint("Market.endBlock, 256 refunds", used);
        vm.assertLe(used, MARKET_GAS, "granted");
        for (uint64 id = 1; id <= 256; ++id) {
            Session memory x = market.session(id);
            vm.assertEq(uint256(x.state), 3, "closed");
            vm.assertEq(x.client.balance, x.deposit, "refunded");
        }
    }

    /// @dev Work that is paid for in the epoch that runs, and sessions that are all due in a while.
    function trade() private {
        address[] memory miners = new address[](1);
        uint128[] memory fees = new uint128[](1);
        (miners[0], fees[0]) = (alice, COIN);
        vm.prank(address(market));
        rewards.worked(miners, fees);
        MarketParams memory p = marketParams();
        p.refundsPerBlock = 256;
        vm.prank(governor);
        market.setParams(p);
        fund(bob, 10_000 ether);
        vm.prank(bob);
        registry.register{value: 10_000 ether}(2, alice, 0, "");
        for (uint256 i; i < 256; ++i) {
            address client = address(uint160(0xc00000 + i));
            fund(client, COIN);
            vm.prank(client);
            market.openSession{value: COIN}(bob, alice, uint64(time()) + 1 hours);
        }
        pass(1 hours, 1);
    }
}
