// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Participant, Session} from "../../src/Types.sol";
import {World} from "./World.sol";

/// @notice What must hold of everybody's accounts, and how all of them leave.
abstract contract WorldBooks is World {
    /// @notice What holds after every call: each contract holds what it owes and what was forced upon it, to the unit,
    /// and no coin is made or lost.
    function checkSums() external view {
        vm.assertEq(bytes(wrong).length, 0, wrong);
        uint256 m = address(market).balance;
        uint256 r = address(registry).balance;
        uint256 w = address(rewards).balance;
        uint256 t = address(treasury).balance;
        vm.assertEq(m, market.owed() + surplus[address(market)], "market holds what it owes");
        vm.assertEq(r, registry.owed() + surplus[address(registry)], "registry holds what it owes");
        vm.assertEq(w, rewards.owed() + surplus[address(rewards)], "rewards hold what they owe");
        vm.assertEq(t, treasury.owed() + surplus[address(treasury)], "treasury holds what it owes");
        uint256 sum = m + r + w + t + address(stakers).balance + address(faucet).balance + purses();
        vm.assertEq(sum, coins, "coins");
    }

    /// @notice What holds of everybody, and costs more to ask.
    function checkAll() public view {
        marketAddsUp();
        registryAddsUp();
        rewardsAddUp();
        uint256 hour = time() / 1 hours;
        vm.assertEq(faucet.available() + given[hour], faucetParams().hourlyCap, "the faucet counts what it gives");
    }

    /// @notice Blocks close what is due: as many as it takes to step over the time since the last, and 64 in each.
    function checkDue() external {
        (uint64 second,, uint64 waiting) = market.dueQueue();
        uint256 behind = second == 0 || second > time() ? 0 : time() - second;
        for (uint256 n = 1 + waiting / 64 + behind / (512 * 256) + 1; n > 0; --n) {
            endBlock();
        }
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            Session memory x = market.session(id);
            vm.assertTrue(x.state == 3 || x.dueAt > time(), "due sessions are closed");
        }
    }

    /// @dev Σ accounts is what the Market owes, exactly. A client's loss is bounded by its signatures.
    function marketAddsUp() private view {
        uint256 sum = market.fees();
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            Session memory x = market.session(id);
            vm.assertLe(x.debited, x.deposit, "debited within the deposit");
            vm.assertLe(x.debited, vouched[id] + ordered[id], "debited within what was signed");
            if (x.state != 3) sum += x.deposit - x.debited;
        }
        for (uint256 i; i < CLIENTS; ++i) {
            sum += market.withdrawable(clients[i]);
        }
        for (uint256 i; i < MINERS; ++i) {
            sum += market.withdrawable(miners[i]);
        }
        for (uint256 i; i < COORDINATORS; ++i) {
            sum += market.settlement(coordinators[i]) + market.withdrawable(coordinators[i]);
        }
        vm.assertEq(sum, market.owed(), "market");
    }

    /// @dev Σ stake and unbonding is what the Registry owes, exactly. Σ limits is reserved, in both contracts, and never
    /// more than the active bond. What a miner was paid only grows, and never beyond what its coordinator wrote down.
    function registryAddsUp() private view {
        uint256 sum;
        for (uint256 i; i < MINERS; ++i) {
            Participant memory p = registry.participant(MINER, miners[i]);
            sum += p.stake + p.unbonding;
        }
        for (uint256 i; i < COORDINATORS; ++i) {
            address by = coordinators[i];
            Participant memory p = registry.participant(COORDINATOR, by);
            sum += p.stake + p.unbonding;
            uint256 limits;
            for (uint256 j; j < MINERS; ++j) {
                limits += market.minerLimit(by, miners[j]).amount;
                uint128 credited = market.credited(by, miners[j]);
                vm.assertGe(credited, seen[by][miners[j]], "credited only grows");
                vm.assertLe(credited, promised[by][miners[j]], "credited within what was promised");
            }
            vm.assertEq(limits, market.reserved(by), "market's reserved");
            vm.assertEq(limits, p.reserved, "registry's reserved");
            vm.assertLe(limits, p.stake, "active bond");
        }
        vm.assertEq(sum, registry.owed(), "registry");
    }

    /// @dev An epoch's pool is owed but for what was claimed of it, until the last of its miners has claimed.
    function rewardsAddUp() private view {
        uint256 sum;
        uint64 running = rewards.epoch();
        for (uint64 e = 1; e < running; ++e) {
            (uint128 pool, uint128 fees,) = rewards.epochInfo(e);
            vm.assertLe(pool, fees / 2, "at most half of the fees");
            if (fees == 0) continue;
            (uint256 left, uint256 all, bool open) = (pool, 0, false);
            for (uint256 i; i < MINERS + COORDINATORS; ++i) {
                (uint128 f, uint128 claimable) = rewards.work(worker(i), e);
                if (f == 0) continue;
                all += f;
                uint256 part = uint256(pool) * f / fees;
                if (!claimed[e][worker(i)]) {
                    open = true;
                    vm.assertEq(claimable, part, "a miner's part");
                } else {
                    vm.assertEq(claimable, 0, "claimed once");
                    left -= part;
                }
            }
            vm.assertEq(all, fees, "fees are somebody's");
            if (open) sum += left;
        }
        vm.assertEq(sum, rewards.owed(), "rewards");
    }

    /// @dev Returns the sum of what the people here hold.
    function purses() internal view returns (uint256 sum) {
        for (uint256 i; i < CLIENTS; ++i) {
            sum += clients[i].balance;
        }
        for (uint256 i; i < MINERS; ++i) {
            sum += miners[i].balance;
        }
        for (uint256 i; i < COORDINATORS; ++i) {
            sum += coordinators[i].balance;
        }
    }

    /// @notice The end of a history: everybody leaves with everything, and no contract keeps or owes anything.
    function leave() external {
        checkAll();
        // The miner whose code refuses coins gets one that takes them: what it is owed has waited for that.
        vm.etch(miners[MINERS - 1], "");
        vm.warp(time() + LONGEST_SESSION + LONGEST_EPOCH);
        // A block steps over a day and a half in which nothing is due, and a history may have had no block for long.
        (uint64 reached,, uint64 waiting) = market.dueQueue();
        for (uint256 n = 8 + waiting / 64 + (time() - reached) / 36 hours; waiting != 0; --n) {
            endBlock();
            (,, waiting) = market.dueQueue();
            vm.assertTrue(n > 0, "the queue empties");
        }
        for (uint64 id = 1; id <= market.sessionCount(); ++id) {
            vm.assertEq(market.session(id).state, 3, "closed");
        }
        endBoth();
        leaveMarket();
        leaveRewards();
        leaveRegistry();
        vm.prank(governor);
        faucet.drain();
        treasury.sweep();
        uint256 all = treasury.owed();
        vm.prank(governor);
        treasury.spend(clients[0], all);
        vm.assertEq(address(market).balance + market.owed(), 0, "the market owes nobody and holds nothing");
        vm.assertEq(address(registry).balance + registry.owed(), 0, "nor does the registry");
        vm.assertEq(address(rewards).balance + rewards.owed(), 0, "nor do rewards");
        vm.assertEq(address(treasury).balance + treasury.owed(), 0, "nor does the treasury");
        vm.assertEq(address(faucet).balance, 0, "nor does the faucet");
        vm.assertEq(purses() + address(stakers).balance, coins, "all coins came home");
    }

    function leaveMarket() private {
        for (uint256 i; i < CLIENTS; ++i) {
            take(clients[i]);
        }
        for (uint256 j; j < MINERS; ++j) {
            take(miners[j]);
        }
        for (uint256 i; i < COORDINATORS; ++i) {
            address by = coordinators[i];
            take(by);
            uint128 account = market.settlement(by);
            if (account != 0) {
                vm.prank(by);
                market.withdrawSettlement(account);
            }
            for (uint256 j; j < MINERS; ++j) {
                vm.prank(by);
                market.setMinerLimit(miners[j], 0); // always possible
            }
        }
        market.collectFees();
        market.sweep();
    }

    function leaveRewards() private {
        uint64 running = rewards.epoch();
        for (uint256 i; i < MINERS + COORDINATORS; ++i) {
            uint64[] memory list = new uint64[](running);
            uint256 count;
            for (uint64 e = 1; e < running; ++e) {
                (uint128 f,) = rewards.work(worker(i), e);
                if (f != 0 && !claimed[e][worker(i)]) list[count++] = e;
            }
            if (count != 0) rewards.claim(worker(i), list);
        }
        vm.assertEq(rewards.owed(), 0, "all pay is claimed");
        rewards.sweep();
    }

    function leaveRegistry() private {
        vm.warp(time() + 2 hours);
        for (uint256 i; i < COORDINATORS; ++i) {
            address by = coordinators[i];
            for (uint256 j; j < MINERS; ++j) {
                if (market.minerLimit(by, miners[j]).nextAt != 0) market.applyLimit(by, miners[j]);
            }
        }
        for (uint256 i; i < COORDINATORS + MINERS; ++i) {
            (address account, uint8 role) = participant(i);
            Participant memory p = registry.participant(role, account);
            if (!p.registered) continue;
            vm.prank(account);
            registry.requestUnbond(role, p.stake);
        }
        vm.warp(time() + registry.params().unbondDelay);
        for (uint256 i; i < COORDINATORS + MINERS; ++i) {
            (address account, uint8 role) = participant(i);
            Participant memory p = registry.participant(role, account);
            if (p.unbonding == 0) continue;
            if (p.unbondAt > time()) vm.warp(p.unbondAt);
            vm.prank(account);
            registry.withdrawUnbonded(role);
        }
        registry.sweep();
    }

    function take(address account) private {
        if (market.withdrawable(account) == 0) return;
        vm.prank(account);
        market.withdraw(payable(clients[0]));
    }
}
