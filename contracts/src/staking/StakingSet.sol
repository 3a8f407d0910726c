// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {PowerCap} from "../lib/PowerCap.sol";
import {Mode, Power} from "../StakingTypes.sol";
import {StakingRegister} from "./StakingRegister.sol";

/// @title StakingSet
/// @notice Who validates, with which power, and how fast that may change.
/// @dev At the end of an epoch the candidates with most stake are elected. When somebody was jailed in between, only
/// the jailed lose power. Two guards: the set is never left without anybody who may stay, and in an epoch no more than
/// a third of the power that it began with is taken away; what is beyond waits with the power that it has. Tombstoned
/// validators come first, then jailed ones, then the rest, each in the order of the set.
abstract contract StakingSet is StakingRegister {
    uint64 private constant EQUAL_POWER = 1_000;
    /// @dev A power of 3 is the least from which a third can be taken.
    uint256 private constant LEAST_POWER = 3;
    /// @dev A hundred of these stay below CometBFT's greatest total, 2^60.
    uint256 private constant MOST_POWER = 1 << 50;
    uint256 private constant COINS_PER_POWER = 1e18;

    /// @dev Computes the set again, and returns it if it changed.
    function _recompute(bool epochEnds) internal returns (Power[] memory) {
        StakingState storage s = _state();
        uint64[] memory targets;
        address[] memory winners;
        s.dirty = false;
        if (epochEnds) {
            s.epoch += 1;
            (s.epochPower, s.removed) = (s.totalPower, 0);
            (targets, winners) = _elect();
            if (winners.length == 0) return new Power[](0);
        }
        address[] memory old = s.set;
        uint64[] memory next = new uint64[](old.length);
        if (!_plan(old, next, targets, epochEnds)) return new Power[](0);
        return _apply(old, next, targets, winners);
    }

    /// @dev Returns who should validate, most stake first, and the powers by place in the list of candidates.
    function _elect() private returns (uint64[] memory targets, address[] memory winners) {
        StakingState storage s = _state();
        for (uint256 i = s.candidates.length; i > 0; --i) {
            address operator = s.candidates[i - 1];
            ValidatorState storage v = s.validators[operator];
            if (!_eligible(operator, v)) _leave(v);
        }
        uint256[] memory keys = _ranked();
        uint256 seats = Math.min(keys.length, s.params.maxValidators);
        uint64[] memory powers = new uint64[](seats);
        bool equal = s.mode == Mode.POA;
        for (uint256 i; i < seats; ++i) {
            uint256 power = Math.max(LEAST_POWER, Math.min(MOST_POWER, (keys[i] >> 64) / COINS_PER_POWER));
            powers[i] = equal ? EQUAL_POWER : uint64(power);
        }
        PowerCap.cap(powers, s.params.maxPowerBps);
        targets = new uint64[](keys.length);
        winners = new address[](seats);
        for (uint256 i; i < seats; ++i) {
            uint256 place = uint32(keys[i]);
            targets[place] = powers[i];
            winners[i] = s.candidates[place];
        }
    }

    /// @dev Returns a key for each candidate in falling order: tokens ‖ who registered first ‖ place in the list.
    function _ranked() private view returns (uint256[] memory keys) {
        StakingState storage s = _state();
        uint256 length = s.candidates.length;
        keys = new uint256[](length);
        for (uint256 i; i < length; ++i) {
            ValidatorState storage v = s.validators[s.candidates[i]];
            uint256 key = uint256(v.tokens) << 64 | uint256(~v.number) << 32 | i;
            uint256 j = i;
            for (; j > 0 && keys[j - 1] < key; --j) {
                keys[j] = keys[j - 1];
            }
            keys[j] = key;
        }
    }

    /// @dev Writes the next powers of those who are in the set. Reports false if nobody in it may stay and nobody new
    /// was elected.
    function _plan(address[] memory old, uint64[] memory next, uint64[] memory targets, bool epochEnds)
        private
        returns (bool)
    {
        StakingState storage s = _state();
        bool stay = epochEnds;
        uint64 most = s.epochPower / 3;
        uint64 removed = s.removed;
        for (uint256 rank; rank < 3; ++rank) {
            for (uint256 i; i < old.length; ++i) {
                ValidatorState storage v = s.validators[old[i]];
                if (rank != (v.tombstoned ? 0 : v.jailed ? 1 : 2)) continue;
                (uint64 have, uint64 want) = (v.power, 0);
                if (rank == 2) {
                    stay = true;
                    if (!epochEnds) want = have;
                    else if (v.place != 0) want = targets[v.place - 1];
                }
                if (want < have) {
                    uint64 cut = uint64(Math.min(have - want, most - Math.min(most, removed)));
                    removed += cut;
                    want = have - cut;
                }
                next[i] = want;
            }
        }
        if (stay) s.removed = removed;
        return stay;
    }

    /// @dev Gives everybody the power that was planned, seats the newly elected, and returns the set if it changed.
    function _apply(address[] memory old, uint64[] memory next, uint64[] memory targets, address[] memory winners)
        private
        returns (Power[] memory out)
    {
        StakingState storage s = _state();
        bool changed;
        uint256 count;
        for (uint256 i; i < old.length; ++i) {
            if (_setPower(s.validators[old[i]], next[i])) changed = true;
            if (next[i] == 0) continue;
            if (count != i) s.set[count] = old[i];
            ++count;
        }
        for (uint256 i = old.length; i > count; --i) {
            s.set.pop();
        }
        for (uint256 i; i < winners.length && s.set.length < MAX_CANDIDATES; ++i) {
            ValidatorState storage v = s.validators[winners[i]];
            if (v.power != 0) continue;
            changed = _setPower(v, targets[v.place - 1]);
            s.set.push(winners[i]);
        }
        if (!changed) return out;
        count = s.set.length;
        out = new Power[](count);
        for (uint256 i; i < count; ++i) {
            ValidatorState storage v = s.validators[s.set[i]];
            out[i] = Power(v.x, v.y, v.power);
        }
        emit SetChanged(s.epoch, count, s.totalPower);
    }

    function _setPower(ValidatorState storage v, uint64 power) private returns (bool) {
        uint64 before = v.power;
        if (power == before) return false;
        _settle(v);
        StakingState storage s = _state();
        if (before == 0) s.activeTokens += v.tokens;
        if (power == 0) s.activeTokens -= v.tokens;
        s.totalPower = s.totalPower - before + power;
        v.power = power;
        return true;
    }
}
