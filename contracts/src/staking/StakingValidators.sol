// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingActions} from "../interfaces/IStakingActions.sol";
import {ConsensusKey} from "../lib/ConsensusKey.sol";
import {GenesisValidator} from "../StakingTypes.sol";
import {StakingExits} from "./StakingExits.sol";

/// @title StakingValidators
/// @notice Who is a validator, under which key, and on which terms.
abstract contract StakingValidators is StakingExits {
    /// @inheritdoc IStakingActions
    function createValidator(
        bytes32 x,
        bytes32 y,
        bytes calldata proof,
        uint16 commissionBps,
        uint16 maxDailyChangeBps,
        string calldata moniker
    ) external payable nonReentrant {
        uint128 stake = _coins();
        address consensus = ConsensusKey.addressOf(x, y);
        if (!ConsensusKey.proves(consensus, msg.sender, x, y, proof)) revert BadProof();
        GenesisValidator memory g = GenesisValidator(msg.sender, x, y, stake, commissionBps, maxDailyChangeBps, moniker);
        if (!_register(g, consensus)) revert SetFull();
    }

    /// @inheritdoc IStakingActions
    function setCommission(uint16 bps) external nonReentrant {
        ValidatorState storage v = _validator(msg.sender);
        (uint256 old, uint256 most) = (v.commissionBps, v.maxDailyChangeBps);
        if (bps > 10_000 || bps > old + most || bps + most < old || block.timestamp < v.commissionSetAt + 1 days) {
            revert BadCommission();
        }
        _settle(v);
        v.commissionBps = bps;
        v.commissionSetAt = uint48(block.timestamp);
        emit CommissionSet(msg.sender, bps);
    }

    /// @inheritdoc IStakingActions
    function setMoniker(string calldata moniker) external {
        if (bytes(moniker).length > MAX_MONIKER) revert BadParameter("moniker");
        _validator(msg.sender).moniker = moniker;
    }

    /// @inheritdoc IStakingActions
    function unjail() external nonReentrant {
        (ValidatorState storage v,) = _sync(msg.sender, msg.sender);
        if (!v.jailed || block.timestamp < v.jailedUntil) revert CannotUnjail(v.jailedUntil);
        _checkSelfStake(msg.sender, v);
        (v.jailed, v.jailedUntil) = (false, 0);
        emit Unjailed(msg.sender);
        _enter(msg.sender, v);
    }
}
