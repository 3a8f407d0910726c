// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingSystem} from "../interfaces/IStakingSystem.sol";
import {Evidence, Power} from "../StakingTypes.sol";
import {StakingSet} from "./StakingSet.sol";

/// @title StakingSlashing
/// @notice The end of a block: absence and double signing are punished, and the set follows.
/// @dev Nothing here reverts on what it is told, and nothing loops over more than the set, the candidates and the
/// days on which stake left. A day is the least step: what left on the day of a deed is liable for it.
/// The node gives a call 30 M gas, and one that needed more would be dropped with the evidence that it was told. So who
/// is guilty is noted first, which is cheap; what takes more is done while there is gas for it, and else in the next
/// block: a slash, a jailing of who is absent still, and last the election at the end of an epoch.
abstract contract StakingSlashing is StakingSet, IStakingSystem {
    address private constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    /// @dev More days than stake stays liable for.
    uint256 private constant MAX_DAYS = 400;
    /// @dev How many double signers are slashed in a block; when more are caught at once the others follow.
    uint256 private constant MAX_DEEDS = 8;
    /// @dev How much of the evidence that changes nothing is named in events.
    uint256 private constant MAX_IGNORED = 64;
    /// @dev More than a slash over all days takes, than a set takes that loses its jailed, and than an election.
    uint256 private constant SLASH_GAS = 2_600_000;
    uint256 private constant SET_GAS = 6_000_000;
    uint256 private constant ELECTION_GAS = 23_000_000;

    /// @inheritdoc IStakingSystem
    function endBlock(address[] calldata missed, Evidence[] calldata guilty)
        external
        nonReentrant
        returns (Power[] memory set)
    {
        if (msg.sender != SYSTEM) revert Unauthorized(msg.sender);
        StakingState storage s = _state();
        uint256 ignored;
        for (uint256 i; i < guilty.length; ++i) {
            if (!_judge(guilty[i], ignored < MAX_IGNORED)) ++ignored;
        }
        _countAbsent(missed);
        uint256 left = s.deeds.length;
        for (uint256 i; i < MAX_DEEDS && left > 0 && _maySlash(); ++i) {
            Deed memory deed = s.deeds[--left];
            s.deeds.pop();
            _slash(deed.operator, s.validators[deed.operator], s.params.doubleSignBps, deed.since, "double sign");
        }
        bool epochEnds = s.due || block.number % s.params.epochBlocks == 0;
        bool putOff = epochEnds && gasleft() < ELECTION_GAS;
        if (putOff != s.due) s.due = putOff;
        if (putOff) epochEnds = false;
        if (epochEnds || s.dirty) set = _recompute(epochEnds);
    }

    /// @dev Says whether there is gas for a slash, and for the set after it.
    function _maySlash() private view returns (bool) {
        return gasleft() > SLASH_GAS + SET_GAS;
    }

    /// @dev While more than a third is absent nobody is blamed: then it is the network. Whom there is no gas to jail
    /// keeps the count, and is jailed with the next block that it misses.
    function _countAbsent(address[] calldata missed) private {
        StakingState storage s = _state();
        uint64 window = uint64(block.number / s.params.window);
        if (window != s.window) (s.window, s.windowAt) = (window, uint64(block.timestamp));
        uint256 power;
        for (uint256 i; i < missed.length; ++i) {
            power += s.validators[s.operatorOf[missed[i]]].power;
        }
        if (power * 3 > s.totalPower) return;
        for (uint256 i; i < missed.length; ++i) {
            address operator = s.operatorOf[missed[i]];
            ValidatorState storage v = s.validators[operator];
            if (v.power == 0 || v.jailed) continue;
            uint32 count = v.missedWindow == window ? v.missed + 1 : 1;
            bool tooMany = count > s.params.maxMissed && _maySlash();
            (v.missedWindow, v.missed) = (window, tooMany ? 0 : count);
            if (!tooMany) continue;
            _slash(operator, v, s.params.downtimeBps, s.windowAt, "downtime");
            _jail(operator, v, uint64(block.timestamp) + s.params.downtimeJail, "downtime");
        }
    }

    /// @dev Tombstones whom evidence names, once, and notes the deed. Reports false if it changes nothing, and names it
    /// in an event if it shall.
    function _judge(Evidence calldata e, bool named) private returns (bool) {
        StakingState storage s = _state();
        address operator = s.operatorOf[e.consensus];
        ValidatorState storage v = s.validators[operator];
        string memory reason;
        if (operator == address(0)) {
            reason = "unknown";
        } else if (v.tombstoned) {
            reason = "tombstoned";
        } else if (
            uint256(e.time) + s.params.unbondDelay < block.timestamp
                && uint256(e.height) + s.params.unbondBlocks < block.number
        ) {
            reason = "old";
        } else {
            v.tombstoned = true;
            s.deeds.push(Deed(operator, e.time));
            _jail(operator, v, type(uint64).max, "double sign");
            return true;
        }
        if (named) emit EvidenceIgnored(e.consensus, e.height, reason);
        return false;
    }

    function _jail(address operator, ValidatorState storage v, uint64 until, string memory reason) private {
        (v.jailed, v.jailedUntil) = (true, until);
        _leave(v);
        if (v.power != 0) _state().dirty = true;
        emit Jailed(operator, until, reason);
    }

    /// @dev Takes a share of all that is bonded, and of all that left since the day of the deed.
    function _slash(address operator, ValidatorState storage v, uint256 bps, uint256 since, string memory reason)
        private
    {
        StakingState storage s = _state();
        _settle(v);
        uint128 bonded = uint128(v.tokens * bps / 10_000);
        if (bonded != 0) _setPool(v, v.tokens - bonded, v.shares);
        uint128 unbonding;
        uint256 last = v.lastDay;
        uint256 day = since / 1 days;
        if (day + MAX_DAYS < last) day = last - MAX_DAYS;
        for (; day <= last; ++day) {
            Bucket storage b = v.buckets[day];
            if (!b.used) continue;
            uint128 cut = uint128(b.amount * bps / 10_000);
            b.amount -= cut;
            b.lost = WHOLE - uint64((WHOLE - b.lost) * (10_000 - bps) / 10_000);
            unbonding += cut;
        }
        s.unbonding -= unbonding;
        emit Slashed(operator, bonded, unbonding, reason);
        _toTreasury(uint256(bonded) + unbonding);
    }
}
