// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {IRegistry} from "../src/interfaces/IRegistry.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Reason} from "../src/lib/Reason.sol";
import {Market} from "../src/Market.sol";
import {Receipt, SingleOrder} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {
    BombClient,
    BurningClient,
    ContractClient,
    Forcer,
    ReenteringClient,
    RevertingClient
} from "./support/Receivers.sol";

/// @notice One attack a test: what is tried, and that it gains nothing.
contract AttacksTest is Fixture {
    /// @dev The client takes its answers and never signs a voucher: the orders themselves pay.
    function test_WithheldVoucherPaysAllTheSame() public {
        uint256 before = client.balance;
        uint64 id = open(1 ether);
        SingleOrder[] memory orders = new SingleOrder[](3);
        for (uint64 n; n < 3; ++n) {
            orders[n] = single(id, n + 1, 0.1 ether);
        }
        vm.prank(client);
        market.requestClose(id);
        settle("", orders, "");
        vm.warp(market.session(id).dueAt);
        endBlock();
        vm.assertEq(client.balance, before - 0.3 ether, "the client paid for three answers");
    }

    /// @dev One signed order is presented in every way there is to charge it twice.
    function test_OrderReplayedIsChargedOnce() public {
        uint64 id = open(1 ether);
        SingleOrder memory e = single(id, 1, 0.1 ether);
        SingleOrder[] memory twice = new SingleOrder[](2);
        (twice[0], twice[1]) = (e, e);
        settle("", twice, "");
        settleOrder(e);
        settle(voucher(id, 1, 0.1 ether), twice, "");
        vm.assertEq(market.session(id).debited, 0.1 ether, "once");

        // Nor does it charge the same client's other session, or work with another's.
        uint64 other = open(1 ether);
        e.order.session = other;
        settleOrder(e);
        vm.assertEq(market.session(other).debited, 0, "an order names its session");

        // What was signed for another chain is nobody's here.
        vm.chainId(4242);
        bytes memory foreign = voucher(other, 1, 1 ether);
        vm.chainId(31337);
        vm.recordLogs();
        settleVouchers(foreign);
        (,, uint8 reason) = skipped();
        vm.assertEq(reason, Reason.BAD_SPENDER_SIGNATURE, "signature");
        vm.assertEq(market.session(other).debited, 0, "and its chain");
    }

    /// @dev The client closes at the very moment of settlement, in each order of the two.
    function test_CloseRacingSettlementLosesNothing() public {
        uint256 before = client.balance;
        uint64 first = open(1 ether);
        uint64 second = open(1 ether);
        bytes memory v1 = voucher(first, 1, 0.4 ether);
        bytes memory v2 = voucher(second, 1, 0.4 ether);
        // Closing first: the window is there for what was signed before.
        vm.prank(client);
        market.requestClose(first);
        settleVouchers(v1);
        // Settling first.
        settleVouchers(v2);
        vm.prank(client);
        market.requestClose(second);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, uint64(START + 1 hours)));
        market.refund(first);
        vm.warp(START + 1 hours);
        // At the due second the refund may come before the settlement of the same block: nothing is paid twice.
        market.refund(first);
        settleVouchers(bytes.concat(voucher(first, 2, 1 ether), voucher(second, 2, 1 ether)));
        endBlock();
        vm.assertEq(client.balance, before - 0.8 ether, "what was signed in time is paid, and no more");
    }

    /// @dev After an agreed close no voucher moves anything.
    function test_SettlementAfterAnAgreedCloseMovesNothing() public {
        uint256 before = client.balance;
        uint64 id = open(1 ether);
        bytes memory signature = closing(COORDINATOR_SIGNER_KEY, id, 0.2 ether);
        bytes memory v = voucher(id, 9, 1 ether);
        vm.prank(client);
        market.closeByAgreement(id, 0.2 ether, signature);
        vm.recordLogs();
        settleVouchers(v);
        (,, uint8 reason) = skipped();
        vm.assertEq(reason, Reason.SESSION_OVER, "over");
        vm.assertEq(client.balance, before - 0.2 ether, "as agreed");
    }

    /// @dev A client renders one voucher of a batch worthless; the other clients' still settle.
    function test_StaleVoucherInABatchBlocksNobody() public {
        uint64 a = open(1 ether);
        uint64 b = open(1 ether);
        bytes memory old = voucher(a, 1, 0.1 ether);
        settleVouchers(voucher(a, 2, 0.2 ether));
        settleVouchers(bytes.concat(old, voucher(b, 1, 0.3 ether), old));
        vm.assertEq(market.session(a).debited, 0.2 ether, "a");
        vm.assertEq(market.session(b).debited, 0.3 ether, "b");
    }

    /// @dev A coordinator credits itself and its friends without end: it gets what is its own, and no coin of a
    /// client, of another coordinator, or of the bond behind a miner.
    function test_CoordinatorThatCreditsItselfGetsOnlyItsOwn() public {
        address rival = address(0xc2);
        enrol(COORDINATOR, rival, address(0xc3), 10_000 ether);
        vm.prank(client);
        uint64 theirs = market.openSession{value: 5 ether}(rival, spender, uint64(time()) + 1 days);
        bytes memory v = voucher(theirs, 1, 5 ether);
        vm.prank(rival);
        market.settle(rival, v, new SingleOrder[](0), "", 0, 0);
        uint128 rivals = market.settlement(rival);

        uint64 id = open(7 ether);
        settleVouchers(voucher(id, 1, 1 ether));
        uint128 own = market.settlement(coordinator);
        vm.startPrank(coordinator);
        market.setMinerLimit(miner, 9_000 ether);
        market.setMinerLimit(coordinator, 1_000 ether);
        vm.stopPrank();
        uint256 before = coordinator.balance;
        settleCredits(bytes.concat(credit(coordinator, type(uint128).max), credit(coordinator, type(uint128).max)));
        vm.assertEq(coordinator.balance, before + own + 1_000 ether, "account and unreserved bond");
        vm.assertEq(market.settlement(rival), rivals, "the rival's account");
        vm.assertEq(market.session(id).deposit - market.session(id).debited, 6 ether, "the client's rest");
        vm.assertEq(registry.participant(2, coordinator).stake, 9_000 ether, "the miner's 9,000 stand");
        vm.assertTrue(!registry.active(2, coordinator), "and it may open no session with so little bond");
        vm.assertEq(address(market).balance, market.owed(), "even");
    }

    /// @dev A coordinator replaces its key so that what it signed would be worth nothing.
    function test_CoordinatorThatRotatesItsKeyStillPays() public {
        uint64 id = open(1 ether);
        vm.prank(coordinator);
        market.setMinerLimit(miner, 5 ether);
        Receipt memory r = answer(order(id, 1, 1 ether), 1 ether);
        vm.prank(coordinator);
        registry.replaceSigner(2, address(0xeee), 0);
        // Until the replacement acts it signs with the old key, and that must be good for the longest job after.
        vm.warp(START + market.holdDelay() - 1);
        r.finishedAt = uint64(time() + 45 minutes) * 1000;
        (bytes32 cr, bytes32 cvs) = countersign(COORDINATOR_SIGNER_KEY, r, 3 ether);
        vm.warp(r.finishedAt / 1000 + 10 minutes);
        uint256 before = miner.balance;
        market.claimReceipt(r, 3 ether, cr, cvs);
        vm.assertEq(miner.balance, before + 3 ether, "paid");
    }

    /// @dev A coordinator takes away settlement account, limit and bond before its miner can claim.
    function test_CoordinatorThatEmptiesItsBondStillPays() public {
        uint64 id = open(10 ether);
        vm.prank(coordinator);
        market.setMinerLimit(miner, 5 ether);
        settleVouchers(voucher(id, 1, 10 ether));
        Receipt memory r = answer(order(id, 1, 1 ether), 1 ether);
        (bytes32 cr, bytes32 cvs) = countersign(COORDINATOR_SIGNER_KEY, r, 5 ether);

        vm.startPrank(coordinator);
        market.withdrawSettlement(market.settlement(coordinator));
        market.setMinerLimit(miner, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.StakeReserved.selector, uint128(0), uint128(5 ether)));
        registry.requestUnbond(2, 10_000 ether);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.NotDue.selector, uint64(START + market.holdDelay())));
        market.applyLimit(coordinator, miner);
        vm.stopPrank();
        // It credits a friend instead, who has no limit.
        settleCredits(credit(address(0xf00), 10_000 ether));
        vm.assertEq(address(0xf00).balance, 0, "the friend gets nothing");

        vm.warp(START + market.holdDelay() - 1);
        uint256 before = miner.balance;
        market.claimReceipt(r, 5 ether, cr, cvs);
        vm.assertEq(miner.balance, before + 5 ether, "the miner is whole");
        vm.assertTrue(!registry.active(2, coordinator), "and the coordinator is jailed");
    }

    /// @dev Clients whose code refuses, burns or abuses the refund: the queue goes on and their money waits for them.
    function test_ClientThatRevertsOrBurnsGasOnRefund() public {
        uint64 due = uint64(time()) + 1 hours;
        ContractClient[3] memory bad = [
            ContractClient(new RevertingClient{value: 1 ether}(market)),
            new BurningClient{value: 1 ether}(market),
            new BombClient{value: 1 ether}(market)
        ];
        for (uint256 i; i < 3; ++i) {
            bad[i].open(coordinator, spender, 1 ether, due);
        }
        uint256 before = client.balance;
        open(client, 1 ether, due);
        vm.warp(due);
        uint256 gas = gasleft();
        endBlock();
        vm.assertLe(gas - gasleft(), 400_000, "they cannot burn the block's gas");
        vm.assertEq(client.balance, before, "the one behind them is paid");
        for (uint256 i; i < 2; ++i) {
            vm.assertEq(market.withdrawable(address(bad[i])), 1 ether, "kept");
            bad[i].withdraw(payable(address(0xf001)));
        }
        vm.assertEq(address(0xf001).balance, 2 ether, "and had elsewhere");
        vm.assertEq(address(market).balance, market.owed(), "even");
    }

    /// @dev A client's code calls back into the Market while it is paid.
    function test_ClientThatReentersGainsNothing() public {
        uint64 due = uint64(time()) + 1 hours;
        ReenteringClient bad = new ReenteringClient{value: 2 ether}(market);
        uint64 first = bad.open(coordinator, spender, 1 ether, due);
        uint64 second = bad.open(coordinator, spender, 1 ether, due);
        bad.aim(second);
        open(client, 3 ether, due + 1 days);
        vm.warp(due);
        market.refund(first);
        endBlock();
        if (market.withdrawable(address(bad)) != 0) {
            // Its code needs more than the stipend: with all the gas it wants, it still cannot enter twice.
            vm.prank(address(bad));
            market.withdraw(payable(address(bad)));
        }
        vm.assertTrue(!bad.reentered(), "never inside");
        vm.assertEq(address(bad).balance, 2 ether, "its own money, once");
        vm.assertEq(market.owed(), 3 ether, "and no other's");
    }

    /// @dev Coins forced in change no account; anyone moves them to the treasury.
    function test_ForcedEtherIsSurplusAndSwept() public {
        uint64 id = open(2 ether);
        settleVouchers(voucher(id, 1, 1 ether));
        (uint256 marketOwes, uint256 registryOwes) = (market.owed(), registry.owed());
        new Forcer{value: 3 ether}(payable(address(market)));
        new Forcer{value: 4 ether}(payable(address(registry)));
        new Forcer{value: 5 ether}(payable(address(treasury)));
        vm.assertEq(market.owed(), marketOwes, "market owes what it owed");
        vm.assertEq(registry.owed(), registryOwes, "registry too");
        vm.assertEq(treasury.owed(), 0, "treasury has not seen it");
        market.sweep();
        registry.sweep();
        treasury.sweep();
        vm.assertEq(address(market).balance, marketOwes, "market even");
        vm.assertEq(address(registry).balance, registryOwes, "registry even");
        vm.assertEq(treasury.owed(), 12 ether, "treasury has it all");
        vm.assertEq(address(treasury).balance, 12 ether, "in coins");
        market.sweep();
        registry.sweep();
        vm.assertEq(treasury.owed(), 12 ether, "nothing is left to sweep");
        // Coins sent with a plain transfer are refused.
        (bool ok,) = address(market).call{value: 1}("");
        vm.assertTrue(!ok, "refused");
    }

    /// @dev The node's call reverts, for a while: no state is lost, and everything due is paid after.
    function test_SystemCallThatRevertsOnlyDelays() public {
        uint256 before = client.balance;
        uint64 id = open(1 ether);
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        market.endBlock();

        bytes32 slot = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
        address good = address(uint160(uint256(vm.load(address(market), slot))));
        vm.etch(good, type(BrokenEndBlock).runtimeCode);
        vm.warp(time() + 1 days);
        vm.prank(SYSTEM);
        (bool ok,) = address(market).call(abi.encodeCall(market.endBlock, ()));
        vm.assertTrue(!ok, "it fails");
        vm.assertEq(client.balance, before - 1 ether, "and did nothing");

        vm.etch(good, Code.make("Market.sol:Market").code);
        // The immutable self of the code is another address now, which only upgrades look at.
        endBlock();
        vm.assertEq(market.session(id).state, 3, "closed after all");
        vm.assertEq(client.balance, before, "paid");
    }

    /// @dev With any amount of gas endBlock does what it can and returns.
    function testFuzz_SystemCallWithLittleGasNeverReverts(uint256 gas) public {
        gas = bound(gas, 60_000, 3_000_000);
        uint64 due = uint64(time()) + 1 hours;
        for (uint256 i; i < 10; ++i) {
            open(client, 1 ether, due);
        }
        vm.warp(due);
        vm.prank(SYSTEM);
        (bool ok,) = address(market).call{gas: gas}(abi.encodeCall(market.endBlock, ()));
        vm.assertTrue(ok, "no revert");
        endBlock();
        vm.assertEq(market.owed(), 0, "all paid in the end");
    }
}

/// @notice Runtime code that fails whatever is called.
contract BrokenEndBlock {
    fallback() external payable {
        revert("broken");
    }
}
