// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, StakingParams, Unbonding, Validator} from "../../src/StakingTypes.sol";
import {StakingWorld} from "./StakingWorld.sol";

/// @notice Validators and delegators who do anything in any order, honest or not, and a watch on how the set changes.
contract StakingHandler is StakingWorld {
    uint256 private constant EPOCH = 10;

    function delegate(uint256 who, uint256 to, uint256 amount) external counted {
        address from = staker(who);
        amount = bound(amount, from.balance);
        address to_ = target(to);
        vm.prank(from);
        staking.delegate{value: amount}(to_);
    }

    function undelegate(uint256 who, uint256 from, uint256 amount) external counted {
        address account = delegator(who);
        address validator = pick(account, from);
        (uint128 worth_,,) = staking.delegation(account, validator);
        Validator memory before = staking.validator(validator);
        vm.prank(account);
        staking.undelegate(validator, amount % 3 == 0 ? ALL : uint128(bound(amount, worth_)));
        checkPrice(before);
    }

    function redelegate(uint256 who, uint256 from, uint256 to, uint256 amount) external counted {
        address account = delegator(who);
        address validator = pick(account, from);
        (uint128 worth_,,) = staking.delegation(account, validator);
        address to_ = target(to);
        Validator memory left = staking.validator(validator);
        Validator memory joined = staking.validator(to_);
        vm.prank(account);
        staking.redelegate(validator, to_, amount % 3 == 0 ? ALL : uint128(bound(amount, worth_)));
        checkPrice(left);
        checkPrice(joined);
    }

    /// @dev Half of all wait until something is due.
    function withdraw(uint256 who, bool wait_) external counted {
        address account = staker(who);
        for (uint256 i; i < STAKERS && staking.unbondings(account).length == 0; ++i) {
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

    function claim(uint256 who, uint256 from) external counted {
        address account = staker(who);
        (,, uint256 before) = staking.accounts();
        uint256 purse = account.balance;
        address validator = pick(account, from);
        vm.prank(account);
        uint256 paid = staking.claimRewards(validator);
        (,, uint256 left) = staking.accounts();
        if (left + paid != before) wrong = "rewards fall by what is paid";
        if (account.balance != purse + paid) wrong = "what is paid is received";
    }

    function settle(uint256 who, uint256 at) external counted {
        staking.settleRedelegations(staker(who), pick(staker(who), at));
    }

    /// @dev Mostly somebody new, with a key of its own; else somebody who was there, or a key that was used.
    function register(uint256 i, uint256 key, uint128 stake) external counted {
        i = i % 8 == 0 || registered.length == OPERATORS ? i % OPERATORS : registered.length;
        key = key % 4 == 0 ? key % (2 * OPERATORS) : i + (keyOf[operator(i)] == address(0) ? 0 : OPERATORS);
        (uint8 v, bytes32 r, bytes32 s) = signKey(key, staking.keyDigest(operator(i), xs[key], ys[key]));
        stake = uint128(100 * COIN + bound(stake, 100_000 * COIN));
        vm.prank(operator(i));
        staking.createValidator{value: stake}(
            xs[key], ys[key], abi.encodePacked(r, s, v), uint16(key * 600), 500, "new"
        );
        registered.push(operator(i));
        keyOf[operator(i)] = keys[key];
    }

    /// @dev The next one who may leave jail, after its time, with what its stake lacks.
    function unjail(uint256 i) external counted {
        for (uint256 n; n < registered.length; ++n) {
            Validator memory v = staking.validator(registered[(i % OPERATORS + n) % registered.length]);
            if (!v.jailed || v.tombstoned) continue;
            if (v.jailedUntil > time()) vm.warp(v.jailedUntil);
            vm.prank(v.operator);
            staking.unjail();
            return;
        }
    }

    function setCommission(uint256 i, uint16 bps) external counted {
        Validator memory v = staking.validator(registered[i % registered.length]);
        pass(12 hours, 1);
        vm.prank(v.operator);
        staking.setCommission(v.commissionBps + bps % (v.maxDailyChangeBps + 1));
    }

    function setAuthority(uint256 i, bool yes) external counted {
        vm.prank(governor);
        staking.setAuthority(operator(i % OPERATORS), yes);
    }

    function setParams(uint16 seats, uint16 cap, uint16 doubleSign_, uint64 delay, uint256 least) external counted {
        StakingParams memory p = staking.params();
        p.maxValidators = 1 + seats % uint16(OPERATORS);
        p.maxPowerBps = 1 + cap % 10_000;
        p.doubleSignBps = doubleSign_ % 10_001;
        p.unbondDelay = 1 minutes + delay % 3 days;
        p.minSelfStake = uint128(least % (2_000 * COIN));
        vm.prank(governor);
        staking.setParams(p);
    }

    function distribute(uint256 who, uint256 amount) external counted {
        address from = staker(who);
        amount = bound(amount, from.balance / 100);
        vm.prank(from);
        staking.distribute{value: amount}();
    }

    function forceEther(uint64 amount) external counted {
        vm.deal(address(staking), address(staking).balance + amount);
        coins += amount;
        surplus += amount;
    }

    function sweep() external counted {
        staking.sweep();
        surplus = 0;
    }

    /// @dev A block: some are absent, and perhaps somebody signed twice a while ago.
    function nextBlock(uint256 seed) external counted {
        block_(seed, 1);
    }

    /// @dev The last block of an epoch.
    function nextEpoch(uint256 seed) external counted {
        block_(seed, EPOCH - vm.getBlockNumber() % EPOCH);
    }

    function wait(uint256 seconds_) external counted {
        pass(bound(seconds_, 3 days), 15);
    }

    function block_(uint256 seed, uint256 blocks) private {
        Evidence[] memory guilty = new Evidence[](seed % 23 == 0 ? 1 : 0);
        if (guilty.length != 0) {
            uint256 age = (seed >> 16) % 2 days;
            guilty[0] = Evidence(keys[(seed >> 8) % (2 * OPERATORS)], uint64(vm.getBlockNumber()), uint64(time() - age));
        }
        (address[] memory members, uint64[] memory powers) = staking.activeSet();
        uint256 count = (seed >> 40) % (members.length + 1);
        address[] memory missed = new address[](count);
        uint256 total;
        for (uint256 i; i < members.length; ++i) {
            if (i < count) missed[i] = keyOf[members[i]];
            total += powers[i];
        }
        uint64 before = staking.epoch();
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(time() + 1);
        vm.prank(SYSTEM);
        staking.endBlock(missed, guilty);
        if (staking.epoch() != before) (epochPower, removed) = (total, 0);
        watch(members, powers);
    }

    /// @dev There is always a set, of bounded size, all with power, and it never changes too fast.
    function watch(address[] memory old, uint64[] memory had) private {
        (address[] memory members, uint64[] memory powers) = staking.activeSet();
        if (members.length == 0) wrong = "the set is empty";
        if (members.length > registered.length) wrong = "more than there are";
        for (uint256 i; i < members.length; ++i) {
            if (powers[i] == 0) wrong = "no power";
            for (uint256 j; j < i; ++j) {
                if (members[i] == members[j]) wrong = "twice in the set";
            }
        }
        for (uint256 i; i < old.length; ++i) {
            uint64 has;
            for (uint256 j; j < members.length; ++j) {
                if (members[j] == old[i]) has = powers[j];
            }
            if (has < had[i]) removed += had[i] - has;
        }
        if (removed * 3 > epochPower) wrong = "more than a third in an epoch";
    }

    /// @dev Whoever comes or goes takes nothing from those who stay: their shares are worth no less than before.
    function checkPrice(Validator memory before) private {
        Validator memory v = staking.validator(before.operator);
        if (v.shares != 0 && v.tokens * before.shares < before.tokens * v.shares) {
            wrong = "who stays pays for who goes";
        }
    }

    /// @dev Returns somebody who has delegated, if there is anybody.
    function delegator(uint256 who) private view returns (address account) {
        for (uint256 i; i < STAKERS; ++i) {
            account = staker(who % 1_000 + i);
            if (staking.delegationsOf(account).length != 0) return account;
        }
    }

    /// @dev Returns a validator.
    function target(uint256 i) private view returns (address) {
        return registered[i % registered.length];
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
