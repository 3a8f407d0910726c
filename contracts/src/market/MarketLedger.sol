// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IMarketEvents} from "../interfaces/IMarket.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {Bounded} from "../lib/Bounded.sol";
import {Governed} from "../lib/Governed.sol";
import {Push} from "../lib/Push.sol";
import {MarketStorage} from "./MarketStorage.sol";

/// @title MarketLedger
/// @notice How coins come and go, with the one sum of what the Market owes; both halves of the Market have it.
abstract contract MarketLedger is MarketStorage, Governed, ReentrancyGuardTransient, IMarketEvents {
    /// @notice The sender of the node's calls.
    address internal constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    /// @dev Empty words of a queue's bitmap that one block may step over: 512 are a day and a half.
    uint256 internal constant STEPS = 512;
    /// @dev More than one step costs.
    uint256 internal constant STEP_GAS = 2_500;
    /// @dev Far more than a report of work takes, by itself and for each miner.
    uint256 private constant REPORT_GAS = 60_000;
    uint256 private constant REPORT_GAS_EACH = 32_000;

    /// @dev Pays an amount that an account was just relieved of; reverts when the receiver refuses it.
    function _pay(address to, uint128 amount) internal {
        _state().owed -= amount;
        _send(to, amount);
    }

    /// @dev Pushes an amount that an account was just relieved of, or keeps it for the receiver to withdraw.
    function _push(address to, uint128 amount) internal returns (bool pushed) {
        if (amount == 0) return true;
        MarketState storage s = _state();
        s.owed -= amount;
        pushed = Push.tryPush(to, amount);
        if (!pushed) {
            s.owed += amount;
            s.withdrawable[to] += amount;
            emit Withdrawable(to, amount);
        }
    }

    /// @dev Takes coins sent with a call into the sum of what is owed.
    function _take(uint256 value) internal returns (uint128 amount) {
        if (value > type(uint128).max) revert BadAmount();
        amount = uint128(value);
        _state().owed += amount;
    }

    function _send(address to, uint256 amount) internal {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }

    /// @dev Tells the Rewards which fees go with what miners were paid. Whatever they do, or fail to, the caller goes on.
    function _report(address[] memory miners, uint128[] memory fees) internal {
        address rewards_ = _state().rewards;
        if (rewards_ == address(0)) return;
        uint256 bound = REPORT_GAS + miners.length * REPORT_GAS_EACH;
        Bounded.tryCall(rewards_, 0, bound, abi.encodeCall(IRewards.worked, (miners, fees)));
    }

    /// @dev The same for one miner.
    function _reportOne(address miner, uint128 part) internal {
        address[] memory miners = new address[](1);
        uint128[] memory parts = new uint128[](1);
        (miners[0], parts[0]) = (miner, part);
        _report(miners, parts);
    }
}
