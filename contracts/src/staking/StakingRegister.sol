// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GenesisValidator} from "../StakingTypes.sol";
import {StakingShares} from "./StakingShares.sol";

/// @title StakingRegister
/// @notice The register of validators, whose entries and keys stay for ever.
abstract contract StakingRegister is StakingShares {
    uint256 internal constant MAX_MONIKER = 64;

    /// @dev Registers a validator with coins that are there already. Reports false if the list of candidates is full.
    function _register(GenesisValidator memory g, address consensus) internal returns (bool) {
        StakingState storage s = _state();
        ValidatorState storage v = s.validators[g.operator];
        if (consensus == address(0)) revert BadProof();
        if (v.consensus != address(0)) revert AlreadyValidator(g.operator);
        if (s.operatorOf[consensus] != address(0)) revert KeyUsed(consensus);
        if (g.commissionBps > 10_000 || g.maxDailyChangeBps > 10_000) revert BadCommission();
        if (bytes(g.moniker).length > MAX_MONIKER) revert BadParameter("moniker");
        s.operatorOf[consensus] = g.operator;
        (v.consensus, v.x, v.y, v.moniker) = (consensus, g.x, g.y, g.moniker);
        (v.commissionBps, v.maxDailyChangeBps) = (g.commissionBps, g.maxDailyChangeBps);
        v.commissionSetAt = uint48(block.timestamp);
        v.number = uint32(s.operators.length);
        v.paidIndex = s.index;
        s.operators.push(g.operator);
        emit ValidatorCreated(g.operator, consensus, g.stake, g.moniker);
        _mint(g.operator, g.operator, v, s.stakes[g.operator][g.operator], g.stake);
        _checkSelfStake(g.operator, v);
        return _enter(g.operator, v);
    }

    function _checkSelfStake(address operator, ValidatorState storage v) internal view {
        (uint256 stake, uint128 least) = (_selfStake(operator, v), _state().params.minSelfStake);
        if (stake < least) revert SelfStakeTooLow(uint128(stake), least);
    }
}
