// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../../src/interfaces/IStaking.sol";
import {Evidence, StakingParams, Unbonding, Validator} from "../../src/StakingTypes.sol";
import {Treasury} from "../../src/Treasury.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {ContractDelegator} from "./StakingReceivers.sol";

/// @notice Validators and delegators who do anything in any order, honest or not, and a watch on how the set changes.
contract StakingHandler is StakingFixture {
    uint256 public constant OPERATORS = 8;
    uint256 public constant PEOPLE = 5;

    address[] public people;
    /// @notice All coins in the world.
    uint256 public coins;
    /// @notice Set when in an epoch more than a third of the power that it began with was taken away.
    bool public tooFast;
    /// @notice Set when unpaidRewards fell by anything but what was paid.
    bool public rewardsLost;
    mapping(bytes32 name => uint256) public calls;
    uint256 private epochPower;
    uint256 private removed;

    constructor(IStaking staking_, Treasury treasury_) {
        (staking, treasury) = (staking_, treasury_);
        for (uint256 i; i < PEOPLE - 1; ++i) {
            people.push(address(uint160(0xbeef00 + i)));
        }
        ContractDelegator c = new ContractDelegator(staking_);
        c.behave(true, true);
        people.push(address(c));
        for (uint256 i; i < PEOPLE; ++i) {
            vm.deal(people[i], 1_000_000 * COIN);
        }
        for (uint256 i; i < OPERATORS; ++i) {
            vm.deal(operator(i), 1_000_000 * COIN);
        }
        coins = (PEOPLE + OPERATORS) * 1_000_000 * COIN + address(staking_).balance;
        epochPower = totalPower();
    }

    modifier counted(bytes32 name) {
        ++calls[name];
        _;
    }

    /// @notice Returns an account that stakes: the people, then the operators.
    function staker(uint256 i) public view returns (address) {
        i %= PEOPLE + OPERATORS;
        return i < PEOPLE ? people[i] : operator(i - PEOPLE);
    }

    function operatorAt(uint256 i) external pure returns (address) {
        return operator(i);
    }

    function delegate(uint256 who, uint256 to, uint256 amount) external counted("delegate") {
        address from = staker(who);
        amount = bound(amount, from.balance);
        address to_ = target(to);
        vm.prank(from);
        staking.delegate{value: amount}(to_);
    }

    function undelegate(uint256 who, uint256 from, uint256 amount) external counted("undelegate") {
        address account = delegator(who);
        address validator = pick(account, from);
        (uint128 worth_,,) = staking.delegation(account, validator);
        vm.prank(account);
        staking.undelegate(validator, amount % 3 == 0 ? ALL : uint128(bound(amount, worth_)));
    }

    function redelegate(uint256 who, uint256 from, uint256 to, uint256 amount) external counted("redelegate") {
        address account = delegator(who);
        address validator = pick(account, from);
        (uint128 worth_,,) = staking.delegation(account, validator);
        address to_ = target(to);
        vm.prank(account);
        staking.redelegate(validator, to_, amount % 3 == 0 ? ALL : uint128(bound(amount, worth_)));
    }

    /// @dev Half of all wait until something is due.
    function withdraw(uint256 who, bool wait_) external counted("withdraw") {
        address account = staker(who);
        for (uint256 i; i < PEOPLE + OPERATORS && staking.unbondings(account).length == 0; ++i) {
            account = staker(who % 1_000 + i);
        }
        Unbonding[] memory list = staking.unbondings(account);
        if (wait_ && list.length != 0) {
            if (list[0].dueAt > time()) vm.warp(list[0].dueAt);
            if (list[0].dueBlock > vm.getBlockNumber()) vm.roll(list[0].dueBlock);
        }
        vm.prank(account);
        staking.withdraw();
    }

    function claim(uint256 who, uint256 from) external counted("claim") {
        address account = staker(who);
        (,, uint256 before) = staking.accounts();
        address validator = pick(account, from);
        vm.prank(account);
        uint256 paid = staking.claimRewards(validator);
        (,, uint256 left) = staking.accounts();
        if (left + paid != before) rewardsLost = true;
    }

    function settle(uint256 who, uint256 at) external counted("settle") {
        staking.settleRedelegations(staker(who), pick(staker(who), at));
    }

    /// @dev Mostly somebody new, with a key of its own; else somebody who was there, or a key that was used.
    function register(uint256 i, uint256 key, uint128 stake) external counted("register") {
        (address[] memory all,) = staking.validators(0, OPERATORS);
        i = i % 4 == 0 ? i % OPERATORS : 5 + i % (OPERATORS - 5);
        key = key % 4 == 0 ? key % (2 * OPERATORS) : i + (all.length > i ? OPERATORS : 0);
        (bytes32 x, bytes32 y) = point(key);
        bytes memory proof = proofOf(key, operator(i));
        stake = uint128(100 * COIN + bound(stake, 100_000 * COIN));
        vm.prank(operator(i));
        staking.createValidator{value: stake}(x, y, proof, uint16(key * 600), 500, "new");
    }

    /// @dev The next one who may leave jail, after its time.
    function unjail(uint256 i) external counted("unjail") {
        (address[] memory all,) = staking.validators(0, OPERATORS);
        for (uint256 n; n < all.length; ++n) {
            Validator memory v = staking.validator(all[(i % OPERATORS + n) % all.length]);
            if (!v.jailed || v.tombstoned) continue;
            if (v.jailedUntil > time()) vm.warp(v.jailedUntil);
            vm.prank(v.operator);
            staking.unjail();
            return;
        }
    }

    function setCommission(uint256 i, uint16 bps) external counted("commission") {
        (address[] memory all,) = staking.validators(0, OPERATORS);
        Validator memory v = staking.validator(all[i % all.length]);
        pass(12 hours, 1);
        vm.prank(v.operator);
        staking.setCommission(v.commissionBps + bps % (v.maxDailyChangeBps + 1));
    }

    function setAuthority(uint256 i, bool yes) external counted("authority") {
        vm.prank(governor);
        staking.setAuthority(operator(i % OPERATORS), yes);
    }

    function setParams(uint16 seats, uint16 cap, uint16 doubleSign_, uint64 delay, uint256 least)
        external
        counted("params")
    {
        StakingParams memory p = staking.params();
        p.maxValidators = 1 + seats % 8;
        p.maxPowerBps = 1 + cap % 10_000;
        p.doubleSignBps = doubleSign_ % 10_001;
        p.unbondDelay = 1 minutes + delay % 3 days;
        p.minSelfStake = uint128(least % (2_000 * COIN));
        vm.prank(governor);
        staking.setParams(p);
    }

    function distribute(uint256 who, uint256 amount) external counted("distribute") {
        address from = staker(who);
        amount = bound(amount, from.balance / 100);
        vm.prank(from);
        staking.distribute{value: amount}();
    }

    function forceEther(uint64 amount) external counted("force") {
        vm.deal(address(staking), address(staking).balance + amount);
        coins += amount;
    }

    function sweep() external counted("sweep") {
        staking.sweep();
    }

    /// @dev A block: some are absent, and perhaps somebody signed twice a while ago.
    function nextBlock(uint256 seed) external counted("block") {
        block_(seed, 1);
    }

    /// @dev The last block of an epoch.
    function nextEpoch(uint256 seed) external counted("epoch") {
        uint256 n = staking.params().epochBlocks;
        block_(seed, n - vm.getBlockNumber() % n);
    }

    function wait(uint256 seconds_) external counted("wait") {
        pass(bound(seconds_, 3 days), 15);
    }

    function block_(uint256 seed, uint256 blocks) private {
        Evidence[] memory guilty = new Evidence[](seed % 23 == 0 ? 1 : 0);
        if (guilty.length != 0) {
            uint256 age = (seed >> 16) % 2 days;
            guilty[0] =
                Evidence(consensus((seed >> 8) % (2 * OPERATORS)), uint64(vm.getBlockNumber()), uint64(time() - age));
        }
        (address[] memory members, uint64[] memory powers) = staking.activeSet();
        uint256 count = (seed >> 40) % (members.length + 1);
        address[] memory missed = new address[](count);
        for (uint256 i; i < count; ++i) {
            missed[i] = staking.validator(members[i]).consensus;
        }
        uint64 before = staking.epoch();
        uint256 total = totalPower();
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(time() + 1);
        vm.prank(SYSTEM);
        staking.endBlock(missed, guilty);
        if (staking.epoch() != before) (epochPower, removed) = (total, 0);
        for (uint256 i; i < members.length; ++i) {
            uint64 now_ = staking.validator(members[i]).power;
            if (now_ < powers[i]) removed += powers[i] - now_;
        }
        if (removed * 3 > epochPower) tooFast = true;
    }

    /// @dev Returns somebody who has delegated, if there is anybody.
    function delegator(uint256 who) private view returns (address account) {
        for (uint256 i; i < PEOPLE + OPERATORS; ++i) {
            account = staker(who % 1_000 + i);
            if (staking.delegationsOf(account).length != 0) return account;
        }
    }

    /// @dev Returns a validator.
    function target(uint256 i) private view returns (address) {
        (address[] memory all,) = staking.validators(0, OPERATORS);
        return all[i % all.length];
    }

    /// @dev Returns a validator, mostly one that the account has delegated to.
    function pick(address account, uint256 i) private view returns (address) {
        address[] memory list = staking.delegationsOf(account);
        if (list.length == 0 || i % 11 == 0) return target(i);
        return list[i % list.length];
    }

    function bound(uint256 amount, uint256 most) private pure returns (uint256) {
        return most == 0 ? 0 : 1 + amount % most;
    }
}
