// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarket} from "../interfaces/IMarket.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {Bounded} from "../lib/Bounded.sol";
import {MarketLedger} from "./MarketLedger.sol";

/// @title MarketAccounts
/// @notice How accounts are emptied, and what they hold.
abstract contract MarketAccounts is MarketLedger, IMarket {
    /// @dev Far more than dividing fees takes.
    uint256 private constant DIVIDE_GAS = 2_000_000;

    /// @inheritdoc IMarket
    function withdrawSettlement(uint128 amount) external nonReentrant {
        Account storage a = _state().settlement[msg.sender];
        (uint128 funds, uint128 carried) = (a.amount, a.fees);
        if (amount == 0 || amount > funds) revert BadAmount();
        // Rounded up: what stays in the account carries no more fees than were taken of it.
        uint128 part = uint128((uint256(carried) * amount + funds - 1) / funds);
        (a.amount, a.fees) = (funds - amount, carried - part);
        emit SettlementWithdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @inheritdoc IMarket
    function withdraw(address payable to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        MarketState storage s = _state();
        uint128 amount = s.withdrawable[msg.sender];
        if (amount == 0) revert BadAmount();
        s.withdrawable[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        _pay(to, amount);
    }

    /// @inheritdoc IMarket
    function collectFees() external nonReentrant {
        MarketState storage s = _state();
        uint128 amount = s.fees;
        if (amount == 0) return;
        s.fees = 0;
        emit FeesCollected(amount);
        s.owed -= amount;
        bytes memory divide = abi.encodeCall(IRewards.divide, ());
        if (!Bounded.tryCall(s.rewards, amount, DIVIDE_GAS, divide)) _send(s.treasury, amount);
    }

    /// @inheritdoc IMarket
    function sweep() external nonReentrant {
        MarketState storage s = _state();
        uint256 surplus = address(this).balance - s.owed;
        if (surplus == 0) return;
        emit Swept(surplus);
        _send(s.treasury, surplus);
    }

    /// @inheritdoc IMarket
    function settlement(address coordinator) external view returns (uint128) {
        return _state().settlement[coordinator].amount;
    }

    /// @inheritdoc IMarket
    function withdrawable(address account) external view returns (uint128) {
        return _state().withdrawable[account];
    }

    /// @inheritdoc IMarket
    function fees() external view returns (uint128) {
        return _state().fees;
    }

    /// @inheritdoc IMarket
    function owed() external view returns (uint256) {
        return _state().owed;
    }

    /// @dev Books a debit: its fee, and the rest to the coordinator's account, which remembers the fee.
    function _book(address coordinator, uint128 debited, uint128 fee) internal {
        if (debited == 0) return;
        MarketState storage s = _state();
        Account storage a = s.settlement[coordinator];
        (a.amount, a.fees) = (a.amount + debited - fee, a.fees + fee);
        if (fee != 0) s.fees += fee;
    }
}
