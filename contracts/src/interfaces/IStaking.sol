// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingActions} from "./IStakingActions.sol";
import {IStakingSystem} from "./IStakingSystem.sol";
import {IStakingViews} from "./IStakingViews.sol";
import {IStakingVotes} from "./IStakingVotes.sol";

/// @title IStaking
/// @notice Validators, the stake behind them, and what they earn and lose.
/// @dev A validator's stake is a pool of shares: slashing lowers what each share is worth, in one step for all. What
/// unbonds lies in pools of the validator by day, which slashing lowers too. Rewards are a cumulative index over all
/// active stake and one in each validator: nothing ever loops over delegators. Votes are stake: a validator votes with
/// all that is delegated to it, unless a delegator votes for itself. The clock is the block's timestamp (ERC-6372).
interface IStaking is IStakingActions, IStakingSystem, IStakingViews, IStakingVotes {}
