// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IStakingEvents} from "../interfaces/IStakingEvents.sol";
import {Governed} from "../lib/Governed.sol";
import {StakingStorage} from "./StakingStorage.sol";

/// @title StakingAccounts
/// @notice The sums of what is owed, how rewards reach validators, and how coins leave.
/// @dev Rewards: distribute raises one index for all active tokens; a validator takes its part when its tokens or its
/// power are about to change, or when somebody asks. All divisions round down, so what is claimable never exceeds
/// unpaidRewards; the dust stays inside.
abstract contract StakingAccounts is StakingStorage, Governed, ReentrancyGuardTransient, IStakingEvents {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev Enough for the Treasury to write its books, and all that it can waste.
    uint256 private constant TREASURY_GAS = 50_000;

    function _owed() internal view returns (uint256) {
        StakingState storage s = _state();
        return uint256(s.bonded) + s.unbonding + s.unpaidRewards;
    }

    /// @dev Returns the coins sent with the call.
    function _coins() internal view returns (uint128) {
        if (msg.value == 0 || msg.value > type(uint128).max) revert BadAmount();
        return uint128(msg.value);
    }

    /// @dev Pays coins that are in no account any more.
    function _pay(address to, uint256 amount) internal {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }

    /// @dev Sends coins that are in no account any more to the Treasury. If it refuses them they are surplus: sweep
    /// brings them there later. It never reverts.
    function _toTreasury(uint256 amount) internal {
        if (amount == 0) return;
        address to = _state().treasury;
        uint256 stipend = TREASURY_GAS;
        assembly ("memory-safe") {
            pop(call(stipend, to, amount, 0, 0, 0, 0))
        }
    }

    /// @dev Returns a validator that there is.
    function _validator(address operator) internal view returns (ValidatorState storage v) {
        v = _state().validators[operator];
        if (v.consensus == address(0)) revert UnknownValidator(operator);
    }

    /// @dev Returns the operator's part and the rewards for a share that a validator has earned since it settled.
    function _earned(ValidatorState storage v) internal view returns (uint256 cut, uint256 perShare) {
        uint256 rise = _state().index - v.paidIndex;
        if (rise == 0 || v.power == 0 || v.tokens == 0) return (0, 0);
        uint256 part = Math.mulDiv(v.tokens, rise, Q128);
        cut = part * v.commissionBps / 10_000;
        perShare = (part - cut) * Q128 / v.shares;
    }

    /// @dev Gives a validator what it has earned. It comes before every change of its tokens, shares, power and
    /// commission.
    function _settle(ValidatorState storage v) internal {
        uint256 index = _state().index;
        if (v.paidIndex == index) return;
        (uint256 cut, uint256 perShare) = _earned(v);
        v.paidIndex = index;
        if (cut != 0) v.commission += uint128(cut);
        if (perShare != 0) v.index += perShare;
    }

    /// @dev Sets a settled validator's tokens and shares, and all sums and checkpoints with them.
    function _setPool(ValidatorState storage v, uint128 tokens, uint256 shares) internal {
        StakingState storage s = _state();
        uint48 now_ = uint48(block.timestamp);
        uint128 before = v.tokens;
        if (v.power != 0) s.activeTokens = s.activeTokens - before + tokens;
        s.bonded = s.bonded - before + tokens;
        v.tokens = tokens;
        v.tokensAt.push(now_, tokens);
        s.totalAt.push(now_, s.bonded);
        if (shares != v.shares) {
            // Shares are at most WORN_OUT times tokens when they are made: 2^158.
            v.shares = uint208(shares);
            v.sharesAt.push(now_, uint208(shares));
        }
    }

    /// @dev Returns what shares of a pool are worth, rounded down.
    function _worth(ValidatorState storage v, uint256 shares) internal view returns (uint256) {
        return shares == 0 ? 0 : Math.mulDiv(shares, v.tokens, v.shares);
    }

    /// @dev Returns the shares that an amount is, rounded up; of a pool that lost everything, all of them.
    function _sharesOf(ValidatorState storage v, uint256 amount) internal view returns (uint256) {
        return v.tokens == 0 ? v.shares : Math.mulDiv(amount, v.shares, v.tokens, Math.Rounding.Ceil);
    }
}
