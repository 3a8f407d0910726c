// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingActions} from "../interfaces/IStakingActions.sol";
import {StakingRegister} from "./StakingRegister.sol";

/// @title StakingDelegation
/// @notice How stake and rewards come in, and how rewards are paid.
abstract contract StakingDelegation is StakingRegister, IStakingActions {
    /// @inheritdoc IStakingActions
    function delegate(address operator) external payable nonReentrant {
        uint128 amount = _coins();
        (ValidatorState storage v, Stake storage d) = _sync(msg.sender, operator);
        emit Delegated(msg.sender, operator, amount, _mint(msg.sender, operator, v, d, amount));
        _enter(operator, v);
    }

    /// @inheritdoc IStakingActions
    function claimRewards(address operator) external nonReentrant returns (uint128 amount) {
        (ValidatorState storage v, Stake storage d) = _sync(msg.sender, operator);
        (amount, d.accrued) = (d.accrued, 0);
        if (msg.sender == operator) {
            amount += v.commission;
            v.commission = 0;
        }
        if (amount == 0) return 0;
        _state().unpaidRewards -= amount;
        emit RewardsPaid(msg.sender, operator, amount);
        _pay(msg.sender, amount);
    }

    /// @inheritdoc IStakingActions
    function settleRedelegations(address delegator, address operator) external nonReentrant {
        _sync(delegator, operator);
    }

    /// @inheritdoc IStakingActions
    function distribute() external payable nonReentrant {
        StakingState storage s = _state();
        uint128 amount = _coins();
        if (s.activeTokens == 0) {
            _toTreasury(amount);
            return;
        }
        s.index += amount * Q128 / s.activeTokens;
        s.unpaidRewards += amount;
        emit Distributed(amount);
    }

    /// @inheritdoc IStakingActions
    function sweep() external nonReentrant {
        uint256 surplus = address(this).balance - _owed();
        if (surplus == 0) return;
        emit Swept(surplus);
        _pay(_state().treasury, surplus);
    }
}
