// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {ReceiptVerifier} from "../../src/ReceiptVerifier.sol";
import {Registry} from "../../src/Registry.sol";
import {Treasury} from "../../src/Treasury.sol";
import {Order, Participant, Receipt, Session, SingleOrder} from "../../src/Types.sol";
import {Fixture} from "./Fixture.sol";
import {BurningClient, ContractClient, Forcer, ReenteringClient, RevertingClient} from "./Receivers.sol";

/// @notice Clients, coordinators and miners who do anything in any order, honest or not, and a memory of what they
/// signed that the invariants are checked against.
contract Handler is Fixture {
    uint256 private constant FIRST_KEY = 0xabc000;

    address[] public clients;
    address[] public coordinators;
    address[] public miners;
    mapping(address account => uint256) private signerKey;
    mapping(address account => uint256) private nextKey;
    mapping(address account => uint256) private nextAt;

    /// @notice The greatest voucher or agreed close signed for a session.
    mapping(uint64 session => uint256) public vouched;
    /// @notice The sum of the prices of all orders signed for a session.
    mapping(uint64 session => uint256) public ordered;
    mapping(uint64 session => uint64) private orders;
    /// @notice The greatest total that a coordinator countersigned for a miner, or credited.
    mapping(address coordinator => mapping(address miner => uint128)) public promised;
    /// @notice What credited was when last seen.
    mapping(address coordinator => mapping(address miner => uint128)) public seen;
    /// @notice Set when credited was ever seen to fall.
    bool public creditedFell;
    /// @notice All coins in the world, at the beginning and by forced ether.
    uint256 public coins;
    mapping(bytes32 name => uint256) public calls;

    constructor(Market market_, Registry registry_, Treasury treasury_, ReceiptVerifier verifier_) payable {
        (market, registry, treasury, verifier) = (market_, registry_, treasury_, verifier_);
        for (uint256 i; i < 3; ++i) {
            coordinators.push(person(i));
        }
        for (uint256 i; i < 3; ++i) {
            miners.push(person(10 + i));
        }
        for (uint256 i; i < 3; ++i) {
            clients.push(person(20 + i));
        }
        clients.push(address(new RevertingClient(market)));
        clients.push(address(new BurningClient(market)));
        clients.push(address(new ReenteringClient(market)));
        miners.push(address(new RevertingClient(market)));
        for (uint256 i; i < clients.length; ++i) {
            fund(clients[i]);
        }
        for (uint256 i; i < miners.length; ++i) {
            fund(miners[i]);
        }
        for (uint256 i; i < coordinators.length; ++i) {
            fund(coordinators[i]);
        }
        for (uint256 i; i < coordinators.length; ++i) {
            enter(coordinators[i], COORDINATOR, 10_000 ether);
        }
        for (uint256 i; i < miners.length; ++i) {
            enter(miners[i], MINER, 1_000 ether);
        }
    }

    modifier counted(bytes32 name) {
        ++calls[name];
        _;
        for (uint256 i; i < coordinators.length; ++i) {
            for (uint256 j; j < miners.length; ++j) {
                uint128 now_ = market.credited(coordinators[i], miners[j]);
                if (now_ < seen[coordinators[i]][miners[j]]) creditedFell = true;
                seen[coordinators[i]][miners[j]] = now_;
            }
        }
    }

    function openSession(uint256 who, uint256 with, uint256 amount, uint256 duration) external counted("open") {
        address payer = clients[who % clients.length];
        amount = bound(amount, 1e15, 100 ether);
        uint64 expiry = uint64(time() + bound(duration, 1, 4 days));
        vm.prank(payer);
        market.openSession{value: amount}(coordinators[with % coordinators.length], spender, expiry);
    }

    function topUp(uint256 who, uint256 which, uint256 amount) external counted("topUp") {
        uint64 id = pick(which);
        vm.prank(clients[who % clients.length]);
        market.topUp{value: bound(amount, 1, 10 ether)}(id);
    }

    /// @dev Two vouchers of sessions at random, the second perhaps forged, and a credit, in one batch.
    function settle(uint256 which, uint256 other, uint64 through, uint256 total, uint256 miner_, bool forged)
        external
        counted("settle")
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
        address payee = miners[miner_ % miners.length];
        uint128 due = market.credited(by, payee) + amount / 4;
        promise_(by, payee, due);
        bytes memory vouchers = bytes.concat(voucher(a, through % 100, amount), second);
        bytes memory credits = bytes.concat(credit(payee, due), credit(by, due));
        vm.prank(by);
        market.settle(by, vouchers, new SingleOrder[](0), credits, keccak256(vouchers), 1);
    }

    /// @dev An order by itself, twice in the batch; perhaps with a byte changed.
    function settleOrder(uint256 which, uint256 price, uint256 miner_, uint8 corrupt) external counted("order") {
        uint64 id = pick(which);
        Session memory x = market.session(id);
        uint128 cost = uint128(bound(price, 0, 20 ether));
        Order memory o = order(id, ++orders[id], cost);
        Receipt memory r = answer(o, cost);
        (r.coordinator, r.miner) = (x.coordinator, miners[miner_ % miners.length]);
        SingleOrder[] memory list = new SingleOrder[](2);
        list[0] = signAll(o, r, cost);
        ordered[id] += cost;
        if (corrupt == 1) list[0].receipt.price += 1;
        if (corrupt == 2) list[0].order.maxPrice += 1;
        if (corrupt == 3) list[0].receipt.miner = miners[(miner_ + 1) % miners.length];
        list[1] = list[0];
        vm.prank(x.coordinator);
        market.settle(x.coordinator, "", list, "", 0, 0);
    }

    function claim(uint256 with, uint256 miner_, uint256 more) external counted("claim") {
        address by = coordinators[with % coordinators.length];
        address payee = miners[miner_ % miners.length];
        uint128 total = market.credited(by, payee) + uint128(bound(more, 1, 5 ether));
        Receipt memory r;
        (r.version, r.coordinator, r.miner) = (1, by, payee);
        r.finishedAt = uint64(time() - 601) * 1000;
        promise_(by, payee, total);
        (bytes32 a, bytes32 b) = countersign(keyOf(by), r, total);
        market.claimReceipt(r, total, a, b);
    }

    function requestClose(uint256 which) external counted("close") {
        uint64 id = pick(which);
        address payer = market.session(id).client;
        vm.prank(payer);
        market.requestClose(id);
    }

    function closeByAgreement(uint256 which, uint256 total) external counted("agree") {
        uint64 id = pick(which);
        Session memory x = market.session(id);
        uint128 amount = uint128(bound(total, 0, 50 ether));
        sign(id, amount);
        bytes memory signature = closing(keyOf(x.coordinator), id, amount);
        vm.prank(x.client);
        market.closeByAgreement(id, amount, signature);
    }

    function refund(uint256 which) external counted("refund") {
        market.refund(pick(which));
    }

    function setLimit(uint256 with, uint256 miner_, uint256 amount) external counted("limit") {
        vm.prank(coordinators[with % coordinators.length]);
        market.setMinerLimit(miners[miner_ % miners.length], uint128(bound(amount, 0, 6_000 ether)));
    }

    /// @dev Takes the first lowering there is, after its time.
    function applyLimit(uint256 with, uint256 miner_) external counted("apply") {
        for (uint256 i; i < coordinators.length * miners.length; ++i) {
            address by = coordinators[(with + i) % coordinators.length];
            address payee = miners[(miner_ + i / coordinators.length) % miners.length];
            uint64 at_ = market.minerLimit(by, payee).nextAt;
            if (at_ == 0) continue;
            pass(at_);
            market.applyLimit(by, payee);
            return;
        }
    }

    function withdrawSettlement(uint256 with, uint256 amount) external counted("earn") {
        address by = coordinators[with % coordinators.length];
        uint128 account = market.settlement(by);
        vm.prank(by);
        market.withdrawSettlement(uint128(bound(amount, 0, account)));
    }

    function withdraw(uint256 who) external counted("withdraw") {
        address account = clients[who % clients.length];
        if (who % 7 == 0) account = miners[3];
        // To a purse that takes coins, which is counted among the clients.
        vm.prank(account);
        market.withdraw(payable(clients[0]));
    }

    function stake(uint256 who, uint256 amount) external counted("stake") {
        (address account, uint8 role) = participant(who);
        vm.prank(account);
        registry.increase{value: bound(amount, 1, 500 ether)}(role);
    }

    function unbond(uint256 who, uint256 amount) external counted("unbond") {
        (address account, uint8 role) = participant(who);
        uint128 has = registry.participant(role, account).stake;
        vm.prank(account);
        registry.requestUnbond(role, amount % 8 == 0 ? has : uint128(bound(amount, 1, 2_000 ether)));
    }

    function withdrawUnbonded(uint256 who) external counted("unbonded") {
        for (uint256 i; i < coordinators.length + miners.length; ++i) {
            (address account, uint8 role) = participant(who % 100 + i);
            Participant memory p = registry.participant(role, account);
            if (p.unbonding == 0) continue;
            pass(p.unbondAt);
            vm.prank(account);
            registry.withdrawUnbonded(role);
            return;
        }
    }

    function comeBack(uint256 who) external counted("back") {
        (address account, uint8 role) = participant(who);
        uint256 least = role == MINER ? 1_000 ether : 10_000 ether;
        address signer = registry.participant(role, account).signer;
        vm.prank(account);
        registry.register{value: least}(role, signer, 0, "");
    }

    function unjail(uint256 with) external counted("unjail") {
        for (uint256 i; i < coordinators.length; ++i) {
            address by = coordinators[(with % 100 + i) % coordinators.length];
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

    function replaceKey(uint256 with, uint256 key) external counted("key") {
        address by = coordinators[with % coordinators.length];
        key = bound(key, 1, 1e30);
        vm.prank(by);
        registry.replaceSigner(COORDINATOR, vm.addr(key), 0);
        signerKey[by] = keyOf(by);
        (nextKey[by], nextAt[by]) = (key, time() + market.holdDelay());
    }

    function forceEther(uint256 amount, uint8 where) external counted("force") {
        amount = bound(amount, 1, 1 ether);
        vm.deal(address(this), amount);
        coins += amount;
        address payable[3] memory to =
            [payable(address(market)), payable(address(registry)), payable(address(treasury))];
        new Forcer{value: amount}(to[where % 3]);
    }

    function collect(uint8 what) external counted("collect") {
        if (what % 3 == 0) market.sweep();
        if (what % 3 == 1) registry.sweep();
        market.collectFees();
    }

    function nextBlock(uint256 seconds_) external counted("block") {
        vm.warp(time() + bound(seconds_, 0, seconds_ % 2 == 0 ? 30 hours : 30 minutes));
        endBlock();
    }

    /// @dev Time passes with no block: what is due waits.
    function wait(uint256 seconds_) external counted("wait") {
        vm.warp(time() + bound(seconds_, 0, 2 hours));
    }

    /// @notice Returns the sum of what the people here hold.
    function purses() external view returns (uint256 sum) {
        for (uint256 i; i < clients.length; ++i) {
            sum += clients[i].balance;
        }
        for (uint256 i; i < miners.length; ++i) {
            sum += miners[i].balance;
        }
        for (uint256 i; i < coordinators.length; ++i) {
            sum += coordinators[i].balance;
        }
    }

    /// @notice Returns how many there are of clients, coordinators and miners.
    function counts() external view returns (uint256, uint256, uint256) {
        return (clients.length, coordinators.length, miners.length);
    }

    function person(uint256 i) private returns (address account) {
        account = vm.addr(FIRST_KEY + i);
        signerKey[account] = FIRST_KEY + 100 + i;
    }

    /// @dev Goes on to a time, if it is ahead, with a block there.
    function pass(uint64 until) private {
        if (time() < until) vm.warp(until);
        endBlock();
    }

    function keyOf(address account) private view returns (uint256) {
        return nextAt[account] != 0 && time() >= nextAt[account] ? nextKey[account] : signerKey[account];
    }

    function fund(address account) private {
        vm.deal(account, 100_000 ether);
        coins += 100_000 ether;
    }

    function enter(address account, uint8 role, uint256 amount) private {
        uint256 key = signerKey[account];
        address signer = key == 0 ? address(uint160(account) + 1) : vm.addr(key);
        vm.prank(account);
        registry.register{value: amount}(role, signer, 0, "");
    }

    function participant(uint256 who) private view returns (address, uint8) {
        uint256 n = who % (coordinators.length + miners.length);
        if (n < coordinators.length) return (coordinators[n], COORDINATOR);
        return (miners[n - coordinators.length], MINER);
    }

    function pick(uint256 which) private view returns (uint64) {
        uint64 n = market.sessionCount();
        return n == 0 ? 0 : uint64(which % n) + 1;
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
