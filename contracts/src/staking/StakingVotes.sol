// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {IStakingVotes} from "../interfaces/IStakingVotes.sol";
import {Unbonding} from "../StakingTypes.sol";
import {StakingValidators} from "./StakingValidators.sol";

/// @title StakingVotes
/// @notice What an account has staked now, and what stake there was at any time.
abstract contract StakingVotes is StakingValidators, IStakingVotes {
    using Checkpoints for Checkpoints.Trace208;
    using EnumerableSet for EnumerableSet.AddressSet;

    /// @inheritdoc IStakingVotes
    function delegation(address delegator, address operator)
        external
        view
        returns (uint128 amount, uint256 shares, uint64 lockedUntil)
    {
        StakingState storage s = _state();
        Stake storage d = s.stakes[delegator][operator];
        shares = d.shares.latest();
        amount = uint128(_worth(s.validators[operator], shares));
        (, lockedUntil) = _locked(d);
    }

    /// @inheritdoc IStakingVotes
    function delegationsOf(address delegator) external view returns (address[] memory) {
        return _state().delegated[delegator].values();
    }

    /// @inheritdoc IStakingVotes
    function unbondings(address delegator) external view returns (Unbonding[] memory out) {
        Leaving[] storage list = _state().leaving[delegator];
        out = new Unbonding[](list.length);
        for (uint256 i; i < out.length; ++i) {
            Leaving storage l = list[i];
            out[i] = Unbonding(l.operator, _worthOf(l), l.dueAt, l.dueBlock);
        }
    }

    /// @inheritdoc IStakingVotes
    function getVotes(address account) external view returns (uint256) {
        return _state().validators[account].tokens;
    }

    /// @inheritdoc IStakingVotes
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256) {
        return _at(_state().validators[account].tokensAt, timepoint);
    }

    /// @inheritdoc IStakingVotes
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256) {
        return _at(_state().totalAt, timepoint);
    }

    /// @inheritdoc IStakingVotes
    function getPastDelegation(address delegator, address operator, uint256 timepoint) external view returns (uint256) {
        ValidatorState storage v = _state().validators[operator];
        uint256 shares = _at(_state().stakes[delegator][operator].shares, timepoint);
        if (shares == 0) return 0;
        return Math.mulDiv(shares, _at(v.tokensAt, timepoint), _at(v.sharesAt, timepoint));
    }

    /// @inheritdoc IStakingVotes
    function clock() external view returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @inheritdoc IStakingVotes
    function CLOCK_MODE() external pure returns (string memory) {
        return "mode=timestamp";
    }

    /// @dev Blocks of the running second may still change what holds at its end.
    function _at(Checkpoints.Trace208 storage trace, uint256 timepoint) private view returns (uint256) {
        if (timepoint >= block.timestamp) revert FutureLookup(timepoint);
        return trace.upperLookupRecent(uint48(timepoint));
    }
}
