// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IStakingViews} from "../interfaces/IStakingViews.sol";
import {ConsensusKey} from "../lib/ConsensusKey.sol";
import {Mode, StakingParams, Validator} from "../StakingTypes.sol";
import {StakingSlashing} from "./StakingSlashing.sol";

/// @title StakingViews
/// @notice What anyone may read of validators and of the whole.
abstract contract StakingViews is StakingSlashing, IStakingViews {
    using Checkpoints for Checkpoints.Trace208;

    /// @inheritdoc IStakingViews
    function mode() external view returns (Mode) {
        return _state().mode;
    }

    /// @inheritdoc IStakingViews
    function params() external view returns (StakingParams memory) {
        return _state().params;
    }

    /// @inheritdoc IStakingViews
    function validator(address operator) external view returns (Validator memory out) {
        StakingState storage s = _state();
        ValidatorState storage v = _validator(operator);
        out.operator = operator;
        out.consensus = v.consensus;
        (out.x, out.y) = (v.x, v.y);
        (out.tokens, out.shares) = (v.tokens, v.shares);
        out.selfStake = uint128(_selfStake(operator, v));
        (out.commissionBps, out.maxDailyChangeBps) = (v.commissionBps, v.maxDailyChangeBps);
        out.commissionSetAt = v.commissionSetAt;
        (out.jailedUntil, out.jailed, out.tombstoned) = (v.jailedUntil, v.jailed, v.tombstoned);
        out.authority = s.authority[operator];
        out.power = v.power;
        if (v.missedWindow == s.window) out.missed = v.missed;
        out.moniker = v.moniker;
    }

    /// @inheritdoc IStakingViews
    function operatorOf(address consensus) external view returns (address) {
        return _state().operatorOf[consensus];
    }

    /// @inheritdoc IStakingViews
    function validators(uint256 offset, uint256 limit)
        external
        view
        returns (address[] memory operators, uint256 total)
    {
        address[] storage all = _state().operators;
        total = all.length;
        if (offset > total) offset = total;
        operators = new address[](Math.min(limit, total - offset));
        for (uint256 i; i < operators.length; ++i) {
            operators[i] = all[offset + i];
        }
    }

    /// @inheritdoc IStakingViews
    function activeSet() external view returns (address[] memory operators, uint64[] memory powers) {
        StakingState storage s = _state();
        operators = s.set;
        powers = new uint64[](operators.length);
        for (uint256 i; i < powers.length; ++i) {
            powers[i] = s.validators[operators[i]].power;
        }
    }

    /// @inheritdoc IStakingViews
    function rewards(address account, address operator) external view returns (uint128) {
        ValidatorState storage v = _validator(operator);
        Stake storage d = _state().stakes[account][operator];
        (uint256 cut, uint256 perShare) = _earned(v);
        uint256 amount = d.accrued;
        uint256 shares = d.shares.latest();
        if (shares != 0) amount += Math.mulDiv(shares, v.index + perShare - d.index, Q128);
        if (account == operator) amount += v.commission + cut;
        return uint128(amount);
    }

    /// @inheritdoc IStakingViews
    function keyDigest(address operator, bytes32 x, bytes32 y) external view returns (bytes32) {
        return ConsensusKey.digest(operator, x, y);
    }

    /// @inheritdoc IStakingViews
    function owed() external view returns (uint256) {
        return _owed();
    }

    /// @inheritdoc IStakingViews
    function accounts() external view returns (uint256, uint256, uint256) {
        StakingState storage s = _state();
        return (s.bonded, s.unbonding, s.unpaidRewards);
    }

    /// @inheritdoc IStakingViews
    function epoch() external view returns (uint64) {
        return _state().epoch;
    }
}
