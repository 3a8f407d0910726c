// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MarketParams, Order, Participant, Receipt, RegistryParams, Session, SingleOrder} from "../../src/Types.sol";
import {RewardsParams} from "../../src/StakingTypes.sol";
import {FaucetParams} from "../../src/interfaces/IFaucet.sol";
import {Stakers} from "./Stakers.sol";
import {WorldBooks} from "./WorldBooks.sol";

/// @notice Clients, coordinators and miners who do anything in any order, honest or not, while governance sets what it
/// may and the faucet gives.
contract Handler is WorldBooks {
    function openSession(uint256 who, uint256 with, uint256 amount, uint256 duration) external counted {
        address payer = clients[who % CLIENTS];
        amount = bound(amount, 1e15, 100 ether);
        uint64 expiry = uint64(time() + bound(duration, 1, LONGEST_SESSION));
        vm.prank(payer);
        market.openSession{value: amount}(coordinators[with % COORDINATORS], spender, expiry);
    }

    function topUp(uint256 who, uint256 which, uint256 amount) external counted {
        uint64 id = pick(which);
        vm.prank(clients[who % CLIENTS]);
        market.topUp{value: bound(amount, 1, 10 ether)}(id);
    }

    /// @dev Two vouchers of sessions at random, the second perhaps forged, and a credit, in one batch.
    function settle(uint256 which, uint256 other, uint64 through, uint256 total, uint256 miner_, bool forged)
        external
        counted
    {
        uint64 a = pick(which);
        uint64 b = pick(other);
        address by = market.session(a).coordinator;
        uint128 amount = uint128(bound(total, 0, 120 ether));
        sign(a, amount);
        bytes memory second;
        if (forged) {
            second = voucher(CLIENT_KEY, b, through, type(uint128).max);
        } else {
            sign(b, amount / 2);
            second = voucher(b, through, amount / 2);
        }
        address payee = miners[miner_ % MINERS];
        uint128 due = market.credited(by, payee) + amount / 4;
        promise_(by, payee, due);
        bytes memory vouchers = bytes.concat(voucher(a, through % 100, amount), second);
        bytes memory credits = bytes.concat(credit(payee, due), credit(by, due));
        vm.prank(by);
        market.settle(by, vouchers, new SingleOrder[](0), credits, keccak256(vouchers), 1);
        see(by, payee);
    }

    /// @dev An order by itself, twice in the batch; perhaps with a byte changed.
    function settleOrder(uint256 which, uint256 price, uint256 miner_, uint8 corrupt) external counted {
        uint64 id = pick(which);
        Session memory x = market.session(id);
        uint128 cost = uint128(bound(price, 0, 20 ether));
        Order memory o = order(id, ++orders[id], cost);
        Receipt memory r = answer(o, cost);
        (r.coordinator, r.miner) = (x.coordinator, miners[miner_ % MINERS]);
        SingleOrder[] memory list = new SingleOrder[](2);
        list[0] = signAll(o, r, cost);
        ordered[id] += cost;
        if (corrupt == 1) list[0].receipt.price += 1;
        if (corrupt == 2) list[0].order.maxPrice += 1;
        if (corrupt == 3) list[0].receipt.miner = miners[(miner_ + 1) % MINERS];
        list[1] = list[0];
        vm.prank(x.coordinator);
        market.settle(x.coordinator, "", list, "", 0, 0);
        promise_(x.coordinator, r.miner, cost);
        see(x.coordinator, r.miner);
    }

    function claim(uint256 with, uint256 miner_, uint256 more) external counted {
        address by = coordinators[with % COORDINATORS];
        address payee = miners[miner_ % MINERS];
        uint128 total = market.credited(by, payee) + uint128(bound(more, 1, 5 ether));
        Receipt memory r;
        (r.version, r.coordinator, r.miner) = (1, by, payee);
        r.finishedAt = uint64(time() - 601) * 1000;
        promise_(by, payee, total);
        (bytes32 a, bytes32 b) = countersign(keyOf(by), r, total);
        market.claimReceipt(r, total, a, b);
        see(by, payee);
    }

    function requestClose(uint256 which) external counted {
        uint64 id = pick(which);
        address payer = market.session(id).client;
        vm.prank(payer);
        market.requestClose(id);
    }

    function closeByAgreement(uint256 which, uint256 total) external counted {
        uint64 id = pick(which);
        Session memory x = market.session(id);
        uint128 amount = uint128(bound(total, 0, 50 ether));
        sign(id, amount);
        bytes memory signature = closing(keyOf(x.coordinator), id, amount);
        vm.prank(x.client);
        market.closeByAgreement(id, amount, signature);
    }

    /// @dev Of a session that is open, mostly: when it is due, and before any block closes it.
    function refund(uint256 which) external counted {
        uint64 id = pick(which);
        uint64 dueAt = market.session(id).dueAt;
        if (dueAt > time()) vm.warp(dueAt);
        market.refund(id);
    }

    function setLimit(uint256 with, uint256 miner_, uint256 amount) external counted {
        vm.prank(coordinators[with % COORDINATORS]);
        market.setMinerLimit(miners[miner_ % MINERS], uint128(bound(amount, 0, 6_000 ether)));
    }

    /// @dev Takes the first lowering there is, after its time.
    function applyLimit(uint256 with, uint256 miner_) external counted {
        for (uint256 i; i < COORDINATORS * MINERS; ++i) {
            address by = coordinators[(with % COORDINATORS + i) % COORDINATORS];
            address payee = miners[(miner_ % MINERS + i / COORDINATORS) % MINERS];
            uint64 at_ = market.minerLimit(by, payee).nextAt;
            if (at_ == 0) continue;
            pass(at_);
            market.applyLimit(by, payee);
            return;
        }
    }

    function withdrawSettlement(uint256 with, uint256 amount) external counted {
        address by = coordinators[with % COORDINATORS];
        for (uint256 i; i < COORDINATORS && market.settlement(by) == 0; ++i) {
            by = coordinators[i];
        }
        uint128 account = market.settlement(by);
        vm.prank(by);
        market.withdrawSettlement(uint128(bound(amount, 0, account)));
    }

    function withdraw(uint256 who) external counted {
        address account = clients[3 + who % 3];
        for (uint256 i = 3; i < CLIENTS && market.withdrawable(account) == 0; ++i) {
            account = clients[i];
        }
        if (who % 4 == 0) account = miners[MINERS - 1];
        // To a purse that takes coins, which is counted among the clients.
        vm.prank(account);
        market.withdraw(payable(clients[0]));
    }

    function stake(uint256 who, uint256 amount) external counted {
        (address account, uint8 role) = participant(who);
        vm.prank(account);
        registry.increase{value: bound(amount, 1, 500 ether)}(role);
    }

    /// @dev All of it, or mostly no more than may go while it stays registered.
    function unbond(uint256 who, uint256 amount) external counted {
        (address account, uint8 role) = participant(who);
        uint128 has = registry.participant(role, account).stake;
        uint256 least = role == MINER ? 1_000 ether : 10_000 ether;
        if (amount % 4 == 0 || has <= least) amount = has;
        else amount = bound(amount, 1, amount % 4 == 1 ? has : has - least);
        vm.prank(account);
        registry.requestUnbond(role, uint128(amount));
    }

    function withdrawUnbonded(uint256 who) external counted {
        for (uint256 i; i < COORDINATORS + MINERS; ++i) {
            (address account, uint8 role) = participant(who % 100 + i);
            Participant memory p = registry.participant(role, account);
            if (p.unbonding == 0) continue;
            pass(p.unbondAt);
            vm.prank(account);
            registry.withdrawUnbonded(role);
            return;
        }
    }

    function comeBack(uint256 who) external counted {
        for (uint256 i; i < COORDINATORS + MINERS; ++i) {
            (address account, uint8 role) = participant(who % 100 + i);
            Participant memory p = registry.participant(role, account);
            if (p.registered) continue;
            vm.prank(account);
            registry.register{value: role == MINER ? 1_000 ether : 10_000 ether}(role, p.signer, 0, "");
            return;
        }
    }

    function unjail(uint256 with) external counted {
        for (uint256 i; i < COORDINATORS; ++i) {
            address by = coordinators[(with % 100 + i) % COORDINATORS];
            Participant memory p = registry.participant(COORDINATOR, by);
            if (p.jailedUntil == 0 || !p.registered) continue;
            pass(p.jailedUntil);
            vm.startPrank(by);
            if (p.stake < 10_000 ether) registry.increase{value: 10_000 ether - p.stake}(COORDINATOR);
            registry.unjail(COORDINATOR);
            vm.stopPrank();
            return;
        }
    }

    function replaceKey(uint256 with, uint256 key) external counted {
        address by = coordinators[with % COORDINATORS];
        key = bound(key, 1, 1e30);
        vm.prank(by);
        registry.replaceSigner(COORDINATOR, vm.addr(key), 0);
        signerKey[by] = keyOf(by);
        (nextKey[by], nextAt[by]) = (key, time() + market.holdDelay());
    }

    function forceEther(uint256 amount, uint8 where) external counted {
        address[4] memory all = [address(market), address(registry), address(treasury), address(rewards)];
        address to = all[where % 4];
        amount = bound(amount, 1, 1 ether);
        give(to, amount);
        surplus[to] += amount;
    }

    function collect(uint8 what) external counted {
        if (what % 8 == 0) market.sweep();
        if (what % 8 == 1) registry.sweep();
        if (what % 8 == 2) rewards.sweep();
        if (what % 8 == 3) treasury.sweep();
        if (what % 8 < 4) {
            surplus[[address(market), address(registry), address(rewards), address(treasury)][what % 8]] = 0;
        } else {
            market.collectFees();
        }
    }

    /// @dev The pay of the next epoch for which there is some, and of the one after it.
    function claimWork(uint256 who, uint256 which) external counted {
        address payee = worker(who % (MINERS + COORDINATORS));
        uint64 running = rewards.epoch();
        uint64[] memory list = new uint64[](3);
        list[0] = uint64(which % running) + 1;
        for (uint256 n; n < 8 && claimable(payee, list[0]) == 0; ++n) {
            list[0] = list[0] % running + 1;
        }
        (list[1], list[2]) = (list[0] + 1, list[0]);
        (uint256 owed, uint256 purse) = (rewards.owed(), payee.balance);
        (uint256 due, uint256 more) = (claimable(payee, list[0]), claimable(payee, list[1]));
        rewards.claim(payee, list);
        if (payee.balance != purse + due + more) wrong = "all pay is paid, and once";
        for (uint256 i; i < 2; ++i) {
            (uint128 f,) = rewards.work(payee, list[i]);
            if (f != 0 && list[i] < running) claimed[list[i]][payee] = true;
        }
        // What rounding leaves when the last one has claimed is nobody's.
        surplus[address(rewards)] += owed - rewards.owed() - due - more;
    }

    function drip(uint256 who) external counted {
        address to = clients[who % CLIENTS];
        FaucetParams memory p = faucetParams();
        uint256 purse = to.balance;
        faucet.drip(to);
        if (to.balance != purse + p.amount) wrong = "the faucet gives its amount";
        if (givenAt[to] != 0 && time() < givenAt[to] + p.cooldown) wrong = "the faucet waits";
        givenAt[to] = time();
        given[time() / 1 hours] += p.amount;
        if (given[time() / 1 hours] > p.hourlyCap) wrong = "the faucet keeps within an hour's cap";
    }

    /// @dev The Treasury fills the faucet, or spends; or the faucet is emptied.
    function spend(uint256 amount, uint8 what) external counted {
        amount = bound(amount, 0, treasury.owed());
        vm.prank(governor);
        if (what % 16 == 0) faucet.drain();
        else treasury.spend(what % 2 == 0 ? address(faucet) : clients[0], amount);
    }

    function govern(uint16 feeBps, uint64 window, uint256 rate, uint64 epoch, uint16 f, uint16 g) external counted {
        MarketParams memory m = marketParams();
        (m.feeBps, m.closeWindow, m.claimDelay) = (feeBps % 2_001, 46 minutes + window % 1 hours, 1 + window % 600);
        RegistryParams memory r = registryParams();
        r.unbondDelay += window % 1 days;
        RewardsParams memory p = rewardsParams();
        (p.stakersPerSecond, p.minersPerSecond) = (uint128(rate % 1e18), uint128(bound(rate, 0, 2 ** 67)));
        (p.epoch, p.minerFeeBps, p.stakerFeeBps) = (uint64(bound(epoch, 60, LONGEST_EPOCH)), f % 5_001, g % 5_000);
        vm.startPrank(governor);
        market.setParams(m);
        registry.setParams(r);
        rewards.setParams(p);
        vm.stopPrank();
        stakers.set(g % 8 == 0 ? Stakers.Mood.REFUSES : Stakers.Mood.TAKES);
    }

    /// @dev A block, up to half an hour after the one before; now and then the network stood still for a day.
    function nextBlock(uint256 seconds_) external counted {
        vm.warp(time() + bound(seconds_, 0, seconds_ % 16 == 0 ? 30 hours : 30 minutes));
        endBoth();
    }

    /// @dev Time passes with no block: what is due waits.
    function wait(uint256 seconds_) external counted {
        vm.warp(time() + bound(seconds_, 0, 2 hours));
    }

    /// @dev Goes on to a time, if it is ahead, with a block there.
    function pass(uint64 until) private {
        if (time() < until) vm.warp(until);
        endBoth();
    }

    /// @dev Returns a session: one in four of all there were, else one of the last that is not closed, if there is one.
    function pick(uint256 which) private view returns (uint64 id) {
        uint64 n = market.sessionCount();
        if (n == 0) return 0;
        if (which % 4 == 0) return uint64(which % n) + 1;
        id = n - uint64(which % (n < 8 ? n : 8));
        for (uint256 i; i < 8 && market.session(id).state == 3; ++i) {
            id = id == 1 ? n : id - 1;
        }
    }

    function claimable(address payee, uint64 epoch) private view returns (uint256 amount) {
        (, amount) = rewards.work(payee, epoch);
    }

    function see(address by, address payee) private {
        uint128 now_ = market.credited(by, payee);
        if (now_ < seen[by][payee]) wrong = "credited fell";
        seen[by][payee] = now_;
    }

    function sign(uint64 id, uint128 amount) private {
        if (amount > vouched[id]) vouched[id] = amount;
    }

    function promise_(address by, address payee, uint128 total) private {
        if (total > promised[by][payee]) promised[by][payee] = total;
    }

    function signAll(Order memory o, Receipt memory r, uint128 total) private view returns (SingleOrder memory e) {
        (e.order, e.receipt, e.minerTotal) = (o, r, total);
        (e.orderR, e.orderVS) = compact(SPENDER_KEY, verifier.jobId(o));
        uint256 key = signerKey[r.miner];
        (e.receiptR, e.receiptVS) = compact(key == 0 ? 1 : key, verifier.receiptDigest(r));
        (e.counterR, e.counterVS) = countersign(keyOf(r.coordinator), r, total);
    }
}
