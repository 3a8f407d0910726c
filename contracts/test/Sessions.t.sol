// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {Governed} from "../src/lib/Governed.sol";
import {MarketParams, Session} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice The life of a session.
contract SessionsTest is Fixture {
    function test_OpenLocksTheDeposit() public {
        uint256 before = client.balance;
        uint64 id = open(5 ether);
        Session memory x = market.session(id);
        vm.assertEq(id, 1, "ids begin at 1");
        vm.assertEq(x.client, client, "client");
        vm.assertEq(x.coordinator, coordinator, "coordinator");
        vm.assertEq(x.spender, spender, "spender");
        vm.assertEq(x.deposit, 5 ether, "deposit");
        vm.assertEq(x.dueAt, time() + 1 days, "dueAt");
        vm.assertEq(x.feeBps, 250, "feeBps");
        vm.assertEq(x.state, 1, "open");
        vm.assertEq(client.balance, before - 5 ether, "client paid");
        vm.assertEq(market.owed(), 5 ether, "owed");
        vm.assertEq(address(market).balance, 5 ether, "balance");
    }

    function test_OpenRefusesWhatCannotWork() public {
        uint64 expiry = uint64(time()) + 1 days;
        vm.startPrank(client);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        market.openSession{value: 1e15 - 1}(coordinator, spender, expiry);
        vm.expectRevert(Governed.ZeroAddress.selector);
        market.openSession{value: 1 ether}(coordinator, address(0), expiry);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadExpiry.selector, uint64(time())));
        market.openSession{value: 1 ether}(coordinator, spender, uint64(time()));
        uint64 late = uint64(time()) + 30 days + 1;
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadExpiry.selector, late));
        market.openSession{value: 1 ether}(coordinator, spender, late);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.CoordinatorInactive.selector, miner));
        market.openSession{value: 1 ether}(miner, spender, expiry);
        vm.stopPrank();
        vm.assertEq(market.owed(), 0, "nothing was taken");
    }

    function test_TopUpByAnyoneWhileOpen() public {
        uint64 id = open(1 ether);
        vm.deal(address(7), 2 ether);
        vm.prank(address(7));
        market.topUp{value: 2 ether}(id);
        vm.assertEq(market.session(id).deposit, 3 ether, "deposit");
        vm.assertEq(market.owed(), 3 ether, "owed");

        vm.prank(client);
        market.requestClose(id);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.SessionNotOpen.selector, id));
        market.topUp{value: 1}(id);
    }

    function test_ADepositIsBelow2To96() public {
        uint256 most = type(uint96).max;
        vm.deal(client, 2 * most);
        vm.startPrank(client);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        market.openSession{value: most + 1}(coordinator, spender, uint64(time()) + 1 days);
        uint64 id = market.openSession{value: most - 1}(coordinator, spender, uint64(time()) + 1 days);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        market.topUp{value: 2}(id);
        market.topUp{value: 1}(id);
        vm.stopPrank();
        settleVouchers(voucher(id, type(uint64).max, type(uint128).max));
        vm.assertEq(market.session(id).debited, most, "debited");
        vm.assertEq(market.session(id).deposit, most, "deposit");
        vm.assertEq(market.session(id).through, type(uint64).max, "through");
    }

    function test_TopUpRefusedAtExpiryAndAfter() public {
        uint64 id = open(1 ether);
        vm.warp(time() + 1 days);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.SessionNotOpen.selector, id));
        market.topUp{value: 1}(id);
        endBlock();
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.SessionNotOpen.selector, id));
        market.topUp{value: 1}(id);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.UnknownSession.selector, id + 1));
        market.topUp{value: 1}(id + 1);
    }

    function test_ExpiryPaysBackWithoutAnybodysTransaction() public {
        uint256 before = client.balance;
        uint64 id = open(5 ether);
        settleVouchers(voucher(id, 3, 2 ether));
        vm.warp(time() + 1 days - 1);
        endBlock();
        vm.assertEq(market.session(id).state, 1, "not before its time");
        vm.warp(time() + 1);
        endBlock();
        vm.assertEq(market.session(id).state, 3, "closed");
        vm.assertEq(client.balance, before - 2 ether, "client has the rest");
        vm.assertEq(market.owed(), 2 ether, "the debit is still owed to others");
    }

    function test_CloseAloneWaitsForTheWindow() public {
        uint256 before = client.balance;
        uint64 id = open(5 ether);
        vm.prank(client);
        market.requestClose(id);
        Session memory x = market.session(id);
        vm.assertEq(x.state, 2, "closing");
        vm.assertEq(x.dueAt, time() + 1 hours, "window");
        vm.warp(time() + 1 hours - 1);
        settleVouchers(voucher(id, 1, 1 ether));
        endBlock();
        vm.assertEq(client.balance, before - 5 ether, "not yet");
        vm.warp(time() + 1);
        endBlock();
        vm.assertEq(client.balance, before - 1 ether, "paid back");
        // The entry at the old expiry is used up without harm.
        vm.warp(START + 1 days);
        endBlock();
        vm.assertEq(client.balance, before - 1 ether, "once");
        (,, uint64 outstanding) = market.dueQueue();
        vm.assertEq(outstanding, 0, "queue is empty");
    }

    function test_CloseAloneNearExpiryEndsAtExpiry() public {
        uint64 id = open(client, 1 ether, uint64(time()) + 10 minutes);
        vm.prank(client);
        market.requestClose(id);
        vm.assertEq(market.session(id).dueAt, START + 10 minutes, "dueAt stays");
        vm.warp(START + 10 minutes);
        endBlock();
        vm.assertEq(market.session(id).state, 3, "closed");
    }

    function test_OnlyTheClientClosesAndOnce() public {
        uint64 id = open(1 ether);
        vm.prank(coordinator);
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, coordinator));
        market.requestClose(id);
        vm.startPrank(client);
        market.requestClose(id);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.SessionNotOpen.selector, id));
        market.requestClose(id);
        vm.stopPrank();
    }

    function test_CloseByAgreementPaysBothAtOnce() public {
        uint256 before = client.balance;
        uint64 id = open(5 ether);
        settleVouchers(voucher(id, 1, 1 ether));
        bytes memory signature = closing(COORDINATOR_SIGNER_KEY, id, 2 ether);
        vm.prank(client);
        market.closeByAgreement(id, 2 ether, signature);
        vm.assertEq(market.session(id).state, 3, "closed");
        vm.assertEq(client.balance, before - 2 ether, "client");
        vm.assertEq(market.settlement(coordinator), 2 ether - fee(2 ether), "coordinator");
        vm.assertEq(market.fees(), fee(2 ether), "fees");
        vm.assertEq(market.owed(), 2 ether, "owed");
    }

    function test_CloseByAgreementTakes65Bytes() public {
        uint64 id = open(1 ether);
        bytes32 what =
            digest(keccak256(abi.encode(keccak256("Close(uint64 session,uint128 cumulative)"), id, uint128(0))));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(COORDINATOR_SIGNER_KEY, what);
        vm.prank(client);
        market.closeByAgreement(id, 0, abi.encodePacked(r, s, v));
        vm.assertEq(market.session(id).state, 3, "closed");
    }

    /// @dev Whoever has (r, s, v) can make (r, n - s, 55 - v), which recovers to the same signer: it is no signature here.
    function test_B6_TheTwinOfASignatureIsNone() public {
        uint64 id = open(1 ether);
        bytes32 what =
            digest(keccak256(abi.encode(keccak256("Close(uint64 session,uint128 cumulative)"), id, uint128(0))));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(COORDINATOR_SIGNER_KEY, what);
        uint256 n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes32 twin = bytes32(n - uint256(s));
        vm.assertEq(ecrecover(what, 55 - v, r, twin), ecrecover(what, v, r, s), "the twin is as good to the precompile");
        vm.prank(client);
        vm.expectRevert(IMarketEvents.BadSignature.selector);
        market.closeByAgreement(id, 0, abi.encodePacked(r, twin, 55 - v));
        vm.prank(client);
        market.closeByAgreement(id, 0, abi.encodePacked(r, s, v));
        vm.assertEq(market.session(id).state, 3, "closed, by the one that there is");
    }

    function test_CloseByAgreementNeedsTheCoordinatorsKey() public {
        uint64 id = open(5 ether);
        bytes[5] memory bad = [
            closing(SPENDER_KEY, id, 0),
            closing(COORDINATOR_KEY, id, 0), // the account's key is not its signing key
            closing(COORDINATOR_SIGNER_KEY, id, 1),
            closing(COORDINATOR_SIGNER_KEY, id + 1, 0),
            bytes("")
        ];
        for (uint256 i; i < bad.length; ++i) {
            vm.prank(client);
            vm.expectRevert(IMarketEvents.BadSignature.selector);
            market.closeByAgreement(id, 0, bad[i]);
        }
        bytes memory good = closing(COORDINATOR_SIGNER_KEY, id, 0);
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(7)));
        market.closeByAgreement(id, 0, good);
    }

    function test_CloseByAgreementNeverTakesMoreThanTheDeposit() public {
        uint64 id = open(1 ether);
        uint256 before = client.balance;
        bytes memory signature = closing(COORDINATOR_SIGNER_KEY, id, type(uint128).max);
        vm.prank(client);
        market.closeByAgreement(id, type(uint128).max, signature);
        vm.assertEq(client.balance, before, "all of the deposit, no more");
        vm.assertEq(market.settlement(coordinator) + market.fees(), 1 ether, "earned");
    }

    function test_RefundByAnyoneOnceDue() public {
        uint256 before = client.balance;
        uint64 id = open(1 ether);
        uint64 due = market.session(id).dueAt;
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, due));
        market.refund(id);
        vm.warp(due);
        vm.prank(address(7));
        market.refund(id);
        vm.assertEq(client.balance, before, "all back");
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.SessionNotOpen.selector, id));
        market.refund(id);
        endBlock();
        vm.assertEq(client.balance, before, "and not twice");
    }

    function test_NothingIsSettledFromTheDueSecondOn() public {
        uint64 id = open(1 ether);
        bytes memory v = voucher(id, 1, 1 ether);
        vm.warp(market.session(id).dueAt);
        vm.recordLogs();
        settleVouchers(v);
        (,, uint8 reason) = skipped();
        vm.assertEq(reason, 3, "over");
        vm.assertEq(market.session(id).debited, 0, "nothing debited");
    }

    function test_FeesGoToStakersAndTheTreasury() public {
        uint64 id = open(1 ether);
        settleVouchers(voucher(id, 1, 1 ether));
        market.collectFees();
        uint256 part = uint256(fee(1 ether)) * 3 / 10;
        vm.assertEq(address(stakers).balance, part, "stakers");
        vm.assertEq(address(treasury).balance, fee(1 ether) - part, "treasury");
        vm.assertEq(treasury.owed(), fee(1 ether) - part, "accounted for");
        vm.assertEq(market.fees(), 0, "collected");
        market.collectFees();
        vm.assertEq(address(treasury).balance, fee(1 ether) - part, "once");
    }

    function test_CoordinatorWithdrawsWhatItEarned() public {
        uint64 id = open(1 ether);
        settleVouchers(voucher(id, 1, 1 ether));
        uint128 earned = market.settlement(coordinator);
        uint256 before = coordinator.balance;
        vm.startPrank(coordinator);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        market.withdrawSettlement(earned + 1);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        market.withdrawSettlement(0);
        market.withdrawSettlement(earned);
        vm.stopPrank();
        vm.assertEq(coordinator.balance, before + earned, "paid");
        vm.assertEq(market.owed(), market.fees(), "the rest is fees");
    }

    /// @dev The whole life, any amounts: every unit ends with client, coordinator or treasury.
    function testFuzz_EveryUnitIsSomebodys(uint128 deposit, uint128 first, uint128 second, uint16 bps) public {
        deposit = uint128(bound(deposit, 1e15, 1e26));
        vm.deal(client, deposit);
        setFee(uint16(bound(bps, 0, 2000)));
        uint64 id = open(deposit);
        settleVouchers(voucher(id, 1, first));
        settleVouchers(voucher(id, 2, second));
        uint128 total = first > second ? first : second;
        if (total > deposit) total = deposit;
        vm.warp(time() + 1 days);
        endBlock();
        vm.assertEq(client.balance, deposit - total, "client");
        uint256 expected = uint256(total) * market.session(id).feeBps / 10_000;
        vm.assertEq(market.fees(), expected, "fees are F(total) however it was cut");
        vm.assertEq(market.settlement(coordinator), total - expected, "coordinator");
        vm.assertEq(market.owed(), total, "owed");
        vm.assertEq(address(market).balance, total, "balance");
    }

    function setFee(uint16 bps) private {
        MarketParams memory p = marketParams();
        p.feeBps = bps;
        vm.prank(governor);
        market.setParams(p);
    }
}
