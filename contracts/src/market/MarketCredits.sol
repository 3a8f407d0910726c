// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarket} from "../interfaces/IMarket.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Reason} from "../lib/Reason.sol";
import {Limit} from "../Types.sol";
import {MarketSessions} from "./MarketSessions.sol";

/// @title MarketCredits
/// @notice What coordinators have paid miners, and the bond that stands behind what they have not.
/// @dev Credits are cumulative: whatever is presented, in whatever order, a miner gets at most the greatest total.
abstract contract MarketCredits is MarketSessions {
    /// @dev What came of a credit: what was paid, how much of it by the bond, and the fees that go with the rest.
    struct Payment {
        uint8 reason;
        uint128 paid;
        uint128 fromBond;
        uint128 fees;
    }

    /// @inheritdoc IMarket
    function setMinerLimit(address miner, uint128 amount) external nonReentrant {
        if (miner == address(0)) revert ZeroAddress();
        _applyLimit(msg.sender, miner);
        MarketState storage s = _state();
        Limit storage l = s.limits[msg.sender][miner];
        uint128 current = l.amount;
        uint64 effectiveAt = uint64(block.timestamp);
        if (amount >= current) {
            (l.amount, l.nextAmount, l.nextAt) = (amount, 0, 0);
            _reserve(msg.sender, s.reserved[msg.sender] + (amount - current));
        } else {
            effectiveAt += holdDelay();
            (l.nextAmount, l.nextAt) = (amount, effectiveAt);
        }
        emit LimitSet(msg.sender, miner, amount, effectiveAt);
    }

    /// @inheritdoc IMarket
    function applyLimit(address coordinator, address miner) external nonReentrant {
        uint64 dueAt = _state().limits[coordinator][miner].nextAt;
        if (dueAt == 0 || block.timestamp < dueAt) revert NotDue(dueAt);
        _applyLimit(coordinator, miner);
    }

    /// @inheritdoc IMarket
    function credited(address coordinator, address miner) external view returns (uint128) {
        return _state().credited[coordinator][miner];
    }

    /// @inheritdoc IMarket
    function minerLimit(address coordinator, address miner) external view returns (Limit memory) {
        return _state().limits[coordinator][miner];
    }

    /// @inheritdoc IMarket
    function reserved(address coordinator) external view returns (uint128) {
        return _state().reserved[coordinator];
    }

    /// @inheritdoc IMarket
    function holdDelay() public view returns (uint64) {
        MarketState storage s = _state();
        return s.params.claimDelay + s.params.maxOrderDuration + s.params.margin;
    }

    /// @dev Books what can be paid of max(0, minerTotal − credited): from the settlement account, then from the bond
    /// within the miner's limit. The caller pushes the coins and reports the fees. The rest stays owed.
    function _credit(address coordinator, address miner, uint128 minerTotal) internal returns (Payment memory p) {
        MarketState storage s = _state();
        uint128 before = s.credited[coordinator][miner];
        if (minerTotal <= before || miner == address(0)) {
            p.reason = Reason.NOTHING_OWED;
            return p;
        }
        uint128 due = minerTotal - before;
        (p.paid, p.fees) = _takeOut(s.settlement[coordinator], due);
        if (p.paid < due) {
            p.fromBond = _draw(coordinator, miner, due - p.paid);
            p.paid += p.fromBond;
        }
        if (p.paid == 0) {
            p.reason = Reason.NO_FUNDS;
            return p;
        }
        s.credited[coordinator][miner] = before + p.paid;
        emit Credited(coordinator, miner, before + p.paid, p.paid);
    }

    /// @dev Takes up to amount out of a settlement account, with its part of the fees that the account carries.
    function _takeOut(Account storage a, uint128 amount) private returns (uint128 taken, uint128 fees) {
        (uint128 funds, uint128 carried) = (a.amount, a.fees);
        taken = amount < funds ? amount : funds;
        if (taken == 0) return (0, 0);
        unchecked {
            fees = uint128(uint256(carried) * taken / funds);
            (a.amount, a.fees) = (funds - taken, carried - fees);
        }
    }

    /// @dev Draws up to amount of the bond within the miner's limit, which shrinks by what comes.
    function _draw(address coordinator, address miner, uint128 amount) private returns (uint128 drawn) {
        MarketState storage s = _state();
        Limit storage l = s.limits[coordinator][miner];
        uint128 limit = l.amount;
        if (amount > limit) amount = limit;
        if (amount == 0) return 0;
        drawn = IRegistry(s.registry).draw(coordinator, amount);
        l.amount = limit - drawn;
        s.reserved[coordinator] -= drawn;
        s.owed += drawn;
    }

    function _applyLimit(address coordinator, address miner) private {
        MarketState storage s = _state();
        Limit storage l = s.limits[coordinator][miner];
        if (l.nextAt == 0 || block.timestamp < l.nextAt) return;
        (uint128 current, uint128 next) = (l.amount, l.nextAmount);
        (l.nextAmount, l.nextAt) = (0, 0);
        // Draws may have taken it lower already.
        if (next >= current) return;
        l.amount = next;
        _reserve(coordinator, s.reserved[coordinator] - (current - next));
    }

    function _reserve(address coordinator, uint128 amount) private {
        MarketState storage s = _state();
        s.reserved[coordinator] = amount;
        IRegistry(s.registry).setReserved(coordinator, amount);
    }
}
