// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {IRegistry} from "../src/interfaces/IRegistry.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Limit, Receipt} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice A miner's claims, and the limits that stand behind them.
contract ClaimsTest is Fixture {
    uint64 private id;
    Receipt private proof;
    bytes32 private r;
    bytes32 private vs;

    function setUp() public override {
        super.setUp();
        id = open(10 ether);
        proof = answer(order(id, 1, 1 ether), 1 ether);
        (r, vs) = countersign(COORDINATOR_SIGNER_KEY, proof, 4 ether);
    }

    function test_ClaimFromTheSettlementAccount() public {
        settleVouchers(voucher(id, 1, 10 ether));
        uint256 before = miner.balance;
        vm.warp(time() + 601);
        market.claimReceipt(proof, 4 ether, r, vs);
        vm.assertEq(miner.balance, before + 4 ether, "paid");
        vm.assertEq(market.credited(coordinator, miner), 4 ether, "credited");
        vm.assertEq(registry.participant(2, coordinator).jailedUntil, 0, "a debt that is covered is no fault");
        vm.expectRevert(IMarketEvents.NothingOwed.selector);
        market.claimReceipt(proof, 4 ether, r, vs);
        settleCredits(credit(miner, 4 ether));
        vm.assertEq(miner.balance, before + 4 ether, "once, either way");
    }

    function test_ClaimWaitsForTheDelay() public {
        vm.warp(START + 600);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.ClaimTooEarly.selector, uint64(START + 601)));
        market.claimReceipt(proof, 4 ether, r, vs);
    }

    function test_ClaimFromTheBondJails() public {
        limit(3 ether);
        uint256 before = miner.balance;
        vm.warp(START + 601);
        vm.prank(address(7));
        market.claimReceipt(proof, 4 ether, r, vs);
        vm.assertEq(miner.balance, before + 3 ether, "within the limit");
        vm.assertEq(market.credited(coordinator, miner), 3 ether, "the rest stays owed");
        vm.assertEq(registry.participant(2, coordinator).jailedUntil, time() + 24 hours, "jailed");
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.CoordinatorInactive.selector, coordinator));
        market.openSession{value: 1 ether}(coordinator, spender, uint64(time()) + 1 days);

        // Vouchers still settle, and the rest is claimed with the same signature.
        settleVouchers(voucher(id, 1, 10 ether));
        market.claimReceipt(proof, 4 ether, r, vs);
        vm.assertEq(miner.balance, before + 4 ether, "all of it");
    }

    function test_ClaimTakesTheAccountBeforeTheBond() public {
        limit(3 ether);
        settleVouchers(voucher(id, 1, 2 ether));
        uint128 account = market.settlement(coordinator);
        vm.warp(START + 601);
        market.claimReceipt(proof, 4 ether, r, vs);
        vm.assertEq(market.credited(coordinator, miner), 4 ether, "all");
        vm.assertEq(market.settlement(coordinator), 0, "account first");
        vm.assertEq(registry.participant(2, coordinator).stake, 10_000 ether - (4 ether - account), "then the bond");
        vm.assertEq(market.minerLimit(coordinator, miner).amount, 3 ether - (4 ether - account), "the limit shrank");
    }

    function test_ClaimNeedsTheCoordinatorsSignatureOnThisTotal() public {
        vm.warp(START + 601);
        vm.expectRevert(IMarketEvents.BadSignature.selector);
        market.claimReceipt(proof, 5 ether, r, vs);
        Receipt memory other = proof;
        other.miner = client;
        vm.expectRevert(IMarketEvents.BadSignature.selector);
        market.claimReceipt(other, 4 ether, r, vs);
        (bytes32 r2, bytes32 vs2) = countersign(MINER_SIGNER_KEY, proof, 4 ether);
        vm.expectRevert(IMarketEvents.BadSignature.selector);
        market.claimReceipt(proof, 4 ether, r2, vs2);
        other = proof;
        other.version = 2;
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadVersion.selector, 2));
        market.claimReceipt(other, 4 ether, r, vs);
    }

    function test_RaisingALimitActsAtOnceLoweringWaits() public {
        limit(3 ether);
        vm.assertEq(registry.participant(2, coordinator).reserved, 3 ether, "reserved");
        limit(1 ether);
        Limit memory l = market.minerLimit(coordinator, miner);
        vm.assertEq(l.amount, 3 ether, "still");
        vm.assertEq(l.nextAmount, 1 ether, "next");
        vm.assertEq(l.nextAt, START + market.holdDelay(), "when");
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, l.nextAt));
        market.applyLimit(coordinator, miner);
        vm.warp(l.nextAt);
        market.applyLimit(coordinator, miner);
        vm.assertEq(market.minerLimit(coordinator, miner).amount, 1 ether, "lowered");
        vm.assertEq(registry.participant(2, coordinator).reserved, 1 ether, "released");
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, uint64(0)));
        market.applyLimit(coordinator, miner);
    }

    function test_RaisingCancelsALowering() public {
        limit(3 ether);
        limit(1 ether);
        limit(3 ether);
        vm.warp(START + 10 days);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, uint64(0)));
        market.applyLimit(coordinator, miner);
        vm.assertEq(market.minerLimit(coordinator, miner).amount, 3 ether, "as raised");
    }

    function test_ALoweringNeverRaisesWhatDrawsHaveTaken() public {
        limit(3 ether);
        limit(2 ether);
        settleCredits(credit(miner, 2.5 ether));
        vm.assertEq(market.minerLimit(coordinator, miner).amount, 0.5 ether, "drawn");
        vm.warp(START + market.holdDelay());
        market.applyLimit(coordinator, miner);
        vm.assertEq(market.minerLimit(coordinator, miner).amount, 0.5 ether, "not 2");
        vm.assertEq(market.reserved(coordinator), 0.5 ether, "reserved with it");
    }

    function test_LimitsNeverExceedTheBond() public {
        limit(9_999 ether);
        vm.prank(coordinator);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StakeReserved.selector, uint128(10_000 ether), uint128(10_001 ether))
        );
        market.setMinerLimit(address(9), 2 ether);
        vm.prank(address(9));
        vm.expectRevert(IRegistry.NotRegistered.selector);
        market.setMinerLimit(miner, 1);
        vm.prank(coordinator);
        vm.expectRevert(Governed.ZeroAddress.selector);
        market.setMinerLimit(address(0), 1);
    }

    function limit(uint128 amount) private {
        vm.prank(coordinator);
        market.setMinerLimit(miner, amount);
    }
}
