// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Reason} from "../src/lib/Reason.sol";
import {Order, Receipt, SingleOrder} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Batches: vouchers, single orders, credits and the root.
contract SettlementTest is Fixture {
    function test_VoucherDebitsTheDifference() public {
        uint64 id = open(10 ether);
        settleVouchers(voucher(id, 5, 2 ether));
        vm.assertEq(market.session(id).debited, 2 ether, "first");
        vm.assertEq(market.session(id).through, 5, "through");
        settleVouchers(voucher(id, 9, 3 ether));
        vm.assertEq(market.session(id).debited, 3 ether, "second");
        vm.assertEq(market.session(id).through, 9, "through rises");
        vm.assertEq(market.settlement(coordinator), 3 ether - fee(3 ether), "settlement account");
        vm.assertEq(market.fees(), fee(3 ether), "fees");
        vm.assertEq(market.owed(), 10 ether, "a debit changes whose it is, not the sum");
    }

    function test_ThroughNeverGoesBack() public {
        uint64 id = open(10 ether);
        settleVouchers(voucher(id, 9, 1 ether));
        settleVouchers(voucher(id, 4, 2 ether));
        vm.assertEq(market.session(id).through, 9, "through");
        vm.assertEq(market.session(id).debited, 2 ether, "the amount counts all the same");
    }

    function test_VoucherIsCappedByTheDepositAndGoesOnAfterATopUp() public {
        uint64 id = open(1 ether);
        bytes memory v = voucher(id, 1, 5 ether);
        settleVouchers(v);
        vm.assertEq(market.session(id).debited, 1 ether, "capped");
        vm.prank(client);
        market.topUp{value: 2 ether}(id);
        settleVouchers(v);
        vm.assertEq(market.session(id).debited, 3 ether, "the same voucher again");
    }

    function test_BadVouchersAreSkippedAndBlockNobody() public {
        uint64 mine = open(1 ether);
        uint64 over = open(client, 1 ether, uint64(time()) + 1);
        uint64 good = open(1 ether);
        enrol(COORDINATOR, address(0xc2), address(0xc3), 10_000 ether);
        vm.prank(client);
        uint64 others = market.openSession{value: 1 ether}(address(0xc2), spender, uint64(time()) + 1 days);
        settleVouchers(voucher(mine, 3, 0.5 ether));
        vm.warp(time() + 1);

        assertSkipped(voucher(999, 1, 1), Reason.UNKNOWN_SESSION, good, 1);
        assertSkipped(voucher(others, 1, 1), Reason.WRONG_COORDINATOR, good, 2);
        assertSkipped(voucher(over, 1, 1), Reason.SESSION_OVER, good, 3);
        assertSkipped(voucher(CLIENT_KEY, mine, 4, 1 ether), Reason.BAD_SPENDER_SIGNATURE, good, 4);
        assertSkipped(voucher(mine, 3, 0.5 ether), Reason.STALE, good, 5);
        assertSkipped(voucher(mine, 2, 0.4 ether), Reason.STALE, good, 6);
        bytes memory garbage = voucher(mine, 4, 1 ether);
        for (uint256 i = 32; i < 96; ++i) {
            garbage[i] = 0xff;
        }
        assertSkipped(garbage, Reason.BAD_SPENDER_SIGNATURE, good, 7);
        vm.assertEq(market.session(mine).debited, 0.5 ether, "nothing was taken by any of them");
        vm.assertEq(market.session(others).debited, 0, "nor here");
    }

    /// @dev Settles the bad voucher before a good one, and checks that only the first is skipped.
    function assertSkipped(bytes memory bad, uint8 reason, uint64 good, uint64 n) private {
        vm.recordLogs();
        settleVouchers(bytes.concat(bad, voucher(good, n, uint128(n))));
        (uint8 kind, uint32 index, uint8 got) = skipped();
        vm.assertEq(kind, 1, "kind");
        vm.assertEq(index, 0, "index");
        vm.assertEq(got, reason, "reason");
        vm.assertEq(market.session(good).debited, n, "the good one went through");
    }

    function test_OnlyTheCoordinatorOrItsKeySettles() public {
        uint64 id = open(1 ether);
        bytes memory v = voucher(id, 1, 1);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, miner));
        market.settle(coordinator, v, new SingleOrder[](0), "", 0, 0);
        vm.prank(coordinatorSigner);
        market.settle(coordinator, v, new SingleOrder[](0), "", 0, 0);
        vm.assertEq(market.session(id).debited, 1, "by its key");
    }

    function test_PartsOfEntriesAreNoBatch() public {
        vm.startPrank(coordinator);
        vm.expectRevert(IMarketEvents.BadLength.selector);
        market.settle(coordinator, new bytes(95), new SingleOrder[](0), "", 0, 0);
        vm.expectRevert(IMarketEvents.BadLength.selector);
        market.settle(coordinator, "", new SingleOrder[](0), new bytes(37), 0, 0);
        vm.stopPrank();
    }

    function test_RootsAreKeptByBatch() public {
        vm.startPrank(coordinator);
        market.settle(coordinator, "", new SingleOrder[](0), "", keccak256("one"), 1);
        market.settle(coordinator, "", new SingleOrder[](0), "", 0, 0);
        market.settle(coordinator, "", new SingleOrder[](0), "", keccak256("three"), 2);
        vm.stopPrank();
        vm.assertEq(market.batchCount(coordinator), 3, "count");
        vm.assertEq(market.batchRoot(coordinator, 1), keccak256("one"), "1");
        vm.assertEq(market.batchRoot(coordinator, 2), bytes32(0), "2");
        vm.assertEq(market.batchRoot(coordinator, 3), keccak256("three"), "3");
    }

    function test_SingleOrderIsDebitedOnce() public {
        uint64 id = open(1 ether);
        SingleOrder memory e = single(id, 7, 0.25 ether);
        settleOrder(e);
        vm.assertEq(market.session(id).debited, 0.25 ether, "debited");
        vm.assertTrue(market.orderSettled(id, 7), "marked");
        vm.assertTrue(!market.orderSettled(id, 6), "and no other");
        vm.assertEq(market.session(id).through, 0, "through is the voucher's");
        assertOrder(e, Reason.ORDER_SETTLED);
        // A second order of the same number is the same to the chain.
        SingleOrder memory other = single(id, 7, 0.3 ether);
        assertOrder(other, Reason.ORDER_SETTLED);
        vm.assertEq(market.session(id).debited, 0.25 ether, "once");
    }

    function test_OrderBelowTheVoucherIsCovered() public {
        uint64 id = open(1 ether);
        settleVouchers(voucher(id, 7, 0.5 ether));
        assertOrder(single(id, 7, 0.25 ether), Reason.ORDER_SETTLED);
        settleOrder(single(id, 8, 0.25 ether));
        vm.assertEq(market.session(id).debited, 0.75 ether, "above it counts");
        settleVouchers(voucher(id, 8, 0.75 ether));
        vm.assertEq(market.session(id).debited, 0.75 ether, "the voucher that covers both adds nothing");
    }

    function test_OrderTakesWhatIsLeft() public {
        uint64 id = open(1 ether);
        settleOrder(single(id, 1, 0.9 ether));
        settleOrder(single(id, 2, 0.9 ether));
        vm.assertEq(market.session(id).debited, 1 ether, "no more than the deposit");
        assertOrder(single(id, 3, 0.1 ether), Reason.DEPOSIT_SPENT);
        vm.assertTrue(!market.orderSettled(id, 3), "a skipped order can still be settled");
    }

    function test_OrderMustBeTheSpenders() public {
        uint64 id = open(1 ether);
        SingleOrder memory e = single(id, 1, 0.1 ether);
        (e.orderR, e.orderVS) = compact(CLIENT_KEY, verifier.jobId(e.order));
        assertOrder(e, Reason.BAD_SPENDER_SIGNATURE);
    }

    function test_ReceiptMustAnswerTheOrder() public {
        uint64 id = open(1 ether);
        for (uint256 field; field < 7; ++field) {
            Order memory o = order(id, 1, 0.1 ether);
            if (field == 6) o.class = keccak256("class");
            Receipt memory r = answer(o, 0.1 ether);
            if (field == 0) r.version = 2;
            if (field == 1) r.order = keccak256("another");
            if (field == 2) r.session = id + 1;
            if (field == 3) r.client = miner;
            if (field == 4) r.coordinator = miner;
            if (field == 5) r.model = keccak256("substitute");
            if (field == 6) r.class = keccak256("another class");
            assertOrder(sealOrder(o, r, 1), Reason.RECEIPT_MISMATCH);
        }
    }

    function test_OnlyCandidatesMayAnswer() public {
        uint64 id = open(1 ether);
        address[] memory three = new address[](3);
        (three[0], three[1], three[2]) = sorted(miner, address(0x1111), address(uint160(uint256(keccak256("m")))));
        Order memory o = order(id, 1, 0.1 ether);
        o.miners = keccak256(abi.encodePacked(three[0], three[1], three[2]));
        // abi.encodePacked pads the elements of arrays only, not addresses by themselves.
        SingleOrder memory e = sealOrder(o, answer(o, 0.1 ether), 1);
        assertOrder(e, Reason.NOT_CANDIDATE);
        e.candidates = new address[](1);
        e.candidates[0] = miner;
        assertOrder(e, Reason.NOT_CANDIDATE);
        e.candidates = new address[](3);
        (e.candidates[0], e.candidates[1], e.candidates[2]) = (three[1], three[0], three[2]);
        assertOrder(e, Reason.NOT_CANDIDATE);
        e.candidates = three;
        settleOrder(e);
        vm.assertEq(market.session(id).debited, 0.1 ether, "settled");
    }

    function test_AnOutsiderIsNoCandidate() public {
        uint64 id = open(1 ether);
        Order memory o = order(id, 1, 0.1 ether);
        o.miners = keccak256(abi.encodePacked(address(0x1111)));
        SingleOrder memory e = sealOrder(o, answer(o, 0.1 ether), 1);
        e.candidates = new address[](1);
        e.candidates[0] = address(0x1111);
        assertOrder(e, Reason.NOT_CANDIDATE);
    }

    function test_LateWorkIsNotPaid() public {
        uint64 id = open(1 ether);
        Order memory o = order(id, 1, 0.1 ether);
        Receipt memory r = answer(o, 0.1 ether);
        r.finishedAt = o.deadline * 1000 + 1;
        assertOrder(sealOrder(o, r, 1), Reason.LATE);
        r.finishedAt = r.startedAt - 1;
        assertOrder(sealOrder(o, r, 1), Reason.LATE);
        r.finishedAt = o.deadline * 1000;
        settleOrder(sealOrder(o, r, 1));
        vm.assertEq(market.session(id).debited, 0.1 ether, "on the deadline is in time");
    }

    function test_PriceIsThatOfTheUsageAndWithinTheOrder() public {
        uint64 id = open(1 ether);
        Order memory o = order(id, 1, 0.1 ether);
        assertOrder(sealOrder(o, answer(o, 0.1 ether + 1), 1), Reason.WRONG_PRICE);
        Receipt memory r = answer(o, 0.1 ether);
        r.price -= 1;
        assertOrder(sealOrder(o, r, 1), Reason.WRONG_PRICE);
        r = answer(o, 0.05 ether);
        (r.promptTokens, r.promptRate) = (1, 1);
        r.price += 1; // the least fraction is rounded up
        settleOrder(sealOrder(o, r, 1));
        vm.assertEq(market.session(id).debited, 0.05 ether + 1, "debited");
        o = order(id, 2, 0.1 ether);
        r = answer(o, 0);
        (r.computeMillis, r.secondRate, r.items, r.itemRate) = (1500, 0.01 ether, 2, 0.02 ether);
        r.price = 0.055 ether;
        settleOrder(sealOrder(o, r, 1));
        vm.assertEq(market.session(id).debited, 0.105 ether + 1, "seconds and items");
    }

    function test_MoreUsageThanTheOrderPaysForCostsWhatItSays() public {
        uint64 id = open(1 ether);
        Order memory o = order(id, 1, 0.1 ether);
        Receipt memory r = answer(o, 0.2 ether);
        assertOrder(sealOrder(o, r, 1), Reason.WRONG_PRICE);
        r.price = 0.1 ether - 1;
        assertOrder(sealOrder(o, r, 1), Reason.WRONG_PRICE);
        r.price = 0.1 ether;
        settleOrder(sealOrder(o, r, 1));
        vm.assertEq(market.session(id).debited, 0.1 ether, "debited");
    }

    function test_MinerAndCoordinatorMustHaveSigned() public {
        uint64 id = open(1 ether);
        SingleOrder memory e = single(id, 1, 0.1 ether);
        (e.receiptR, e.receiptVS) = compact(MINER_KEY, verifier.receiptDigest(e.receipt));
        assertOrder(e, Reason.BAD_MINER_SIGNATURE);
        e = single(id, 1, 0.1 ether);
        (e.counterR, e.counterVS) = countersign(COORDINATOR_KEY, e.receipt, 1);
        assertOrder(e, Reason.BAD_COUNTERSIGNATURE);
        e = single(id, 1, 0.1 ether);
        e.minerTotal += 1;
        assertOrder(e, Reason.BAD_COUNTERSIGNATURE);
    }

    function test_OrdersOfOtherSessionsAreSkipped() public {
        uint64 id = open(client, 1 ether, uint64(time()) + 1);
        SingleOrder memory e = single(id, 1, 0.1 ether);
        e.order.session = 99;
        assertOrder(e, Reason.UNKNOWN_SESSION);
        e.order.session = id;
        vm.warp(time() + 1);
        assertOrder(e, Reason.SESSION_OVER);
        enrol(COORDINATOR, address(0xc2), address(0xc3), 10_000 ether);
        vm.prank(client);
        e.order.session = market.openSession{value: 1 ether}(address(0xc2), spender, uint64(time()) + 1 days);
        assertOrder(e, Reason.WRONG_COORDINATOR);
    }

    function assertOrder(SingleOrder memory e, uint8 reason) private {
        uint256 before = market.settlement(coordinator);
        vm.recordLogs();
        settleOrder(e);
        (uint8 kind,, uint8 got) = skipped();
        vm.assertEq(kind, 2, "kind");
        vm.assertEq(got, reason, "reason");
        vm.assertEq(market.settlement(coordinator), before, "nothing was earned");
    }

    function test_CreditsPayTheDifferenceOnce() public {
        uint64 id = open(10 ether);
        settleVouchers(voucher(id, 1, 10 ether));
        uint256 before = miner.balance;
        settleCredits(credit(miner, 2 ether));
        vm.assertEq(miner.balance, before + 2 ether, "first");
        settleCredits(bytes.concat(credit(miner, 3 ether), credit(miner, 3 ether)));
        vm.assertEq(miner.balance, before + 3 ether, "the difference, once");
        vm.assertEq(market.credited(coordinator, miner), 3 ether, "credited");
        vm.recordLogs();
        settleCredits(credit(miner, 2.5 ether));
        (uint8 kind,, uint8 reason) = skipped();
        vm.assertEq(kind, 3, "kind");
        vm.assertEq(reason, Reason.NOTHING_OWED, "reason");
        vm.assertEq(market.owed(), 7 ether, "owed");
    }

    function test_CreditWithoutFundsStaysOwed() public {
        vm.recordLogs();
        settleCredits(credit(miner, 1 ether));
        (,, uint8 reason) = skipped();
        vm.assertEq(reason, Reason.NO_FUNDS, "no funds");
        uint64 id = open(10 ether);
        settleVouchers(voucher(id, 1, 1 ether));
        uint128 account = market.settlement(coordinator);
        settleCredits(credit(miner, 1 ether));
        vm.assertEq(market.credited(coordinator, miner), account, "what there is");
        settle(voucher(id, 2, 2 ether), new SingleOrder[](0), credit(miner, 1 ether));
        vm.assertEq(market.credited(coordinator, miner), 1 ether, "the rest, with the next batch");
    }

    function test_CreditDrawsBondWithinTheLimit() public {
        vm.prank(coordinator);
        market.setMinerLimit(miner, 3 ether);
        uint256 before = miner.balance;
        settleCredits(credit(miner, 5 ether));
        vm.assertEq(miner.balance, before + 3 ether, "the limit");
        vm.assertEq(market.minerLimit(coordinator, miner).amount, 0, "which shrank");
        vm.assertEq(registry.participant(2, coordinator).stake, 10_000 ether - 3 ether, "bond");
        vm.assertEq(registry.participant(2, coordinator).reserved, 0, "reserved");
        vm.assertEq(address(market).balance, market.owed(), "market is even");
        vm.assertEq(address(registry).balance, registry.owed(), "registry is even");
    }

    function test_CreditToNobodyIsSkipped() public {
        uint64 id = open(1 ether);
        vm.recordLogs();
        settle(voucher(id, 1, 1 ether), new SingleOrder[](0), credit(address(0), 1 ether));
        (,, uint8 reason) = skipped();
        vm.assertEq(reason, Reason.NOTHING_OWED, "reason");
    }

    /// @dev The hand-written path against a model of the rule.
    function testFuzz_VouchersFollowTheRule(uint128[8] memory totals, uint64[8] memory numbers, uint128 deposit)
        public
    {
        deposit = uint128(bound(deposit, 1e15, 1e24));
        vm.deal(client, deposit);
        uint64 id = open(deposit);
        bytes memory batch;
        (uint128 debited, uint64 through) = (0, 0);
        for (uint256 i; i < 8; ++i) {
            uint128 total = uint128(bound(totals[i], 0, 2e24));
            batch = bytes.concat(batch, voucher(id, numbers[i], total));
            uint128 to = total < deposit ? total : deposit;
            if (to > debited) debited = to;
            if (numbers[i] > through) through = numbers[i];
        }
        settleVouchers(batch);
        vm.assertEq(market.session(id).debited, debited, "debited");
        vm.assertEq(market.session(id).through, through, "through");
        vm.assertEq(market.session(id).deposit, deposit, "deposit");
        vm.assertEq(market.session(id).spender, spender, "spender");
        vm.assertEq(market.session(id).feeBps, 250, "feeBps");
        vm.assertEq(market.session(id).state, 1, "state");
        vm.assertEq(market.fees(), fee(debited), "fees");
        vm.assertEq(market.settlement(coordinator), debited - fee(debited), "account");
    }

    /// @dev Any bytes at all as vouchers and credits: the batch goes through and takes nothing from a client.
    function testFuzz_GarbageTakesNothing(bytes memory junk, uint8 n) public {
        uint64 id = open(1 ether);
        uint256 count = bound(n, 0, 5);
        bytes memory vouchers = fit(junk, count * 96);
        bytes memory credits = fit(junk, count * 36);
        settle(vouchers, new SingleOrder[](0), credits);
        vm.assertEq(market.session(id).debited, 0, "debited");
        vm.assertEq(market.owed(), 1 ether, "owed");
    }

    function fit(bytes memory junk, uint256 length) private pure returns (bytes memory out) {
        out = new bytes(length);
        if (junk.length == 0) return out;
        for (uint256 i; i < length; ++i) {
            out[i] = junk[i % junk.length];
        }
    }

    function sorted(address a, address b, address c) private pure returns (address, address, address) {
        if (a > b) (a, b) = (b, a);
        if (b > c) (b, c) = (c, b);
        if (a > b) (a, b) = (b, a);
        return (a, b, c);
    }
}
