// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IRewards} from "../src/interfaces/IRewards.sol";
import {Bounded} from "../src/lib/Bounded.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Rewards} from "../src/Rewards.sol";
import {RewardsParams} from "../src/StakingTypes.sol";
import {Issuing} from "./support/Issuing.sol";
import {Forcer, RevertingClient} from "./support/Receivers.sol";
import {Stakers} from "./support/Stakers.sol";

/// @notice Issuance by the second, epochs of miners' pay, the division of fees, and who may do what.
contract RewardsTest is Issuing {
    address private other = address(0x07e4);

    function setUp() public override {
        super.setUp();
        vm.deal(other, 1);
    }

    function test_StakersGetTheirRateByTheSecond() public {
        vm.assertEq(tick(0), 0, "no time, no coins");
        vm.assertEq(tick(10), 1 ether, "ten seconds");
        vm.assertEq(address(stakers).balance, 1 ether, "distributed");
        vm.assertEq(tick(0), 0, "the same second again");
        vm.assertEq(rewards.issued(), 1 ether, "issued");
        assertHoldsWhatItOwes(0);
    }

    function test_AnOutageMakesNoLump() public {
        vm.assertEq(tick(10 days), 6 ether, "a minute's worth");
        vm.assertEq(tick(1), 0.1 ether, "and on as before");
    }

    function test_MinersShareAnEpochByTheFeesOfTheirJobs() public {
        trade(miner, 30 ether);
        trade(other, 10 ether);
        (uint128 fees,) = rewards.work(miner, 1);
        vm.assertEq(fees, fee(30 ether), "all of the fee");
        (uint128 pool, uint128 all, uint64 endsAt) = rewards.epochInfo(1);
        vm.assertEq(pool, 0, "it runs");
        vm.assertEq(all, fee(40 ether), "all fees");
        vm.assertEq(endsAt, START + 1 hours, "its end");
        uint256 before = rewards.issued();
        uint64 over = passEpoch();
        (pool,,) = rewards.epochInfo(over);
        vm.assertEq(pool, fee(40 ether) / 2, "half of the fees");
        vm.assertEq(rewards.issued() - before, pool + 360 ether, "issued with the stakers' part");
        assertHoldsWhatItOwes(pool);

        vm.assertEq(collect(miner, over), fee(30 ether) / 2, "three quarters");
        vm.assertEq(collect(other, over), fee(10 ether) / 2, "one quarter");
        vm.assertEq(other.balance, 1 + 10 ether - fee(10 ether) + fee(10 ether) / 2, "paid");
        assertHoldsWhatItOwes(0);
    }

    function test_ThePoolIsBoundedByTheRate() public {
        RewardsParams memory p = rewardsParams();
        p.minersPerSecond = 1e9;
        change(p);
        trade(miner, 30 ether);
        uint64 over = passEpoch();
        (uint128 pool,,) = rewards.epochInfo(over);
        vm.assertEq(pool, 3600 * 1e9, "the rate's");
        vm.assertEq(collect(miner, over), 3600 * 1e9, "all of it");
    }

    /// @dev A time without blocks earns miners nothing either.
    function test_ThePoolCountsChargedSecondsOnly() public {
        RewardsParams memory p = rewardsParams();
        p.minersPerSecond = 1e9;
        change(p);
        trade(miner, 30 ether);
        uint64 over = rewards.epoch();
        tick(3 hours);
        (uint128 pool,,) = rewards.epochInfo(over);
        vm.assertEq(pool, 60 * 1e9, "one minute");
    }

    function test_WhatRoundingLeavesIsNobodys() public {
        RewardsParams memory p = rewardsParams();
        (p.minersPerSecond, p.epoch) = (1, 60);
        change(p);
        address[3] memory miners = [miner, other, address(0x3333)];
        for (uint256 i; i < 3; ++i) {
            trade(miners[i], uint128(1 ether << i));
        }
        uint64 over = passEpoch();
        (uint128 pool,,) = rewards.epochInfo(over);
        vm.assertEq(pool, 60, "pool");
        for (uint256 i; i < 3; ++i) {
            collect(miners[i], over);
        }
        vm.assertEq(rewards.owed(), 0, "nothing is owed");
        uint256 dust = address(rewards).balance;
        vm.assertTrue(dust > 0 && dust < 3, "dust");
        uint256 before = treasury.owed();
        rewards.sweep();
        vm.assertEq(treasury.owed() - before, dust, "swept");
    }

    function test_NothingIsClaimedTwiceOrTooEarly() public {
        trade(miner, 1 ether);
        nothing(miner, 1);
        passEpoch();
        nothing(other, 1);
        nothing(miner, 2);
        nothing(miner, 99);
        uint64[] memory list = new uint64[](3);
        (list[0], list[1], list[2]) = (1, 1, 2);
        vm.assertEq(rewards.claim(miner, list), fee(1 ether) / 2, "once");
        nothing(miner, 1);
    }

    /// @dev Somebody else claims one of the epochs first: the coins are the miner's all the same.
    function test_ClaimsOfManyEpochsPassOverWhatIsGone() public {
        uint64[] memory list = new uint64[](3);
        for (uint64 i; i < 3; ++i) {
            trade(miner, 1 ether);
            list[i] = passEpoch();
        }
        vm.prank(other);
        rewards.claim(miner, slice(list, 1));
        vm.assertEq(rewards.claim(miner, list), 2 * (fee(1 ether) / 2), "the rest");
    }

    function test_AMinerThatRefusesCoinsKeepsItsClaim() public {
        address refusing = address(new RevertingClient(market));
        trade(refusing, 1 ether);
        uint64 over = passEpoch();
        vm.expectRevert(abi.encodeWithSelector(IRewards.TransferFailed.selector, refusing));
        rewards.claim(refusing, one(over));
        (, uint128 claimable) = rewards.work(refusing, over);
        vm.assertEq(claimable, fee(1 ether) / 2, "still there");
        vm.etch(refusing, "");
        vm.assertEq(collect(refusing, over), claimable, "an upgrade of its code helps");
    }

    function test_FeesAreDivided() public {
        trade(miner, 40 ether);
        uint256 before = treasury.owed();
        market.collectFees();
        vm.assertEq(address(stakers).balance, fee(40 ether) * 3 / 10, "stakers");
        vm.assertEq(treasury.owed() - before, fee(40 ether) - fee(40 ether) * 3 / 10, "treasury");
        rewards.divide{value: 0}();
        assertHoldsWhatItOwes(0);
    }

    function test_BrokenStakingCostsStakersOnly() public {
        for (uint256 i = 1; i < 3; ++i) {
            stakers.set(Stakers.Mood(i));
            uint256 before = treasury.owed();
            vm.assertEq(tick(10), 1 ether, "issued");
            vm.assertEq(treasury.owed() - before, 1 ether, "to the treasury");
            rewards.divide{value: 1 ether}();
            vm.assertEq(treasury.owed() - before, 2 ether, "fees too");
        }
        vm.etch(address(stakers), "");
        tick(10);
        vm.assertEq(address(stakers).balance, 0, "an account without code gets nothing");
    }

    function test_WithTheTreasuryBrokenTooCoinsWait() public {
        stakers.set(Stakers.Mood.BURNS);
        bytes memory code = address(treasury).code;
        vm.etch(address(treasury), hex"fe");
        trade(miner, 1 ether);
        uint64 over = passEpoch();
        (uint128 pool,,) = rewards.epochInfo(over);
        vm.assertEq(rewards.owed(), pool, "miners' part");
        vm.assertEq(address(rewards).balance, pool + 360 ether, "and the stakers' beside it");
        vm.etch(address(treasury), code);
        rewards.sweep();
        assertHoldsWhatItOwes(pool);
    }

    /// @dev Whoever calls with little gas cannot choose that stakers get nothing.
    function test_GasDecidesNothing() public {
        vm.deal(address(this), 10 ether);
        uint256 refused;
        for (uint256 gas_ = 40_000; gas_ < 240_000; gas_ += 4_000) {
            (bool ok,) = address(rewards).call{value: 0.1 ether, gas: gas_}(abi.encodeCall(Rewards.divide, ()));
            if (!ok) ++refused;
        }
        vm.assertTrue(refused > 3 && refused < 50, "both happened");
        vm.assertEq(address(stakers).balance, (50 - refused) * 0.03 ether, "every division gave stakers their part");
        stakers.set(Stakers.Mood.REFUSES);
        vm.expectRevert(Bounded.InsufficientGas.selector);
        rewards.divide{value: 0.1 ether, gas: 600_000}();
    }

    function test_LessOrMoreThanAskedIsLivedWith() public {
        trade(miner, 1 ether);
        for (uint256 i; i < 59; ++i) {
            tick(60);
        }
        vm.warp(time() + 60);
        uint128 asked = rewards.issuance();
        vm.assertEq(asked, 6 ether + fee(1 ether) / 2, "asked");
        vm.deal(SYSTEM, 6 ether + 100);
        vm.prank(SYSTEM);
        rewards.endBlock{value: 6 ether + 100}();
        vm.assertEq(rewards.owed(), 100, "the rest is the miners'");
        vm.warp(time() + 10);
        vm.deal(SYSTEM, 2 ether);
        vm.prank(SYSTEM);
        rewards.endBlock{value: 2 ether}();
        vm.assertEq(address(rewards).balance, 1 ether + 100, "more is surplus");
        vm.warp(time() + 10);
        vm.prank(SYSTEM);
        rewards.endBlock();
        vm.assertEq(address(rewards).balance, 1 ether + 100, "and nothing is nothing");
    }

    function test_ParametersActFromTheNextEpochOn() public {
        RewardsParams memory p = rewardsParams();
        (p.stakersPerSecond, p.minerFeeBps, p.stakerFeeBps, p.epoch) = (5e16, 1_000, 4_999, 2 hours);
        vm.prank(governor);
        rewards.setParams(p);
        vm.assertEq(rewards.params().minerFeeBps, 5_000, "not yet");
        vm.assertEq(rewards.nextParams().minerFeeBps, 1_000, "announced");
        vm.assertEq(tick(10), 1 ether, "the old rate");
        trade(miner, 1 ether);
        uint64 over = passEpoch();
        (uint128 pool,,) = rewards.epochInfo(over);
        vm.assertEq(pool, fee(1 ether) / 2, "the old share");
        vm.assertEq(tick(10), 0.5 ether, "the new rate");
        vm.assertEq(rewards.params().epoch, 2 hours, "the new epoch");
        (,, uint64 endsAt) = rewards.epochInfo(over + 1);
        vm.assertEq(endsAt, time() - 10 + 2 hours, "its end");
    }

    function test_ParametersHaveBounds() public {
        string[6] memory names = ["perSecond", "perSecond", "epoch", "epoch", "minerFeeBps", "stakerFeeBps"];
        for (uint256 i; i < names.length; ++i) {
            RewardsParams memory p = rewardsParams();
            if (i == 0) (p.stakersPerSecond, p.minersPerSecond) = (1 << 68, 1);
            if (i == 1) (p.stakersPerSecond, p.minersPerSecond) = (type(uint128).max, type(uint128).max);
            if (i == 2) p.epoch = 59;
            if (i == 3) p.epoch = 30 days + 1;
            if (i == 4) p.minerFeeBps = 5_001;
            if (i == 5) p.stakerFeeBps = 5_000;
            vm.prank(governor);
            vm.expectRevert(abi.encodeWithSelector(IRewards.BadParameter.selector, names[i]));
            rewards.setParams(p);
        }
    }

    function test_EveryoneHasHisPart() public {
        bytes memory denied = abi.encodeWithSelector(Governed.Unauthorized.selector, address(this));
        vm.expectRevert(denied);
        rewards.setParams(rewardsParams());
        vm.expectRevert(denied);
        rewards.endBlock();
        vm.expectRevert(denied);
        rewards.worked(new address[](1), new uint128[](1));
        vm.prank(address(market));
        vm.expectRevert(IRewards.BadLength.selector);
        rewards.worked(new address[](1), new uint128[](2));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        rewards.initialize(address(this), address(1), address(1), address(1), rewardsParams());
        Rewards code = Rewards(payable(Code.make("Rewards.sol:Rewards")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(address(this), address(1), address(1), address(1), rewardsParams());
        vm.assertEq(rewards.market(), address(market), "market");
        vm.assertEq(rewards.staking(), address(stakers), "staking");
        vm.assertEq(rewards.treasury(), address(treasury), "treasury");
    }

    function test_ForcedCoinsAreSwept() public {
        vm.deal(address(this), 2 ether);
        new Forcer{value: 2 ether}(payable(address(rewards)));
        (bool ok,) = address(rewards).call{value: 0}("");
        vm.assertTrue(!ok, "takes no coins without a call");
        rewards.sweep();
        vm.assertEq(treasury.owed(), 2 ether, "swept");
        rewards.sweep();
    }

    function change(RewardsParams memory p) private {
        vm.prank(governor);
        rewards.setParams(p);
        passEpoch();
    }

    function collect(address who, uint64 epoch) private returns (uint128 amount) {
        (, uint128 claimable) = rewards.work(who, epoch);
        amount = rewards.claim(who, one(epoch));
        vm.assertEq(amount, claimable, "what was announced");
    }

    function nothing(address who, uint64 epoch) private {
        vm.expectRevert(IRewards.NothingToClaim.selector);
        rewards.claim(who, one(epoch));
    }

    function one(uint64 epoch) private pure returns (uint64[] memory list) {
        list = new uint64[](1);
        list[0] = epoch;
    }

    function slice(uint64[] memory list, uint256 i) private pure returns (uint64[] memory) {
        return one(list[i]);
    }

    function assertHoldsWhatItOwes(uint256 owed) private view {
        vm.assertEq(rewards.owed(), owed, "owed");
        vm.assertEq(address(rewards).balance, owed, "held");
    }
}
