// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingSystem} from "./interfaces/IStakingSystem.sol";
import {ConsensusKey} from "./lib/ConsensusKey.sol";
import {StakingViews} from "./staking/StakingViews.sol";
import {GenesisValidator, Mode, StakingParams} from "./StakingTypes.sol";

/// @title StakingSystem
/// @notice The second half of Staking: what the node, governance and readers call.
/// @dev Staking is more than one contract may hold, so it hands these calls here with its own storage. Layers, each on
/// the one before: StakingStorage, StakingAccounts, StakingCandidates, StakingShares, StakingRegister (which Staking
/// has too), StakingSet, StakingSlashing, StakingViews. This contract adds parameters, authorities and genesis.
contract StakingSystem is StakingViews {
    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the contract up, once. It must hold the stakes of all validators already; they are authorities,
    /// and make the first set.
    function initialize(
        address governor_,
        address treasury_,
        Mode mode_,
        StakingParams calldata params_,
        GenesisValidator[] calldata validators_
    ) external initializer {
        if (treasury_ == address(0)) revert ZeroAddress();
        _initGovernor(governor_);
        StakingState storage s = _state();
        (s.treasury, s.mode, s.windowAt) = (treasury_, mode_, uint64(block.timestamp));
        _setParams(params_);
        for (uint256 i; i < validators_.length; ++i) {
            GenesisValidator calldata g = validators_[i];
            if (g.operator == address(0)) revert ZeroAddress();
            _setAuthority(g.operator, true);
            if (!_register(g, ConsensusKey.addressOf(g.x, g.y))) revert SetFull();
        }
        if (address(this).balance < s.bonded) revert BadAmount();
        _recompute(true);
        s.epochPower = s.totalPower;
    }

    /// @inheritdoc IStakingSystem
    function setParams(StakingParams calldata params_) external onlyGovernor {
        _setParams(params_);
    }

    /// @inheritdoc IStakingSystem
    function setAuthority(address operator, bool admitted) external onlyGovernor {
        _setAuthority(operator, admitted);
        _enter(operator, _state().validators[operator]);
    }

    function _setAuthority(address operator, bool admitted) private {
        StakingState storage s = _state();
        if (s.authority[operator] == admitted) return;
        if (!admitted && s.authorities == 1) revert LastAuthority();
        s.authority[operator] = admitted;
        admitted ? ++s.authorities : --s.authorities;
        emit AuthoritySet(operator, admitted);
    }

    /// @dev No bound lets a setting halt the chain or keep stake from leaving. What unbonds keeps its time.
    function _setParams(StakingParams calldata p) private {
        if (p.maxValidators == 0 || p.maxValidators > 100) revert BadParameter("maxValidators");
        if (p.epochBlocks == 0 || p.epochBlocks > 100_000) revert BadParameter("epochBlocks");
        if (p.maxPowerBps == 0 || p.maxPowerBps > 10_000) revert BadParameter("maxPowerBps");
        if (p.unbondDelay < 1 minutes || p.unbondDelay > 60 days) revert BadParameter("unbondDelay");
        if (p.unbondBlocks > 10_000_000) revert BadParameter("unbondBlocks");
        if (p.doubleSignBps > 10_000) revert BadParameter("doubleSignBps");
        if (p.downtimeBps > 1_000) revert BadParameter("downtimeBps");
        if (p.downtimeJail > 30 days) revert BadParameter("downtimeJail");
        if (p.window < 10 || p.window > 1_000_000) revert BadParameter("window");
        if (p.maxMissed >= p.window) revert BadParameter("maxMissed");
        _state().params = p;
        emit ParamsSet(p);
    }
}
