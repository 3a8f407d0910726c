// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Participant, Session} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {Handler} from "./support/Handler.sol";
import {Targets} from "./support/Targets.sol";

/// @notice What holds whatever anybody does, in any order.
contract InvariantsTest is Fixture, Targets {
    Handler private world;

    function setUp() public override {
        vm.warp(START);
        deploy();
        world = new Handler(market, registry, treasury, verifier);
    }

    function handler() internal view override returns (address) {
        return address(world);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[27] memory all = [
            // Weighted: what moves money comes twice.
            Handler.openSession.selector,
            Handler.openSession.selector,
            Handler.openSession.selector,
            Handler.topUp.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.settleOrder.selector,
            Handler.settleOrder.selector,
            Handler.claim.selector,
            Handler.requestClose.selector,
            Handler.closeByAgreement.selector,
            Handler.refund.selector,
            Handler.setLimit.selector,
            Handler.applyLimit.selector,
            Handler.withdrawSettlement.selector,
            Handler.withdraw.selector,
            Handler.stake.selector,
            Handler.unbond.selector,
            Handler.withdrawUnbonded.selector,
            Handler.comeBack.selector,
            Handler.unjail.selector,
            Handler.replaceKey.selector,
            Handler.forceEther.selector,
            Handler.collect.selector,
            Handler.nextBlock.selector,
            Handler.wait.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(world);
        list[0].selectors = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            list[0].selectors[i] = all[i];
        }
    }

    /// @dev Σ accounts is what the Market owes, exactly, and it has that.
    function invariant_MarketAccountsAddUp() external view {
        (uint256 clients, uint256 coordinators, uint256 miners) = world.counts();
        uint256 sum = market.fees();
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            Session memory x = market.session(id);
            vm.assertLe(x.debited, x.deposit, "debited within the deposit");
            if (x.state != 3) sum += x.deposit - x.debited;
        }
        for (uint256 i; i < clients; ++i) {
            sum += market.withdrawable(world.clients(i));
        }
        for (uint256 i; i < miners; ++i) {
            sum += market.withdrawable(world.miners(i));
        }
        for (uint256 i; i < coordinators; ++i) {
            sum += market.settlement(world.coordinators(i)) + market.withdrawable(world.coordinators(i));
        }
        vm.assertEq(sum, market.owed(), "market");
        vm.assertGe(address(market).balance, market.owed(), "market is solvent");
    }

    /// @dev Σ stake and unbonding is what the Registry owes, exactly, and it has that.
    function invariant_RegistryAccountsAddUp() external view {
        (, uint256 coordinators, uint256 miners) = world.counts();
        uint256 sum;
        for (uint256 i; i < coordinators; ++i) {
            Participant memory p = registry.participant(2, world.coordinators(i));
            sum += p.stake + p.unbonding;
        }
        for (uint256 i; i < miners; ++i) {
            Participant memory p = registry.participant(1, world.miners(i));
            sum += p.stake + p.unbonding;
        }
        vm.assertEq(sum, registry.owed(), "registry");
        vm.assertGe(address(registry).balance, registry.owed(), "registry is solvent");
        vm.assertGe(address(treasury).balance, treasury.owed(), "treasury is solvent");
    }

    /// @dev Σ limits is reserved, in both contracts, and never more than the active bond.
    function invariant_LimitsStandOnBond() external view {
        (, uint256 coordinators, uint256 miners) = world.counts();
        for (uint256 i; i < coordinators; ++i) {
            address by = world.coordinators(i);
            uint256 sum;
            for (uint256 j; j < miners; ++j) {
                sum += market.minerLimit(by, world.miners(j)).amount;
            }
            Participant memory p = registry.participant(2, by);
            vm.assertEq(sum, market.reserved(by), "market's sum");
            vm.assertEq(sum, p.reserved, "registry's sum");
            vm.assertLe(sum, p.stake, "active bond");
        }
    }

    /// @dev A client's loss is bounded by its signatures.
    function invariant_ClientsLoseNoMoreThanTheySigned() external view {
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            vm.assertLe(market.session(id).debited, world.vouched(id) + world.ordered(id), "signed");
        }
    }

    /// @dev What a miner was paid only grows, and never beyond what its coordinator wrote down.
    function invariant_CreditedOnlyGrowsWithinWhatWasPromised() external view {
        vm.assertTrue(!world.creditedFell(), "monotone");
        (, uint256 coordinators, uint256 miners) = world.counts();
        for (uint256 i; i < coordinators; ++i) {
            for (uint256 j; j < miners; ++j) {
                (address by, address payee) = (world.coordinators(i), world.miners(j));
                vm.assertLe(market.credited(by, payee), world.promised(by, payee), "promised");
            }
        }
    }

    /// @dev Two blocks after it is due, and with fewer than that fill, every session is closed. (What an invariant
    /// does is undone after it.)
    function invariant_DueSessionsAreClosedInTwoBlocks() external {
        endBlock();
        endBlock();
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            Session memory x = market.session(id);
            vm.assertTrue(x.state == 3 || x.dueAt > time(), "closed");
        }
    }

    /// @dev No coin is made or lost.
    function invariant_CoinsAreConserved() external view {
        uint256 sum = world.purses() + address(market).balance + address(registry).balance + address(treasury).balance
            + address(rewards).balance + address(stakers).balance;
        vm.assertEq(sum, world.coins(), "coins");
    }

    /// @dev Whatever happened, everyone can leave: after the longest wait nothing but open debts stays inside.
    function afterInvariant() external {
        vm.warp(time() + 31 days);
        for (uint256 i; i < 60; ++i) {
            endBlock();
        }
        (,, uint64 outstanding) = market.dueQueue();
        vm.assertEq(outstanding, 0, "queue is empty");
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            vm.assertEq(market.session(id).state, 3, "closed");
        }
        (uint256 clients, uint256 coordinators, uint256 miners) = world.counts();
        for (uint256 i; i < clients; ++i) {
            take(world.clients(i));
        }
        for (uint256 i; i < coordinators; ++i) {
            address by = world.coordinators(i);
            take(by);
            uint128 account = market.settlement(by);
            if (account != 0) {
                vm.prank(by);
                market.withdrawSettlement(account);
            }
            for (uint256 j; j < miners; ++j) {
                address payee = world.miners(j);
                vm.prank(by);
                market.setMinerLimit(payee, 0); // always possible
            }
        }
        for (uint256 j; j < miners; ++j) {
            take(world.miners(j));
        }
        market.collectFees();
        market.sweep();
        vm.assertEq(market.owed(), 0, "the market owes nobody");
        vm.assertEq(address(market).balance, 0, "and holds nothing");
        leaveAll(coordinators, miners);
        vm.assertEq(registry.owed(), 0, "the registry owes nobody");
    }

    function leaveAll(uint256 coordinators, uint256 miners) private {
        vm.warp(time() + 2 hours);
        for (uint256 i; i < coordinators; ++i) {
            address by = world.coordinators(i);
            for (uint256 j; j < miners; ++j) {
                if (market.minerLimit(by, world.miners(j)).nextAt != 0) market.applyLimit(by, world.miners(j));
            }
            depart(2, by);
        }
        for (uint256 j; j < miners; ++j) {
            depart(1, world.miners(j));
        }
        vm.warp(time() + 48 hours);
        for (uint256 i; i < coordinators; ++i) {
            paidOut(2, world.coordinators(i));
        }
        // The last miner's code refuses coins: its stake waits for an implementation of its own that takes them.
        vm.etch(world.miners(miners - 1), "");
        for (uint256 j; j < miners; ++j) {
            paidOut(1, world.miners(j));
        }
    }

    function depart(uint8 role, address account) private {
        Participant memory p = registry.participant(role, account);
        if (!p.registered) return;
        vm.prank(account);
        registry.requestUnbond(role, p.stake);
    }

    function paidOut(uint8 role, address account) private {
        if (registry.participant(role, account).unbonding == 0) return;
        vm.prank(account);
        registry.withdrawUnbonded(role);
    }

    function take(address account) private {
        if (market.withdrawable(account) == 0) return;
        vm.prank(account);
        market.withdraw(payable(address(0x9a5e)));
    }
}
