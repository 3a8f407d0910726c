// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {StakingCandidates} from "./StakingCandidates.sol";

/// @title StakingShares
/// @notice Delegations: shares of a validator's pool, what they earn, and what they owe for a former validator.
abstract contract StakingShares is StakingCandidates {
    using Checkpoints for Checkpoints.Trace208;
    using EnumerableSet for EnumerableSet.AddressSet;

    /// @dev Brings a delegation up to date: rewards first, then penalties. It comes before everything that is done
    /// with one.
    function _sync(address delegator, address operator) internal returns (ValidatorState storage v, Stake storage d) {
        v = _validator(operator);
        d = _state().stakes[delegator][operator];
        _settle(v);
        if (d.index != v.index) {
            uint256 shares = d.shares.latest();
            if (shares != 0) d.accrued += uint128(Math.mulDiv(shares, v.index - d.index, Q128));
            d.index = v.index;
        }
        if (d.liens.length != 0) _settleLiens(delegator, operator, v, d);
    }

    /// @dev Adds coins to a delegation that is up to date.
    function _mint(address delegator, address operator, ValidatorState storage v, Stake storage d, uint128 amount)
        internal
        returns (uint256 shares)
    {
        (uint256 tokens, uint256 all) = (v.tokens, v.shares);
        if (v.tombstoned || tokens * WORN_OUT < all) revert Closed(operator);
        shares = all == 0 ? amount : Math.mulDiv(amount, all, tokens);
        if (shares == 0) revert BadAmount();
        _setPool(v, uint128(tokens + amount), all + shares);
        _setShares(delegator, operator, d, d.shares.latest() + shares);
    }

    /// @dev Takes shares from a delegation that is up to date, and returns the coins that they are worth. The last
    /// share takes what is left.
    function _burn(address delegator, address operator, ValidatorState storage v, Stake storage d, uint256 shares)
        internal
        returns (uint128 coins)
    {
        coins = uint128(_worth(v, shares));
        _setPool(v, v.tokens - coins, v.shares - shares);
        _setShares(delegator, operator, d, d.shares.latest() - shares);
    }

    /// @dev Takes about an amount from what is not locked of a delegation that is up to date.
    function _release(address delegator, address operator, ValidatorState storage v, Stake storage d, uint128 amount)
        internal
        returns (uint128)
    {
        uint256 own = d.shares.latest();
        if (own == 0 || amount == 0) revert BadAmount();
        (uint256 locked, uint64 until) = _locked(d);
        uint256 free = locked == 0 ? own : own - Math.min(own, _sharesOf(v, locked));
        uint256 shares = free;
        if (amount != type(uint128).max) {
            uint256 worth = _worth(v, own);
            if (amount > worth) revert BadAmount();
            if (amount + locked > worth) revert Locked(until);
            shares = Math.min(free, _sharesOf(v, amount));
        }
        if (shares == 0) revert Locked(until);
        return _burn(delegator, operator, v, d, shares);
    }

    /// @dev Returns the coins of a delegation that are liable for a former validator, and the last time when they are.
    function _locked(Stake storage d) internal view returns (uint256 amount, uint64 until) {
        uint256 length = d.liens.length;
        for (uint256 i; i < length; ++i) {
            Lien storage l = d.liens[i];
            if (_over(l.until, l.untilBlock)) continue;
            amount += l.amount;
            if (l.until > until) until = l.until;
        }
    }

    /// @dev Returns what an unbonding is worth now, rounded down; the bucket's last share takes what is left.
    function _worthOf(Leaving storage l) internal view returns (uint128) {
        Bucket storage b = _state().validators[l.operator].buckets[l.day];
        return l.shares == 0 ? 0 : uint128(Math.mulDiv(l.shares, b.amount, b.shares));
    }

    function _over(uint64 time, uint64 height) internal view returns (bool) {
        return block.timestamp >= time && block.number >= height;
    }

    function _setShares(address delegator, address operator, Stake storage d, uint256 shares) private {
        d.shares.push(uint48(block.timestamp), uint208(shares));
        EnumerableSet.AddressSet storage list = _state().delegated[delegator];
        if (shares == 0) list.remove(operator);
        else list.add(operator);
    }

    /// @dev Takes the penalties of redelegated coins, and forgets the liens that are over.
    function _settleLiens(address delegator, address operator, ValidatorState storage v, Stake storage d) private {
        StakingState storage s = _state();
        uint256 penalty;
        for (uint256 i = d.liens.length; i > 0; --i) {
            Lien storage l = d.liens[i - 1];
            uint64 lost = s.validators[l.from].buckets[l.day].lost;
            if (lost > l.lost) {
                uint128 part = uint128(uint256(l.amount) * (lost - l.lost) / (WHOLE - l.lost));
                penalty += part;
                l.amount -= part;
                l.lost = lost;
            }
            if (_over(l.until, l.untilBlock)) {
                d.liens[i - 1] = d.liens[d.liens.length - 1];
                d.liens.pop();
            }
        }
        uint256 shares = Math.min(penalty == 0 ? 0 : _sharesOf(v, penalty), d.shares.latest());
        if (shares == 0) return;
        uint128 coins = _burn(delegator, operator, v, d, shares);
        emit RedelegationSlashed(delegator, operator, coins);
        _toTreasury(coins);
    }
}
