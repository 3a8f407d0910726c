// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IStakingActions} from "../interfaces/IStakingActions.sol";
import {StakingDelegation} from "./StakingDelegation.sol";

/// @title StakingExits
/// @notice How stake leaves a validator: to its owner after a delay, or to another validator at once. Either way it
/// can be slashed until evidence against the one it leaves is too old.
abstract contract StakingExits is StakingDelegation {
    uint256 private constant MAX_UNBONDINGS = 16;
    uint256 private constant MAX_LIENS = 7;

    /// @inheritdoc IStakingActions
    function undelegate(address operator, uint128 amount) external nonReentrant {
        (ValidatorState storage v, Stake storage d) = _sync(msg.sender, operator);
        amount = _release(msg.sender, operator, v, d, amount);
        (uint64 dueAt, uint64 dueBlock) = _due();
        if (amount != 0) _begin(operator, v, amount, dueAt, dueBlock);
        emit Undelegated(msg.sender, operator, amount, dueAt, dueBlock);
    }

    /// @inheritdoc IStakingActions
    function redelegate(address from, address to, uint128 amount) external nonReentrant {
        if (from == to) revert BadAmount();
        (ValidatorState storage v, Stake storage d) = _sync(msg.sender, from);
        amount = _release(msg.sender, from, v, d, amount);
        if (amount == 0) revert BadAmount();
        (ValidatorState storage w, Stake storage e) = _sync(msg.sender, to);
        _mint(msg.sender, to, w, e, amount);
        // Once the slashing that comes with the tombstone is done there is no other.
        if (!v.tombstoned || _state().deeds.length != 0) _lien(from, v, e, amount);
        emit Redelegated(msg.sender, from, to, amount);
        _enter(to, w);
    }

    /// @inheritdoc IStakingActions
    function withdraw() external nonReentrant returns (uint128 amount) {
        StakingState storage s = _state();
        Leaving[] storage list = s.leaving[msg.sender];
        uint256 length = list.length;
        uint64 next = type(uint64).max;
        for (uint256 i = length; i > 0; --i) {
            Leaving storage l = list[i - 1];
            if (!_over(l.dueAt, l.dueBlock)) {
                if (l.dueAt < next) next = l.dueAt;
                continue;
            }
            Bucket storage b = s.validators[l.operator].buckets[l.day];
            uint128 coins = _worthOf(l);
            b.amount -= coins;
            b.shares -= l.shares;
            amount += coins;
            list[i - 1] = list[list.length - 1];
            list.pop();
        }
        if (list.length == length) revert NotDue(length == 0 ? 0 : next);
        s.unbonding -= amount;
        emit Withdrawn(msg.sender, amount);
        if (amount != 0) _pay(msg.sender, amount);
    }

    /// @dev Evidence of an age of just unbondDelay and unbondBlocks is still accepted, at the end of a block: what left
    /// no earlier than the deed is due after that.
    function _due() private view returns (uint64 dueAt, uint64 dueBlock) {
        StakingState storage s = _state();
        dueAt = uint64(block.timestamp) + s.params.unbondDelay + 1;
        dueBlock = uint64(block.number) + s.params.unbondBlocks + 1;
    }

    function _begin(address operator, ValidatorState storage v, uint128 amount, uint64 dueAt, uint64 dueBlock) private {
        StakingState storage s = _state();
        uint32 day = uint32(block.timestamp / 1 days);
        // A bucket that slashing has worn out is passed over, for the next day's.
        while (v.buckets[day].amount * WORN_OUT < v.buckets[day].shares) ++day;
        Bucket storage b = _use(v, day);
        uint192 shares = uint192(b.shares == 0 ? amount : Math.mulDiv(amount, b.shares, b.amount));
        b.amount += amount;
        b.shares += shares;
        s.unbonding += amount;

        Leaving[] storage list = s.leaving[msg.sender];
        uint256 length = list.length;
        for (uint256 i; i < length; ++i) {
            Leaving storage l = list[i];
            if (l.operator != operator || l.day != day) continue;
            l.shares += shares;
            if (dueAt > l.dueAt) l.dueAt = dueAt;
            if (dueBlock > l.dueBlock) l.dueBlock = dueBlock;
            return;
        }
        if (length == MAX_UNBONDINGS) revert TooMany();
        list.push(Leaving(operator, day, dueAt, shares, dueBlock));
    }

    function _lien(address from, ValidatorState storage v, Stake storage e, uint128 amount) private {
        uint32 day = uint32(block.timestamp / 1 days);
        uint64 lost = _use(v, day).lost;
        (uint64 until, uint64 untilBlock) = _due();
        uint256 length = e.liens.length;
        for (uint256 i; i < length; ++i) {
            Lien storage l = e.liens[i];
            // Both are settled, so lost is the same.
            if (l.from != from || l.day != day) continue;
            l.amount += amount;
            if (until > l.until) l.until = until;
            if (untilBlock > l.untilBlock) l.untilBlock = untilBlock;
            return;
        }
        if (length == MAX_LIENS) revert TooMany();
        e.liens.push(Lien(from, day, until, amount, lost, untilBlock));
    }

    function _use(ValidatorState storage v, uint32 day) private returns (Bucket storage b) {
        b = v.buckets[day];
        b.used = true;
        if (day > v.lastDay) v.lastDay = day;
    }
}
