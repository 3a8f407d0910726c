// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bounded} from "../src/lib/Bounded.sol";
import {MarketParams, Receipt, SingleOrder} from "../src/Types.sol";
import {Issuing} from "./support/Issuing.sol";

/// @notice Rewards that are broken in a way of their own.
contract BrokenRewards {
    bool private immutable burns;

    constructor(bool burns_) {
        burns = burns_;
    }

    fallback() external payable {
        while (burns) {}
        assembly {
            revert(0, 100000)
        }
    }
}

/// @notice Which fees the Market says that a miner's jobs paid, and that it settles whatever becomes of the report.
contract WorkTest is Issuing {
    address private other = address(0x07e4);

    function setUp() public override {
        super.setUp();
        vm.deal(other, 1);
    }

    function test_AMinersFeesAreThoseOfWhatItWasPaid() public {
        vouch(10 ether);
        settleCredits(bytes.concat(credit(miner, 3.9 ether), credit(other, 1.95 ether)));
        vm.assertEq(work(miner), 0.1 ether, "four tenths");
        vm.assertEq(work(other), 0.05 ether, "two tenths");
        settleCredits(credit(other, 5.85 ether));
        vm.assertEq(work(other), 0.15 ether, "with the rest of the account the rest of the fees");
        vm.assertEq(all(), 0.25 ether, "all fees, none twice");
    }

    /// @dev The fees are those that the debits paid, whatever the parameter says by the time of the credit.
    function test_ALaterFeeChangesNothing() public {
        uint64 old = open(10 ether);
        MarketParams memory p = marketParams();
        p.feeBps = 2_000;
        vm.prank(governor);
        market.setParams(p);
        settleVouchers(voucher(old, 1, 10 ether));
        settleCredits(credit(miner, 9.75 ether));
        vm.assertEq(work(miner), 0.25 ether, "the old fee");
        vouch(10 ether);
        settleCredits(credit(miner, 9.75 ether + 4 ether));
        vm.assertEq(work(miner), 0.25 ether + 1 ether, "the new fee");
    }

    function test_WhatACoordinatorTakesOutTakesItsFeesAlong() public {
        vouch(10 ether);
        vm.prank(coordinator);
        market.withdrawSettlement(7.8 ether);
        settleCredits(credit(miner, 1.95 ether));
        vm.assertEq(work(miner), 0.05 ether, "a fifth");
    }

    function test_TheBondsCoinsPaidNoFee() public {
        vm.prank(coordinator);
        market.setMinerLimit(miner, 100 ether);
        vouch(10 ether);
        settleCredits(credit(miner, 19.75 ether));
        vm.assertEq(market.credited(coordinator, miner), 19.75 ether, "paid, ten of it by the bond");
        vm.assertEq(work(miner), 0.25 ether, "the account's fees");
        settleCredits(credit(miner, 30 ether));
        vm.assertEq(work(miner), 0.25 ether, "and no more");
    }

    function test_AClaimIsWorkToo() public {
        uint64 id = open(1 ether);
        Receipt memory a = answer(order(id, 1, 1 ether), 1 ether);
        (bytes32 r, bytes32 vs) = countersign(COORDINATOR_SIGNER_KEY, a, 0.975 ether);
        vm.prank(coordinator);
        market.setMinerLimit(miner, 1 ether);
        settleVouchers(voucher(id, 1, 0.4 ether));
        vm.warp(time() + 601);
        market.claimReceipt(a, 0.975 ether, r, vs);
        vm.assertEq(market.credited(coordinator, miner), 0.975 ether, "paid, most of it by the bond");
        vm.assertEq(work(miner), 0.01 ether, "what the account carried");
    }

    function test_AnAgreedCloseCarriesItsFeeToo() public {
        uint64 id = open(10 ether);
        bytes memory signature = closing(COORDINATOR_SIGNER_KEY, id, 4 ether);
        vm.prank(client);
        market.closeByAgreement(id, 4 ether, signature);
        settleCredits(credit(miner, 3.9 ether));
        vm.assertEq(work(miner), 0.1 ether, "fee");
    }

    function test_SkippedCreditsAreNoWork() public {
        vouch(10 ether);
        settleCredits(bytes.concat(credit(address(0), 5 ether), credit(miner, 3.9 ether), credit(miner, 3.9 ether)));
        vm.assertEq(work(miner), 0.1 ether, "once");
        vm.assertEq(work(address(0)), 0, "nobody");
        vm.assertEq(all(), 0.1 ether, "in all");
    }

    function test_BrokenRewardsBlockNothing() public {
        for (uint256 i; i < 3; ++i) {
            vm.etch(address(rewards), i == 2 ? bytes("") : address(new BrokenRewards(i == 1)).code);
            uint256 before = market.credited(coordinator, miner);
            vouch(10 ether);
            settleCredits(bytes.concat(credit(miner, uint128(before) + 1 ether), credit(other, uint128(before) + 1)));
            vm.assertEq(market.credited(coordinator, miner), before + 1 ether, "settled");
            uint256 fees = market.fees();
            uint256 had = treasury.owed();
            market.collectFees();
            vm.assertEq(treasury.owed() - had, fees, "all to the treasury");
            vm.assertEq(market.fees(), 0, "collected");
            vm.assertEq(address(market).balance, market.owed(), "accounts");
        }
    }

    /// @dev A settlement either reports its work or fails: gas that suffices for one but not the other does not exist.
    function test_GasDecidesNothing() public {
        vouch(100 ether);
        uint256 settled;
        for (uint256 gas_ = 90_000; gas_ < 330_000; gas_ += 5_000) {
            bytes memory call_ = abi.encodeCall(
                market.settle, (coordinator, "", new SingleOrder[](0), credit(miner, uint128(gas_) * 1e12), 0, 0)
            );
            vm.prank(coordinator);
            (bool ok,) = address(market).call{gas: gas_}(call_);
            if (!ok) continue;
            ++settled;
            uint256 expected = uint256(market.credited(coordinator, miner)) * 250 / 9_750;
            vm.assertLe(work(miner), expected, "not too much");
            vm.assertGe(work(miner) + settled, expected, "reported, each rounded down");
        }
        vm.assertTrue(settled > 3 && settled < 48, "both happened");
        vm.etch(address(rewards), address(new BrokenRewards(true)).code);
        vm.prank(coordinator);
        vm.expectRevert(Bounded.InsufficientGas.selector);
        market.settle{gas: 120_000}(coordinator, "", new SingleOrder[](0), credit(miner, 50 ether), 0, 0);
    }

    /// @dev As above: nobody makes the Treasury the only one that fees go to.
    function test_GasDecidesNothingAboutFees() public {
        uint256 collected;
        uint256 refused;
        for (uint256 gas_ = 50_000; gas_ < 300_000; gas_ += 10_000) {
            vouch(1 ether);
            uint256 fees = market.fees();
            (bool ok,) = address(market).call{gas: gas_}(abi.encodeCall(market.collectFees, ()));
            if (ok) collected += fees;
            else ++refused;
        }
        vm.assertTrue(collected != 0 && refused > 3, "both happened");
        vm.assertEq(address(stakers).balance, collected * 3 / 10, "stakers had their part of all");
    }

    function vouch(uint128 amount) private {
        settleVouchers(voucher(open(amount), 1, amount));
    }

    function work(address who) private view returns (uint256 fees) {
        (fees,) = rewards.work(who, rewards.epoch());
    }

    function all() private view returns (uint256 fees) {
        (, fees,) = rewards.epochInfo(rewards.epoch());
    }
}
